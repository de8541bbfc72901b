//! Sync tokens, ids and nonces: what clients hand back as it was handed to them, or not.

use loquat_domain::ports::SyncPosition;
use loquat_domain::sync::SyncToken;
use loquat_proto::{ConversationId, Nonce};

/// Where to begin.
pub const SEEDS: &[&str] =
    &["1-0-0-0", "1-9f3c-1a2b-7", "1-ffffffffffffffff-ffffffffffffffff-0", "71", "2251799813685247", "n-1"];

/// One input.
pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(token) = text.parse::<SyncToken>() {
        assert_eq!(token.to_string().parse(), Ok(token));
        let elsewhere = SyncPosition { epoch: !token.epoch, pos: u64::MAX, account: u64::MAX };
        assert!(!token.is_honoured_by(&elsewhere), "a token of another life");
    }
    if let Ok(id) = text.parse::<ConversationId>() {
        assert_eq!(id.to_string(), text, "an id has one spelling");
    }
    if let Ok(nonce) = text.parse::<Nonce>() {
        assert_eq!(nonce.as_str(), text);
    }
}
