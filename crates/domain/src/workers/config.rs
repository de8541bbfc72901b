//! How workers work.

use std::time::Duration;

/// The settings of workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkerConfig {
    /// Whether this node runs workers.
    pub enabled: bool,
    /// How often they look for work.
    pub poll: Duration,
    /// Jobs under way at a time.
    pub concurrency: usize,
    /// How long a claimed job is a worker's alone. A turn that takes half of it is given up and counts as failed.
    pub lease: Duration,
    /// Tries that a job has before it is buried.
    pub max_attempts: u32,
    /// The pause after the first failed try; four times as long after each other one.
    pub first_pause: Duration,
    /// Events that a tailer reads at a time.
    pub tail_batch: usize,
}

impl Default for WorkerConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            poll: Duration::from_secs(1),
            concurrency: 4,
            lease: Duration::from_secs(60),
            max_attempts: 5,
            first_pause: Duration::from_secs(2),
            tail_batch: 2000,
        }
    }
}

impl WorkerConfig {
    /// How long to wait after so many failed tries, in milliseconds: 2 s, 8 s, 32 s, 128 s by default. `jitter` is a
    /// random number; it makes the pause up to a quarter longer, so that what failed together does not return together.
    pub(super) fn pause_ms(&self, attempts: u32, jitter: u64) -> i64 {
        let first = i64::try_from(self.first_pause.as_millis()).unwrap_or(i64::MAX);
        let pause = first.saturating_mul(4_i64.saturating_pow(attempts.saturating_sub(1).min(8)));
        let spread = u64::try_from(pause / 4).unwrap_or(0).max(1);
        pause.saturating_add(i64::try_from(jitter % spread).unwrap_or(0))
    }

    pub(super) fn lease_ms(&self) -> i64 {
        i64::try_from(self.lease.as_millis()).unwrap_or(i64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_are_spread() {
        let config = WorkerConfig::default();
        for (attempts, least) in [(1, 2_000), (2, 8_000), (3, 32_000), (4, 128_000)] {
            assert_eq!(config.pause_ms(attempts, 0), least);
            let longest = config.pause_ms(attempts, u64::MAX);
            assert!((least..=least + least / 4).contains(&longest), "{longest}");
        }
        assert!(config.pause_ms(u32::MAX, 7) > 0);
    }
}
