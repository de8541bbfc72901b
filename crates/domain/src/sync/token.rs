//! The sync token: opaque to clients.

use std::fmt;
use std::str::FromStr;

use crate::ports::SyncPosition;

/// How far a client is: a life of the store, a position in it, and a position in the user's account log. A token of
/// another life, or one ahead of the store, is not honoured: the client starts from all conversations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SyncToken {
    /// Names the life of the store.
    pub epoch: u64,
    /// Everything up to here was sent.
    pub pos: u64,
    /// Everything up to here of the account log was sent.
    pub account: u64,
}

/// A text that is no token of this version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidToken;

impl SyncToken {
    /// Whether a store that stands here can say what moved since.
    #[must_use]
    pub const fn is_honoured_by(&self, position: &SyncPosition) -> bool {
        self.epoch == position.epoch && self.pos <= position.pos && self.account <= position.account
    }
}

impl fmt::Display for SyncToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "1-{:x}-{:x}-{:x}", self.epoch, self.pos, self.account)
    }
}

impl FromStr for SyncToken {
    type Err = InvalidToken;

    fn from_str(text: &str) -> Result<Self, InvalidToken> {
        let mut parts = text.split('-');
        let version = parts.next().ok_or(InvalidToken)?;
        let mut number = || {
            let digits = parts.next().ok_or(InvalidToken)?;
            u64::from_str_radix(digits, 16).map_err(|_| InvalidToken)
        };
        let token = Self { epoch: number()?, pos: number()?, account: number()? };
        if version == "1" && parts.next().is_none() { Ok(token) } else { Err(InvalidToken) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_token_comes_back_as_it_was(epoch: u64, pos: u64, account: u64) {
            let token = SyncToken { epoch, pos, account };
            prop_assert_eq!(token.to_string().parse(), Ok(token));
        }

        #[test]
        fn any_text_is_a_token_or_refused(text in ".{0,80}") {
            let _ = text.parse::<SyncToken>();
        }
    }

    #[test]
    fn tokens_of_another_life_or_of_the_future_fail_closed() {
        let position = SyncPosition { epoch: 7, pos: 100, account: 3 };
        let token = SyncToken { epoch: 7, pos: 100, account: 3 };
        assert!(token.is_honoured_by(&position));
        assert!(!SyncToken { epoch: 8, ..token }.is_honoured_by(&position));
        assert!(!SyncToken { pos: 101, ..token }.is_honoured_by(&position));
        assert!(!SyncToken { account: 4, ..token }.is_honoured_by(&position));
    }
}
