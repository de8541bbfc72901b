//! What the engine wants done.

use loquat_proto::account::Secret;
use loquat_proto::{ErrorBody, Nonce};
use serde::{Deserialize, Serialize};

use crate::store::{Operation, Query};
use crate::view::ViewChange;

/// Names a batch of the store, ascending.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BatchId(pub(crate) u64);

/// Names a load from the store, ascending.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LoadId(pub(crate) u64);

/// Names a REST call, ascending.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RequestId(pub(crate) u64);

/// What `hello` carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// Of `POST /v1/connect`.
    Ticket(Secret),
    /// An access token.
    Token(Secret),
}

/// Something for the host to do. Effects are carried out in the order in which they come; those on the store take
/// effect one after another, so that a load sees every batch before it.
#[derive(Debug, Clone)]
pub enum Effect {
    /// Send this text frame. Where there is no transport any more, drop it.
    Send(String),
    /// Close the transport, and open it again after at least that long.
    Close {
        /// Why, for the log.
        reason: &'static str,
        /// How long to wait, in milliseconds; the host's own back-off where `None`.
        retry_after_ms: Option<u64>,
        /// Where to reconnect to, where the server said so.
        url: Option<String>,
    },
    /// Make this REST call, then tell [`Engine::answered`](crate::Engine::answered).
    Request {
        /// To be given back with the answer.
        id: RequestId,
        /// The call.
        request: RestRequest,
    },
    /// Write all of these or none, durably, then tell [`Engine::persisted`](crate::Engine::persisted). A host whose
    /// store fails stops the engine: a new one, from what is stored, loses nothing that was promised.
    Persist {
        /// To be given back when it is done.
        batch: BatchId,
        /// In order.
        operations: Vec<Operation>,
    },
    /// Read this, then tell [`Engine::loaded`](crate::Engine::loaded).
    Load {
        /// To be given back with the result.
        id: LoadId,
        /// What to read.
        query: Query,
    },
    /// For the user interface.
    View(ViewChange),
}

/// The methods that the engine uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// Reads.
    Get,
    /// Changes fields.
    Patch,
}

impl Method {
    /// As it stands in a request line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Patch => "PATCH",
        }
    }
}

/// A REST call, authenticated by the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RestRequest {
    /// The method.
    pub method: Method,
    /// Path and query, from `/v1` on.
    pub path: String,
    /// The JSON body.
    pub body: Option<String>,
    /// For the header `Idempotency-Key`.
    pub idempotency_key: Option<Nonce>,
}

/// Why a REST call failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestFailure {
    /// There was no answer.
    Offline,
    /// The server answered with a problem.
    Problem(ErrorBody),
}
