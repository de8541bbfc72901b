//! The directory of conversations and memberships, and the views that members have of them.

use async_trait::async_trait;
use loquat_proto::conversation::Cursor;
use loquat_proto::event::SettingsBody;
use loquat_proto::{
    AccountEventKind, Conversation, ConversationId, ConversationKind, DeviceId, History, Member, Permissions,
    Retention, Role, Seq, Timestamp, UserId,
};

use super::{AccountEntry, NewEvent, StoreError};

/// What a lane knows of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConversationFacts {
    /// Which conversation.
    pub id: ConversationId,
    /// What sort.
    pub kind: ConversationKind,
    /// The newest event's `seq`.
    pub head: Seq,
    /// Grows with every change that stands outside the log and bears on who may write here (blocks).
    pub version: u64,
    /// How much of the past new members may read.
    pub history: History,
    /// The current settings, every field `Some`.
    pub settings: SettingsBody,
    /// In a direct conversation: whether one has blocked the other.
    pub blocked: bool,
    /// In a direct conversation: whether one of the two accounts is deleted.
    pub ended: bool,
    /// How many members there are.
    pub member_count: u64,
    /// The members, oldest membership first; none of a channel: see [`Conversations::memberships`].
    pub members: Vec<MemberFacts>,
}

/// What a lane knows of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemberFacts {
    /// Who.
    pub user: UserId,
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
    /// Whether others see how far this member has read.
    pub read_receipts: bool,
    /// When the member last sent a message, before a leave and a return, too.
    pub last_sent: Option<Timestamp>,
}

/// What a member is, and what that permits: for decisions outside the lanes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// The member's role.
    pub role: Role,
    /// What kind of conversation.
    pub kind: ConversationKind,
    /// The least role that may do each thing.
    pub permissions: Permissions,
}

/// One of the first members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewMember {
    /// Who.
    pub user: UserId,
    /// The role.
    pub role: Role,
}

/// A conversation to create, with its first members and first events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewConversation {
    /// A candidate id; another is tried if it is taken.
    pub id: ConversationId,
    /// What sort.
    pub kind: ConversationKind,
    /// Who creates it.
    pub creator: UserId,
    /// When.
    pub ts: Timestamp,
    /// How much of the past new members may read.
    pub history: History,
    /// How long bodies are kept.
    pub retention: Retention,
    /// The least role that may do each thing.
    pub permissions: Permissions,
    /// The title; empty for direct.
    pub title: String,
    /// The description.
    pub description: String,
    /// The members, creator included; all of them see from seq 1.
    pub members: Vec<NewMember>,
    /// The first events; their [`super::Change`] is not applied again, but for settings and joins it is what
    /// `title`, `description` and `members` say; so it is for roles.
    pub events: Vec<NewEvent>,
}

/// A creation with the account entries that tell its members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Creation {
    /// The conversation.
    pub conversation: NewConversation,
    /// For each member's account log.
    pub account: Vec<(UserId, AccountEventKind, serde_json::Value)>,
}

/// What became of a creation.
#[derive(Debug, Clone, PartialEq)]
pub enum CreationOutcome {
    /// It is there, durably.
    Created {
        /// The account events written with it.
        account: Vec<AccountEntry>,
    },
    /// The two have a direct conversation already, and the other one does not block the creator.
    Existing(ConversationId),
    /// One of the members blocks the creator, or the creator blocks the other one of a new direct conversation.
    Blocked,
    /// The id is taken: try another.
    IdTaken,
}

/// A cursor moved. Stored as the maximum with what is there; a move of who is no member is ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CursorMove {
    /// Where.
    pub conversation: ConversationId,
    /// Whose.
    pub user: UserId,
    /// On which device it was delivered.
    pub device: DeviceId,
    /// Everything up to here has reached that device.
    pub delivered: Seq,
    /// Everything up to here has been read (0 for "not said").
    pub read: Seq,
}

