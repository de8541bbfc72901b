//! How a socket ends.

use bytes::Bytes;
use loquat_domain::Refusal;
use loquat_proto::frame::{self, FrameId};
use loquat_proto::{CloseCode, ErrorBody};

/// "Abnormal closure" (RFC 6455, section 7.4.1): for the metrics only, it never travels.
const ABNORMAL: u16 = 1006;
/// "Internal error": a handler panicked.
const INTERNAL_ERROR: u16 = 1011;
/// "Try again later": the service could not answer `hello` now.
const TRY_AGAIN_LATER: u16 = 1013;

/// How a socket ends.
#[derive(Debug)]
pub(super) enum End {
    /// The client closed it, or is gone.
    Gone,
    /// The server closes it.
    Close(Closing),
}

/// What the server says when it closes a socket.
#[derive(Debug)]
pub(super) struct Closing {
    /// The close code.
    pub(super) code: u16,
    /// A short reason, for people.
    pub(super) reason: &'static str,
    /// An error frame to send first.
    pub(super) last_words: Option<Bytes>,
}

impl End {
    /// A handler panicked.
    pub(super) const fn internal_error() -> Self {
        Self::Close(Closing { code: INTERNAL_ERROR, reason: "internal error", last_words: None })
    }

    /// `hello` was refused: an answer that says why, and the fitting close code.
    pub(super) fn refused(re: Option<FrameId>, refusal: &Refusal) -> Self {
        let (code, reason) = match refusal {
            Refusal::Unauthorized | Refusal::TokenExpired => numbered(CloseCode::Unauthorized),
            Refusal::RateLimited { .. } => numbered(CloseCode::RateLimited),
            Refusal::Invalid(_) | Refusal::TooLarge { .. } => numbered(CloseCode::Malformed),
            _ => (TRY_AGAIN_LATER, "try again later"),
        };
        Self::Close(Closing {
            code,
            reason,
            last_words: Some(frame::answer_error(re, &ErrorBody::from(refusal))),
        })
    }

    /// What came in was no frame of this protocol.
    pub(super) fn malformed(detail: impl Into<String>) -> Self {
        Self::refused(None, &Refusal::invalid(detail))
    }

    /// The code to count it under.
    pub(super) const fn code(&self) -> u16 {
        match self {
            Self::Gone => ABNORMAL,
            Self::Close(closing) => closing.code,
        }
    }
}

impl From<CloseCode> for End {
    fn from(code: CloseCode) -> Self {
        let (code, reason) = numbered(code);
        Self::Close(Closing { code, reason, last_words: None })
    }
}

const fn numbered(code: CloseCode) -> (u16, &'static str) {
    (code.code(), code.reason())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_hello_has_its_code() {
        for (refusal, code) in [
            (Refusal::Unauthorized, 4001),
            (Refusal::TokenExpired, 4001),
            (Refusal::RateLimited { retry_after_ms: 1 }, 4008),
            (Refusal::invalid("no"), 4000),
            (Refusal::busy("storage"), 1013),
        ] {
            let end = End::refused(Some(1), &refusal);
            assert_eq!(end.code(), code, "{refusal:?}");
            let End::Close(Closing { last_words: Some(frame), .. }) = end else { panic!("says nothing") };
            let text = std::str::from_utf8(&frame).unwrap();
            assert!(text.starts_with("{\"re\":1,\"error\":"), "{text}");
        }
    }
}
