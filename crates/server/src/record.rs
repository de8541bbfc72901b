//! Acts of operators that this process does itself, beside a running service: on record like all others.

use anyhow::{Context as _, Result};
use loquat_domain::ports::{Clock as _, NewAct};

use crate::settings::Settings;
use crate::system::SystemClock;
use crate::{admin, storage};

/// Does an act, once it is on record. What cannot be put on record is not done.
pub(crate) fn on_record<T>(
    settings: &Settings,
    (act, subject): (&str, String),
    work: impl FnOnce() -> Result<T>,
) -> Result<T> {
    let path = storage::store_path(&settings.data);
    let new = NewAct {
        ts: SystemClock.now(),
        actor: admin::operator().to_string(),
        act: act.to_owned(),
        subject,
        detail: String::new(),
    };
    let id = loquat_store::begin_act(&path, &new).context("cannot put the act on record")?;
    let done = work();
    let outcome = if done.is_ok() { "done" } else { "failed" };
    loquat_store::end_act(&path, id, outcome, SystemClock.now())
        .context("cannot put the outcome on record")?;
    done
}
