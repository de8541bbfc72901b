//! The queue of own changes: stored before they are sent, in order within a conversation, each under one nonce
//! until the server answers for good.
//!
//! ```text
//!  enqueue ──> Saving ──(stored)──> Ready ──(sent)──> InFlight ──(ok)──> Done ──(its event applied)──> gone
//!                                    ^  ^                │ │
//!                                    │  └─(retryable, or │ └──(refused for good)──> Failed ──> retry, discard
//!                                    │    connection lost)
//!                                    └── restart
//! ```
//!
//! Changes of one conversation form a *lane*. A few are in flight at a time. When one is refused for now, the server
//! refuses those behind it, too; the lane waits until all are answered and the time that the server asked for is
//! over, and goes on from the first, one at a time; with each success one more may be in flight again. A change that is refused for good steps aside, and those behind it go on. A
//! done change stays in view until its event is applied, so that a message never vanishes in between.

use std::collections::{BTreeMap, BTreeSet};

use loquat_proto::event::EventBody;
use loquat_proto::frame::{FrameId, React, Target};
use loquat_proto::message::Appended;
use loquat_proto::{
    ClientFrame, ConversationId, ErrorBody, ErrorCode, Event, EventKind, Nonce, Seq, Timestamp,
};
use serde_json::value::RawValue;

use crate::CommandError;
use crate::engine::{AfterWrite, Engine, Purpose};
use crate::entropy::{backoff, jitter};
use crate::store::{Operation, QueuedChange};
use crate::timers::Timer;
use crate::view::{Change, OutboxEntry, OutboxState, ViewChange};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Saving,
    Ready,
    InFlight(FrameId),
    /// Acknowledged; its event, or the state that it found, is at this `seq`.
    Done(Seq),
    Failed,
}

#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) queued: QueuedChange,
    pub(crate) state: State,
}

/// The changes of one conversation.
#[derive(Debug, Default)]
struct Lane {
    orders: BTreeSet<u64>,
    in_flight: usize,
    /// One was refused for now: nothing new is sent until all are answered and the time has come.
    recovering: bool,
    refusals: u32,
    /// How many fewer than usual may be in flight: all but one after a refusal, so that a limit is not run against.
    held_back: usize,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    entries: BTreeMap<u64, Entry>,
    by_nonce: BTreeMap<Nonce, u64>,
    lanes: BTreeMap<ConversationId, Lane>,
    last_order: u64,
}

impl Outbox {
    pub(crate) fn new(queue: Vec<QueuedChange>) -> Self {
        let mut outbox = Self::default();
        for queued in queue {
            let state = if queued.failed.is_some() { State::Failed } else { State::Ready };
            outbox.insert(Entry { queued, state });
        }
        outbox
    }

    fn insert(&mut self, entry: Entry) {
        let order = entry.queued.order;
        self.last_order = self.last_order.max(order);
        self.by_nonce.insert(entry.queued.nonce.clone(), order);
        self.lanes.entry(entry.queued.conversation).or_default().orders.insert(order);
        self.entries.insert(order, entry);
    }

    fn remove(&mut self, order: u64) -> Option<Entry> {
        let entry = self.entries.remove(&order)?;
        self.by_nonce.remove(&entry.queued.nonce);
        if let Some(lane) = self.lanes.get_mut(&entry.queued.conversation) {
            lane.orders.remove(&order);
            // A lane that recovers is kept: its waiting time holds for the next change, too.
            if lane.orders.is_empty() && !lane.recovering {
                self.lanes.remove(&entry.queued.conversation);
            }
        }
        Some(entry)
    }

    /// The changes of a conversation, in order.
    pub(crate) fn of(&self, conversation: ConversationId) -> impl Iterator<Item = &Entry> {
        let orders = self.lanes.get(&conversation).map(|lane| &lane.orders);
        orders.into_iter().flatten().filter_map(|order| self.entries.get(order))
    }

    pub(crate) fn has_unsent(&self) -> bool {
        self.entries.values().any(|entry| !matches!(entry.state, State::Done(_) | State::Failed))
    }

