//! Creations that may be repeated: the `Idempotency-Key` header.
//!
//! The answer of a creation is remembered for 24 hours under the key. Two requests with the same key in one process
//! wait for one another; on two nodes, the constraints of what is created decide (a username is unique, a direct
//! conversation exists once).

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;

use loquat_proto::Nonce;
use serde::Serialize;
use sha2::{Digest, Sha256};
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::Refusal;
use crate::ports::{Accounts, Clock, IdempotencyKey, RememberedAnswer};

/// Locks for keys under way, however many there are: two keys that share a lock wait for one another needlessly.
const LOCKS: usize = 256;

/// Remembers for 24 hours what a creation answered. A cheap handle: clones share everything.
#[derive(Clone)]
pub struct Idempotency {
    shared: Arc<Shared>,
}

struct Shared {
    accounts: Arc<dyn Accounts>,
    clock: Arc<dyn Clock>,
    locks: Vec<Arc<Mutex<()>>>,
    hasher: RandomState,
}

/// What [`Idempotency::begin`] found.
pub enum Begun {
    /// Not done yet, and nobody else in this process does it: create, then [`Attempt::finish`].
    Fresh(Attempt),
    /// Done before: this id was created.
    Replay(u64),
}

/// The right to do a creation. Dropped without [`Attempt::finish`], the key stays fresh.
pub struct Attempt {
    shared: Arc<Shared>,
    key: IdempotencyKey,
    request_hash: [u8; 32],
    _lock: OwnedMutexGuard<()>,
}

/// SHA-256 of a request's JSON, to tell a repeated request from another one with the same key. Leave secrets out
/// before: a fast hash of a password must not be stored.
///
/// # Errors
/// [`Refusal::Invalid`] if the request cannot be written as JSON.
pub fn request_hash(request: &impl Serialize) -> Result<[u8; 32], Refusal> {
    let json = serde_json::to_vec(request).map_err(|error| Refusal::invalid(error.to_string()))?;
    Ok(Sha256::digest(json).into())
}

impl Idempotency {
    /// Over this storage.
    #[must_use]
    pub fn new(accounts: Arc<dyn Accounts>, clock: Arc<dyn Clock>) -> Self {
        let locks = (0..LOCKS).map(|_| Arc::default()).collect();
        Self { shared: Arc::new(Shared { accounts, clock, locks, hasher: RandomState::new() }) }
    }

    /// Begins a creation. `scope` is the kind of call with the caller's id, such as `conversation:12`: one namespace
    /// each. Waits while another request with the same key is under way in this process.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] if the key is not 1 to 64 of `A-Z a-z 0-9 _ -`, [`Refusal::Conflict`] if the key came with
    /// another request before, [`Refusal::Unavailable`].
    pub async fn begin(&self, scope: &str, key: &str, request_hash: [u8; 32]) -> Result<Begun, Refusal> {
        if key.parse::<Nonce>().is_err() {
            return Err(Refusal::invalid("Idempotency-Key: must be 1 to 64 of A-Z a-z 0-9 _ -"));
        }
        let key = IdempotencyKey { scope: scope.to_owned(), key: key.to_owned() };
        let lock = self.shared.lock(&key).await;
        match self.shared.accounts.recall(&key, self.shared.clock.now()).await? {
            Some(answer) if answer.request_hash == request_hash => Ok(Begun::Replay(answer.created)),
            Some(_) => Err(Refusal::Conflict("the Idempotency-Key came with another request before")),
            None => {
                let shared = Arc::clone(&self.shared);
                Ok(Begun::Fresh(Attempt { shared, key, request_hash, _lock: lock }))
            }
        }
    }
}

impl Shared {
    async fn lock(&self, key: &IdempotencyKey) -> OwnedMutexGuard<()> {
        let index = (self.hasher.hash_one(key) % LOCKS as u64) as usize;
        Arc::clone(&self.locks[index]).lock_owned().await
    }
}

impl Attempt {
    /// Remembers what was created.
    ///
    /// # Errors
    /// [`Refusal::Unavailable`]: what was created stands, but a repeated request will not find it.
    pub async fn finish(self, created: u64) -> Result<(), Refusal> {
        let answer =
            RememberedAnswer { request_hash: self.request_hash, created, ts: self.shared.clock.now() };
        Ok(self.shared.accounts.remember(self.key, answer).await?)
    }
}
