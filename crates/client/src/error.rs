//! What can go wrong for a user of the SDK.

use loquat_proto::{ErrorCode, Problem};

/// Why a call of the SDK failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The server could not be reached, or the connection broke before the answer. It may have been done.
    #[error("the server cannot be reached: {0}")]
    Offline(String),
    /// The server answered with a problem.
    #[error("{}: {}", .0.code, .0.detail)]
    Refused(Box<Problem>),
    /// Nobody is signed in on this device.
    #[error("not signed in")]
    SignedOut,
    /// The session was revoked or has expired: sign in again.
    #[error("the session has ended: sign in again")]
    SessionEnded,
    /// Another process has this data directory open.
    #[error("another program uses this data directory")]
    StoreInUse,
    /// The device store failed.
    #[error("the device store failed: {0}")]
    Store(String),
    /// The server's URL or another setting is not valid.
    #[error("{0}")]
    Config(String),
    /// The server sent what this version does not understand.
    #[error("the server's answer is not understood: {0}")]
    Protocol(String),
    /// The conversation is not known on this device.
    #[error("no such conversation on this device")]
    NoSuchConversation,
    /// As many changes wait as the queue may hold.
    #[error("too many changes wait for the server")]
    OutboxFull,
    /// No such change waits in the queue, or it is in flight.
    #[error("no such change is waiting")]
    NoSuchChange,
    /// The client was closed.
    #[error("the client is closed")]
    Closed,
}

impl Error {
    /// The server's stable code, where the server answered.
    #[must_use]
    pub fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Refused(problem) => Some(problem.code),
            _ => None,
        }
    }
}
