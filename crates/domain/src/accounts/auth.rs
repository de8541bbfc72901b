//! Who asks: access tokens, tickets, and which devices are signed in. How sessions begin and end is in `sign_in`.

use std::sync::Arc;

use loquat_proto::account::Secret;
use loquat_proto::{AccountEventKind, DeviceId, Limits, Session, UserId};
use thiserror::Error;

use super::active::{ActiveDevices, Recollection};
use super::keys::KeyRing;
use super::password::PasswordHasher;
use super::tickets::Tickets;
use super::{AuthConfig, Idempotency};
use crate::fanout::Announcer;
use crate::ports::{AccountEntry, Accounts, Clock, Devices, Random, StoreError};
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

impl PasswordHash {
    /// The hash as it is stored.
    pub(crate) fn into_phc(self) -> String {
        self.0
    }
}

impl std::fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}

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
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) deps: AuthDeps,
    pub(super) keys: KeyRing,
    pub(super) hasher: PasswordHasher,
    pub(super) idempotency: Idempotency,
    active: ActiveDevices,
    tickets: Tickets,
}

impl Auth {
    /// Loads the signing keys, or makes the first one.
    ///
    /// # Errors
    /// A setting is out of range, storage does not answer, or a stored key cannot be read.
    pub async fn new(deps: AuthDeps) -> Result<Self, AuthError> {
        deps.config.check()?;
        let hasher = PasswordHasher::new(&deps.config, Arc::clone(&deps.random))?;
        let now = deps.clock.now();
        let keys = KeyRing::load(deps.devices.as_ref(), deps.random.as_ref(), now, &deps.config).await?;
        let idempotency = Idempotency::new(Arc::clone(&deps.accounts), Arc::clone(&deps.clock));
        let active = ActiveDevices::new();
        let tickets = Tickets::new(TICKET_SECONDS.saturating_mul(1_000).try_into().unwrap_or(i64::MAX));
        Ok(Self { inner: Arc::new(Inner { deps, keys, hasher, idempotency, active, tickets }) })
    }

    /// Who presents this access token: its signature, issuer, audience and times hold, and its device is signed in.
    ///
    /// # Errors
    /// [`Refusal::TokenExpired`] if nothing but its time is wrong, otherwise [`Refusal::Unauthorized`];
    /// [`Refusal::Unavailable`].
    pub async fn verify(&self, token: &str) -> Result<Caller, Refusal> {
        let caller = self.inner.keys.verify(token, self.inner.deps.clock.now())?;
        self.require_active(caller).await?;
        Ok(caller)
    }

    /// Asks storage, past the cache, whether the caller's device is signed in. To be called once a socket is
    /// registered for signals, so that a revocation between [`Auth::verify`] and then is not missed.
    ///
    /// # Errors
    /// [`Refusal::Unauthorized`], [`Refusal::Unavailable`].
    pub async fn confirm(&self, caller: Caller) -> Result<(), Refusal> {
        if self.inner.deps.devices.is_active(caller.user, caller.device).await? {
            return Ok(());
        }
        self.forget(caller.device);
        Err(Refusal::Unauthorized)
    }

    /// Forgets what is cached of a device: to be called when a revocation comes over the bus.
    pub fn forget(&self, device: DeviceId) {
        self.inner.active.forget(device);
    }

    /// A ticket for one `hello` on this node within [`TICKET_SECONDS`].
    #[must_use]
    pub fn issue_ticket(&self, caller: Caller) -> Secret {
        let deps = &self.inner.deps;
        self.inner.tickets.issue(caller, deps.random.as_ref(), deps.clock.now())
    }

    /// Who was issued this ticket. It is used up by this call.
    ///
    /// # Errors
    /// [`Refusal::Unauthorized`] if it is unknown, used, expired, or its device was signed out since;
    /// [`Refusal::Unavailable`].
    pub async fn redeem_ticket(&self, ticket: &str) -> Result<Caller, Refusal> {
        let now = self.inner.deps.clock.now();
        let caller = self.inner.tickets.redeem(ticket, now).ok_or(Refusal::Unauthorized)?;
        self.require_active(caller).await?;
        Ok(caller)
    }

    /// The keys that verify access tokens, as a JWK set (RFC 7517, RFC 8037).
    #[must_use]
    pub fn jwks(&self) -> serde_json::Value {
        self.inner.keys.jwks()
    }

    /// What the password hasher did and does.
    #[must_use]
    pub fn hashing(&self) -> HashingStats {
        self.inner.hasher.stats()
    }

    async fn require_active(&self, caller: Caller) -> Result<(), Refusal> {
        let Inner { deps, active, .. } = self.inner.as_ref();
        let now = deps.clock.now();
        let signed_in = match active.recall(caller, now) {
            Recollection::Known(own) => own,
            Recollection::Unknown(question) => {
                let signed_in = deps.devices.is_active(caller.user, caller.device).await?;
                if signed_in {
                    active.learn(caller, question, now);
                }
                signed_in
            }
        };
        if signed_in { Ok(()) } else { Err(Refusal::Unauthorized) }
    }

    /// Tells everybody concerned what storage signed out: this node's cache, the user's sessions, every node's sockets.
    pub(crate) fn signed_out(&self, user: UserId, devices: Vec<DeviceId>, entries: Vec<AccountEntry>) {
        for device in &devices {
            self.forget(*device);
        }
        self.inner.deps.announcer.announce(entries);
        self.inner.deps.announcer.revoke(user, devices);
    }
}

/// The devices that these entries say were signed out.
pub(crate) fn removed_devices(entries: &[AccountEntry]) -> Vec<DeviceId> {
    let removed = entries.iter().filter(|entry| entry.event.kind == AccountEventKind::DeviceRemoved);
    removed.filter_map(|entry| entry.event.body.get("device")?.as_str()?.parse().ok()).collect()
}
