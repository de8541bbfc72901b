//! Contacts, requests to become one, and blocks.
//!
//! Being contacts is mutual: one asks, the other accepts, or both ask. A block is one-sided, and the one who is blocked
//! is not told of it.

use serde::{Deserialize, Serialize};

use crate::{Profile, Timestamp, UserId};

/// A contact, in `GET /v1/contacts`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Contact {
    /// Who.
    pub user: UserId,
    /// The public profile.
    pub profile: Profile,
    /// Since when.
    pub created_at: Timestamp,
}

/// Who asked whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// The other one asked.
    In,
    /// The own user asked.
    Out,
}

/// A request that waits for its answer, in `GET /v1/contacts/requests`. One that was declined waits on, as far as who
/// asked can see.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ContactRequest {
    /// The other one.
    pub user: UserId,
    /// The public profile.
    pub profile: Profile,
    /// Who asked.
    pub direction: Direction,
    /// When.
    pub created_at: Timestamp,
}

/// Somebody blocked, in `GET /v1/blocks`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Block {
    /// Who.
    pub user: UserId,
    /// The public profile.
    pub profile: Profile,
    /// Since when.
    pub created_at: Timestamp,
}

/// Body of `POST /v1/contacts/requests`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RequestContact {
    /// Who is asked.
    pub user: UserId,
}

/// How two users stand after one asked or accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ContactStatus {
    /// The request waits for an answer.
    Pending,
    /// The two are contacts.
    Accepted,
}

/// Answer to `POST /v1/contacts/requests` and `POST /v1/contacts/requests/{user}/accept`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ContactAnswer {
    /// The other one.
    pub user: UserId,
    /// How the two stand.
    pub status: ContactStatus,
    /// Since when they stand so.
    pub created_at: Timestamp,
}
