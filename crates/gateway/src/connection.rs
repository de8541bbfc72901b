//! One connection, from its first byte to its last: TLS where it is wanted, then HTTP/1.1 or HTTP/2.
//!
//! Every step has its limit: the handshake and a request's head their time and size, an idle connection its time, a peer
//! that stops reading ([`StallGuard`]), the streams of HTTP/2 their number, their windows and their resets.

use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tower::ServiceExt as _;
use tracing::debug;

use crate::extract::Peer;
use crate::serve::ConnectionPermit;
use crate::stall::StallGuard;
use crate::state::GatewayState;
use crate::tls::{Spoken, Tls};

/// The handshake is done, and a request's head arrives, within this long; an idle HTTP/1.1 connection is closed after it.
const HEAD_LIMIT: Duration = Duration::from_secs(10);
/// The most bytes of a request's head.
const HEAD_BYTES: usize = 32 * 1024;
/// A peer that reads nothing of an answer for this long is given up.
const STALL_LIMIT: Duration = Duration::from_secs(30);

/// HTTP/2: requests of one connection at a time.
const STREAMS: u32 = 100;
/// HTTP/2: a connection without a request for this long is closed.
const IDLE_LIMIT: Duration = Duration::from_secs(60);
/// HTTP/2: how often that is looked at.
const IDLE_CHECK: Duration = Duration::from_secs(10);
/// HTTP/2: a peer that leaves a ping unanswered for this long is gone; pings go out as often.
const PING_LIMIT: Duration = Duration::from_secs(20);
/// HTTP/2: bytes of bodies that a peer may send ahead, for a request and for a connection.
const STREAM_WINDOW: u32 = 64 * 1024;
const CONNECTION_WINDOW: u32 = 512 * 1024;
/// HTTP/2: bytes of an answer that wait to be written, for a request.
const SEND_BUFFER: usize = 64 * 1024;

/// What a connection needs besides its stream.
pub(crate) struct Connection {
    pub(crate) state: GatewayState,
    pub(crate) router: Router,
    pub(crate) peer: IpAddr,
    pub(crate) permit: ConnectionPermit,
}

impl Connection {
    /// Serves until the peer, a limit or a stop ends it.
    pub(crate) async fn serve(self, stream: TcpStream, tls: Option<Tls>) {
        let state = self.state.clone();
        state.metrics.connections.inc();
        let stream = StallGuard::new(stream, STALL_LIMIT);
        match tls {
            None => self.http1(stream).await,
            Some(tls) => match timeout(HEAD_LIMIT, tls.accept(stream)).await {
                Ok(Ok((stream, Spoken::Http2))) => self.http2(stream).await,
                Ok(Ok((stream, Spoken::Http1))) => self.http1(stream).await,
                Ok(Ok((mut stream, Spoken::Check))) => {
                    // The handshake was all that was wanted.
                    let _ = timeout(HEAD_LIMIT, stream.shutdown()).await;
                }
                Ok(Err(error)) => debug!(%error, "no handshake"),
                Err(_) => debug!("the handshake took too long"),
            },
        }
        state.metrics.connections.dec();
    }

    async fn http1<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(self, stream: S) {
        let Self { state, router, peer, permit } = self;
        let service = service_fn(move |request| answer(router.clone(), request, peer, Some(permit.clone())));
        let serving = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_LIMIT)
            .max_buf_size(HEAD_BYTES)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        let mut serving = pin!(serving);
        let outcome = tokio::select! {
            outcome = serving.as_mut() => outcome,
            () = state.stopping.cancelled() => {
                serving.as_mut().graceful_shutdown();
                serving.await
            }
        };
        ended(outcome);
    }

    async fn http2<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(self, stream: S) {
        let Self { state, router, peer, permit: _permit } = self;
        let activity = Arc::new(Activity::new());
        let service = service_fn({
            let activity = Arc::clone(&activity);
            move |request| {
                let (router, under_way) = (router.clone(), Activity::begin(&activity));
                async move {
                    let answer = answer(router, request, peer, None).await;
                    drop(under_way);
                    answer
                }
            }
        });
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder
            .timer(TokioTimer::new())
            .max_concurrent_streams(STREAMS)
            .max_header_list_size(u32::try_from(HEAD_BYTES).unwrap_or(u32::MAX))
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_send_buf_size(SEND_BUFFER)
            .keep_alive_interval(PING_LIMIT)
            .keep_alive_timeout(PING_LIMIT);
        let mut serving = pin!(builder.serve_connection(TokioIo::new(stream), service));
        let mut checks = interval(IDLE_CHECK);
        checks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                outcome = serving.as_mut() => return ended(outcome),
                () = state.stopping.cancelled() => break,
                _ = checks.tick() => if activity.is_idle() { break },
            }
        }
        serving.as_mut().graceful_shutdown();
        // Requests under way have their deadlines; a peer that does not go then is left.
        match timeout(IDLE_LIMIT, serving).await {
            Ok(outcome) => ended(outcome),
            Err(_) => debug!("a peer did not leave"),
        }
    }
}

/// Calls the router. `permit` goes along where a socket may take the connection over.
async fn answer(
    router: Router,
    mut request: hyper::Request<Incoming>,
    peer: IpAddr,
    permit: Option<ConnectionPermit>,
) -> Result<Response, Infallible> {
    request.extensions_mut().insert(Peer(peer));
    if let Some(permit) = permit {
        request.extensions_mut().insert(permit);
    }
    // HTTP/2 names the host in the address of the request (RFC 9113, section 8.3.1).
    if !request.headers().contains_key(header::HOST)
        && let Some(authority) = request.uri().authority()
        && let Ok(host) = HeaderValue::from_str(authority.as_str())
    {
        request.headers_mut().insert(header::HOST, host);
    }
    // Whoever forwards a chunked body may have gone by another length; what follows it is not taken for a request
    // (RFC 9112, section 11.2).
    let ambiguous = request.headers().contains_key(header::TRANSFER_ENCODING);
    let mut response = router.oneshot(request).await?;
    if ambiguous {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(response)
}

fn ended(outcome: hyper::Result<()>) {
    if let Err(error) = outcome {
        debug!(%error, "a connection ended early");
    }
}

/// When a connection last had a request.
struct Activity {
    since: Instant,
    under_way: AtomicUsize,
    /// Milliseconds after `since`.
    last: AtomicU64,
}

/// A request that is being answered.
struct UnderWay(Arc<Activity>);

impl Activity {
    fn new() -> Self {
        Self { since: Instant::now(), under_way: AtomicUsize::new(0), last: AtomicU64::new(0) }
    }

    fn begin(activity: &Arc<Self>) -> UnderWay {
        activity.under_way.fetch_add(1, Ordering::AcqRel);
        UnderWay(Arc::clone(activity))
    }

    fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn is_idle(&self) -> bool {
        let idle_ms = self.elapsed_ms().saturating_sub(self.last.load(Ordering::Acquire));
        self.under_way.load(Ordering::Acquire) == 0 && u128::from(idle_ms) >= IDLE_LIMIT.as_millis()
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.last.store(self.0.elapsed_ms(), Ordering::Release);
        self.0.under_way.fetch_sub(1, Ordering::AcqRel);
    }
}
