//! Fan-out of what a lane did: one encoded frame, shared by reference, to every member.

use loquat_proto::conversation::Cursor;
use loquat_proto::frame::{self, EventHead, Push};
use loquat_proto::{ConversationId, Seq, Timestamp, UserId};

use super::state::ConversationState;
use crate::failpoint;
use crate::ports::{Bus, NewEvent, Signal, Topic};

/// An appended event on its way to the members.
pub(crate) struct Delivery<'a> {
    pub conversation: ConversationId,
    pub seq: Seq,
    pub ts: Timestamp,
    pub event: &'a NewEvent,
    /// The session that has the answer.
    pub origin: Option<u64>,
}

/// Sends an event to every member; only the sender's own sessions see the nonce.
pub(crate) fn event(bus: &dyn Bus, members: impl Iterator<Item = UserId>, delivery: &Delivery<'_>) {
    failpoint::pass("before_fanout");
    let Delivery { conversation, seq, ts, event, origin } = delivery;
    let head = EventHead {
        conversation: *conversation,
        seq: *seq,
        ts: *ts,
        sender: event.sender,
        device: event.device,
        nonce: None,
        kind: event.kind,
    };
    let shared = Signal::Frame { frame: frame::event_frame(&head, Some(&event.body)), except: *origin };
    for user in members {
        if user == event.sender && event.nonce.is_some() {
            let own = EventHead { nonce: event.nonce.as_ref(), ..head };
            let own = Signal::Frame { frame: frame::event_frame(&own, Some(&event.body)), except: *origin };
            bus.publish(Topic::User(user), &own);
        } else {
            bus.publish(Topic::User(user), &shared);
        }
    }
}

/// Sends the cursors of these members to every member; reads that a member hides go to their own devices only, and so
/// does everything where one of the two blocks the other: it would say when they are there.
pub(super) fn receipts(bus: &dyn Bus, state: &ConversationState, moved: &[UserId], origin: Option<u64>) {
    if !state.is_small() || state.blocked {
        for user in moved {
            tell(bus, *user, &receipt_signal(state.id, cursors(state, &[*user], Some(*user)), origin));
        }
        return;
    }
    let everyone = receipt_signal(state.id, cursors(state, moved, None), origin);
    for (user, member) in &state.members {
        if !member.read_receipts && moved.contains(user) {
            tell(bus, *user, &receipt_signal(state.id, cursors(state, moved, Some(*user)), origin));
        } else {
            tell(bus, *user, &everyone);
        }
    }
}

/// The cursors of those who are members still, as `viewer` may see them.
fn cursors(state: &ConversationState, moved: &[UserId], viewer: Option<UserId>) -> Vec<Cursor> {
    let cursor = |user: &UserId| {
        let member = state.members.get(user)?;
        let shown = member.read_receipts || viewer == Some(*user);
        let read = if shown { member.read } else { 0 };
        Some(Cursor { user: *user, delivered: member.delivered, read })
    };
    moved.iter().filter_map(cursor).collect()
}

fn tell(bus: &dyn Bus, user: UserId, signal: &Option<Signal>) {
    if let Some(signal) = signal {
        bus.publish(Topic::User(user), signal);
    }
}

/// `None` where there is nothing to tell.
fn receipt_signal(conversation: ConversationId, items: Vec<Cursor>, except: Option<u64>) -> Option<Signal> {
    let something = !items.is_empty();
    something.then(|| Signal::Frame { frame: frame::push(&Push::Receipt { conversation, items }), except })
}

/// Somebody came or went: who may see the presence of whom is asked again.
pub(super) fn audience(bus: &dyn Bus, state: &ConversationState, user: UserId) {
    audience_of(bus, user, None);
    if state.is_small() {
        for member in state.members.keys().filter(|member| **member != user) {
            audience_of(bus, *member, Some(user));
        }
    }
}

/// Who may see this user's presence is asked again: for this watcher, or for any.
pub(super) fn audience_of(bus: &dyn Bus, user: UserId, watcher: Option<UserId>) {
    bus.publish(Topic::Presence(user), &Signal::Audience { watcher });
}

/// Tells the other members that one writes, or stopped.
pub(super) fn typing(bus: &dyn Bus, state: &ConversationState, user: UserId, on: bool) {
    let frame = frame::push(&Push::Typing { conversation: state.id, user, on });
    let signal = Signal::Frame { frame, except: None };
    for member in state.members.keys().filter(|member| **member != user) {
        bus.publish(Topic::User(*member), &signal);
    }
}
