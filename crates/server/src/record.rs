//! Acts of operators that this process does itself, beside a running service: on record like all others.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use loquat_domain::ports::{Clock as _, NewAct};
use tokio::runtime::{Builder, Runtime};

use crate::settings::Settings;
use crate::storage::Store;
use crate::system::SystemClock;
use crate::{admin, storage};

/// Does an act, once it is on record. What cannot be put on record is not done.
pub(crate) fn on_record<T>(
    settings: &Settings,
    (act, subject): (&str, String),
    work: impl FnOnce() -> Result<T>,
) -> Result<T> {
    let new = NewAct {
        ts: SystemClock.now(),
        actor: admin::operator().to_string(),
        act: act.to_owned(),
        subject,
        detail: String::new(),
    };
    let record = Record::of(settings)?;
    let id = record.begin(new).context("cannot put the act on record")?;
    let done = work();
    let outcome = if done.is_ok() { "done" } else { "failed" };
    record.end(id, outcome).context("cannot put the outcome on record")?;
    done
}

/// Where acts are put on record.
enum Record {
    /// In the file that a service may write meanwhile.
    Embedded(PathBuf),
    /// On the server.
    Shared(Store, Runtime),
}

impl Record {
    fn of(settings: &Settings) -> Result<Self> {
        if storage::is_embedded(settings) {
            return Ok(Self::Embedded(storage::store_path(&settings.data)));
        }
        Ok(Self::Shared(storage::open(settings)?, Builder::new_current_thread().build()?))
    }

    fn begin(&self, act: NewAct) -> Result<u64> {
        Ok(match self {
            Self::Embedded(path) => loquat_store::begin_act(path, &act)?,
            Self::Shared(store, runtime) => runtime.block_on(store.ports().audit.begin_act(act))?,
        })
    }

    fn end(&self, id: u64, outcome: &str) -> Result<()> {
        let now = SystemClock.now();
        match self {
            Self::Embedded(path) => loquat_store::end_act(path, id, outcome, now)?,
            Self::Shared(store, runtime) => {
                runtime.block_on(store.ports().audit.end_act(id, outcome, now))?;
            }
        }
        Ok(())
    }
}
