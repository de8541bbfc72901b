//! The one task of a socket: greet, then read, write and keep time until it ends.

use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{FutureExt as _, StreamExt as _};
use loquat_domain::fanout::{Registry, Session};
use loquat_domain::{Caller, Refusal};
use loquat_proto::frame::{FrameError, FrameId, Hello, ParsedFrame};
use loquat_proto::{ClientFrame, CloseCode};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, sleep, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tracing::debug;

use super::close::End;
use super::inbound::{Inbound, broken};
use super::op::FrameOp;
use super::outbound::{farewell, ping, write_all};
use crate::state::GatewayState;

/// A new socket says hello within this long.
const HELLO_LIMIT: Duration = Duration::from_secs(10);
/// How often the server pings, and sends the newest sync token.
const PING_INTERVAL: Duration = Duration::from_secs(15);
/// A socket from which nothing was heard for this long is closed.
const SILENCE_LIMIT: Duration = Duration::from_secs(30);

/// Serves a socket until it ends.
pub(super) async fn run<S: AsyncRead + AsyncWrite + Unpin>(
    mut socket: WebSocketStream<S>,
    state: GatewayState,
) {
    state.metrics.sockets.inc();
    let end = AssertUnwindSafe(converse(&mut socket, &state)).catch_unwind().await.unwrap_or_else(|_| {
        state.metrics.panics.inc();
        End::internal_error()
    });
    state.metrics.sockets.dec();
    state.metrics.closed(end.code());
    if let End::Close(closing) = end {
        farewell(&mut socket, closing).await;
    }
}

async fn converse<S: AsyncRead + AsyncWrite + Unpin>(
    socket: &mut WebSocketStream<S>,
    state: &GatewayState,
) -> End {
    let open = match greet(socket, state).await {
        Ok(open) => open,
        Err(end) => return end,
    };
    debug!(session = %open.session.id(), "socket opened");
    let end = live(socket, state, &open.session).await;
    debug!(session = %open.session.id(), code = end.code(), "socket ended");
    end
}

/// A registered session, which leaves the registry however its socket ends.
struct OpenSession {
    registry: Arc<Registry>,
    session: Arc<Session>,
}

impl Drop for OpenSession {
    fn drop(&mut self) {
        self.registry.close(&self.session);
    }
}

async fn greet<S: AsyncRead + AsyncWrite + Unpin>(
    socket: &mut WebSocketStream<S>,
    state: &GatewayState,
) -> Result<OpenSession, End> {
    let frame_bytes = state.app.config().limits.frame_bytes;
    let first = timeout(HELLO_LIMIT, first_text(socket, frame_bytes)).await;
    let text = first.map_err(|_| End::malformed("hello did not come within 10 s"))??;
    let (re, hello) = parse_hello(&text)?;
    state.metrics.received(FrameOp::Hello);
    welcome(state, re, &hello).await.map_err(|refusal| {
        state.metrics.refused(refusal.code());
        End::refused(Some(re), &refusal)
    })
}

async fn first_text<S: AsyncRead + AsyncWrite + Unpin>(
    socket: &mut WebSocketStream<S>,
    frame_bytes: usize,
) -> Result<String, End> {
    loop {
        match socket.next().await {
            Some(Ok(Message::Text(text))) => return Ok(text.as_str().to_owned()),
            Some(Ok(Message::Binary(_))) => return Err(End::malformed("frames are JSON text, not binary")),
            Some(Ok(_)) => {}
            Some(Err(error)) => return Err(broken(&error, frame_bytes)),
            None => return Err(End::Gone),
        }
    }
}

fn parse_hello(text: &str) -> Result<(FrameId, Hello), End> {
    match ClientFrame::parse(text) {
        Ok(ParsedFrame { id: Some(id), frame: ClientFrame::Hello(hello) }) => Ok((id, hello)),
        Ok(ParsedFrame { id: None, frame: ClientFrame::Hello(_) }) => {
            Err(End::malformed("hello needs an id"))
        }
        Ok(ParsedFrame { id, .. }) => Err(End::refused(id, &Refusal::invalid("the first frame is hello"))),
        Err(FrameError::Malformed(detail)) => Err(End::malformed(detail)),
        Err(FrameError::Invalid { id, detail }) => Err(End::refused(id, &Refusal::Invalid(detail))),
    }
}

