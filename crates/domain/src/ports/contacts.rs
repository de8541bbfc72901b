//! Contacts, requests for contact, and blocks.

use async_trait::async_trait;
use loquat_proto::{Block, Contact, ContactRequest, ConversationId, Timestamp, UserId};

use super::{AccountEntry, StoreError};

/// How many there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContactLimits {
    /// Contacts of a user.
    pub contacts: usize,
    /// Requests that a user asked and that are shown as waiting.
    pub requests: usize,
    /// Requests that wait for one user's answer.
    pub received: usize,
}

/// What is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// One of the two has as many contacts as they may.
    Contacts,
    /// The one who asks has as many requests waiting as they may.
    Asked,
    /// The one who is asked has.
    Received,
}

/// What became of a request, or of its acceptance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ContactOutcome {
    /// The request waits.
    Pending {
        /// Since when, as far as who asked may know.
        created_at: Timestamp,
        /// Whether it is new to who asked.
        new: bool,
        /// The account events that tell of it.
        entries: Vec<AccountEntry>,
    },
    /// The two are contacts.
    Contacts {
        /// Since when.
        created_at: Timestamp,
        /// The account events that tell both; none where they were contacts before.
        entries: Vec<AccountEntry>,
    },
    /// One of the two blocks the other; nothing was changed.
    Blocked,
    /// There is no such user (any more), or no such request; nothing was changed.
    Unknown,
    /// A limit is reached; nothing was changed.
    Full(Full),
}

/// Contacts and requests for contact. Each write is one transaction, with the account events that tell of it.
///
/// A pair has at most one request. Declining tells nobody but who declines: to who asked, the request waits on, and
/// asking again changes nothing. Withdrawing it and asking anew looks to them like a new request; who declined hears
/// nothing of that either, until they ask themselves.
#[async_trait]
pub trait Contacts: Send + Sync {
    /// `user` asks `other`. Where the other one asked before (and even was declined), the two are contacts.
    async fn request(
        &self,
        user: UserId,
        other: UserId,
        limits: ContactLimits,
        ts: Timestamp,
    ) -> Result<ContactOutcome, StoreError>;

    /// `user` accepts what `other` asked.
    async fn accept(
        &self,
        user: UserId,
        other: UserId,
        limits: ContactLimits,
        ts: Timestamp,
    ) -> Result<ContactOutcome, StoreError>;

    /// `user` declines what `other` asked; `None` if there is no such request. Declining twice is no error.
    async fn decline(
        &self,
        user: UserId,
        other: UserId,
        ts: Timestamp,
    ) -> Result<Option<Vec<AccountEntry>>, StoreError>;

    /// The two are no contacts any more, and what `user` asked `other` is withdrawn.
    async fn remove(
        &self,
        user: UserId,
        other: UserId,
        ts: Timestamp,
    ) -> Result<Vec<AccountEntry>, StoreError>;

    /// Ends all contacts, requests and blocks of a user, by whoever they are, and tells the others of contacts and
    /// requests that they can see.
    async fn forget(&self, user: UserId, ts: Timestamp) -> Result<Vec<AccountEntry>, StoreError>;

    /// Contacts after this user (by id, ascending), up to `limit`.
    async fn contacts(
        &self,
        user: UserId,
        after: Option<UserId>,
        limit: usize,
    ) -> Result<Vec<Contact>, StoreError>;

    /// Requests in both directions, as `user` may see them, after this other user (by id, ascending), up to `limit`.
    async fn requests(
        &self,
        user: UserId,
        after: Option<UserId>,
        limit: usize,
    ) -> Result<Vec<ContactRequest>, StoreError>;
}

/// A block that began or ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BlockChange {
    /// The account events that tell of it; none where nothing changed.
    pub entries: Vec<AccountEntry>,
    /// The direct conversation of the two, whose directory version grew.
    pub direct: Option<ConversationId>,
}

/// What became of a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BlockOutcome {
    /// It stands.
    Stands(BlockChange),
    /// There is no such user (any more).
    Unknown,
    /// The user has as many as they may.
    Full,
}

/// Blocks: one-sided, told only to who blocks. Each write is one transaction.
///
/// A block bears on appends: it raises the directory version of the direct conversation of the two, so that an append
/// decided without it conflicts; and an append with a [`super::Change::Join`] of somebody who blocks its sender
/// conflicts, too. [`super::Conversations::create`] looks at it in its own transaction.
#[async_trait]
pub trait Blocks: Send + Sync {
    /// `user` blocks `other`: what `other` asked is declined, what `user` asked is withdrawn; contacts stay contacts.
    async fn block(
        &self,
        user: UserId,
        other: UserId,
        limit: usize,
        ts: Timestamp,
    ) -> Result<BlockOutcome, StoreError>;

    /// `user` blocks `other` no longer.
    async fn unblock(&self, user: UserId, other: UserId, ts: Timestamp) -> Result<BlockChange, StoreError>;

    /// Whom `user` blocks, after this user (by id, ascending), up to `limit`.
    async fn blocks(
        &self,
        user: UserId,
        after: Option<UserId>,
        limit: usize,
    ) -> Result<Vec<Block>, StoreError>;

    /// Whether any of these users blocks `user`.
    async fn is_blocked_by_any(&self, user: UserId, others: &[UserId]) -> Result<bool, StoreError>;
}
