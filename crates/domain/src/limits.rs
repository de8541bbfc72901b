//! How often: rates of requests, sends, sign-ups and log-ins.
//!
//! Each rate is a token bucket, computed by the generic cell rate algorithm (GCRA, ITU-T I.371) of the `governor`
//! crate. Addresses of IPv6 are grouped: one subscriber has at least a /64, so that a /64 is what an IPv4 address is;
//! a /48, what a site may be given, has four times that. Limits are this node's own: a cluster of N nodes allows up to
//! N times as much.
//!
//! Memory is bounded: a table holds [`TABLE_CAPACITY`] keys and forgets a bucket when it is full again; under a flood
//! of more keys than that it forgets those used the longest ago, so that strangers are let in rather than known users
//! shut out.

use std::hash::Hash;
use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use governor::clock::Clock as _;
use governor::middleware::StateInformationMiddleware;
use governor::nanos::Nanos;
use governor::state::StateStore;
use governor::{Quota, RateLimiter};
use loquat_proto::{Limits, Timestamp, UserId};
use parking_lot::Mutex;

use crate::Refusal;
use crate::bounded::Generations;
use crate::ports::Clock;

/// Keys that one table of buckets holds at most.
pub const TABLE_CAPACITY: usize = 65_536;

/// How many times the allowance of a /64 a /48 has.
const SITE_FACTOR: u32 = 4;

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

impl Decision {
    /// Allowed because the limit is switched off.
    pub const UNLIMITED: Self = Self { limit: 0, remaining: 0, reset_seconds: 0 };
}

/// The rate limits of this node. A cheap handle: clones share everything.
#[derive(Clone)]
pub struct RateLimits {
    tables: Arc<Tables>,
}

struct Tables {
    user_requests: Option<Table<UserId>>,
    address_requests: Option<AddressTable>,
    sign_ups: Option<AddressTable>,
    log_ins: Option<AddressTable>,
    sends: Option<Table<UserId>>,
    contact_requests: Option<Table<UserId>>,
}

impl RateLimits {
    /// With these limits; a rate of 0 is switched off.
    #[must_use]
    pub fn new(limits: &Limits, clock: Arc<dyn Clock>) -> Self {
        let time = Monotone::new(clock);
        let requests = Rate::new(limits.requests_per_second, Duration::from_secs(1))
            .map(|rate| rate.burst(limits.requests_burst));
        let sends = Rate::new(limits.sends_per_second, Duration::from_secs(1))
            .map(|rate| rate.burst(limits.sends_burst));
        let sign_ups = Rate::new(limits.signups_per_hour, Duration::from_secs(3600));
        let contact_requests = Rate::new(limits.contact_requests_per_hour, Duration::from_secs(3600));
        let log_ins = Rate::new(limits.logins_per_minute, Duration::from_secs(60));
        let tables = Tables {
            user_requests: requests.map(|rate| Table::new(rate, &time)),
            address_requests: requests.map(|rate| AddressTable::new(rate, &time)),
            sign_ups: sign_ups.map(|rate| AddressTable::new(rate, &time)),
            log_ins: log_ins.map(|rate| AddressTable::new(rate, &time)),
            sends: sends.map(|rate| Table::new(rate, &time)),
            contact_requests: contact_requests.map(|rate| Table::new(rate, &time)),
        };
        Self { tables: Arc::new(tables) }
    }

    /// Counts a request.
    ///
    /// # Errors
    /// [`Refusal::RateLimited`], with the time until one is allowed.
    pub fn request(&self, key: Key) -> Result<Decision, Refusal> {
        match key {
            Key::User(user) => check(self.tables.user_requests.as_ref(), |table| table.check(&user)),
            Key::Address(address) => {
                check(self.tables.address_requests.as_ref(), |table| table.check(address))
            }
        }
    }

    /// Counts a sign-up from an address.
    ///
    /// # Errors
    /// [`Refusal::RateLimited`], with the time until one is allowed.
    pub fn sign_up(&self, address: IpAddr) -> Result<Decision, Refusal> {
        check(self.tables.sign_ups.as_ref(), |table| table.check(address))
    }

    /// Counts a log-in tried from an address.
    ///
    /// # Errors
    /// [`Refusal::RateLimited`], with the time until one is allowed.
    pub fn log_in(&self, address: IpAddr) -> Result<Decision, Refusal> {
        check(self.tables.log_ins.as_ref(), |table| table.check(address))
    }

    /// Counts a request for contact.
    ///
    /// # Errors
    /// [`Refusal::RateLimited`], with the time until one is allowed.
    pub fn contact_request(&self, user: UserId) -> Result<Decision, Refusal> {
        check(self.tables.contact_requests.as_ref(), |table| table.check(&user))
    }

    /// Counts a send.
    ///
    /// # Errors
    /// [`Refusal::RateLimited`], with the time until one is allowed.
    pub fn send(&self, user: UserId) -> Result<Decision, Refusal> {
        check(self.tables.sends.as_ref(), |table| table.check(&user))
    }
}

fn check<T>(
    table: Option<&T>,
    count: impl FnOnce(&T) -> Result<Decision, Refusal>,
) -> Result<Decision, Refusal> {
    table.map_or(Ok(Decision::UNLIMITED), count)
}

/// So many in the long run, so many at once.
#[derive(Clone, Copy)]
struct Rate {
    interval: Duration,
    burst: NonZeroU32,
}