async fn welcome(state: &GatewayState, re: FrameId, hello: &Hello) -> Result<OpenSession, Refusal> {
    let caller = authenticate(state, hello).await?;
    let registry = Arc::clone(state.app.sessions());
    let session = registry.open(caller)?;
    let open = OpenSession { registry, session };
    // Revoked between the check of the token and the registration, nobody would tell this session.
    state.app.auth().confirm(caller).await?;
    // The same for a stop that began in between.
    if state.stopping.is_cancelled() {
        return Err(Refusal::Unavailable { reason: "the node is stopping", retry_after_ms: 1_000 });
    }
    let since = hello.since.as_deref().filter(|since| !since.is_empty());
    state.app.sync().ready(&open.session, re, since).await?;
    Ok(open)
}

async fn authenticate(state: &GatewayState, hello: &Hello) -> Result<Caller, Refusal> {
    let auth = state.app.auth();
    match (&hello.ticket, &hello.token) {
        (Some(ticket), None) => auth.redeem_ticket(&ticket.0).await,
        (None, Some(token)) => auth.verify(&token.0).await,
        (None, None) => Err(Refusal::Unauthorized),
        (Some(_), Some(_)) => Err(Refusal::invalid("hello: ticket or token, not both")),
    }
}

/// What happened since the last turn.
struct Turn {
    /// Frames came in; with how the socket ends, if it does.
    read: Poll<Option<End>>,
    /// Frames wait to go out, or the session was closed.
    drained: Poll<Result<(), CloseCode>>,
    /// The time for a ping, or for looking whether the client is there, has come.
    ticked: bool,
}

async fn live<S: AsyncRead + AsyncWrite + Unpin>(
    socket: &mut WebSocketStream<S>,
    state: &GatewayState,
    session: &Arc<Session>,
) -> End {
    let mut inbound = Inbound::new(state.clone(), Arc::clone(session));
    let mut frames: Vec<Bytes> = Vec::new();
    let mut timer = pin!(sleep(PING_INTERVAL));
    let mut heard = Instant::now();
    loop {
        // All three are looked at in each turn: whichever is busiest, none starves the others.
        let turn = {
            let mut draining = pin!(session.drain_into(&mut frames));
            poll_fn(|context| {
                let read = inbound.poll_frames(socket, context);
                let drained = draining.as_mut().poll(context);
                let ticked = timer.as_mut().poll(context).is_ready();
                if read.is_pending() && drained.is_pending() && !ticked {
                    return Poll::Pending;
                }
                Poll::Ready(Turn { read, drained, ticked })
            })
            .await
        };
        if turn.read.is_ready() {
            heard = Instant::now();
        }
        if !frames.is_empty()
            && let Err(end) = write_all(socket, session, &mut frames, &state.metrics).await
        {
            return end;
        }
        if let Poll::Ready(Some(end)) = turn.read {
            return end;
        }
        if let Poll::Ready(Err(code)) = turn.drained {
            return code.into();
        }
        if turn.ticked {
            let silence = heard.elapsed();
            if silence >= SILENCE_LIMIT {
                return CloseCode::Idle.into();
            }
            if let Err(end) = ping(socket, session).await {
                return end;
            }
            state.app.sync().tick(session);
            timer.as_mut().reset(Instant::now() + PING_INTERVAL.min(SILENCE_LIMIT - silence));
        }
    }
}

#[cfg(test)]
mod tests {
    use hyper::upgrade::Upgraded;
    use hyper_util::rt::TokioIo;

    use super::*;

    fn future_bytes<A, B, F: Future>(_: impl FnOnce(A, B) -> F) -> usize {
        size_of::<F>()
    }

    /// With the library's 2 KiB read buffer, the task, the TCP connection and the session, a socket stays below 8 KiB.
    #[test]
    fn the_task_of_a_socket_is_small() {
        let bytes = future_bytes(run::<TokioIo<Upgraded>>);
        assert!(bytes <= 2_560, "{bytes} bytes");
    }

    #[test]
    fn hello_comes_first_and_with_an_id() {
        for (text, code) in [
            (r#"{"op":"hello","id":1,"token":"t"}"#, None),
            (r#"{"op":"hello","token":"t"}"#, Some(4000)),
            (r#"{"op":"ping","id":1}"#, Some(4000)),
            (r#"{"op":"hello","id":1,"token":7}"#, Some(4000)),
            ("[]", Some(4000)),
            ("", Some(4000)),
        ] {
            let code_of = parse_hello(text).err().map(|end| end.code());
            assert_eq!(code_of, code, "{text}");
        }
    }
}
