//! What a client tells its user interface, unasked.

use std::time::Instant;

use loquat_engine::view::ViewChange;
use tokio::sync::broadcast;

/// How the client stands with its server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectionState {
    /// Nobody is signed in, or the client is closed: no connection is wanted.
    Offline,
    /// The first try is under way.
    Connecting,
    /// Live.
    Online {
        /// Whether something that was missed is still being fetched.
        catching_up: bool,
    },
    /// The connection broke or could not be made.
    Reconnecting {
        /// When the next try starts.
        at: Instant,
        /// How many tries have failed in a row, from 1.
        attempt: u32,
    },
}

/// What just happened.
#[derive(Debug, Clone, PartialEq)]
pub enum ClientEvent {
    /// A snapshot is out of date, or something happened in a conversation.
    View(ViewChange),
    /// The connection is in another state.
    Connection(ConnectionState),
    /// The session ended (revoked, expired or logged out): sign in again. Local data is kept until then.
    SignedOut,
    /// This subscriber was too slow and missed events: read every snapshot anew.
    Lagged,
}

/// A stream of events; dropping it ends it.
#[derive(Debug)]
pub struct Subscription {
    pub(crate) receiver: broadcast::Receiver<ClientEvent>,
}

impl Subscription {
    /// The next event; `None` once the client is closed. Safe to cancel.
    pub async fn next(&mut self) -> Option<ClientEvent> {
        match self.receiver.recv().await {
            Ok(event) => Some(event),
            Err(broadcast::error::RecvError::Lagged(_)) => Some(ClientEvent::Lagged),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }
}
