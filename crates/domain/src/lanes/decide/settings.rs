//! Rules of settings.

use loquat_proto::ConversationKind;
use loquat_proto::event::{EventBody, SettingsBody};

use super::{Decision, Scene};
use crate::Refusal;
use crate::conversations::Right;
use crate::messages::check_retention_of;
use crate::ports::{Change, NewEvent};

pub(super) fn change(scene: Scene<'_>, wanted: &SettingsBody) -> Result<Decision, Refusal> {
    let Scene { state, caller, now, .. } = scene;
    let direct = state.kind == ConversationKind::Direct;
    let only_retention = SettingsBody { retention: wanted.retention, ..SettingsBody::default() };
    if direct && *wanted != only_retention {
        return Err(Refusal::Forbidden("a direct conversation has no settings but its retention"));
    }
    if let Some(retention) = wanted.retention {
        check_retention_of(state.kind, retention)?;
    }
    state.require(caller.user, Right::EditInfo)?;
    if wanted.permissions.is_some() || wanted.slow_mode_ms.is_some() {
        state.require(caller.user, Right::Govern)?;
    }
    let changed = state.settings.changes(wanted);
    if changed.is_empty() {
        return Ok(Decision::Unchanged(None));
    }
    let event =
        NewEvent::new(caller.user, now, &EventBody::Settings(changed.clone()), Change::Settings(changed));
    Ok(Decision::Append(vec![event]))
}
