//! The way in: one frame after the other to the domain, without waiting for any.
//!
//! What appends and what moves cursors is handed over and answered through the session's queue. What reads (`fetch`,
//! `watch`) runs beside the socket's task, a few at a time.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::{FutureExt as _, StreamExt as _};
use loquat_domain::failpoint;
use loquat_domain::fanout::Session;
use loquat_domain::limits::Key;
use loquat_domain::messages::{Act, Mutation};
use loquat_domain::{Caller, Refusal};
use loquat_proto::conversation::Receipts;
use loquat_proto::event::{EditBody, PinBody, ReactionBody};
use loquat_proto::frame::{self, Fetch, FrameError, FrameId, ParsedFrame, React, Target, WatchAnswer};
use loquat_proto::{ClientFrame, CloseCode, ErrorBody, UserId};
use serde::Serialize;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::close::End;
use super::flood::Flood;
use super::op::FrameOp;
use crate::extract::page_limit;
use crate::rest::messages::event_range;
use crate::state::GatewayState;

/// Frames taken in one go before the queue's frames are written.
const BATCH: usize = 64;
/// Reads of one socket under way at a time.
const QUERIES: usize = 8;

/// The way in of one socket.
pub(super) struct Inbound {
    state: GatewayState,
    session: Arc<Session>,
    queries: Arc<Semaphore>,
    /// The newest `watch`: each replaces the one before, so they are done in order.
    watching: Option<JoinHandle<()>>,
    flood: Flood,
}

impl Inbound {
    pub(super) fn new(state: GatewayState, session: Arc<Session>) -> Self {
        let flood = Flood::new(&state.app.config().limits);
        Self { state, session, queries: Arc::new(Semaphore::new(QUERIES)), watching: None, flood }
    }