/// Where a store stands: what sync tokens are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SyncPosition {
    /// Names this life of the store: another after every restore from a backup, so that old tokens fail closed.
    pub epoch: u64,
    /// Grows with every change of any conversation's log, cursors or preferences.
    pub pos: u64,
    /// The head of the asking user's account log.
    pub account: u64,
}

/// Which conversations a member wants to see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ViewQuery {
    /// This one.
    One(ConversationId),
    /// All, newest activity first, from this place on.
    Newest {
        /// `(last_activity, id)` of the last one seen; `None` from the start.
        after: Option<(Timestamp, ConversationId)>,
        /// At most so many.
        limit: usize,
    },
    /// Those in which the log, a cursor or an own preference moved after `pos`; newest activity first.
    ChangedSince {
        /// A [`SyncPosition::pos`].
        pos: u64,
        /// At most so many.
        limit: usize,
    },
}

/// Conversations as one member sees them, from one snapshot.
#[derive(Debug, Clone, PartialEq)]
pub struct ViewSlice {
    /// The conversations; `cursors` of hidden read receipts say 0 read to others already.
    pub items: Vec<Conversation>,
    /// Whether there are more than `limit`.
    pub more: bool,
    /// Where the store stood in that snapshot.
    pub position: SyncPosition,
}

/// Conversations, memberships, cursors and preferences.
#[async_trait]
pub trait Conversations: Send + Sync {
    /// Creates a conversation with its first members, events and account entries, whole or not at all.
    async fn create(&self, creation: Creation) -> Result<CreationOutcome, StoreError>;

    /// What a lane needs; `None` if there is no such conversation.
    async fn load(&self, conversation: ConversationId) -> Result<Option<ConversationFacts>, StoreError>;

    /// What a lane needs of these users, as far as they are members, in any order.
    async fn memberships(
        &self,
        conversation: ConversationId,
        users: Vec<UserId>,
    ) -> Result<Vec<MemberFacts>, StoreError>;

    /// Who would own the conversation if this member were not there: of the others with the highest role the one who
    /// joined first, of these the lowest id. `None` if there is nobody else.
    async fn heir(&self, conversation: ConversationId, without: UserId)
    -> Result<Option<UserId>, StoreError>;

    /// The channels that a user is a member of.
    async fn channels(&self, user: UserId) -> Result<Vec<ConversationId>, StoreError>;

    /// What the user is in the conversation; `None` for who is no member.
    async fn standing(
        &self,
        user: UserId,
        conversation: ConversationId,
    ) -> Result<Option<Standing>, StoreError>;

    /// Conversations as this member sees them; those of which the viewer is no member are not there.
    async fn views(&self, viewer: UserId, query: ViewQuery) -> Result<ViewSlice, StoreError>;

    /// Members after this user (by id, ascending), up to `limit`; `None` if the viewer is no member.
    async fn members(
        &self,
        viewer: UserId,
        conversation: ConversationId,
        after: Option<UserId>,
        limit: usize,
    ) -> Result<Option<Vec<Member>>, StoreError>;

    /// Changes the viewer's preferences and tells their account log; `None` if the viewer is no member.
    async fn set_preferences(
        &self,
        viewer: UserId,
        conversation: ConversationId,
        change: loquat_proto::conversation::UpdatePreferences,
        ts: Timestamp,
    ) -> Result<Option<AccountEntry>, StoreError>;

    /// Saves cursors, forward only. Also recounts what is unread.
    async fn save_cursors(&self, moves: Vec<CursorMove>) -> Result<(), StoreError>;

    /// Deletes a conversation with all that belongs to it, and tells its members' account logs.
    async fn delete(
        &self,
        conversation: ConversationId,
        ts: Timestamp,
    ) -> Result<Vec<AccountEntry>, StoreError>;

    /// Where the store stands now, for this user.
    async fn position(&self, user: UserId) -> Result<SyncPosition, StoreError>;

    /// The cursors of all members, as others may see them.
    async fn cursors(&self, conversation: ConversationId) -> Result<Vec<Cursor>, StoreError>;
}
