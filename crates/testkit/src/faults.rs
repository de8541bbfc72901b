//! What a store is made to suffer.

use std::time::Duration;

use loquat_domain::ports::StoreError;
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::Dice;

/// How a write fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteFailure {
    /// Nothing was changed.
    Refused,
    /// It was committed, but the answer is lost: the caller cannot know.
    AnswerLost,
}

/// The faults of one store, all off at first. They may be changed at any time.
#[derive(Debug)]
pub struct Faults {
    plan: Mutex<Plan>,
    stalled: watch::Sender<bool>,
}

#[derive(Debug)]
struct Plan {
    dice: Dice,
    yields: u64,
    longest_call: Duration,
    refused_per_mille: u64,
    /// Writes until one fails, that one included.
    next: Option<(u64, WriteFailure)>,
    load_delay: Duration,
    writes: u64,
}

impl Faults {
    pub(crate) fn new(seed: u64) -> Self {
        let plan = Plan {
            dice: Dice::new(seed),
            yields: 0,
            longest_call: Duration::ZERO,
            refused_per_mille: 0,
            next: None,
            load_delay: Duration::ZERO,
            writes: 0,
        };
        Self { plan: Mutex::new(plan), stalled: watch::Sender::new(false) }
    }

    /// Lets other tasks run at random, up to so many times before and after each call.
    pub fn yield_up_to(&self, times: u64) {
        self.plan.lock().yields = times;
    }

    /// Makes the `n`-th write from now on fail, counted from 1.
    pub fn fail_write(&self, n: u64, failure: WriteFailure) {
        self.plan.lock().next = Some((n.max(1), failure));
    }

    /// Makes each call take up to twice so long, at random and in the runtime's time: the first half of it before it is
    /// done, the second half until it is answered. Under paused time this shuffles calls and timers alike.
    pub fn delay_up_to(&self, delay: Duration) {
        self.plan.lock().longest_call = delay;
    }

    /// Refuses so many of a thousand writes, at random.
    pub fn refuse_writes(&self, per_mille: u64) {
        self.plan.lock().refused_per_mille = per_mille;
    }

    /// Makes each load of a conversation's facts take so long, in the runtime's time: what it read is old by then.
    pub fn delay_loads(&self, delay: Duration) {
        self.plan.lock().load_delay = delay;
    }

    /// Makes writes wait until [`Faults::resume`].
    pub fn stall(&self) {
        self.stalled.send_replace(true);
    }

    /// Lets waiting writes go on.
    pub fn resume(&self) {
        self.stalled.send_replace(false);
    }

    /// How many writes were begun so far.
    #[must_use]
    pub fn writes(&self) -> u64 {
        self.plan.lock().writes
    }

    pub(crate) fn load_delay(&self) -> Duration {
        self.plan.lock().load_delay
    }

    pub(crate) async fn take_turns(&self) {
        let (turns, delay) = self.plan.lock().next_turn();
        for _ in 0..turns {
            tokio::task::yield_now().await;
        }
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
    }

    pub(crate) async fn begin_write(&self) -> Option<WriteFailure> {
        self.plan.lock().writes += 1;
        let mut stalled = self.stalled.subscribe();
        // The sender lives as long as these faults.
        let _ = stalled.wait_for(|stalled| !stalled).await;
        let mut plan = self.plan.lock();
        if let Some((left, failure)) = plan.next.take() {
            if left == 1 {
                return Some(failure);
            }
            plan.next = Some((left - 1, failure));
        }
        let per_mille = plan.refused_per_mille;
        (per_mille > 0 && plan.dice.chance(per_mille)).then_some(WriteFailure::Refused)
    }
}

impl Plan {
    fn next_turn(&mut self) -> (u64, Duration) {
        let turns = if self.yields == 0 { 0 } else { self.dice.below(self.yields + 1) };
        let longest = u64::try_from(self.longest_call.as_millis()).unwrap_or(u64::MAX);
        // Every other call is quick, so that slow ones are overtaken.
        let is_slow = longest > 0 && self.dice.chance(500);
        let delay =
            if is_slow { Duration::from_millis(self.dice.below(longest + 1)) } else { Duration::ZERO };
        (turns, delay)
    }
}

/// The error of a fault.
pub(crate) fn injected() -> StoreError {
    StoreError::Unavailable("a fault of the test".to_owned())
}
