//! Catching up: `ready`, the long poll, and each user's account log.

use serde::{Deserialize, Serialize};

use crate::conversation::Cursor;
use crate::{Conversation, ConversationId, DeviceId, Event, Timestamp, UserId};

/// What an account event is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum AccountEventKind {
    /// The user is a member of a conversation now. Body: `{"conversation"}`.
    ConversationJoined,
    /// The user is no member any more, or the conversation is gone. Body: `{"conversation", "reason"}`.
    ConversationLeft,
    /// Somebody asks to be a contact (`in`), or was asked by the own user (`out`). Body: `{"user", "direction"}`.
    ContactRequest,
    /// A new contact. Body: `{"user"}`.
    ContactAdded,
    /// A contact less, or (`request`) a request less: declined here, or withdrawn. Body: `{"user", "request"}`.
    ContactRemoved,
    /// The user blocked somebody. Body: `{"user"}`.
    Blocked,
    /// The user unblocked somebody. Body: `{"user"}`.
    Unblocked,
    /// The own profile changed. Body: the own profile.
    Profile,
    /// The own settings or privacy changed. Body: `{"settings", "privacy"}`.
    Settings,
    /// A device signed in. Body: the device.
    DeviceAdded,
    /// A device was signed out or revoked. Body: `{"device"}`.
    DeviceRemoved,
    /// Preferences of a conversation changed. Body: `{"conversation", "muted_until", "pinned", "archived", "draft"}`.
    Preferences,
    /// The own read cursor moved on another device. Body: `{"conversation", "read"}`.
    Read,
    /// A kind that this version does not know.
    #[serde(other)]
    #[cfg_attr(feature = "schema", schemars(skip))]
    Unknown,
}

/// One entry of a user's account log: durable, contiguous by `pos` from 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AccountEvent {
    /// Position in the user's account log.
    pub pos: u64,
    /// When it was appended.
    pub ts: Timestamp,
    /// What it is about.
    pub kind: AccountEventKind,
    /// The content, by kind.
    pub body: serde_json::Value,
}

/// The answer to `hello`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Ready {
    /// Who is signed in.
    pub user: UserId,
    /// From which device.
    pub device: DeviceId,
    /// This socket's name in the service's logs.
    pub session: String,
    /// A client that wants to stay online sends something at least this often.
    pub heartbeat_ms: u64,
    /// The sync token of this answer.
    pub since: String,
    /// Every conversation in which the log, a cursor or a preference moved since the client's token, as a superset.
    pub changed: Vec<Conversation>,
    /// Whether there are more than these; the rest by `GET /v1/conversations`.
    pub more: bool,
    /// The account events since the client's token.
    pub account: Vec<AccountEvent>,
    /// Whether the token could not be honoured: start from `changed`.
    pub reset: bool,
}

/// One conversation's receipts, as pushed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReceiptUpdate {
    /// In which conversation.
    pub conversation: ConversationId,
    /// The cursors that moved.
    pub items: Vec<Cursor>,
}

/// Answer to `GET /v1/sync`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SyncAnswer {
    /// The sync token of this answer.
    pub since: String,
    /// Every conversation that moved since the client's token, as a superset.
    pub changed: Vec<Conversation>,
    /// The newest events of those conversations, ascending by `seq` in each; gaps are fetched.
    pub events: Vec<Event>,
    /// The cursors of those conversations.
    pub receipts: Vec<ReceiptUpdate>,
    /// The account events since the client's token.
    pub account: Vec<AccountEvent>,
    /// Whether there is more; ask again with the new token, or by `GET /v1/conversations`.
    pub more: bool,
    /// Whether the token could not be honoured: start from `changed`.
    pub reset: bool,
}
