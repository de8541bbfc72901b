//! Randomness from outside, and what is made of it: nonces and jitter.

use loquat_proto::{Nonce, Timestamp};

/// A source of random bits. For nonces they must be unpredictable to nobody, only unlikely to repeat: two devices of
/// one user share a namespace.
pub trait Entropy {
    /// 64 random bits.
    fn next_u64(&mut self) -> u64;
}

impl<F: FnMut() -> u64> Entropy for F {
    fn next_u64(&mut self) -> u64 {
        self()
    }
}

/// Time-ordered nonces: UUIDv7 (RFC 9562, section 5.7) with the 12 bits after the milliseconds as a counter
/// (section 6.2, method 1), so that the nonces of one device ascend even within a millisecond and when the clock
/// goes back.
#[derive(Debug, Default)]
pub(crate) struct NonceSource {
    milliseconds: u64,
    counter: u16,
}

impl NonceSource {
    pub(crate) fn next(&mut self, wall: Timestamp, entropy: &mut dyn Entropy) -> Nonce {
        let wall = u64::try_from(wall).unwrap_or(0) & 0xFFFF_FFFF_FFFF;
        if wall > self.milliseconds {
            self.milliseconds = wall;
            self.counter = 0;
        } else if self.counter < 0x0FFF {
            self.counter += 1;
        } else {
            self.milliseconds += 1;
            self.counter = 0;
        }
        let high = (self.milliseconds << 16) | 0x7000 | u64::from(self.counter);
        let low = (entropy.next_u64() >> 2) | (1 << 63);
        let text = format!(
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            high >> 32,
            (high >> 16) & 0xFFFF,
            high & 0xFFFF,
            low >> 48,
            low & 0xFFFF_FFFF_FFFF
        );
        text.parse().expect("hexadecimal digits and hyphens, 36 of them, are a nonce")
    }
}

/// A random wait up to `bound` (full jitter), at least 1.
pub(crate) fn jitter(entropy: &mut dyn Entropy, bound: u64) -> u64 {
    1 + entropy.next_u64() % bound.max(1)
}

/// The wait before try number `attempt` (from 1): full jitter under a bound that doubles from 250 ms up to `cap`.
pub(crate) fn backoff(entropy: &mut dyn Entropy, attempt: u32, cap: u64) -> u64 {
    let bound = 250_u64.saturating_mul(1 << attempt.min(16)).min(cap);
    jitter(entropy, bound)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonces_ascend_whatever_the_clock_does() {
        let mut source = NonceSource::default();
        let mut state = 7_u64;
        let mut entropy = move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            state
        };
        let mut clock = (0..9_000).map(|step| 1_763_800_000_000 - step / 3);
        let mut last = source.next(clock.next().unwrap(), &mut entropy);
        for wall in clock {
            let next = source.next(wall, &mut entropy);
            assert!(next > last, "{next} after {last}");
            last = next;
        }
    }

    #[test]
    fn nonces_are_version_7_of_the_rfc_variant() {
        let nonce = NonceSource::default().next(1_763_800_000_000, &mut || u64::MAX);
        assert_eq!(nonce.as_str(), "019aaaac-2600-7000-bfff-ffffffffffff");
    }

    #[test]
    fn a_wait_is_within_its_bound() {
        for attempt in 1..40 {
            for bits in [0, 1, 12_345, u64::MAX] {
                let wait = backoff(&mut || bits, attempt, 30_000);
                assert!((1..=30_000).contains(&wait), "attempt {attempt}: {wait}");
            }
        }
    }
}
