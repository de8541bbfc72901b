//! Randomness of the operating system.

use crate::Error;

/// 64 random bits. A system without randomness gives a counter instead: nonces stay distinct by their time, and waits
/// lose only their jitter.
pub(crate) fn bits() -> u64 {
    static COUNTER: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    let count = || COUNTER.fetch_add(0x9E37_79B9_7F4A_7C15, std::sync::atomic::Ordering::Relaxed);
    getrandom::u64().unwrap_or_else(|_| count())
}

/// A key for the header `Idempotency-Key`: 128 unpredictable bits.
///
/// # Errors
/// The system has no randomness.
pub(crate) fn key() -> Result<String, Error> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| Error::Config(format!("no randomness: {error}")))?;
    Ok(format!("{:032x}", u128::from_be_bytes(bytes)))
}
