//! What an operator asks of storage: accounts, devices and figures; conversations and what is derived of their logs;
//! the log of the operator's own acts.

use async_trait::async_trait;
use loquat_proto::{
    ConversationId, ConversationKind, Device, DeviceId, History, Permissions, Retention, Role, Seq,
    Timestamp, UserId,
};
use serde::{Deserialize, Serialize};

use super::{AccountEntry, StoreError};

/// Whether an account may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountState {
    /// It may sign in.
    Active,
    /// An operator shut it out; its content and devices stay.
    Disabled,
    /// A tombstone.
    Deleted,
}

/// Which accounts to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccountQuery {
    /// Those with a larger id.
    pub after: Option<UserId>,
    /// Those whose username begins with this (lower-case).
    pub prefix: Option<String>,
    /// Those in this state.
    pub state: Option<AccountState>,
    /// At most so many.
    pub limit: usize,
}

/// An account as an operator sees it in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountSummary {
    /// Who.
    pub id: UserId,
    /// `None` once deleted.
    pub username: Option<String>,
    /// What others see.
    pub display_name: String,
    /// Whether it may be used.
    pub state: AccountState,
    /// When it was made.
    pub created_at: Timestamp,
    /// When one of its devices was last connected, as far as that was saved.
    pub last_seen: Option<Timestamp>,
    /// Devices that are signed in.
    pub devices: u64,
}

/// An account as an operator sees it alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AccountDetails {
    /// As in a list.
    #[serde(flatten)]
    pub summary: AccountSummary,
    /// Its e-mail address.
    pub email: Option<String>,
    /// Its phone number.
    pub phone: Option<String>,
    /// Since when it is disabled.
    pub disabled_at: Option<Timestamp>,
    /// Since when it is deleted.
    pub deleted_at: Option<Timestamp>,
    /// Conversations that it is a member of.
    pub conversations: u64,
    /// Conversations that it owns.
    pub owned: u64,
    /// Its devices, newest first.
    pub signed_in: Vec<Device>,
}

/// A device with its owner.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeviceSummary {
    /// Whose.
    pub user: UserId,
    /// The owner's username.
    pub username: Option<String>,
    /// The device; `current` is false.
    pub device: Device,
}

/// How much there is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statistics {
    /// Accounts that may sign in.
    pub users_active: u64,
    /// Accounts that an operator shut out.
    pub users_disabled: u64,
    /// Tombstones.
    pub users_deleted: u64,
    /// Devices that are signed in.
    pub devices: u64,
    /// Direct conversations.
    pub direct_conversations: u64,
    /// Groups.
    pub groups: u64,
    /// Channels.
    pub channels: u64,
    /// Memberships of all conversations.
    pub memberships: u64,
    /// Events in all logs.
    pub events: u64,
    /// Messages among them, erased ones too.
    pub messages: u64,
    /// Erasures that are not finished.
    pub unfinished_erasures: u64,
    /// Bytes of the database; 0 where that has no meaning.
    pub database_bytes: u64,
    /// Bytes of it that are free to be used again.
    pub free_bytes: u64,
    /// Bytes of the write-ahead log.
    pub log_bytes: u64,
}

/// Accounts, devices and figures, past every rule of privacy: for operators only.
#[async_trait]
pub trait Administration: Send + Sync {
    /// Accounts by ascending id.
    async fn accounts(&self, query: AccountQuery) -> Result<Vec<AccountSummary>, StoreError>;

    /// One account; deleted ones too.
    async fn account(&self, user: UserId) -> Result<Option<AccountDetails>, StoreError>;

    /// Who has this username (lower-case).
    async fn account_named(&self, username: &str) -> Result<Option<UserId>, StoreError>;

    /// Shuts an account out (with since when), or lets it in again (`None`): a disabled account is not active for
    /// [`super::Accounts`] and [`super::Devices`], and its refresh tokens are unknown. `false` if nothing changed:
    /// it was so already, or there is no such account, or it is deleted.
    async fn set_disabled(&self, user: UserId, since: Option<Timestamp>) -> Result<bool, StoreError>;

    /// Sets a new password and revokes every device, in one transaction; says which were revoked.
    async fn reset_password(
        &self,
        user: UserId,
        password_hash: String,
        ts: Timestamp,
    ) -> Result<Vec<AccountEntry>, StoreError>;

    /// Devices after this one, by ascending id: a user's, or everybody's.
    async fn all_devices(
        &self,
        user: Option<UserId>,
        after: Option<DeviceId>,
        limit: usize,
    ) -> Result<Vec<DeviceSummary>, StoreError>;

    /// Whose device this is.
    async fn device_owner(&self, device: DeviceId) -> Result<Option<UserId>, StoreError>;

