//! The accept loop and the end of serving.
//!
//! Own, not the framework's: a client has 10 s for a request's head (which needs a timer that the framework does not
//! install), connections are counted against a cap, a peer that stops reading is given up, and a stop drains sockets.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower::ServiceExt as _;
use tracing::{debug, info, warn};

use crate::extract::Peer;
use crate::stall::StallGuard;
use crate::state::GatewayState;

/// A request's head arrives within this long; an idle connection is closed after it.
const HEAD_LIMIT: Duration = Duration::from_secs(10);
/// The most bytes of a request's head.
const HEAD_BYTES: usize = 32 * 1024;
/// A peer that reads nothing of an answer for this long is given up.
const STALL_LIMIT: Duration = Duration::from_secs(30);
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

/// Accepts connections until `shutdown` completes, then drains.
pub(crate) async fn serve(
    state: GatewayState,
    router: Router,
    listener: TcpListener,
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
                Ok((stream, peer)) => admit(&state, &router, &places, (stream, peer)),
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
    (stream, peer): (TcpStream, SocketAddr),
) {
    let Ok(permit) = Arc::clone(places).try_acquire_owned() else {
        state.metrics.turned_away.inc();
        // Fits into the empty send buffer; nobody waits for it to be read.
        let _ = stream.try_write(TURNED_AWAY);
        return;
    };
    if let Err(error) = stream.set_nodelay(true) {
        debug!(%error, "a connection ended before it began");
        return;
    }
    let permit = ConnectionPermit { _permit: Arc::new(permit) };
    drop(state.tasks.spawn(connection(state.clone(), router.clone(), stream, (peer.ip(), permit))));
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

async fn connection(
    state: GatewayState,
    router: Router,
    stream: TcpStream,
    (peer, permit): (IpAddr, ConnectionPermit),
) {
    state.metrics.connections.inc();
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(Peer(peer));
        request.extensions_mut().insert(permit.clone());
        router.clone().oneshot(request)
    });
    let stream = TokioIo::new(StallGuard::new(stream, STALL_LIMIT));
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_LIMIT)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(stream, service)
        .with_upgrades();
    let mut serving = pin!(serving);
    let outcome = tokio::select! {
        outcome = serving.as_mut() => outcome,
        () = state.stopping.cancelled() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = outcome {
        debug!(%error, "a connection ended early");
    }
    state.metrics.connections.dec();
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
