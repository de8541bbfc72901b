//! The accept loop and the end of serving.
//!
//! Own, not the framework's: a client has 10 s for a request's head (which needs a timer that the framework does not
//! install), connections are counted against a cap, a peer that stops reading is given up, and a stop drains sockets.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::{debug, info, warn};

use crate::connection::Connection;
use crate::state::GatewayState;
use crate::tls::Tls;

/// How long the accept loop pauses when the process has no file descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Connections beyond the sockets, for calls: at least these, or an eighth of the sockets.
const CALLS_HEADROOM: usize = 256;

/// What is written to a connection that is one too many, before it is closed.
const TURNED_AWAY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/problem+json\r\n\
retry-after: 1\r\nconnection: close\r\ncontent-length: 155\r\n\r\n\
{\"type\":\"urn:loquat:error:unavailable\",\"title\":\"Not available now\",\"status\":503,\
\"detail\":\"too many connections\",\"code\":\"unavailable\",\"retry_after_ms\":1000}";

/// A connection's place below the cap; a socket takes it over from the call that opened it.
#[derive(Clone)]
pub(crate) struct ConnectionPermit {
    _permit: Arc<OwnedSemaphorePermit>,
}

/// Whether everything ended by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// Every connection ended within the grace.
    Drained,
    /// So many connections were still there at its end.
    Abandoned(usize),
}

/// Where connections come in, and whether they are encrypted.
pub(crate) struct Door {
    pub(crate) listener: TcpListener,
    pub(crate) tls: Option<Tls>,
}

/// Accepts connections until `shutdown` completes, then drains.
pub(crate) async fn serve(
    state: GatewayState,
    router: Router,
    Door { listener, tls }: Door,
    shutdown: impl Future<Output = ()>,
) -> Stopped {
    let sockets = state.app.config().limits.connections;
    let cap = sockets.saturating_add(CALLS_HEADROOM.max(sockets / 8)).min(Semaphore::MAX_PERMITS);
    let places = Arc::new(Semaphore::new(cap));
    let mut shutdown = pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            accepted = listener.accept() => match accepted {
                Ok(accepted) => admit(&state, &router, &places, (accepted, tls.as_ref())),
                Err(error) => recover(&error).await,
            },
        }
    }
    drop(listener);
    drain(&state).await
}

fn admit(
    state: &GatewayState,
    router: &Router,
    places: &Arc<Semaphore>,
    ((stream, peer), tls): ((TcpStream, SocketAddr), Option<&Tls>),
) {
    let Ok(permit) = Arc::clone(places).try_acquire_owned() else {
        state.metrics.turned_away.inc();
        if tls.is_none() {
            // Fits into the empty send buffer; nobody waits for it to be read.
            let _ = stream.try_write(TURNED_AWAY);
        }
        return;
    };
    if let Err(error) = stream.set_nodelay(true) {
        debug!(%error, "a connection ended before it began");
        return;
    }
    let permit = ConnectionPermit { _permit: Arc::new(permit) };
    let connection = Connection { state: state.clone(), router: router.clone(), peer: peer.ip(), permit };
    let serving = connection.serve(stream, tls.cloned());
    drop(state.tasks.spawn(serving));
}

/// An error of one connection is that connection's end; any other, such as too many open files, may pass.
async fn recover(error: &io::Error) {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    if matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset) {
        return;
    }
    warn!(%error, "cannot accept connections");
    tokio::time::sleep(ACCEPT_PAUSE).await;
}

/// Tells sockets to go elsewhere, lets calls finish, and waits for both up to the grace.
async fn drain(state: &GatewayState) -> Stopped {
    // In this order: a socket that registers after the sessions were told finds the flag set.
    state.stopping.cancel();
    state.app.sessions().drain(state.config.drain_spread_ms);
    state.tasks.close();
    info!(connections = state.tasks.len(), "draining");
    match tokio::time::timeout(state.config.grace, state.tasks.wait()).await {
        Ok(()) => Stopped::Drained,
        Err(_) => {
            let left = state.tasks.len();
            warn!(connections = left, "connections were still open at the end of the grace");
            Stopped::Abandoned(left)
        }
    }
}

#[cfg(test)]
mod tests {
    use loquat_proto::Problem;

    use super::*;

    #[test]
    fn who_is_turned_away_is_told_in_valid_http() {
        let text = std::str::from_utf8(TURNED_AWAY).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        assert_eq!(length.parse::<usize>().unwrap(), body.len());
        let problem: Problem = serde_json::from_str(body).unwrap();
        assert_eq!(problem.status, problem.code.status());
    }
}
