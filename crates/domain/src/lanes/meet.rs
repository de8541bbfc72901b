//! Reading what the members of a channel are, where it matters and is not known.

use loquat_proto::{ConversationId, UserId};
use rustc_hash::FxHashSet;

use super::command::Command;
use super::lane::{Done, Lane};
use super::slot::Phase;
use super::{decide, deliver};
use crate::Refusal;
use crate::ports::{MemberFacts, StoreError};

/// Members read at a time. An act names fewer; receipts of more wait for the next reading.
const MANY: usize = 1_024;

/// What was asked about whom, in which life of the state.
pub(super) struct Meeting {
    conversation: ConversationId,
    life: u64,
    asked: Vec<UserId>,
}

impl Lane {
    /// Whether the first mutation that waits is about members who are not known yet, or others may have joined or left;
    /// they are being read then, and the conversation comes back in line.
    pub(super) fn next_is_unknown(&mut self, conversation: ConversationId) -> bool {
        let Some(slot) = self.slots.get(&conversation) else { return false };
        let Some(state) = slot.state.as_ref().filter(|state| !state.members.is_whole()) else { return false };
        let Some(first) = slot.queue.front() else { return false };
        if first.unknown(state).is_empty() && slot.uncertain.is_empty() {
            return false;
        }
        // All of them, lest those known be forgotten for the sake of the others. Those behind it will ask as well.
        let mut asked = decide::people(first.ticket.caller.user, &first.act);
        // Whoever may have joined must not miss what is appended next.
        asked.extend(slot.uncertain.iter().copied());
        for pending in slot.queue.iter().skip(1) {
            if asked.len() >= MANY {
                break;
            }
            asked.extend(pending.unknown(state));
        }
        self.meet(conversation, asked.into_iter());
        true
    }

    /// Receipts and typing of a channel wait until it is known who sends them; the others are served.
    pub(super) fn serve_parked(&mut self, conversation: ConversationId) {
        let slot = self.slot(conversation);
        for command in std::mem::take(&mut slot.parked) {
            if self.is_from_known(conversation, &command) {
                self.serve_hint(command);
            } else {
                self.slot(conversation).parked.push(command);
            }
        }
        self.meet_parked(conversation);
    }

    /// Whether it is known if the sender of a hint is a member.
    pub(super) fn is_from_known(&self, conversation: ConversationId, command: &Command) -> bool {
        let state = self.slots.get(&conversation).and_then(|slot| slot.state.as_ref());
        let known = |user| state.is_some_and(|state| state.members.is_known(user));
        command.sender().map_or(state.is_some(), known)
    }

    /// Reads who sent the receipts and typing that wait, whose cursors were gathered, and who may have joined or left.
    pub(super) fn meet_parked(&mut self, conversation: ConversationId) {
        let Some(slot) = self.slots.get(&conversation) else { return };
        let Some(state) = &slot.state else { return };
        let senders = slot.parked.iter().filter_map(Command::sender);
        let unknown = senders.chain(slot.gathered.iter().copied()).chain(slot.uncertain.iter().copied());
        let unknown: Vec<UserId> = unknown.filter(|user| !state.members.is_known(*user)).take(MANY).collect();
        if !unknown.is_empty() {
            self.meet(conversation, unknown.into_iter());
        }
    }

    fn meet(&mut self, conversation: ConversationId, users: impl Iterator<Item = UserId>) {
        let Some(state) = self.slots.get_mut(&conversation).and_then(|slot| slot.state.as_mut()) else {
            return;
        };
        if !state.members.begin_reading() {
            return;
        }
        let asked: Vec<UserId> = users.collect::<FxHashSet<_>>().into_iter().collect();
        let meeting = Meeting { conversation, life: state.life, asked };
        let conversations = self.deps.conversations.clone();
        self.pending.push(Box::pin(async move {
            let found = conversations.memberships(conversation, meeting.asked.clone()).await;
            Done::Met(meeting, found)
        }));
    }

    pub(super) fn met(&mut self, meeting: Meeting, outcome: Result<Vec<MemberFacts>, StoreError>) {
        let Meeting { conversation, life, asked } = meeting;
        let is_current =
            |slot: &super::slot::Slot| slot.state.as_ref().is_some_and(|state| state.life == life);
        // What was read for a state that is gone says nothing about the one that is there now.
        if !self.slots.get(&conversation).is_some_and(is_current) {
            return;
        }
        match outcome {
            Ok(found) => {
                self.forget_members(asked.len());
                let book = self.deps.book.clone();
                let state = self.slot(conversation).state.as_mut();
                let learnt = state.map_or(0, |state| state.learn(&asked, found, &book));
                self.remembered += learnt;
                self.put_right(conversation);
                self.serve_parked(conversation);
                self.make_ready(conversation);
            }
            Err(error) => self.refuse_waiting(conversation, &error.into()),
        }
    }

    /// Lets those listen who are members after all, and those no longer who are none.
    fn put_right(&mut self, conversation: ConversationId) {
        let bus = self.deps.bus.clone();
        let Some(slot) = self.slots.get_mut(&conversation) else { return };
        let Some(state) = &slot.state else { return };
        for user in slot.uncertain.extract_if(|user| state.members.is_known(*user)) {
            if state.members.contains(user) {
                deliver::follow(&*bus, user, conversation);
            } else {
                deliver::unfollow(&*bus, user, conversation);
            }
        }
    }

    /// Nobody knows who they are: what waits for it is refused, to be tried again.
    fn refuse_waiting(&mut self, conversation: ConversationId, refusal: &Refusal) {
        let slot = self.slot(conversation);
        if let Some(state) = &mut slot.state {
            state.members.end_reading();
        }
        for command in std::mem::take(&mut slot.parked) {
            command.refuse(refusal);
        }
        // An append on its way comes back to its queue.
        if slot.phase == Phase::Idle {
            let queue = std::mem::take(&mut slot.queue);
            self.waiting -= queue.len();
            for pending in queue {
                pending.ticket.refuse(refusal.clone());
            }
        }
    }

    /// Keeps memory bounded: where so many more would be too many, all that can be read again is forgotten.
    fn forget_members(&mut self, more: usize) {
        if self.remembered + more <= self.config.members {
            return;
        }
        self.remembered = 0;
        for slot in self.slots.values_mut() {
            if let Some(state) = &mut slot.state {
                // Cursors that were gathered are still to be told.
                self.remembered += state.members.forget(&slot.gathered);
            }
        }
    }
}
