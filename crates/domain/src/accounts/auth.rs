//! Who asks: sign-up, log-in, refresh, log-out, and the tokens that prove it.

use std::sync::Arc;

use loquat_proto::account::{ChangePassword, LogIn, Secret, SignUp};
use loquat_proto::{DeviceId, Limits, Session};
use thiserror::Error;

use super::AuthConfig;
use crate::fanout::Announcer;
use crate::ports::{Accounts, Clock, Devices, Random, StoreError};
use crate::{Caller, Refusal};

/// Seconds until a ticket of [`Auth::issue_ticket`] expires.
pub const TICKET_SECONDS: u64 = 30;

/// What [`Auth`] rests on.
#[derive(Clone)]
pub struct AuthDeps {
    /// Users and credentials.
    pub accounts: Arc<dyn Accounts>,
    /// Devices, refresh tokens and signing keys.
    pub devices: Arc<dyn Devices>,
    /// Tells sessions of devices that come and go.
    pub announcer: Announcer,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness fit for secrets.
    pub random: Arc<dyn Random>,
    /// Settings.
    pub config: AuthConfig,
    /// The limits in force (`devices_per_user`).
    pub limits: Limits,
}

/// Why authentication cannot start.
#[derive(Debug, Error)]
pub enum AuthError {
    /// Storage did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A setting is out of its range.
    #[error("auth.{key}: {reason}")]
    Config {
        /// The setting, below `auth.`.
        key: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// A stored signing key cannot be read.
    #[error("the signing key {id} cannot be read")]
    SigningKey {
        /// The key's id.
        id: String,
    },
}

/// A session that began or goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedIn {
    /// The answer to the client. `refresh_token` is always there; whoever sets it as a cookie takes it out.
    pub session: Session,
    /// Seconds until the refresh token expires: `Max-Age` of the cookie.
    pub refresh_max_age_seconds: u64,
}

/// A password's hash in PHC string format. Not printed.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(pub(super) String);

/// What the password hasher did and does, for metrics.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HashingStats {
    /// Hashes computed since start.
    pub computed: u64,
    /// Requests refused since start because the queue was full.
    pub refused: u64,
    /// Hashes computed or waited for right now.
    pub in_flight: usize,
}

/// Authentication. A cheap handle: clones share everything.
#[derive(Clone)]
pub struct Auth {
    deps: Arc<AuthDeps>,
}

impl Auth {
    /// Loads the signing keys, or makes the first one.
    ///
    /// # Errors
    /// A setting is out of range, storage does not answer, or a stored key cannot be read.
    pub async fn new(deps: AuthDeps) -> Result<Self, AuthError> {
        deps.devices.signing_keys().await?;
        Ok(Self { deps: Arc::new(deps) })
    }

    /// Creates an account and signs its first device in.
    ///
    /// With an `Idempotency-Key`, the same request within 24 hours answers with the same account, device and refresh
    /// token as the first time; a device that was signed out since is replaced by a new one.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] or [`Refusal::TooLarge`] naming the field, [`Refusal::Conflict`] if a name or address is
    /// taken or the key came with another request before, [`Refusal::Unavailable`].
    pub async fn sign_up(&self, request: SignUp, idempotency_key: Option<String>) -> Result<SignedIn, Refusal> {
        let _ = (request, idempotency_key, &self.deps);
        Err(Refusal::busy("authentication"))
    }

    /// Signs a new device in by password. A user at the limit of devices loses the one seen the longest ago.
    ///
    /// # Errors
    /// [`Refusal::Unauthorized`] alike for an unknown user, a wrong password and a disabled or deleted account, after
    /// the same work; [`Refusal::Unavailable`].
    pub async fn log_in(&self, request: LogIn) -> Result<SignedIn, Refusal> {
        let _ = request;
        Err(Refusal::busy("authentication"))
    }

    /// Exchanges a refresh token for its successor and a fresh access token.
    ///
    /// # Errors
    /// [`Refusal::Unauthorized`] if the token is unknown, expired or used. A used token that comes again signs its
    /// device out, except that the same token with the same `Idempotency-Key` within 60 s gets the same successor.
    pub async fn refresh(&self, token: &Secret, idempotency_key: Option<String>) -> Result<SignedIn, Refusal> {
        let _ = (token, idempotency_key);
        Err(Refusal::busy("authentication"))
    }

