//! Why a step could not be done. A failed *check* is not an error: it is a result.

use std::io;
use std::process::ExitStatus;

/// What kept a scenario from going on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// Files and processes.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// Why it failed.
        source: io::Error,
    },
    /// A call that got no answer.
    #[error("the call got no answer: {0}")]
    Http(#[from] hyper::Error),
    /// A request that could not be built.
    #[error("the request cannot be built: {0}")]
    Request(#[from] hyper::http::Error),
    /// The socket broke.
    #[error("the socket broke: {0}")]
    Socket(#[from] Box<tokio_tungstenite::tungstenite::Error>),
    /// The socket was closed before the answer came.
    #[error("the socket was closed")]
    Closed,
    /// Something took too long.
    #[error("{0} took too long")]
    Timeout(&'static str),
    /// An answer that the protocol does not allow here.
    #[error("unexpected: {0}")]
    Unexpected(String),
    /// The service ended before it was ready.
    #[error("the service ended at its start: {0}")]
    EndedAtStart(ExitStatus),
    /// The database cannot be read.
    #[error("the database: {0}")]
    Database(#[from] rusqlite::Error),
}

impl Failure {
    /// For `map_err` on files and processes.
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }

    /// An answer that the protocol does not allow here.
    pub(crate) fn unexpected(what: impl std::fmt::Display) -> Self {
        Self::Unexpected(what.to_string())
    }
}

/// The outcome of a step.
pub(crate) type Outcome<T> = Result<T, Failure>;
