//! Rates with a clock of their own.

use std::sync::atomic::{AtomicI64, Ordering};

use governor::state::keyed::ShrinkableKeyedStateStore;
use proptest::prelude::*;

use super::*;

struct TestClock(AtomicI64);

impl TestClock {
    fn new() -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(1_763_800_000_000)))
    }

    fn step(&self, milliseconds: i64) {
        self.0.fetch_add(milliseconds, Ordering::Relaxed);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        self.0.load(Ordering::Relaxed)
    }
}

/// So that a limiter tells how many buckets it holds.
impl<K: Clone + Eq + Hash> ShrinkableKeyedStateStore<K> for Buckets<K> {
    fn retain_recent(&self, _: Nanos) {}

    fn len(&self) -> usize {
        self.state.lock().buckets.len()
    }

    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

fn limits() -> Limits {
    Limits {
        requests_per_second: 2,
        requests_burst: 4,
        sends_per_second: 10,
        sends_burst: 3,
        signups_per_hour: 5,
        logins_per_minute: 10,
        ..Limits::default()
    }
}

fn user(id: u64) -> UserId {
    UserId::new(id).unwrap()
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn retry_after(result: Result<Decision, Refusal>) -> u64 {
    match result {
        Err(Refusal::RateLimited { retry_after_ms }) => retry_after_ms,
        other => panic!("not limited: {other:?}"),
    }
}

/// How many calls in a row are allowed.
fn allowed(call: impl Fn() -> Result<Decision, Refusal>) -> usize {
    (0..1_000).take_while(|_| call().is_ok()).count()
}

#[test]
fn a_burst_then_the_rate_with_true_waiting_times() {
    let clock = TestClock::new();
    let limits = RateLimits::new(&limits(), clock.clone());
    let request = || limits.request(Key::User(user(1)));
    for (remaining, reset_seconds) in [(3, 1), (2, 1), (1, 2), (0, 2)] {
        assert_eq!(request(), Ok(Decision { limit: 4, remaining, reset_seconds }));
    }
    assert_eq!(retry_after(request()), 500);
    clock.step(200);
    assert_eq!(retry_after(request()), 300);
    clock.step(299);
    assert_eq!(retry_after(request()), 1);
    clock.step(1);
    assert!(request().is_ok(), "exactly when it was said");
    assert_eq!(retry_after(request()), 500);
    clock.step(60_000);
    assert_eq!(allowed(request), 4, "never more than the burst");
}

#[test]
fn everybody_has_their_own() {
    let limits = RateLimits::new(&limits(), TestClock::new());
    assert_eq!(allowed(|| limits.request(Key::User(user(1)))), 4);
    assert_eq!(allowed(|| limits.request(Key::User(user(2)))), 4);
    assert_eq!(allowed(|| limits.request(Key::Address(address("192.0.2.1")))), 4);
    assert_eq!(allowed(|| limits.request(Key::Address(address("192.0.2.2")))), 4);
    assert_eq!(allowed(|| limits.send(user(1))), 3, "sends are counted apart");
}

#[test]
fn sign_ups_and_log_ins_have_their_periods() {
    let clock = TestClock::new();
    let limits = RateLimits::new(&limits(), clock.clone());
    let here = address("192.0.2.1");
    assert_eq!(allowed(|| limits.sign_up(here)), 5);
    assert_eq!(retry_after(limits.sign_up(here)), 720_000);
    assert_eq!(allowed(|| limits.log_in(here)), 10);
    assert_eq!(retry_after(limits.log_in(here)), 6_000);
    clock.step(6_000);
    assert_eq!(allowed(|| limits.log_in(here)), 1);
    clock.step(3_600_000);
    assert_eq!(allowed(|| limits.sign_up(here)), 5);
}

#[test]
fn ipv6_is_grouped_by_subscriber_and_by_site() {
    let limits = RateLimits::new(&limits(), TestClock::new());
    let request = |text: &str| limits.request(Key::Address(address(text)));
    assert_eq!(allowed(|| request("2001:db8:1:1::1")), 4);
    assert!(request("2001:db8:1:1:ffff::2").is_err(), "the same /64");
    for subscriber in ["2001:db8:1:2::1", "2001:db8:1:3::1", "2001:db8:1:4::1"] {
        assert_eq!(allowed(|| request(subscriber)), 4, "{subscriber}");
    }
    assert_eq!(retry_after(request("2001:db8:1:5::1")), 125, "the /48 has four times the rate and burst");
    assert_eq!(allowed(|| request("2001:db8:2:1::1")), 4, "another /48");
}

#[test]
fn an_ipv4_address_in_ipv6_form_is_the_same_address() {
    let limits = RateLimits::new(&limits(), TestClock::new());
    assert_eq!(allowed(|| limits.request(Key::Address(address("192.0.2.1")))), 4);
    assert!(limits.request(Key::Address(address("::ffff:192.0.2.1"))).is_err());
    assert!(limits.request(Key::Address(address("::ffff:192.0.2.2"))).is_ok());
}

#[test]
fn zero_switches_a_limit_off() {
    let off = Limits {
        requests_per_second: 0,
        sends_per_second: 0,
        signups_per_hour: 0,
        logins_per_minute: 0,
        ..Limits::default()
    };
    let limits = RateLimits::new(&off, TestClock::new());
    let here = address("2001:db8::1");
    assert_eq!(allowed(|| limits.request(Key::User(user(1)))), 1_000);
    assert_eq!(allowed(|| limits.request(Key::Address(here))), 1_000);
    assert_eq!(allowed(|| limits.sign_up(here)), 1_000);
    assert_eq!(allowed(|| limits.log_in(here)), 1_000);
    assert_eq!(limits.send(user(1)), Ok(Decision::UNLIMITED));
}

#[test]
fn a_burst_of_zero_still_lets_the_rate_through() {
    let limits = RateLimits::new(&Limits { requests_burst: 0, ..limits() }, TestClock::new());
    assert_eq!(allowed(|| limits.request(Key::User(user(1)))), 1);
}

#[test]
fn a_clock_that_jumps_shuts_nobody_out() {
    let clock = TestClock::new();
    let limits = RateLimits::new(&limits(), clock.clone());
    let request = || limits.request(Key::User(user(1)));
    assert_eq!(allowed(request), 4);
    clock.step(-3_600_000);
    assert_eq!(retry_after(request()), 500);
    clock.step(500);
    assert!(request().is_ok());
    clock.step(3_600_000);
    assert_eq!(allowed(request), 4);
}

#[test]
fn a_flood_of_addresses_takes_bounded_memory_and_shuts_nobody_out() {
    let clock = TestClock::new();
    let limits = RateLimits::new(&limits(), clock);
    let table = &limits.tables.address_requests.as_ref().unwrap().subscribers;
    for index in 0..u32::try_from(TABLE_CAPACITY).unwrap() * 2 {
        assert!(table.check(&Network::V4(Ipv4Addr::from(index))).is_ok());
    }
    assert!(table.limiter.len() <= TABLE_CAPACITY);
}

#[test]
fn buckets_that_are_full_again_are_forgotten() {
    let clock = TestClock::new();
    let limits = RateLimits::new(&limits(), clock.clone());
    let table = limits.tables.user_requests.as_ref().unwrap();
    for id in 1..=100 {
        table.check(&user(id)).unwrap();
    }
    for _ in 0..3 {
        clock.step(2_000);
        table.check(&user(1)).unwrap();
    }
    assert_eq!(table.limiter.len(), 1);
}

proptest! {
    /// In any stretch of time, no more than the burst and what the rate gives in that stretch; and never a refusal
    /// when that much was not used.
    #[test]
    fn the_rate_holds_for_every_pattern(steps in prop::collection::vec(0i64..900, 1..200)) {
        let clock = TestClock::new();
        let limits = RateLimits::new(&limits(), clock.clone());
        // The plain model: a bucket of 4 that gains one every 500 ms, in units of milliseconds.
        let mut level = 4 * 500;
        for step in steps {
            clock.step(step);
            level = (level + step).min(4 * 500);
            let result = limits.request(Key::User(user(1)));
            prop_assert_eq!(result.is_ok(), level >= 500);
            match result {
                Ok(decision) => {
                    level -= 500;
                    prop_assert_eq!(i64::from(decision.remaining), level / 500);
                }
                Err(refusal) => {
                    prop_assert_eq!(refusal.retry_after_ms().map(|wait| i64::try_from(wait).unwrap()), Some(500 - level));
                }
            }
        }
    }
}
