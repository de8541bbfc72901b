//! A clock that tests set.

use std::sync::atomic::{AtomicI64, Ordering};

use loquat_domain::ports::Clock;
use loquat_proto::Timestamp;
use tokio::time::Instant;

/// A wall clock that a test moves, in both directions. It may also follow the time of the runtime, which passes only
/// when nothing else can happen (see [`crate::deterministic`]).
#[derive(Debug)]
pub struct TestClock {
    base: AtomicI64,
    follows: Option<Instant>,
}

impl TestClock {
    /// Where a new clock stands: in November 2025.
    pub const START: Timestamp = 1_763_800_000_000;

    /// A clock that stands still until it is moved.
    #[must_use]
    pub const fn standing() -> Self {
        Self { base: AtomicI64::new(Self::START), follows: None }
    }

    /// A clock that goes on with the time of the current runtime.
    #[must_use]
    pub fn following_runtime() -> Self {
        Self { base: AtomicI64::new(Self::START), follows: Some(Instant::now()) }
    }

    /// Moves the clock by so many milliseconds, back if negative.
    pub fn advance(&self, milliseconds: i64) {
        self.base.fetch_add(milliseconds, Ordering::AcqRel);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        let passed = self.follows.map_or(0, |start| start.elapsed().as_millis());
        self.base.load(Ordering::Acquire).saturating_add(i64::try_from(passed).unwrap_or(i64::MAX))
    }
}
