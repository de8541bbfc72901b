//! Time and randomness, as ports so that tests own them.

use loquat_proto::Timestamp;

/// The wall clock. It may jump; nothing but what people see depends on it.
pub trait Clock: Send + Sync {
    /// Milliseconds since the Unix epoch.
    fn now(&self) -> Timestamp;
}

/// A source of randomness fit for secrets.
pub trait Random: Send + Sync {
    /// Fills the buffer with unpredictable bytes.
    fn fill(&self, buffer: &mut [u8]);

    /// A random number in `1..2^51`: a candidate for an id. Uniqueness is the store's constraint; callers retry.
    fn id(&self) -> u64 {
        loop {
            let mut bytes = [0; 8];
            self.fill(&mut bytes);
            let candidate = u64::from_le_bytes(bytes) & (loquat_proto::id::ID_BOUND - 1);
            if candidate != 0 {
                return candidate;
            }
        }
    }
}
