//! Error codes and their two wire forms: a problem document (REST) and an error body (socket).

use std::fmt;

use serde::{Deserialize, Serialize};

/// Stable codes, the same on REST and socket. What the caller may not see is [`ErrorCode::NotFound`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// No valid credentials.
    Unauthorized,
    /// The access token has expired; refresh it.
    TokenExpired,
    /// Signed in and able to see it, but not allowed to do it.
    Forbidden,
    /// Not there, or not for this caller's eyes.
    NotFound,
    /// The *target* of the call is no member of the conversation.
    NotMember,
    /// The request is malformed or breaks a rule that stands in `detail`.
    Invalid,
    /// A text, frame or body is over its limit.
    TooLarge,
    /// The state has moved, a name is taken, or the target is erased.
    Conflict,
    /// The group has as many members as it may.
    GroupFull,
    /// One of the two has blocked the other.
    Blocked,
    /// It was there and has expired or been used up.
    Gone,
    /// Too many requests; come back after `retry_after_ms`.
    RateLimited,
    /// The service cannot do it now; nothing was done; retry with the same nonce.
    Unavailable,
    /// A code that this version does not know.
    #[serde(other)]
    #[cfg_attr(feature = "schema", schemars(skip))]
    Unknown,
}

impl ErrorCode {
    /// Every code of this version, for tables and tests.
    pub const ALL: [Self; 13] = [
        Self::Unauthorized,
        Self::TokenExpired,
        Self::Forbidden,
        Self::NotFound,
        Self::NotMember,
        Self::Invalid,
        Self::TooLarge,
        Self::Conflict,
        Self::GroupFull,
        Self::Blocked,
        Self::Gone,
        Self::RateLimited,
        Self::Unavailable,
    ];

    /// The HTTP status that carries this code.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::Unauthorized | Self::TokenExpired => 401,
            Self::Forbidden | Self::Blocked => 403,
            Self::NotFound => 404,
            Self::NotMember | Self::Conflict | Self::GroupFull => 409,
            Self::Invalid => 400,
            Self::TooLarge => 413,
            Self::Gone => 410,
            Self::RateLimited => 429,
            Self::Unavailable => 503,
            Self::Unknown => 500,
        }
    }

    /// The code as it stands on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unauthorized => "unauthorized",
            Self::TokenExpired => "token_expired",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::NotMember => "not_member",
            Self::Invalid => "invalid",
            Self::TooLarge => "too_large",
            Self::Conflict => "conflict",
            Self::GroupFull => "group_full",
            Self::Blocked => "blocked",
            Self::Gone => "gone",
            Self::RateLimited => "rate_limited",
            Self::Unavailable => "unavailable",
            Self::Unknown => "unknown",
        }
    }

    /// A short human title, the same for every occurrence (RFC 9457, section 3.1.3).
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Unauthorized => "Sign in first",
            Self::TokenExpired => "The access token has expired",
            Self::Forbidden => "Not allowed",
            Self::NotFound => "Not found",
            Self::NotMember => "The target is no member",
            Self::Invalid => "The request is not valid",
            Self::TooLarge => "Too large",
            Self::Conflict => "In conflict with the current state",
            Self::GroupFull => "The group is full",
            Self::Blocked => "Blocked",
            Self::Gone => "No longer there",
            Self::RateLimited => "Too many requests",
            Self::Unavailable => "Not available now",
            Self::Unknown => "Unknown error",
        }
    }

    /// Whether the same request may succeed later, unchanged and with the same nonce.
    #[must_use]
    pub const fn is_retryable(self) -> bool {
        matches!(self, Self::RateLimited | Self::Unavailable)
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The `error` of an answer frame.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ErrorBody {
    /// Which error.
    pub code: ErrorCode,
    /// What happened, for a person.
    pub detail: String,
    /// When a retry makes sense, in milliseconds from now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

/// A problem document (RFC 9457, `application/problem+json`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Problem {
    /// A URI reference that names the problem type.
    #[serde(rename = "type")]
    pub kind: String,
    /// A short summary of the problem type.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What happened this time.
    pub detail: String,
    /// The stable code.
    pub code: ErrorCode,
    /// When a retry makes sense, in milliseconds from now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// The request's id in the logs of the service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

impl From<ErrorBody> for Problem {
    fn from(error: ErrorBody) -> Self {
        Self {
            kind: format!("urn:loquat:error:{}", error.code),
            title: error.code.title().to_owned(),
            status: error.code.status(),
            detail: error.detail,
            code: error.code,
            retry_after_ms: error.retry_after_ms,
            request_id: None,
        }
    }
}
