//! What changes of an account mean for its conversations.

use std::sync::Arc;

use async_trait::async_trait;
use loquat_proto::{ConversationId, ConversationKind, DeviceId, Timestamp, UserId};

use crate::accounts::Memberships;
use crate::contacts::ContactService;
use crate::lanes::Lanes;
use crate::messages::{Act, MessageService, Mutation};
use crate::ports::{Conversations, ViewQuery};
use crate::presence::PresenceService;
use crate::{Caller, Refusal};

/// Conversations looked at in one step.
const PAGE: usize = 200;

/// Ends a user's memberships by events of the conversations' logs. Direct conversations keep their two members: the
/// other one keeps the log, with a tombstone for a peer.
pub struct ConversationMemberships {
    deps: MembershipDeps,
}

/// What [`ConversationMemberships`] rests on.
pub struct MembershipDeps {
    /// The directory.
    pub conversations: Arc<dyn Conversations>,
    /// Ends memberships.
    pub messages: MessageService,
    /// The lanes, which show how far members have read.
    pub lanes: Lanes,
    /// Ends contacts.
    pub contacts: ContactService,
    /// Who may see whom.
    pub presence: PresenceService,
}

impl ConversationMemberships {
    /// Over these parts.
    #[must_use]
    pub const fn new(deps: MembershipDeps) -> Self {
        Self { deps }
    }

    async fn page(
        &self,
        user: UserId,
        after: Option<(Timestamp, ConversationId)>,
    ) -> Result<(Vec<ConversationId>, Option<(Timestamp, ConversationId)>), Refusal> {
        let slice = self.deps.conversations.views(user, ViewQuery::Newest { after, limit: PAGE }).await?;
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
                match self.deps.messages.perform(caller, leave).await {
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
        self.deps.lanes.show_reads(user, shown).await;
    }

    async fn end_contacts(&self, user: UserId) -> Result<(), Refusal> {
        self.deps.contacts.forget(user).await
    }

    fn show_presence(&self, user: UserId) {
        self.deps.presence.audience_changed(user, None);
    }
}
