//! What changes of an account mean for its conversations.

use std::sync::Arc;

use async_trait::async_trait;
use loquat_proto::{ConversationId, ConversationKind, DeviceId, Timestamp, UserId};

use crate::accounts::Memberships;
use crate::lanes::Lanes;
use crate::messages::{Act, MessageService, Mutation};
use crate::ports::{Conversations, ViewQuery};
use crate::{Caller, Refusal};

/// Conversations looked at in one step.
const PAGE: usize = 200;

/// Ends a user's memberships by events of the conversations' logs. Direct conversations keep their two members: the
/// other one keeps the log, with a tombstone for a peer.
pub struct ConversationMemberships {
    conversations: Arc<dyn Conversations>,
    messages: MessageService,
    lanes: Lanes,
}

impl ConversationMemberships {
    /// Over these parts.
    #[must_use]
    pub fn new(conversations: Arc<dyn Conversations>, messages: MessageService, lanes: Lanes) -> Self {
        Self { conversations, messages, lanes }
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
impl Memberships for ConversationMemberships {
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

    async fn show_reads(&self, user: UserId, shown: bool) {
        self.lanes.show_reads(user, shown).await;
    }
}
