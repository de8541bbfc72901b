//! What can go wrong in a run.

use std::io;

/// A run that cannot be trusted or could not happen.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BenchError {
    /// The operating system refused something.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A call to the operating system that the standard library does not cover.
    #[error("{call}: {errno}")]
    System { call: &'static str, errno: nix::Error },
    /// The socket failed or was closed in the middle of a run.
    #[error("socket: {0}")]
    Socket(#[from] tokio_websockets::Error),
    /// A socket ended before its run did.
    #[error("the server closed the socket of {0}")]
    Closed(String),
    /// The server answered something the protocol does not allow, or refused what must succeed.
    #[error("{0}")]
    Protocol(String),
    /// A message was lost, doubled, reordered or altered.
    #[error("AUDIT FAILED: {0}")]
    Audit(String),
    /// A server did not start, or a helper command failed.
    #[error("{0}")]
    Server(String),
    /// A REST call failed below HTTP.
    #[error("http: {0}")]
    Http(#[from] hyper::Error),
    /// The report could not be written as JSON, or an answer was not JSON.
    #[error("json: {0}")]
    Json(#[from] serde_json::Error),
    /// The arguments do not fit together or this machine.
    #[error("{0}")]
    Arguments(String),
}