impl Rate {
    /// `count` in each `period`, all of them at once if need be; `None` if `count` is 0.
    fn new(count: u32, period: Duration) -> Option<Self> {
        let burst = NonZeroU32::new(count)?;
        Some(Self { interval: (period / count).max(Duration::from_nanos(1)), burst })
    }

    /// With this burst, at least 1.
    fn burst(self, burst: u32) -> Self {
        Self { burst: NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN), ..self }
    }

    fn times(self, factor: u32) -> Self {
        let factor = NonZeroU32::new(factor).unwrap_or(NonZeroU32::MIN);
        Self {
            interval: (self.interval / factor.get()).max(Duration::from_nanos(1)),
            burst: self.burst.saturating_mul(factor),
        }
    }

    /// The time from empty to full.
    fn refill(self) -> Duration {
        self.interval.saturating_mul(self.burst.get())
    }
}

/// The wall clock as a clock that never goes back and counts no jump backwards twice: the sum of the steps forward.
/// A jump forward refills buckets early; a jump back stops nobody.
#[derive(Clone)]
struct Monotone {
    wall: Arc<dyn Clock>,
    elapsed: Arc<Mutex<Elapsed>>,
}

struct Elapsed {
    last: Timestamp,
    milliseconds: u64,
}

impl Monotone {
    fn new(wall: Arc<dyn Clock>) -> Self {
        let last = wall.now();
        Self { wall, elapsed: Arc::new(Mutex::new(Elapsed { last, milliseconds: 0 })) }
    }
}

impl governor::clock::Clock for Monotone {
    type Instant = Duration;

    fn now(&self) -> Duration {
        let mut elapsed = self.elapsed.lock();
        let now = self.wall.now();
        elapsed.milliseconds += u64::try_from(now.saturating_sub(elapsed.last)).unwrap_or(0);
        elapsed.last = now;
        Duration::from_millis(elapsed.milliseconds)
    }
}

/// The buckets of one rate, in bounded memory.
struct Buckets<K> {
    time: Monotone,
    refill: Duration,
    state: Mutex<State<K>>,
}

struct State<K> {
    buckets: Generations<K, Nanos>,
    rotated_at: Duration,
}

impl<K: Clone + Eq + Hash> StateStore for Buckets<K> {
    type Key = K;

    fn measure_and_replace<T, F, E>(&self, key: &K, decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let now = self.time.now();
        let mut state = self.state.lock();
        // A bucket that was not touched between two rotations is full again: forgetting it changes nothing.
        if now.saturating_sub(state.rotated_at) >= self.refill {
            state.buckets.rotate();
            state.rotated_at = now;
        }
        let before = state.buckets.get(key).copied();
        let (outcome, after) = decide(before)?;
        state.buckets.insert(key.clone(), after);
        Ok(outcome)
    }
}

/// One rate, with a bucket for each key.
struct Table<K: Clone + Eq + Hash> {
    rate: Rate,
    limiter: RateLimiter<K, Buckets<K>, Monotone, StateInformationMiddleware>,
}

impl<K: Clone + Eq + Hash> Table<K> {
    fn new(rate: Rate, time: &Monotone) -> Self {
        let buckets = Buckets {
            time: time.clone(),
            refill: rate.refill(),
            state: Mutex::new(State { buckets: Generations::new(TABLE_CAPACITY), rotated_at: time.now() }),
        };
        // `with_period` is `None` for no time at all only, which `Rate` excludes.
        let quota = Quota::with_period(rate.interval)
            .unwrap_or_else(|| Quota::per_second(NonZeroU32::MIN))
            .allow_burst(rate.burst);
        let limiter = RateLimiter::new(quota, buckets, time.clone());
        Self { rate, limiter }
    }

    fn check(&self, key: &K) -> Result<Decision, Refusal> {
        match self.limiter.check_key(key) {
            Ok(snapshot) => {
                let remaining = snapshot.remaining_burst_capacity();
                let used = self.rate.burst.get().saturating_sub(remaining);
                let reset = self.rate.interval.saturating_mul(used);
                Ok(Decision {
                    limit: self.rate.burst.get(),
                    remaining,
                    reset_seconds: reset.as_nanos().div_ceil(1_000_000_000).try_into().unwrap_or(u64::MAX),
                })
            }
            Err(not_until) => {
                let wait = not_until.wait_time_from(self.limiter.clock().now());
                let retry_after_ms = wait.as_nanos().div_ceil(1_000_000).try_into().unwrap_or(u64::MAX);
                Err(Refusal::RateLimited { retry_after_ms: retry_after_ms.max(1) })
            }
        }
    }
}

/// The first 64 or 48 bits of an IPv6 address, or a whole IPv4 address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Network {
    V4(Ipv4Addr),
    V6(u128),
}

/// One rate by address.
struct AddressTable {
    subscribers: Table<Network>,
    sites: Table<Network>,
}

impl AddressTable {
    fn new(rate: Rate, time: &Monotone) -> Self {
        Self { subscribers: Table::new(rate, time), sites: Table::new(rate.times(SITE_FACTOR), time) }
    }

    fn check(&self, address: IpAddr) -> Result<Decision, Refusal> {
        match address.to_canonical() {
            IpAddr::V4(address) => self.subscribers.check(&Network::V4(address)),
            IpAddr::V6(address) => {
                let bits = u128::from(address);
                let subscriber = self.subscribers.check(&Network::V6(bits >> 64))?;
                let site = self.sites.check(&Network::V6(bits >> 80))?;
                Ok(if site.remaining < subscriber.remaining { site } else { subscriber })
            }
        }
    }
}

#[cfg(test)]
mod tests;
