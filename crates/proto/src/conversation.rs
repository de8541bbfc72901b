//! Conversations, their members and settings.

use serde::{Deserialize, Serialize};

use crate::{ConversationId, Message, Nonce, Profile, Seq, Timestamp, UserId};

/// What sort of conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ConversationKind {
    /// Exactly two members, for ever.
    Direct,
    /// Up to `limits.group_members` who all write.
    Group,
    /// A large audience; by default only admins write, and joins are not logged.
    Channel,
}

/// How much of the past a new member may read; fixed at creation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum History {
    /// From the first event.
    Full,
    /// From the member's own join.
    Joined,
}

/// A member's role, least first: what a permission asks for is a least role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Reads only, unless a permission says otherwise.
    Guest,
    /// An ordinary member.
    Member,
    /// Manages members and settings.
    Admin,
    /// The one owner.
    Owner,
}

/// How long bodies are kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "mode", rename_all = "snake_case")]
pub enum Retention {
    /// For ever.
    #[default]
    Keep,
    /// Bodies are erased this long after they were written.
    Ttl {
        /// Seconds, 1 to 315,360,000 (ten years).
        #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 315_360_000)))]
        seconds: u64,
    },
    /// Bodies are erased once every active device has them, at the latest after 30 days.
    UntilDelivered,
}

/// The least role that may do each thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Permissions {
    /// Write messages.
    pub post: Role,
    /// Add members and make invitations.
    pub invite: Role,
    /// Change title, description, avatar and retention.
    pub edit_info: Role,
    /// Pin messages.
    pub pin: Role,
}

/// A conversation as one of its members sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Conversation {
    /// Which conversation.
    pub id: ConversationId,
    /// What sort.
    pub kind: ConversationKind,
    /// The title; empty for a direct conversation.
    pub title: String,
    /// The description.
    pub description: String,
    /// The avatar, if there is one.
    pub avatar: Option<String>,
    /// The owner; nobody owns a direct conversation.
    pub owner: Option<UserId>,
    /// How many members.
    pub member_count: u64,
    /// The newest event's `seq`; 0 while there is none.
    pub head: Seq,
    /// The first `seq` that the caller may read.
    pub visible_from: Seq,
    /// How much of the past new members may read.
    pub history: History,
    /// When it was created.
    pub created_at: Timestamp,
    /// When the newest event was appended, or it was created.
    pub last_activity: Timestamp,
    /// The newest message that the caller may read.
    pub last_message: Option<Message>,
    /// How long bodies are kept.
    pub retention: Retention,
    /// Up to here retention has taken the bodies of all messages from the server; 0 while of none.
    #[serde(default)]
    pub erased_to: Seq,
    /// Up to here messages have outlived their `ttl`: devices drop their own copies, too. Never above `erased_to`;
    /// between the two, the only copies are those that were delivered.
    #[serde(default)]
    pub expired_to: Seq,
    /// The least role that may do each thing.
    pub permissions: Permissions,
    /// Milliseconds between two messages of a member; 0 is off.
    pub slow_mode_ms: u64,
    /// The other one, in a direct conversation.
    pub peer: Option<Profile>,
    /// The caller's own part.
    pub me: OwnMembership,
    /// Everyone's cursors, up to 256 members.
    pub cursors: Vec<Cursor>,
}

/// The caller's own part in a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OwnMembership {
    /// The caller's role.
    pub role: Role,
    /// Everything up to here has reached one of the caller's devices.
    pub delivered: Seq,
    /// Everything up to here has been read.
    pub read: Seq,
    /// Messages of others after `read`.
    pub unread: u64,
    /// How many of the unread ones mention the caller.
    pub mentions: u64,
    /// No notifications until then.
    pub muted_until: Option<Timestamp>,
    /// Kept on top of the caller's list.
    pub pinned: bool,
    /// Out of the caller's way.
    pub archived: bool,
    /// What the caller has begun to write.
    pub draft: Option<String>,
}

/// One member's cursors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Cursor {
    /// Whose.
    pub user: UserId,
    /// The furthest `seq` that reached one of the member's devices.
    pub delivered: Seq,
    /// The furthest `seq` that the member has read.
    pub read: Seq,
}

/// A member, in `GET …/members`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Member {
    /// Who.
    pub user: UserId,
    /// The public profile.
    pub profile: Profile,
    /// The role.
    pub role: Role,
    /// Since when.
    pub joined_at: Timestamp,
    /// The furthest `seq` that reached one of the member's devices.
    pub delivered: Seq,
    /// The furthest `seq` that the member has read.
    pub read: Seq,
}

/// Body of `POST /v1/conversations`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CreateConversation {
    /// What sort.
    pub kind: ConversationKind,
    /// The other members; the caller is one in any case.
    #[serde(default)]
    pub members: Vec<UserId>,
    /// The title, of groups and channels.
    #[serde(default)]
    pub title: Option<String>,
    /// The description, of groups and channels.
    #[serde(default)]
    pub description: Option<String>,
    /// How much of the past new members may read; [`History::Full`] if absent.
    #[serde(default)]
    pub history: Option<History>,
    /// How long bodies are kept; [`Retention::Keep`] if absent.
    #[serde(default)]
    pub retention: Option<Retention>,
}

/// Body of `PATCH /v1/conversations/{id}`: absent fields stay as they are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct UpdateConversation {
    /// Names this change; a retry carries the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<Nonce>,
    /// The fields to change.
    #[serde(flatten)]
    pub settings: crate::event::SettingsBody,
}

/// Body of `POST …/members`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AddMembers {
    /// Whom to add.
    #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
    pub users: Vec<UserId>,
    /// Names this change; a retry carries the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<Nonce>,
}

/// Body of `PATCH …/members/{user}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ChangeRole {
    /// The new role.
    pub role: Role,
    /// Names this change; a retry carries the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<Nonce>,
}

/// Body of `POST …/receipts`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Receipts {
    /// Everything up to here has reached this device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivered: Option<Seq>,
    /// Everything up to here has been read; implies `delivered`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read: Option<Seq>,
}

/// Body of `POST …/typing`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Typing {
    /// Whether the caller is writing.
    pub on: bool,
}

/// Body of `PATCH …/preferences`: absent fields stay as they are, `null` clears.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct UpdatePreferences {
    /// No notifications until then.
    #[serde(default, with = "crate::double_option", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Timestamp>"))]
    pub muted_until: Option<Option<Timestamp>>,
    /// Kept on top of the list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pinned: Option<bool>,
    /// Out of the way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub archived: Option<bool>,
    /// What the caller has begun to write.
    #[serde(default, with = "crate::double_option", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub draft: Option<Option<String>>,
}