    pub(crate) fn entries(&self) -> Vec<OutboxEntry> {
        let waiting = self.entries.values().filter(|entry| !matches!(entry.state, State::Done(_)));
        let entry = |entry: &Entry| OutboxEntry {
            conversation: entry.queued.conversation,
            nonce: entry.queued.nonce.clone(),
            change: entry.queued.change.clone(),
            created_at: entry.queued.created_at,
            state: match (&entry.queued.failed, entry.state) {
                (Some(error), _) => OutboxState::Failed(error.clone()),
                (None, State::InFlight(_)) => OutboxState::InFlight,
                (None, _) => OutboxState::Waiting,
            },
        };
        waiting.map(entry).collect()
    }
}

impl Engine {
    pub(crate) fn enqueue(
        &mut self,
        conversation: ConversationId,
        nonce: Nonce,
        change: Change,
    ) -> Result<(), CommandError> {
        if self.outbox.entries.len() >= self.options.outbox {
            return Err(CommandError::OutboxFull);
        }
        if self.outbox.by_nonce.contains_key(&nonce) {
            return Ok(());
        }
        let queued = QueuedChange {
            order: self.outbox.last_order + 1,
            conversation,
            nonce,
            change,
            created_at: self.now.wall,
            failed: None,
        };
        self.save_change(queued);
        Ok(())
    }

    fn save_change(&mut self, queued: QueuedChange) {
        self.writes.push(Operation::PutChange(Box::new(queued.clone())));
        self.after.push(AfterWrite::ChangeSaved(queued.order));
        self.outbox_changed(queued.conversation);
        self.outbox.insert(Entry { queued, state: State::Saving });
    }

    pub(crate) fn retry_change(&mut self, nonce: &Nonce) -> Result<(), CommandError> {
        let order = *self.outbox.by_nonce.get(nonce).ok_or(CommandError::NoSuchChange)?;
        let failed = self.outbox.entries.get(&order).is_some_and(|entry| entry.state == State::Failed);
        let entry = if failed { self.outbox.remove(order) } else { None };
        let mut queued = entry.ok_or(CommandError::NoSuchChange)?.queued;
        // It steps behind what was sent in the meantime.
        queued.order = self.outbox.last_order + 1;
        queued.failed = None;
        self.save_change(queued);
        Ok(())
    }

    pub(crate) fn discard_change(&mut self, nonce: &Nonce) -> Result<(), CommandError> {
        let order = *self.outbox.by_nonce.get(nonce).ok_or(CommandError::NoSuchChange)?;
        let state = self.outbox.entries.get(&order).map(|entry| entry.state);
        if !matches!(state, Some(State::Failed | State::Ready | State::Saving)) {
            return Err(CommandError::NoSuchChange);
        }
        if let Some(entry) = self.outbox.remove(order) {
            self.writes.push(Operation::RemoveChange(nonce.clone()));
            self.outbox_changed(entry.queued.conversation);
            self.pump_lane(entry.queued.conversation);
        }
        Ok(())
    }

    /// The change is stored: it may be sent.
    pub(crate) fn change_saved(&mut self, order: u64) {
        let Some(entry) = self.outbox.entries.get_mut(&order) else { return };
        if entry.state == State::Saving {
            entry.state = State::Ready;
            let conversation = entry.queued.conversation;
            self.pump_lane(conversation);
        }
    }

    pub(crate) fn pump_all_lanes(&mut self) {
        let lanes: Vec<ConversationId> = self.outbox.lanes.keys().copied().collect();
        for conversation in lanes {
            self.pump_lane(conversation);
        }
    }

