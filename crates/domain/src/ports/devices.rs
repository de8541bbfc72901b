//! Devices, refresh tokens and signing keys.

use async_trait::async_trait;
use loquat_proto::{Device, DeviceId, Timestamp, UserId};

use super::{AccountEntry, StoreError};

/// A device to sign in, with its first refresh token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDevice {
    /// A candidate id; another is tried if it is taken.
    pub id: DeviceId,
    /// What the user calls it.
    pub name: String,
    /// What it runs on.
    pub platform: String,
    /// The first refresh token.
    pub refresh: RefreshToken,
    /// When.
    pub ts: Timestamp,
}

/// A refresh token as it is stored: by hash only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefreshToken {
    /// SHA-256 of the token.
    pub hash: [u8; 32],
    /// When it stops being accepted.
    pub expires_at: Timestamp,
}

/// What became of a sign-in.
#[derive(Debug, Clone, PartialEq)]
pub enum SignInOutcome {
    /// The device is there; the account log says `device_added`.
    Added(AccountEntry),
    /// The user has as many devices as allowed.
    TooMany,
    /// The id is taken: try another.
    IdTaken,
    /// The account is gone.
    Gone,
}

/// A rotation of a refresh token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefreshRotation {
    /// SHA-256 of the token presented.
    pub presented: [u8; 32],
    /// Its successor.
    pub successor: RefreshToken,
    /// The successor itself, sealed by the caller with the presented token: what a repeated request gets again.
    pub sealed_successor: Vec<u8>,
    /// The `Idempotency-Key`, if there was one.
    pub key: Option<String>,
    /// When.
    pub now: Timestamp,
}

/// What became of a rotation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RefreshOutcome {
    /// The successor is in force.
    Rotated {
        /// Whose.
        user: UserId,
        /// Which device's.
        device: DeviceId,
    },
    /// The same token came with the same key within 60 s: the first successor, sealed, once more.
    Repeated {
        /// Whose.
        user: UserId,
        /// Which device's.
        device: DeviceId,
        /// [`RefreshRotation::sealed_successor`] of the first time.
        sealed_successor: Vec<u8>,
    },
    /// A used token came again: the family (the device) was revoked.
    Reused {
        /// Whose.
        user: UserId,
        /// Which device was revoked.
        device: DeviceId,
        /// The account event that says so.
        entry: AccountEntry,
    },
    /// No such token, expired, or its device or account is gone.
    Unknown,
}

/// A key that signs access tokens.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningKey {
    /// The JWK `kid`.
    pub id: String,
    /// The private key, PKCS#8 DER.
    pub pkcs8: Vec<u8>,
    /// When it was made; the newest signs, all verify.
    pub created_at: Timestamp,
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SigningKey").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Devices and what they sign in with.
#[async_trait]
pub trait Devices: Send + Sync {
    /// Signs a device in, unless the user has `limit` of them.
    async fn sign_in(
        &self,
        user: UserId,
        device: NewDevice,
        limit: usize,
    ) -> Result<SignInOutcome, StoreError>;

    /// A user's devices, newest first; `current` is false in all of them.
    async fn devices(&self, user: UserId) -> Result<Vec<Device>, StoreError>;

    /// Whether this device of this user is signed in and the account active.
    async fn is_active(&self, user: UserId, device: DeviceId) -> Result<bool, StoreError>;

    /// Revokes devices with their refresh tokens and tells the account log of each that was there.
    async fn revoke(
        &self,
        user: UserId,
        devices: Vec<DeviceId>,
        ts: Timestamp,
    ) -> Result<Vec<AccountEntry>, StoreError>;

    /// Sets a new password and revokes every device but this one, in one transaction; says which were revoked.
    async fn change_password(
        &self,
        user: UserId,
        password_hash: String,
        keep: DeviceId,
        ts: Timestamp,
    ) -> Result<Vec<AccountEntry>, StoreError>;

    /// Rotates a refresh token: compare-and-set on the token presented. The device counts as seen.
    async fn rotate(&self, rotation: RefreshRotation) -> Result<RefreshOutcome, StoreError>;

    /// All signing keys, newest first.
    async fn signing_keys(&self) -> Result<Vec<SigningKey>, StoreError>;

    /// Adds a signing key if there is none yet, and returns all: two nodes that start at once agree on one.
    async fn ensure_signing_key(&self, key: SigningKey) -> Result<Vec<SigningKey>, StoreError>;
}
