//! Settings of authentication.

use serde::{Deserialize, Serialize};

use super::AuthError;

/// What a password hash costs: Argon2id (RFC 9106). The default is OWASP's first recommendation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Argon2Config {
    /// Memory of one hash in KiB, at least 8 for each lane.
    pub memory_kib: u32,
    /// Passes over that memory, at least 1.
    pub iterations: u32,
    /// Lanes, at least 1. More lanes are another hash, not a faster one: they are computed one after another.
    pub parallelism: u32,
}

impl Default for Argon2Config {
    fn default() -> Self {
        Self { memory_kib: 19_456, iterations: 2, parallelism: 1 }
    }
}

/// Settings of authentication, those under `auth.`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuthConfig {
    /// `iss` of access tokens: who signs them. Tokens of another issuer are refused.
    pub issuer: String,
    /// `aud` of access tokens: whom they are for. Tokens for another audience are refused.
    pub audience: String,
    /// Seconds that an access token is accepted for, at least 1.
    pub access_token_seconds: u64,
    /// Days that a refresh token is accepted for, at least 1; each use starts them anew.
    pub refresh_token_days: u32,
    /// What a password hash costs.
    pub argon2: Argon2Config,
    /// Hashes computed at the same time, at least 1; by default the number of cores.
    pub hash_concurrency: usize,
    /// Hashes that may wait for their turn; beyond that, requests are refused as `unavailable`.
    pub hash_queue: usize,
}

impl Default for AuthConfig {
    fn default() -> Self {
        Self {
            issuer: "loquat".to_owned(),
            audience: "loquat".to_owned(),
            access_token_seconds: 900,
            refresh_token_days: 60,
            argon2: Argon2Config::default(),
            hash_concurrency: std::thread::available_parallelism().map_or(1, usize::from),
            hash_queue: 64,
        }
    }
}

impl AuthConfig {
    /// Refuses what can be seen to be out of range; the parameters of hashing are checked where they are used.
    pub(super) fn check(&self) -> Result<(), AuthError> {
        let wrong = |key, reason: &str| Err(AuthError::Config { key, reason: reason.to_owned() });
        if self.issuer.is_empty() {
            return wrong("issuer", "must not be empty");
        }
        if self.audience.is_empty() {
            return wrong("audience", "must not be empty");
        }
        if self.access_token_seconds == 0 {
            return wrong("access_token_seconds", "must be at least 1");
        }
        if self.refresh_token_days == 0 {
            return wrong("refresh_token_days", "must be at least 1");
        }
        Ok(())
    }
}