    /// Sends what may be sent, in order.
    pub(crate) fn pump_lane(&mut self, conversation: ConversationId) {
        let waits = self.timers.is_set(Timer::Retry(conversation));
        let Some(lane) = self.outbox.lanes.get_mut(&conversation) else { return };
        if !matches!(self.link, crate::engine::Link::Up { .. }) || waits {
            return;
        }
        if lane.recovering && lane.in_flight > 0 {
            return;
        }
        lane.recovering = false;
        let window = self.options.in_flight.saturating_sub(lane.held_back).max(1);
        let room_for = window.saturating_sub(lane.in_flight);
        let mut sendable = Vec::new();
        for order in &lane.orders {
            match self.outbox.entries.get(order).map(|entry| entry.state) {
                Some(State::Ready) if sendable.len() < room_for => sendable.push(*order),
                // Order: nothing overtakes what is not stored yet.
                Some(State::Ready | State::Saving) => break,
                _ => {}
            }
        }
        lane.in_flight += sendable.len();
        if lane.orders.is_empty() {
            self.outbox.lanes.remove(&conversation);
        }
        self.changes.outbox |= !sendable.is_empty();
        for order in sendable {
            let Some(frame) = self.outbox.entries.get(&order).map(|entry| frame(&entry.queued)) else {
                continue;
            };
            let id = self.ask(&frame, Purpose::Change(order));
            if let Some(entry) = self.outbox.entries.get_mut(&order) {
                entry.state = State::InFlight(id);
            }
        }
    }

    /// The server has it durably, or found that it changes nothing.
    pub(crate) fn change_done(&mut self, order: u64, at: Appended) {
        let Some(entry) = self.outbox.entries.get(&order).cloned() else { return };
        self.landed(order, (at.seq, at.ts));
        match own_event(&entry.queued, at, self) {
            Some(event) => self.receive(event, false),
            None => self.expect_head(entry.queued.conversation, at.seq),
        }
        self.pump_lane(entry.queued.conversation);
    }

    /// The event of an own change came, before its answer or without one.
    pub(crate) fn change_appeared(&mut self, nonce: &Nonce, seq: Seq, ts: Timestamp) {
        let Some(order) = self.outbox.by_nonce.get(nonce).copied() else { return };
        let Some(conversation) = self.outbox.entries.get(&order).map(|entry| entry.queued.conversation)
        else {
            return;
        };
        self.landed(order, (seq, ts));
        self.pump_lane(conversation);
    }

    /// The change stands in the log, at this place or above.
    fn landed(&mut self, order: u64, (seq, ts): (Seq, Timestamp)) {
        let Some(entry) = self.outbox.entries.get_mut(&order) else { return };
        let before = std::mem::replace(&mut entry.state, State::Done(seq));
        if matches!(before, State::Done(_)) {
            return;
        }
        let (conversation, nonce) = (entry.queued.conversation, entry.queued.nonce.clone());
        entry.queued.failed = None;
        if let Some(lane) = self.outbox.lanes.get_mut(&conversation) {
            lane.refusals = 0;
            lane.held_back = lane.held_back.saturating_sub(1);
            if let State::InFlight(frame) = before {
                lane.in_flight = lane.in_flight.saturating_sub(1);
                self.frames.remove(&frame);
            }
        }
        self.writes.push(Operation::RemoveChange(nonce.clone()));
        self.outbox_changed(conversation);
        self.changes.happened.push(ViewChange::Acknowledged { conversation, nonce, seq, ts });
        let top = self.rooms.get(&conversation).map_or(0, crate::room::Room::top);
        self.settle_up_to(conversation, top);
    }

    /// Something stands at this `seq`: if it does not come by itself, it is fetched.
    fn expect_head(&mut self, conversation: ConversationId, seq: Seq) {
        let Some(room) = self.rooms.get_mut(&conversation) else { return };
        if seq > room.progress.head {
            room.progress.head = seq;
            room.patience_until = self.now.monotonic_ms + self.options.gap_patience_ms;
            self.dirty_progress.insert(conversation);
            self.wanted.insert(conversation);
        }
    }

    /// Events up to here are applied: changes that landed there need not be shown apart from the log any more.
    pub(crate) fn settle_up_to(&mut self, conversation: ConversationId, top: Seq) {
        let applied = |entry: &&Entry| matches!(entry.state, State::Done(seq) if seq <= top);
        let settled: Vec<u64> =
            self.outbox.of(conversation).filter(applied).map(|entry| entry.queued.order).collect();
        for order in settled {
            self.outbox.remove(order);
            self.outbox_changed(conversation);
        }
    }

