//! New conversations: committed and fanned out by their lane, so that nothing that happens in them comes first.

use loquat_proto::{ConversationKind, Seq};

use super::command::CreateCommand;
use super::deliver::{self, Delivery};
use super::lane::{Done, Lane};
use super::slot::Phase;
use crate::Refusal;
use crate::ports::{Creation, CreationOutcome, StoreError};

impl Lane {
    /// Creates a conversation; what comes for it meanwhile waits.
    pub(super) fn create(&mut self, command: CreateCommand) {
        let slot = self.slot(command.creation.conversation.id);
        if slot.phase != Phase::Idle {
            // Somebody asks for this very id: another one is as good.
            let _ = command.done.send(Ok(CreationOutcome::IdTaken));
            return;
        }
        slot.phase = Phase::Reading;
        let conversations = self.deps.conversations.clone();
        self.pending.push(Box::pin(async move {
            let outcome = conversations.create((*command.creation).clone()).await;
            Done::Created(command, outcome)
        }));
    }

    /// It was created, or not.
    pub(super) fn created(&mut self, command: CreateCommand, outcome: Result<CreationOutcome, StoreError>) {
        let CreateCommand { creation, pass, done } = command;
        let conversation = creation.conversation.id;
        if let Ok(CreationOutcome::Created { account }) = &outcome {
            self.publish_first(&creation);
            self.deps.announcer.announce(account.clone());
        }
        drop(pass);
        let slot = self.slot(conversation);
        slot.phase = Phase::Idle;
        if outcome.is_err() && creation.conversation.kind == ConversationKind::Channel {
            // Whether it is there is not always known (a lost connection): who listens is put right then.
            slot.uncertain.extend(creation.conversation.members.iter().map(|member| member.user));
            self.gathering.insert(conversation);
        }
        self.make_ready(conversation);
        let _ = done.send(outcome.map_err(Refusal::from));
        self.forget_unused();
    }

    fn publish_first(&self, Creation { conversation, .. }: &Creation) {
        let is_channel = conversation.kind == ConversationKind::Channel;
        let members = conversation.members.iter().map(|member| member.user);
        for user in members.clone().filter(|_| is_channel) {
            deliver::follow(&*self.deps.bus, user, conversation.id);
        }
        for (event, seq) in conversation.events.iter().zip(1 as Seq..) {
            let delivery = Delivery {
                conversation: conversation.id,
                seq,
                ts: event.ts,
                event,
                erased: false,
                origin: None,
            };
            if is_channel {
                deliver::shared_event(&*self.deps.bus, &delivery);
            } else {
                deliver::event(&*self.deps.bus, members.clone(), &delivery);
            }
        }
        for member in &conversation.members {
            deliver::audience_of(&*self.deps.bus, member.user, None);
        }
    }
}