    /// How much there is.
    async fn statistics(&self) -> Result<Statistics, StoreError>;
}

/// A conversation as an operator sees it in a list. Never its content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConversationSummary {
    /// Which.
    pub id: ConversationId,
    /// What sort.
    pub kind: ConversationKind,
    /// Its title; empty for direct ones.
    pub title: String,
    /// Who owns it.
    pub owner: Option<UserId>,
    /// Members.
    pub members: u64,
    /// The newest event's `seq`.
    pub head: Seq,
    /// Messages, erased ones too.
    pub messages: u64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its newest event was written.
    pub last_activity: Timestamp,
}

/// A member of a conversation as an operator sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberSummary {
    /// Who.
    pub user: UserId,
    /// The username; `None` once deleted.
    pub username: Option<String>,
    /// The role.
    pub role: Role,
    /// Since when.
    pub joined_at: Timestamp,
    /// The first `seq` that the member may read.
    pub visible_from: Seq,
    /// The furthest `seq` that reached one of the devices.
    pub delivered: Seq,
    /// The furthest `seq` read.
    pub read: Seq,
}

/// What of a conversation does not agree with its log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Its stable name, such as `message_numbers`.
    pub what: String,
    /// Rows that are wrong.
    pub wrong: u64,
    /// Whether it is derived from the log, so that a repair computes it anew.
    pub repairable: bool,
}

/// A conversation as an operator sees it alone. Never its content.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ConversationReport {
    /// As in a list.
    #[serde(flatten)]
    pub summary: ConversationSummary,
    /// How much of the past new members may read.
    pub history: History,
    /// How long bodies are kept.
    pub retention: Retention,
    /// The least role that may do each thing.
    pub permissions: Permissions,
    /// Milliseconds between two messages of a member.
    pub slow_mode_ms: u64,
    /// Messages whose content is erased.
    pub erased: u64,
    /// Bytes of the bodies that are kept.
    pub body_bytes: u64,
    /// The oldest memberships, up to 256.
    pub oldest_members: Vec<MemberSummary>,
    /// What does not agree with the log; empty where all is well.
    pub findings: Vec<Finding>,
}

/// Which conversations to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConversationQuery {
    /// Those with a larger id.
    pub after: Option<ConversationId>,
    /// Those of this kind.
    pub kind: Option<ConversationKind>,
    /// Those with this member.
    pub member: Option<UserId>,
    /// At most so many.
    pub limit: usize,
}

/// Conversations from outside, and the repair of what is derived of their logs.
#[async_trait]
pub trait Inspection: Send + Sync {
    /// Conversations by ascending id.
    async fn list_conversations(
        &self,
        query: ConversationQuery,
    ) -> Result<Vec<ConversationSummary>, StoreError>;

    /// One conversation, with everything derived of its log compared with the log, in one snapshot. Takes as long as
    /// reading the log does.
    async fn inspect(&self, conversation: ConversationId) -> Result<Option<ConversationReport>, StoreError>;

    /// Computes everything derived of the log anew, in one transaction: what was wrong, and is right now where
    /// `repairable`. If anything changed, the conversation's version grows, so that whoever has it in memory
    /// conflicts and loads it anew. `None` if there is no such conversation.
    async fn repair(&self, conversation: ConversationId) -> Result<Option<Vec<Finding>>, StoreError>;
}

/// An act of an operator as it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAct {
    /// When.
    pub ts: Timestamp,
    /// Who, as the operating system says.
    pub actor: String,
    /// Its stable name, such as `disable_user`.
    pub act: String,
    /// To what: an id, or nothing.
    pub subject: String,
    /// What else to know: a reason. Never content nor secrets.
    pub detail: String,
}

/// An act of an operator on record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditRecord {
    /// Ascends.
    pub id: u64,
    /// When it began.
    pub ts: Timestamp,
    /// Who, as the operating system said.
    pub actor: String,
    /// Its stable name.
    pub act: String,
    /// To what.
    pub subject: String,
    /// What else there is to know.
    pub detail: String,
    /// How it ended: `done`, or an error code and why; `None` if it was interrupted.
    pub outcome: Option<String>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

/// The log of what operators did: entries are added and never changed.
#[async_trait]
pub trait AuditLog: Send + Sync {
    /// Puts an act on record before it is done; answers its id.
    async fn begin_act(&self, act: NewAct) -> Result<u64, StoreError>;

    /// Puts on record how it ended. The first end of an act stands.
    async fn end_act(&self, id: u64, outcome: &str, ts: Timestamp) -> Result<(), StoreError>;

    /// Acts below this id, newest first.
    async fn acts(&self, before: Option<u64>, limit: usize) -> Result<Vec<AuditRecord>, StoreError>;
}
