//! Retention, as the server tells of it: messages whose `ttl` is over leave this device, too.
//!
//! The server says how far in two numbers of a conversation. Up to `erased_to` it has no bodies any more, which changes
//! nothing here: where bodies are erased once they were delivered, the copies on devices are the only ones. Up to
//! `expired_to` messages are to be gone everywhere: what is stored, shown and held back of them is nulled, and what
//! comes late (an edit that was on its way) is nulled on arrival. Both numbers only grow.

use loquat_proto::{Conversation, ConversationId, Event, EventKind, Seq};

use crate::engine::Engine;
use crate::room::Room;
use crate::store::{self, Operation};
use crate::window;

impl Engine {
    /// The server has erased up to here.
    pub(crate) fn erased(&mut self, conversation: ConversationId, erased_to: Seq, expired_to: Seq) {
        let Some(room) = self.rooms.get_mut(&conversation) else { return };
        // Without a summary nothing is held here; the summary that comes says the same.
        let Some(summary) = room.summary.as_mut() else { return };
        let before = summary.expired_to;
        summary.erased_to = summary.erased_to.max(erased_to);
        summary.expired_to = before.max(expired_to);
        self.dirty_summaries.insert(conversation);
        self.expire_above(conversation, before);
    }

    /// Takes what has expired off this device, where more has than up to `before`.
    pub(crate) fn expire_above(&mut self, conversation: ConversationId, before: Seq) {
        let Some(room) = self.rooms.get_mut(&conversation) else { return };
        let upto = room.expired_to();
        if upto <= before {
            return;
        }
        for held in room.held.values_mut() {
            expire(&mut held.event, upto);
        }
        if let Some(last) = room.summary.as_mut().and_then(|summary| summary.last_message.as_mut())
            && last.seq <= upto
        {
            window::erase(last);
        }
        if let Some(open) = room.open.as_mut() {
            open.expire(upto);
        }
        let unread_mentions = room.progress.read < upto;
        self.writes.push(Operation::EraseUpTo { conversation, upto });
        self.dirty_summaries.insert(conversation);
        self.changes.conversations = true;
        self.changes.timelines.insert(conversation);
        if unread_mentions {
            self.recount_unread(conversation);
        }
        self.serve_window(conversation);
    }

    /// The event without what has expired of it.
    pub(crate) fn living(&self, mut event: Event) -> Event {
        if let Some(room) = self.rooms.get(&event.conversation) {
            expire(&mut event, room.expired_to());
        }
        event
    }
}

impl Room {
    /// Up to here messages are to be gone from this device.
    pub(crate) fn expired_to(&self) -> Seq {
        self.summary.as_ref().map_or(0, |summary| summary.expired_to)
    }
}

/// The numbers only grow, whichever answer comes last.
pub(crate) fn keep_horizons(fresh: &mut Conversation, old: Option<&Conversation>) {
    if let Some(old) = old {
        fresh.erased_to = fresh.erased_to.max(old.erased_to);
        fresh.expired_to = fresh.expired_to.max(old.expired_to);
    }
}

fn expire(event: &mut Event, upto: Seq) {
    let about = match event.kind {
        EventKind::Message => Some(event.seq),
        EventKind::Edit | EventKind::Reaction => store::target(event),
        _ => None,
    };
    if about.is_some_and(|seq| seq <= upto) {
        event.body = None;
    }
}
