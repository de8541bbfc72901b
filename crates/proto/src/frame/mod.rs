//! Frames of the socket: one JSON text frame each, with `op`.

mod client;
mod encode;
mod server;

pub use client::{ClientFrame, ClientInfo, Fetch, FrameError, Hello, ParsedFrame, React, Target};
pub use encode::{EventHead, answer, answer_appended, answer_error, event_frame, push};
pub use server::{Answer, Push, ServerFrame, WatchAnswer};

/// The client's positive integer by which it recognises an answer.
pub type FrameId = u64;

/// Close codes of the socket (RFC 6455, section 7.4.2: 4000-4999 are for applications).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CloseCode {
    /// A frame was no JSON object with `op`, or no `hello` came first.
    Malformed,
    /// The credentials of `hello` are not valid.
    Unauthorized,
    /// The device was revoked.
    Revoked,
    /// The client did not read fast enough; it may resume with its sync token.
    SlowConsumer,
    /// Nothing was heard for too long.
    Idle,
    /// Too many sockets or frames.
    RateLimited,
    /// The node stops; reconnect.
    Drain,
}

impl CloseCode {
    /// Every code of this version.
    pub const ALL: [Self; 7] = [
        Self::Malformed,
        Self::Unauthorized,
        Self::Revoked,
        Self::SlowConsumer,
        Self::Idle,
        Self::RateLimited,
        Self::Drain,
    ];

    /// The code as a number.
    #[must_use]
    pub const fn code(self) -> u16 {
        match self {
            Self::Malformed => 4000,
            Self::Unauthorized => 4001,
            Self::Revoked => 4002,
            Self::SlowConsumer => 4003,
            Self::Idle => 4004,
            Self::RateLimited => 4008,
            Self::Drain => 4009,
        }
    }

    /// The code with this number.
    #[must_use]
    pub fn from_code(code: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|close| close.code() == code)
    }

    /// A short reason for the close frame.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Unauthorized => "unauthorized",
            Self::Revoked => "revoked",
            Self::SlowConsumer => "slow consumer",
            Self::Idle => "idle",
            Self::RateLimited => "rate limited",
            Self::Drain => "drain",
        }
    }
}
