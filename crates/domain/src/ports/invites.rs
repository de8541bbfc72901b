//! Invitations: codes by which users make themselves members.

use async_trait::async_trait;
use loquat_proto::{ConversationId, ConversationKind, Nonce, Timestamp, UserId};

use super::{Standing, StoreError};

/// An invitation as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InviteRecord {
    /// The code: who knows it may join.
    pub code: String,
    /// Where it leads.
    pub conversation: ConversationId,
    /// Who made it.
    pub creator: UserId,
    /// When.
    pub created_at: Timestamp,
    /// From when on it works no more; `None` for never.
    pub expires_at: Option<Timestamp>,
    /// How many may join by it; `None` for as many as want.
    pub max_uses: Option<u64>,
    /// How many have.
    pub uses: u64,
}

/// An invitation to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewInvite {
    /// The invitation, unused. Its code is a candidate; another is tried if it is taken.
    pub invite: InviteRecord,
    /// Names it for retries.
    pub nonce: Option<Nonce>,
    /// What its creator was when it was decided: another standing makes nothing.
    pub standing: Standing,
    /// How many of a conversation may work at a time.
    pub limit: usize,
}

/// What became of an invitation to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InviteOutcome {
    /// It is there, durably; or one that its creator made under the same nonce.
    Made(InviteRecord),
    /// As many as may work do so already.
    TooMany,
    /// The creator stands otherwise than expected, or is no member: decide again.
    Stale,
    /// The code is taken: try another.
    CodeTaken,
}

/// Where an invitation leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    /// The invitation.
    pub invite: InviteRecord,
    /// Whether it was revoked.
    pub revoked: bool,
    /// The kind of the conversation.
    pub kind: ConversationKind,
    /// Its title.
    pub title: String,
    /// How many members it has.
    pub member_count: u64,
    /// Whether the one who asks is a member.
    pub joined: bool,
    /// Whether the one who asks was removed, and not added again since.
    pub barred: bool,
}

/// Invitations. Uses are counted where they happen: by [`super::Change::Admit`], in the transaction of its append.
#[async_trait]
pub trait Invites: Send + Sync {
    /// Makes an invitation: compare-and-set on the creator's standing.
    async fn create_invite(&self, invite: NewInvite) -> Result<InviteOutcome, StoreError>;

    /// The invitations of a conversation that work at this time, the newest first, with what the viewer is, from one
    /// snapshot; `None` if the viewer is no member.
    async fn invites(
        &self,
        viewer: UserId,
        conversation: ConversationId,
        now: Timestamp,
    ) -> Result<Option<(Standing, Vec<InviteRecord>)>, StoreError>;

    /// Where this code leads, as this user finds it; `None` if there is no such code. Codes that expired, are used up
    /// or were revoked are found.
    async fn invitation(&self, code: &str, user: UserId) -> Result<Option<Invitation>, StoreError>;

    /// Makes a code of this conversation useless, durably. `false` if it was so already, or is none of it.
    async fn revoke_invite(&self, conversation: ConversationId, code: &str) -> Result<bool, StoreError>;
}