    /// Takes all frames that are there, up to a bound; waits for the first one. Ready with how the socket ends, if it
    /// does.
    pub(super) fn poll_frames<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        socket: &mut WebSocketStream<S>,
        context: &mut Context<'_>,
    ) -> Poll<Option<End>> {
        for taken in 0..BATCH {
            match socket.poll_next_unpin(context) {
                Poll::Ready(Some(Ok(message))) => {
                    if let Some(end) = self.take(message) {
                        return Poll::Ready(Some(end));
                    }
                }
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(self.broken(&error))),
                Poll::Ready(None) => return Poll::Ready(Some(End::Gone)),
                Poll::Pending if taken > 0 => return Poll::Ready(None),
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(None)
    }

    fn take(&mut self, message: Message) -> Option<End> {
        match message {
            Message::Text(text) => self.take_text(text.as_str()),
            Message::Binary(_) => Some(End::malformed("frames are JSON text, not binary")),
            // Pongs prove that the client is there; pings and closes are answered by the library.
            Message::Ping(_) | Message::Pong(_) | Message::Close(_) | Message::Frame(_) => None,
        }
    }

    fn take_text(&mut self, text: &str) -> Option<End> {
        let limit = self.state.app.config().limits.frame_bytes;
        let parsed = ClientFrame::parse(text);
        failpoint::pass("parse");
        match parsed {
            Ok(ParsedFrame { id, frame: _ }) if text.len() > limit => {
                self.refuse(id, &Refusal::TooLarge { what: "the frame, in bytes,", limit })
            }
            Ok(ParsedFrame { id, frame }) => {
                self.state.metrics.received(FrameOp::of(&frame));
                self.dispatch(id, frame)
            }
            Err(FrameError::Malformed(detail)) => Some(End::malformed(detail)),
            Err(FrameError::Invalid { id, detail }) => self.refuse(id, &Refusal::Invalid(detail)),
        }
    }

    fn dispatch(&mut self, id: Option<FrameId>, frame: ClientFrame) -> Option<End> {
        match frame {
            ClientFrame::Send { conversation, nonce, body } => {
                self.submit(id, Mutation { conversation, nonce: Some(nonce), act: Act::Send(body) })
            }
            ClientFrame::Ack { conversation, delivered, read } => {
                let receipts = Receipts { delivered, read };
                self.state.app.receipts().submit(&self.session, id, conversation, receipts);
                None
            }
            ClientFrame::Edit { conversation, nonce, target, text, format, mentions } => {
                let act = Act::Edit(EditBody { target, text, format, mentions });
                self.submit(id, Mutation { conversation, nonce, act })
            }
            ClientFrame::Delete(Target { conversation, nonce, target }) => {
                self.submit(id, Mutation { conversation, nonce, act: Act::Delete { target } })
            }
            ClientFrame::React(React { conversation, nonce, target, emoji, on }) => {
                let act = Act::React(ReactionBody { target, emoji, on });
                self.submit(id, Mutation { conversation, nonce, act })
            }
            ClientFrame::Pin { target: Target { conversation, nonce, target }, on } => {
                self.submit(id, Mutation { conversation, nonce, act: Act::Pin(PinBody { target, on }) })
            }
            other => match self.state.app.limits().request(Key::User(self.caller().user)) {
                Ok(_) => self.dispatch_limited(id, other),
                Err(refusal) => self.refuse(id, &refusal),
            },
        }
    }

    /// Frames that count as requests.
    fn dispatch_limited(&mut self, id: Option<FrameId>, frame: ClientFrame) -> Option<End> {
        match frame {
            ClientFrame::Typing { conversation, on } => {
                self.state.app.receipts().typing(self.caller(), conversation, on);
                None
            }
            ClientFrame::Status(heartbeat) => {
                self.state.app.presence().status(&self.session, heartbeat.state);
                None
            }
            ClientFrame::Ping {} => {
                if let Some(id) = id {
                    self.session.push(frame::answer(id, &serde_json::Map::new()));
                }
                None
            }
            ClientFrame::Fetch(fetch) => self.fetch(id, &fetch),
            ClientFrame::Watch { users } => self.watch(id, users),
            ClientFrame::Hello(_) => {
                self.refuse(id, &Refusal::invalid("hello comes once, as the first frame"))
            }
            ClientFrame::Send { .. }
            | ClientFrame::Ack { .. }
            | ClientFrame::Edit { .. }
            | ClientFrame::Delete(_)
            | ClientFrame::React(_)
            | ClientFrame::Pin { .. } => unreachable!("dispatched without a limit of requests"),
        }
    }

    fn submit(&mut self, id: Option<FrameId>, mutation: Mutation) -> Option<End> {
        self.state.app.messages().submit(&self.session, id, mutation);
        self.flood.send().then(|| CloseCode::RateLimited.into())
    }

    fn fetch(&mut self, id: Option<FrameId>, fetch: &Fetch) -> Option<End> {
        let wanted = page_limit(fetch.limit.map(|limit| limit as usize))
            .and_then(|limit| event_range(fetch.after, fetch.before).map(|range| (range, limit)));
        let (range, limit) = match wanted {
            Ok(wanted) => wanted,
            Err(refusal) => return self.refuse(id, &refusal),
        };
        let Some(permit) = self.query_permit() else { return self.refuse_query(id) };
        let (app, caller, conversation) = (self.state.app.clone(), self.caller(), fetch.conversation);
        let reading = async move { app.messages().events(caller, conversation, range, limit).await };
        drop(self.answer_beside(id, permit, reading));
        None
    }

    fn watch(&mut self, id: Option<FrameId>, users: Vec<UserId>) -> Option<End> {
        let Some(permit) = self.query_permit() else { return self.refuse_query(id) };
        let (app, session, before) =
            (self.state.app.clone(), Arc::clone(&self.session), self.watching.take());
        let reading = async move {
            if let Some(before) = before {
                // It has answered for itself, whatever became of it.
                let _ = before.await;
            }
            app.presence().watch(&session, users).await.map(|items| WatchAnswer { items })
        };
        self.watching = Some(self.answer_beside(id, permit, reading));
        None
    }

    fn query_permit(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.queries).try_acquire_owned().ok()
    }

    fn refuse_query(&mut self, id: Option<FrameId>) -> Option<End> {
        self.refuse(id, &Refusal::RateLimited { retry_after_ms: 250 })
    }

    /// Does the reading beside the socket's task and queues the answer.
    fn answer_beside<T: Serialize + Send>(
        &self,
        id: Option<FrameId>,
        permit: OwnedSemaphorePermit,
        reading: impl Future<Output = Result<T, Refusal>> + Send + 'static,
    ) -> JoinHandle<()> {
        let (state, session) = (self.state.clone(), Arc::clone(&self.session));
        tokio::spawn(async move {
            let outcome = AssertUnwindSafe(reading).catch_unwind().await.unwrap_or_else(|_| {
                state.metrics.panics.inc();
                Err(Refusal::Unavailable { reason: "an internal error", retry_after_ms: 1_000 })
            });
            match (outcome, id) {
                (Ok(answer), Some(id)) => session.push(frame::answer(id, &answer)),
                (Ok(_), None) => {}
                (Err(refusal), id) => {
                    state.metrics.refused(refusal.code());
                    session.push(frame::answer_error(id, &ErrorBody::from(&refusal)));
                }
            }
            drop(permit);
        })
    }

    /// Answers that the frame is refused; ends the socket if that happens all the time.
    fn refuse(&mut self, id: Option<FrameId>, refusal: &Refusal) -> Option<End> {
        self.state.metrics.refused(refusal.code());
        self.session.push(frame::answer_error(id, &ErrorBody::from(refusal)));
        self.flood.refusal().then(|| CloseCode::RateLimited.into())
    }

    /// The stream cannot be read any further.
    fn broken(&self, error: &Error) -> End {
        broken(error, self.state.app.config().limits.frame_bytes)
    }

    fn caller(&self) -> Caller {
        self.session.caller()
    }
}

/// How the socket ends when its stream cannot be read any further.
pub(super) fn broken(error: &Error, limit: usize) -> End {
    match error {
        Error::Capacity(_) => End::refused(None, &Refusal::TooLarge { what: "the frame, in bytes,", limit }),
        Error::Utf8(_) => End::malformed("frames are UTF-8"),
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => End::Gone,
        Error::Protocol(error) => End::malformed(error.to_string()),
        _ => End::Gone,
    }
}
