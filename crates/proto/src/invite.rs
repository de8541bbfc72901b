//! Invitations: codes by which users make themselves members.

use serde::{Deserialize, Serialize};

use crate::{ConversationId, ConversationKind, Nonce, Timestamp, UserId};

/// Body of `POST …/invites`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CreateInvite {
    /// How many may join by it, at least 1; as many as want if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1)))]
    pub max_uses: Option<u64>,
    /// Seconds until it works no more, at least 1; works until it is revoked if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1)))]
    pub expires_in: Option<u64>,
    /// Names this invitation; a retry carries the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<Nonce>,
}

/// An invitation, as those see it who may invite.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Invite {
    /// The code: who knows it may join.
    pub code: String,
    /// Where people open it.
    pub url: String,
    /// How many have joined by it.
    pub uses: u64,
    /// How many may; `None` for as many as want.
    pub max_uses: Option<u64>,
    /// From when on it works no more; `None` for never.
    pub expires_at: Option<Timestamp>,
    /// Where it leads.
    pub conversation: ConversationId,
    /// Who made it.
    pub creator: UserId,
    /// When.
    pub created_at: Timestamp,
}

/// Answer to `GET /v1/invites/{code}`: what one may know before joining.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct InvitePreview {
    /// The title.
    pub title: String,
    /// What sort.
    pub kind: ConversationKind,
    /// How many members.
    pub member_count: u64,
    /// The conversation, if the caller is a member of it already.
    #[serde(default)]
    pub conversation: Option<ConversationId>,
}
