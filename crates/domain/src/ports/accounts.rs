//! Users, their credentials, and their account logs.

use async_trait::async_trait;
use loquat_proto::account::UpdateProfile;
use loquat_proto::{AccountEvent, AccountEventKind, OwnProfile, Page, Profile, Timestamp, UserId};

use super::{NewDevice, StoreError};

/// An account event with its owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountEntry {
    /// Whose account log.
    pub user: UserId,
    /// The event.
    pub event: AccountEvent,
}

/// A user to create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewUser {
    /// A candidate id; another is tried if it is taken.
    pub id: UserId,
    /// Lower-case, valid.
    pub username: String,
    /// The name to show.
    pub display_name: String,
    /// A normalised e-mail address.
    pub email: Option<String>,
    /// A normalised phone number.
    pub phone: Option<String>,
    /// The password's hash in PHC string format.
    pub password_hash: String,
    /// When.
    pub ts: Timestamp,
}

/// What became of a sign-up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignUpOutcome {
    /// The account and its first device are there.
    Created,
    /// The username is taken (or was freed less than 30 days ago).
    UsernameTaken,
    /// The e-mail address or the phone number belongs to an account.
    AddressTaken,
    /// An id is taken: try others.
    IdTaken,
}

/// What a log-in is checked against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// Who.
    pub user: UserId,
    /// The password's hash in PHC string format.
    pub password_hash: String,
    /// Whether the account may sign in (not disabled, not deleted).
    pub active: bool,
}

/// A user as the service sees them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserRecord {
    /// What the user sees of the own account.
    pub own: OwnProfile,
    /// Whether the account may sign in (not disabled, not deleted).
    pub active: bool,
}

/// A change of a profile, with when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProfileChange {
    /// The fields to change, valid.
    pub fields: UpdateProfile,
    /// When.
    pub ts: Timestamp,
}

/// Whose retry of a creation this is: the user (`None` at sign-up, where the key is bound to the username) and the
/// key of the `Idempotency-Key` header.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IdempotencyKey {
    /// The caller's id, or the username of a sign-up, with the kind of call: one namespace each.
    pub scope: String,
    /// The header's value.
    pub key: String,
}

/// What a creation answered the first time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RememberedAnswer {
    /// SHA-256 of the request's body: the same key with another body is a conflict.
    pub request_hash: [u8; 32],
    /// The id that was created.
    pub created: u64,
    /// When.
    pub ts: Timestamp,
}

/// Users and credentials.
#[async_trait]
pub trait Accounts: Send + Sync {
    /// Creates a user with a first device, whole or not at all.
    async fn sign_up(&self, user: NewUser, device: NewDevice) -> Result<SignUpOutcome, StoreError>;

    /// The account that signs in with this username, e-mail address or phone number (normalised).
    async fn credentials(&self, login: &str) -> Result<Option<Credentials>, StoreError>;

    /// A user as the service sees them; deleted ones too.
    async fn user(&self, user: UserId) -> Result<Option<UserRecord>, StoreError>;

    /// Public profiles of those that exist, in any order; deleted ones as tombstones.
    async fn profiles(&self, users: &[UserId]) -> Result<Vec<Profile>, StoreError>;

    /// Users whose username or display name begins with this (case-insensitive), or whose whole e-mail address or
    /// phone number it is, as each one's `find_by` allows; by username; never deleted ones.
    async fn search(
        &self,
        query: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<Profile>, StoreError>;

    /// Changes a profile and tells the account log (`profile` or `settings`).
    async fn update(&self, user: UserId, change: ProfileChange) -> Result<Vec<AccountEntry>, StoreError>;

    /// Erases an account: content of its messages, profile, devices, contacts, memberships; leaves a tombstone; the
    /// name is free again after 30 days. Its memberships end by events that the caller has appended before.
    async fn delete(&self, user: UserId, ts: Timestamp) -> Result<(), StoreError>;

    /// What this creation answered the first time, if it was within the last 24 hours.
    async fn recall(
        &self,
        key: &IdempotencyKey,
        now: Timestamp,
    ) -> Result<Option<RememberedAnswer>, StoreError>;

    /// Remembers what a creation answered; the first one wins. Entries older than 24 hours are forgotten.
    async fn remember(&self, key: IdempotencyKey, answer: RememberedAnswer) -> Result<(), StoreError>;
}

/// Each user's account log: durable, contiguous by `pos` from 1.
#[async_trait]
pub trait AccountLog: Send + Sync {
    /// Appends to one user's log.
    async fn append(
        &self,
        user: UserId,
        kind: AccountEventKind,
        body: serde_json::Value,
        ts: Timestamp,
    ) -> Result<AccountEntry, StoreError>;

    /// Up to `limit` events above `pos`, ascending.
    async fn after(&self, user: UserId, pos: u64, limit: usize) -> Result<Vec<AccountEvent>, StoreError>;
}