    /// Signs the caller's device out and closes its sockets.
    ///
    /// # Errors
    /// [`Refusal::Unavailable`].
    pub async fn log_out(&self, caller: Caller) -> Result<(), Refusal> {
        self.revoke(caller, caller.device).await
    }

    /// Signs a device of the caller out and closes its sockets.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] if the caller has no such device, [`Refusal::Unavailable`].
    pub async fn revoke(&self, caller: Caller, device: DeviceId) -> Result<(), Refusal> {
        let _ = (caller, device);
        Err(Refusal::busy("authentication"))
    }

    /// Sets a new password and signs every other device out.
    ///
    /// # Errors
    /// [`Refusal::Forbidden`] if the current password is wrong, [`Refusal::Invalid`] if the new one is against the
    /// rules, [`Refusal::Unavailable`].
    pub async fn change_password(&self, caller: Caller, request: ChangePassword) -> Result<(), Refusal> {
        let _ = (caller, request);
        Err(Refusal::busy("authentication"))
    }

    /// Who presents this access token: its signature, issuer, audience and times hold, and its device is signed in.
    ///
    /// # Errors
    /// [`Refusal::TokenExpired`] if nothing but its time is wrong, otherwise [`Refusal::Unauthorized`];
    /// [`Refusal::Unavailable`].
    pub async fn verify(&self, token: &str) -> Result<Caller, Refusal> {
        let _ = token;
        Err(Refusal::busy("authentication"))
    }

    /// Asks storage, past the cache, whether the caller's device is signed in. To be called once a socket is
    /// registered for signals, so that a revocation between [`Auth::verify`] and then is not missed.
    ///
    /// # Errors
    /// [`Refusal::Unauthorized`], [`Refusal::Unavailable`].
    pub async fn confirm(&self, caller: Caller) -> Result<(), Refusal> {
        let _ = caller;
        Err(Refusal::busy("authentication"))
    }

    /// Forgets what is cached of a device: to be called when a revocation comes over the bus.
    pub fn forget(&self, device: DeviceId) {
        let _ = device;
    }

    /// A ticket for one `hello` on this node within [`TICKET_SECONDS`].
    #[must_use]
    pub fn issue_ticket(&self, caller: Caller) -> Secret {
        let _ = caller;
        Secret(String::new())
    }

    /// Who was issued this ticket. It is used up by this call.
    ///
    /// # Errors
    /// [`Refusal::Unauthorized`] if it is unknown, used, expired, or its device was signed out since;
    /// [`Refusal::Unavailable`].
    pub async fn redeem_ticket(&self, ticket: &str) -> Result<Caller, Refusal> {
        let _ = ticket;
        Err(Refusal::Unauthorized)
    }

    /// The keys that verify access tokens, as a JWK set (RFC 7517, RFC 8037).
    #[must_use]
    pub fn jwks(&self) -> serde_json::Value {
        serde_json::json!({ "keys": [] })
    }

    /// Hashes a password, for [`Auth::sign_up_with_hash`].
    ///
    /// # Errors
    /// [`Refusal::Invalid`] if it is against the rules, [`Refusal::Unavailable`].
    pub async fn hash_password(&self, password: &Secret) -> Result<PasswordHash, Refusal> {
        let _ = password;
        Err(Refusal::busy("authentication"))
    }

    /// Creates an account whose password is hashed already: for making many accounts at once. The request's own
    /// password is ignored.
    ///
    /// # Errors
    /// As [`Auth::sign_up`].
    pub async fn sign_up_with_hash(&self, request: SignUp, hash: &PasswordHash) -> Result<SignedIn, Refusal> {
        let _ = (request, &hash.0);
        Err(Refusal::busy("authentication"))
    }

    /// What the password hasher did and does.
    #[must_use]
    pub fn hashing(&self) -> HashingStats {
        HashingStats::default()
    }
}
