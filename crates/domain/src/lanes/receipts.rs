//! Cursors: validated against the state in memory, told to others at once or gathered, saved lazily.

use loquat_proto::conversation::Cursor;
use loquat_proto::{ConversationId, ConversationKind, Retention, UserId};

use super::command::ReceiptCommand;
use super::deliver;
use super::lane::Lane;
use crate::conversations::Right;
use crate::ports::{CursorMove, Horizons};
use crate::{Caller, Refusal};

impl Lane {
    /// Moves a member's cursors. The state is loaded.
    pub(super) fn move_cursor(&mut self, command: ReceiptCommand) {
        let ReceiptCommand { conversation, caller, receipts, reply } = command;
        let Some(slot) = self.slots.get_mut(&conversation) else { return };
        let Some(state) = &mut slot.state else { return reply.refuse(&Refusal::NotFound) };
        let head = state.head;
        let Some(member) = state.members.get_mut(caller.user) else {
            return reply.refuse(&Refusal::NotFound);
        };
        // Nobody has what is not there yet: a cursor past the head is a forged one, or a client's error.
        let read = receipts.read.unwrap_or(0).min(head);
        let delivered = receipts.delivered.unwrap_or(0).min(head).max(read);
        let moved = delivered > member.delivered || read > member.read;
        member.delivered = member.delivered.max(delivered);
        member.read = member.read.max(read);
        let cursor = Cursor { user: caller.user, delivered: member.delivered, read: member.read };
        if delivered > 0 {
            let device = caller.device;
            if state.settings.retention == Retention::UntilDelivered {
                // Each device counts, also one that is not the member's furthest.
                self.deps.hints.note(conversation);
            }
            self.deps.book.stage(CursorMove { conversation, user: caller.user, device, delivered, read });
        }
        let origin = reply.session_id();
        reply.succeed(cursor);
        if !moved {
            return;
        }
        if state.kind == ConversationKind::Direct {
            deliver::receipts(&*self.deps.bus, state, &[caller.user], origin);
        } else {
            slot.gathered.insert(caller.user);
            self.gathering.insert(conversation);
        }
    }

    /// Tells members of groups the cursors gathered since the last time, where it is known who they are.
    /// Large conversations are told nothing: there each goes to its own user.
    pub(super) fn flush_gathered(&mut self) {
        let Self { gathering, slots, deps, .. } = self;
        gathering.retain(|conversation| {
            let Some(slot) = slots.get_mut(conversation) else { return false };
            let Some(state) = &slot.state else {
                return !(slot.gathered.is_empty() && slot.uncertain.is_empty());
            };
            // Of a channel those may have been forgotten meanwhile: they are read again.
            let moved = slot.gathered.extract_if(|user| state.members.is_known(*user));
            let moved: Vec<UserId> = moved.collect();
            deliver::receipts(&*deps.bus, state, &moved, None);
            !(slot.gathered.is_empty() && slot.uncertain.is_empty())
        });
    }

    /// Reads again who the members are where that is all that gathered cursors wait for.
    pub(super) fn load_gathered(&mut self) {
        for conversation in self.gathering.iter().copied().collect::<Vec<_>>() {
            if self.slot(conversation).state.is_none() {
                self.load(conversation);
            } else {
                self.meet_parked(conversation);
            }
        }
    }

    /// Tells every member how far retention has erased. The state is loaded.
    pub(super) fn tell_erased(&self, conversation: ConversationId, horizons: Horizons) {
        if let Some(state) = self.slots.get(&conversation).and_then(|slot| slot.state.as_ref()) {
            deliver::erased(&*self.deps.bus, state, horizons);
        }
    }

    /// Tells the other members that the caller writes, or stopped. The state is loaded.
    pub(super) fn tell_typing(
        &self,
        caller: Caller,
        conversation: ConversationId,
        on: bool,
    ) -> Result<(), Refusal> {
        let state =
            self.slots.get(&conversation).and_then(|slot| slot.state.as_ref()).ok_or(Refusal::NotFound)?;
        state.require(caller.user, Right::Post)?;
        state.require_open()?;
        if state.is_small() {
            deliver::typing(&*self.deps.bus, state, caller.user, on);
        }
        Ok(())
    }
}