    pub(crate) fn change_refused(&mut self, order: u64, error: ErrorBody) {
        let Some(entry) = self.outbox.entries.get_mut(&order) else { return };
        let conversation = entry.queued.conversation;
        let for_now = error.code.is_retryable()
            || matches!(error.code, ErrorCode::Unauthorized | ErrorCode::TokenExpired);
        entry.state = if for_now { State::Ready } else { State::Failed };
        if !for_now {
            entry.queued.failed = Some(error.clone());
            self.writes.push(Operation::PutChange(Box::new(entry.queued.clone())));
            let nonce = entry.queued.nonce.clone();
            self.changes.happened.push(ViewChange::Refused { conversation, nonce, error: error.clone() });
        }
        if let Some(lane) = self.outbox.lanes.get_mut(&conversation) {
            lane.in_flight = lane.in_flight.saturating_sub(1);
            if for_now && !lane.recovering {
                lane.recovering = true;
                lane.refusals += 1;
                lane.held_back = self.options.in_flight;
                let wait = match error.retry_after_ms {
                    // A little later than asked, so that those who wait do not all come at once.
                    Some(asked) => asked + jitter(&mut *self.entropy, asked / 4 + 10),
                    None => backoff(&mut *self.entropy, lane.refusals, self.options.retry_cap_ms),
                };
                self.timers.set(Timer::Retry(conversation), self.now.monotonic_ms + wait);
            }
        }
        self.outbox_changed(conversation);
        self.pump_lane(conversation);
    }

    /// The transport is gone: what was in flight may have been done or not; the nonce makes it safe to send again.
    pub(crate) fn changes_lost(&mut self) {
        for entry in self.outbox.entries.values_mut() {
            if matches!(entry.state, State::InFlight(_)) {
                entry.state = State::Ready;
            }
        }
        for lane in self.outbox.lanes.values_mut() {
            lane.in_flight = 0;
        }
        self.changes.outbox = !self.outbox.entries.is_empty();
    }

    /// The conversation is gone, and what was queued for it.
    pub(crate) fn drop_lane(&mut self, conversation: ConversationId) {
        let orders: Vec<u64> = self.outbox.of(conversation).map(|entry| entry.queued.order).collect();
        for order in orders {
            if let Some(Entry { state: State::InFlight(frame), .. }) = self.outbox.remove(order) {
                self.frames.remove(&frame);
            }
            self.changes.outbox = true;
        }
        self.outbox.lanes.remove(&conversation);
        self.timers.cancel(Timer::Retry(conversation));
    }

    fn outbox_changed(&mut self, conversation: ConversationId) {
        self.changes.outbox = true;
        self.changes.conversations = true;
        self.changes.timelines.insert(conversation);
    }
}

/// The event of an acknowledged send: the server need not push it to the device that sent it. Other changes may
/// have found that there was nothing to change, so that their answer names no event of theirs; those are fetched.
fn own_event(queued: &QueuedChange, at: Appended, engine: &Engine) -> Option<Event> {
    let Change::Send { body } = &queued.change else { return None };
    let body = RawValue::from_string(EventBody::Message(body.clone()).encode()).ok()?;
    Some(Event {
        conversation: queued.conversation,
        seq: at.seq,
        ts: at.ts,
        sender: engine.me,
        device: Some(engine.device),
        nonce: Some(queued.nonce.clone()),
        kind: EventKind::Message,
        body: Some(body),
    })
}

fn frame(queued: &QueuedChange) -> ClientFrame {
    let (conversation, nonce) = (queued.conversation, queued.nonce.clone());
    match queued.change.clone() {
        Change::Send { body } => ClientFrame::Send { conversation, nonce, body },
        Change::Edit { target, body } => ClientFrame::Edit {
            conversation,
            nonce: Some(nonce),
            target,
            text: body.text,
            format: body.format,
            mentions: body.mentions,
        },
        Change::Delete { target } => ClientFrame::Delete(Target { conversation, nonce: Some(nonce), target }),
        Change::React { target, emoji, on } => {
            ClientFrame::React(React { conversation, nonce: Some(nonce), target, emoji, on })
        }
        Change::Pin { target, on } => {
            ClientFrame::Pin { target: Target { conversation, nonce: Some(nonce), target }, on }
        }
    }
}
