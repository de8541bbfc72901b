//! Leaving everything, before an account is erased.

use std::sync::Arc;

use async_trait::async_trait;
use loquat_proto::{ConversationId, ConversationKind, DeviceId, Timestamp, UserId};

use crate::accounts::Departure;
use crate::messages::{Act, MessageService, Mutation};
use crate::ports::{Conversations, ViewQuery};
use crate::{Caller, Refusal};

/// Conversations looked at in one step.
const PAGE: usize = 200;

/// Ends a user's memberships by events of the conversations' logs. Direct conversations keep their two members: the
/// other one keeps the log, with a tombstone for a peer.
pub struct ConversationDeparture {
    conversations: Arc<dyn Conversations>,
    messages: MessageService,
}

impl ConversationDeparture {
    /// A departure over these parts.
    #[must_use]
    pub fn new(conversations: Arc<dyn Conversations>, messages: MessageService) -> Self {
        Self { conversations, messages }
    }

    async fn page(
        &self,
        user: UserId,
        after: Option<(Timestamp, ConversationId)>,
    ) -> Result<(Vec<ConversationId>, Option<(Timestamp, ConversationId)>), Refusal> {
        let slice = self.conversations.views(user, ViewQuery::Newest { after, limit: PAGE }).await?;
        let last = slice.items.last().filter(|_| slice.more).map(|last| (last.last_activity, last.id));
        let shared = slice.items.iter().filter(|item| item.kind != ConversationKind::Direct);
        Ok((shared.map(|item| item.id).collect(), last))
    }
}

#[async_trait]
impl Departure for ConversationDeparture {
    async fn leave_all(&self, user: UserId) -> Result<(), Refusal> {
        let Some(device) = DeviceId::new(1) else { return Ok(()) };
        let caller = Caller { user, device };
        let mut after = None;
        loop {
            let (conversations, last) = self.page(user, after).await?;
            for conversation in conversations {
                let leave = Mutation { conversation, nonce: None, act: Act::RemoveMember(user) };
                match self.messages.perform(caller, leave).await {
                    // Somebody removed the user meanwhile.
                    Ok(_) | Err(Refusal::NotFound) => {}
                    Err(refusal) => return Err(refusal),
                }
            }
            match last {
                Some(last) => after = Some(last),
                None => return Ok(()),
            }
        }
    }
}
