//! Why the domain says no: one enum, mapped to the wire in one place.

use loquat_proto::{ErrorBody, ErrorCode};
use thiserror::Error;

use crate::ports::StoreError;

/// A refused request. Whatever is refused has changed nothing.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refusal {
    /// No valid credentials.
    #[error("the credentials are missing or not valid")]
    Unauthorized,
    /// The access token has expired.
    #[error("the access token has expired; refresh it")]
    TokenExpired,
    /// Known and visible to the caller, but not theirs to do.
    #[error("{0}")]
    Forbidden(&'static str),
    /// Not there, or not for this caller's eyes.
    #[error("not found")]
    NotFound,
    /// The target is no member.
    #[error("the target is no member of the conversation")]
    NotMember,
    /// Malformed, or against a rule.
    #[error("{0}")]
    Invalid(String),
    /// Over a limit of size.
    #[error("{what} is over its limit of {limit}")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// The limit, in the unit that `what` says.
        limit: usize,
    },
    /// The state does not allow it (any more).
    #[error("{0}")]
    Conflict(&'static str),
    /// The group is full.
    #[error("the group holds at most {limit} members")]
    GroupFull {
        /// Members it may have.
        limit: usize,
    },
    /// One of the two has blocked the other.
    #[error("one of you has blocked the other")]
    Blocked,
    /// Expired or used up.
    #[error("no longer there")]
    Gone,
    /// Too many of them.
    #[error("too many requests; retry in {retry_after_ms} ms")]
    RateLimited {
        /// When a retry makes sense.
        retry_after_ms: u64,
    },
    /// Not now; nothing was done; a retry with the same nonce is safe.
    #[error("not available now: {reason}")]
    Unavailable {
        /// What is not available, for a person; no secrets, no content.
        reason: &'static str,
        /// When a retry makes sense.
        retry_after_ms: u64,
    },
}

impl Refusal {
    /// A request that breaks a rule.
    pub fn invalid(detail: impl Into<String>) -> Self {
        Self::Invalid(detail.into())
    }

    /// The service is too busy: a queue is full.
    #[must_use]
    pub const fn busy(reason: &'static str) -> Self {
        Self::Unavailable { reason, retry_after_ms: 250 }
    }

    /// The wire's code.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::Unauthorized => ErrorCode::Unauthorized,
            Self::TokenExpired => ErrorCode::TokenExpired,
            Self::Forbidden(_) => ErrorCode::Forbidden,
            Self::NotFound => ErrorCode::NotFound,
            Self::NotMember => ErrorCode::NotMember,
            Self::Invalid(_) => ErrorCode::Invalid,
            Self::TooLarge { .. } => ErrorCode::TooLarge,
            Self::Conflict(_) => ErrorCode::Conflict,
            Self::GroupFull { .. } => ErrorCode::GroupFull,
            Self::Blocked => ErrorCode::Blocked,
            Self::Gone => ErrorCode::Gone,
            Self::RateLimited { .. } => ErrorCode::RateLimited,
            Self::Unavailable { .. } => ErrorCode::Unavailable,
        }
    }

    /// When a retry makes sense, where one does.
    #[must_use]
    pub const fn retry_after_ms(&self) -> Option<u64> {
        match self {
            Self::RateLimited { retry_after_ms } | Self::Unavailable { retry_after_ms, .. } => {
                Some(*retry_after_ms)
            }
            _ => None,
        }
    }

    /// Whether the same request may succeed later, unchanged.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        self.code().is_retryable()
    }
}

impl From<&Refusal> for ErrorBody {
    fn from(refusal: &Refusal) -> Self {
        Self { code: refusal.code(), detail: refusal.to_string(), retry_after_ms: refusal.retry_after_ms() }
    }
}

impl From<StoreError> for Refusal {
    /// The cause goes to the log, not to the caller: it may name files and hosts.
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "storage refused");
        Self::Unavailable { reason: "storage", retry_after_ms: 500 }
    }
}
