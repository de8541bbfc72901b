//! The ports that only the operating system can fill: time and randomness.

use std::time::{SystemTime, UNIX_EPOCH};

use loquat_domain::ports::{Clock, Random};
use loquat_proto::Timestamp;

/// The wall clock of the machine.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => Timestamp::try_from(since.as_millis()).unwrap_or(Timestamp::MAX),
            // A machine whose clock stands before 1970.
            Err(before) => -Timestamp::try_from(before.duration().as_millis()).unwrap_or(Timestamp::MAX),
        }
    }
}

/// The randomness of the operating system (`getrandom(2)`).
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct SystemRandom;

impl Random for SystemRandom {
    /// # Panics
    /// The operating system has no randomness: nothing that rests on secrets may go on.
    fn fill(&self, buffer: &mut [u8]) {
        getrandom::fill(buffer).expect("the operating system gives randomness");
    }
}
