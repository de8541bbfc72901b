//! What the user has begun to write: stored soon, told to the server once it has rested, taken over from other
//! devices unless this one has something newer.

use loquat_proto::conversation::UpdatePreferences;
use loquat_proto::{ConversationId, Timestamp};
use serde::Deserialize;
use serde_json::Value;

use crate::CommandError;
use crate::effect::{Method, RestRequest};
use crate::engine::Engine;
use crate::requests::Call;
use crate::timers::Timer;

impl Engine {
    /// The user has begun to write this.
    pub(crate) fn set_draft(
        &mut self,
        conversation: ConversationId,
        text: Option<String>,
    ) -> Result<(), CommandError> {
        let rest = self.now.monotonic_ms + self.options.draft_rest_ms;
        let room = self.room(conversation)?;
        let text = text.filter(|text| !text.is_empty());
        if room.progress.draft == text {
            return Ok(());
        }
        room.progress.draft.clone_from(&text);
        room.progress.draft_unsent = true;
        if let Some(summary) = room.summary.as_mut() {
            summary.me.draft = text;
        }
        self.dirty_progress.insert(conversation);
        self.dirty_summaries.insert(conversation);
        self.timers.set(Timer::Draft(conversation), rest);
        self.changes.conversations = true;
        Ok(())
    }

    /// The draft has rested, or its conversation is not shown any more.
    pub(crate) fn send_draft(&mut self, conversation: ConversationId) {
        self.timers.cancel(Timer::Draft(conversation));
        let up = self.is_up();
        let Some(room) = self.rooms.get(&conversation).filter(|room| up && room.progress.draft_unsent) else {
            return;
        };
        let draft = room.progress.draft.clone();
        let body = UpdatePreferences { draft: Some(draft.clone()), ..UpdatePreferences::default() };
        let Ok(body) = serde_json::to_string(&body) else { return };
        let request = RestRequest {
            method: Method::Patch,
            path: format!("/v1/conversations/{conversation}/preferences"),
            body: Some(body),
            idempotency_key: None,
        };
        self.request(Call::Draft(conversation, draft), request);
    }

    /// The server has this draft.
    pub(crate) fn draft_saved(&mut self, conversation: ConversationId, draft: &Option<String>) {
        let Some(room) = self.rooms.get_mut(&conversation) else { return };
        if room.progress.draft == *draft {
            room.progress.draft_unsent = false;
            self.dirty_progress.insert(conversation);
        }
    }

    /// After `ready`: drafts that the server does not have.
    pub(crate) fn drafts_again(&mut self) {
        let unsent: Vec<ConversationId> =
            self.rooms.iter().filter(|(_, room)| room.progress.draft_unsent).map(|(id, _)| *id).collect();
        for conversation in unsent {
            self.timers.set_if_absent(Timer::Draft(conversation), self.now.monotonic_ms);
        }
    }

    /// The draft as the server has it.
    pub(crate) fn draft_from_server(&mut self, conversation: ConversationId, draft: Option<String>) {
        let Some(room) = self.rooms.get_mut(&conversation) else { return };
        if !room.progress.draft_unsent {
            room.progress.draft = draft;
        }
        let draft = room.progress.draft.clone();
        if let Some(summary) = room.summary.as_mut() {
            summary.me.draft = draft;
        }
        self.dirty_progress.insert(conversation);
    }

    /// Preferences moved, on this or another device. Absent fields stay as they are.
    pub(crate) fn preferences_moved(&mut self, conversation: ConversationId, body: &Value) {
        let Some(room) = self.rooms.get_mut(&conversation) else { return };
        let Some(summary) = room.summary.as_mut() else { return };
        if let Some(muted_until) = body.get("muted_until") {
            summary.me.muted_until = Option::<Timestamp>::deserialize(muted_until).unwrap_or_default();
        }
        if let Some(pinned) = body.get("pinned").and_then(Value::as_bool) {
            summary.me.pinned = pinned;
        }
        if let Some(archived) = body.get("archived").and_then(Value::as_bool) {
            summary.me.archived = archived;
        }
        if let Some(draft) = body.get("draft") {
            self.draft_from_server(conversation, draft.as_str().map(str::to_owned));
        }
        self.dirty_summaries.insert(conversation);
        self.changes.conversations = true;
    }
}
