//! Fan-out of what a lane did: one encoded frame, shared by reference, to every member.

use bytes::Bytes;
use loquat_proto::conversation::Cursor;
use loquat_proto::frame::{self, EventHead, Push};
use loquat_proto::{ConversationId, Seq, Timestamp, UserId};

use super::state::ConversationState;
use crate::failpoint;
use crate::ports::{Bus, Horizons, NewEvent, Signal, Topic};

/// An appended event on its way to the members.
pub(super) struct Delivery<'a> {
    pub conversation: ConversationId,
    pub seq: Seq,
    pub ts: Timestamp,
    pub event: &'a NewEvent,
    /// Whether only its skeleton stands in the log, so that nobody may see more.
    pub erased: bool,
    /// The session that has the answer.
    pub origin: Option<u64>,
}

impl Delivery<'_> {
    fn head(&self) -> EventHead<'_> {
        EventHead {
            conversation: self.conversation,
            seq: self.seq,
            ts: self.ts,
            sender: self.event.sender,
            device: self.event.device,
            nonce: None,
            kind: self.event.kind,
        }
    }

    fn body(&self) -> Option<&str> {
        (!self.erased).then_some(self.event.body.as_str())
    }

    fn frame(&self) -> Bytes {
        frame::event_frame(&self.head(), self.body())
    }

    /// As the sender's own sessions see it: with the nonce, if it has one.
    fn own_frame(&self) -> Option<Bytes> {
        let nonce = self.event.nonce.as_ref()?;
        let head = EventHead { nonce: Some(nonce), ..self.head() };
        Some(frame::event_frame(&head, self.body()))
    }
}

/// Sends an event to every member; only the sender's own sessions see the nonce.
pub(super) fn event(bus: &dyn Bus, members: impl Iterator<Item = UserId>, delivery: &Delivery<'_>) {
    failpoint::pass("before_fanout");
    let Delivery { event, origin, .. } = delivery;
    let shared = Signal::Frame { frame: delivery.frame(), except: *origin };
    for user in members {
        let own = if user == event.sender { delivery.own_frame() } else { None };
        match own {
            Some(frame) => bus.publish(Topic::User(user), &Signal::Frame { frame, except: *origin }),
            None => bus.publish(Topic::User(user), &shared),
        }
    }
}

/// Sends an event to all who listen to its channel.
pub(super) fn shared_event(bus: &dyn Bus, delivery: &Delivery<'_>) {
    failpoint::pass("before_fanout");
    let own = delivery.own_frame().map(|own| (delivery.event.sender, Some(own)));
    let instead = own.into_iter().collect();
    let signal = Signal::Shared { frame: delivery.frame(), instead, except: delivery.origin };
    bus.publish(Topic::Conversation(delivery.conversation), &signal);
}

/// Lets a new member's sessions listen to a channel.
pub(super) fn follow(bus: &dyn Bus, user: UserId, conversation: ConversationId) {
    bus.publish(Topic::User(user), &Signal::Follow { conversation });
}

/// Ends that.
pub(super) fn unfollow(bus: &dyn Bus, user: UserId, conversation: ConversationId) {
    bus.publish(Topic::User(user), &Signal::Unfollow { conversation });
}

/// Nobody listens to a deleted conversation any more.
pub(super) fn deleted(bus: &dyn Bus, conversation: ConversationId) {
    bus.publish(Topic::Conversation(conversation), &Signal::Deleted);
}

/// Sends the cursors of these members to every member; reads that a member hides go to their own devices only, and so
/// does everything where one of the two blocks the other: it would say when they are there. In large conversations each
/// goes to its own user only.
pub(super) fn receipts(bus: &dyn Bus, state: &ConversationState, moved: &[UserId], origin: Option<u64>) {
    if !state.is_small() || state.blocked {
        for user in moved {
            tell(bus, *user, &receipt_signal(state.id, cursors(state, &[*user], Some(*user)), origin));
        }
        return;
    }
    let hides = |user: &UserId| state.members.get(*user).is_some_and(|member| !member.read_receipts);
    if state.is_channel() {
        let Some(frame) = receipt_frame(state.id, cursors(state, moved, None)) else { return };
        let own = |user: &UserId| (*user, receipt_frame(state.id, cursors(state, moved, Some(*user))));
        let instead = moved.iter().filter(|user| hides(user)).map(own).collect();
        bus.publish(Topic::Conversation(state.id), &Signal::Shared { frame, instead, except: origin });
        return;
    }
    let everyone = receipt_signal(state.id, cursors(state, moved, None), origin);
    for user in state.members.known.keys() {
        if moved.contains(user) && hides(user) {
            tell(bus, *user, &receipt_signal(state.id, cursors(state, moved, Some(*user)), origin));
        } else {
            tell(bus, *user, &everyone);
        }
    }
}

/// The cursors of those who are members still, as `viewer` may see them.
fn cursors(state: &ConversationState, moved: &[UserId], viewer: Option<UserId>) -> Vec<Cursor> {
    let cursor = |user: &UserId| {
        let member = state.members.get(*user)?;
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
    receipt_frame(conversation, items).map(|frame| Signal::Frame { frame, except })
}

/// `None` where there is nothing to tell.
fn receipt_frame(conversation: ConversationId, items: Vec<Cursor>) -> Option<Bytes> {
    let something = !items.is_empty();
    something.then(|| frame::push(&Push::Receipt { conversation, items }))
}

/// Somebody came or went: who may see the presence of whom is asked again.
pub(super) fn audience(bus: &dyn Bus, state: &ConversationState, user: UserId) {
    audience_of(bus, user, None);
    if state.is_small() && state.members.is_whole() {
        for member in state.members.known.keys().filter(|member| **member != user) {
            audience_of(bus, *member, Some(user));
        }
    }
}

/// Who may see this user's presence is asked again: for this watcher, or for any.
pub(super) fn audience_of(bus: &dyn Bus, user: UserId, watcher: Option<UserId>) {
    bus.publish(Topic::Presence(user), &Signal::Audience { watcher });
}

/// Tells every member how far retention has erased.
pub(super) fn erased(bus: &dyn Bus, state: &ConversationState, horizons: Horizons) {
    let Horizons { erased_to, expired_to } = horizons;
    let frame = frame::push(&Push::Erased { conversation: state.id, erased_to, expired_to });
    if state.is_channel() {
        let signal = Signal::Shared { frame, instead: Vec::new(), except: None };
        return bus.publish(Topic::Conversation(state.id), &signal);
    }
    let signal = Signal::Frame { frame, except: None };
    for member in state.members.known.keys() {
        bus.publish(Topic::User(*member), &signal);
    }
}

/// Tells the other members that one writes, or stopped.
pub(super) fn typing(bus: &dyn Bus, state: &ConversationState, user: UserId, on: bool) {
    let frame = frame::push(&Push::Typing { conversation: state.id, user, on });
    if state.is_channel() {
        let signal = Signal::Shared { frame, instead: vec![(user, None)], except: None };
        return bus.publish(Topic::Conversation(state.id), &signal);
    }
    let signal = Signal::Frame { frame, except: None };
    for member in state.members.known.keys().filter(|member| **member != user) {
        bus.publish(Topic::User(*member), &signal);
    }
}
