//! Random bits from a seed that the host drew: xoshiro256** (Blackman and Vigna, 2018), seeded with 256 bits.

/// See the module. Good for nonces and jitter, which must not repeat; not for keys.
#[derive(Debug, Clone)]
pub(crate) struct Seeded([u64; 4]);

impl Seeded {
    /// From 64 hexadecimal digits. `None` for anything else, and for the one seed that gives nothing but zeros.
    pub(crate) fn from_hex(seed: &str) -> Option<Self> {
        if seed.len() != 64 || !seed.is_ascii() {
            return None;
        }
        let mut state = [0; 4];
        for (word, digits) in state.iter_mut().zip(seed.as_bytes().chunks(16)) {
            *word = u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
        }
        (state != [0; 4]).then_some(Self(state))
    }

    pub(crate) fn next(&mut self) -> u64 {
        let Self(state) = self;
        let result = state[1].wrapping_mul(5).rotate_left(7).wrapping_mul(9);
        let shifted = state[1] << 17;
        state[2] ^= state[0];
        state[3] ^= state[1];
        state[1] ^= state[2];
        state[0] ^= state[3];
        state[2] ^= shifted;
        state[3] = state[3].rotate_left(45);
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_gives_the_numbers_of_the_reference() {
        // The reference implementation with the state 1, 2, 3, 4.
        let seed = format!("{:016x}{:016x}{:016x}{:016x}", 1, 2, 3, 4);
        let mut seeded = Seeded::from_hex(&seed).unwrap();
        let numbers: Vec<u64> = (0..4).map(|_| seeded.next()).collect();
        assert_eq!(numbers, [11520, 0, 1_509_978_240, 1_215_971_899_390_074_240]);
    }

    #[test]
    fn what_is_no_seed_is_refused() {
        for text in ["", &"0".repeat(64), &"g".repeat(64), &"1".repeat(63), &"é".repeat(32)] {
            assert!(Seeded::from_hex(text).is_none(), "{text}");
        }
    }
}
