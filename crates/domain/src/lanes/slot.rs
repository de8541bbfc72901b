//! One conversation inside a lane: its state, what waits for it, and what it is doing.

use std::collections::VecDeque;

use loquat_proto::UserId;
use rustc_hash::FxHashSet;
use smallvec::SmallVec;

use super::command::Command;
use super::decide;
use super::state::ConversationState;
use crate::messages::{Act, Ticket};

/// A mutation that waits for its decision.
pub(super) struct Pending {
    pub ticket: Ticket,
    pub act: Act,
    /// How often its append conflicted.
    pub conflicts: u8,
}

impl Pending {
    /// Whose membership is not known yet and must be to decide this.
    pub fn unknown(&self, state: &ConversationState) -> SmallVec<[UserId; 4]> {
        if state.members.is_whole() {
            return SmallVec::new();
        }
        let mut people = decide::people(self.ticket.caller.user, &self.act);
        people.retain(|user| !state.members.is_known(*user));
        people
    }
}

/// What a conversation is doing. Mutations are decided only while it is idle, so that each sees the effects of those
/// before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Phase {
    /// Nothing.
    #[default]
    Idle,
    /// Its state or a fact for a decision is being read, or it is being deleted.
    Reading,
    /// An append is on its way.
    Appending,
}

#[derive(Default)]
pub(super) struct Slot {
    pub state: Option<ConversationState>,
    /// What was known before it became uncertain.
    pub former: Option<Box<ConversationState>>,
    pub phase: Phase,
    /// Whether what is being read may be old already: it is read again then.
    pub outdated: bool,
    /// Whether the state is to be doubted once what is on its way has been fanned out by it.
    pub doubtful: bool,
    /// Mutations, in the order in which they came.
    pub queue: VecDeque<Pending>,
    /// Receipts and typing that wait for the state.
    pub parked: Vec<Command>,
    /// Members whose cursors moved since the last gathered receipt.
    pub gathered: FxHashSet<UserId>,
    /// Of a channel: users who were to join or leave by an append whose outcome is not known. Whether their sessions
    /// listen is put right once they are read again.
    pub uncertain: FxHashSet<UserId>,
    /// When it was last used, in the lane's own count.
    pub used: u64,
}

impl Slot {
    /// Takes what can be decided together: a run of sends, or one act of another kind. In slow mode, a send must see
    /// when the last one of its sender was, so that a run has one of each.
    pub fn take_run(&mut self, limit: usize, slow_mode: bool) -> Vec<Pending> {
        let mut senders = FxHashSet::default();
        let state = self.state.as_ref();
        let mut fits = |pending: &Pending| {
            let again = slow_mode && !senders.insert(pending.ticket.caller.user);
            matches!(pending.act, Act::Send(_))
                && !again
                && state.is_some_and(|state| pending.unknown(state).is_empty())
        };
        let sends = self.queue.iter().take(limit).take_while(|pending| fits(pending)).count();
        self.queue.drain(..sends.max(1).min(self.queue.len())).collect()
    }

    /// Takes the state for uncertain: it is read again before it is used.
    pub fn doubt(&mut self) {
        self.doubtful = false;
        if let Some(state) = self.state.take() {
            self.former = Some(Box::new(state));
        }
    }

    /// Knows the state again.
    pub fn know(&mut self, mut state: ConversationState) {
        if let Some(former) = self.former.take() {
            state.remember(&former);
        }
        self.state = Some(state);
    }

    /// Whether nothing would be lost if it were forgotten.
    pub fn is_disposable(&self) -> bool {
        self.phase == Phase::Idle
            && self.queue.is_empty()
            && self.parked.is_empty()
            && self.gathered.is_empty()
            && self.uncertain.is_empty()
    }
}
