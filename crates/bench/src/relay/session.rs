//! One socket of the relay: read all that has come, then write all that waits, then flush once.

use std::{
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll},
};

use axum::extract::ws::{Message, Utf8Bytes, WebSocket};
use futures_util::{SinkExt, StreamExt};

use super::{
    frames,
    outbox::Outbox,
    state::{Relay, wire_id},
};
use crate::scan::{self, ClientFrame};

/// What a token of the relay starts with; the user's number follows.
const TOKEN_PREFIX: &[u8] = b"user-";

/// Serves one socket until it ends or breaks the protocol.
pub(super) async fn serve(socket: WebSocket, relay: Arc<Relay>) {
    let mut session =
        Session { socket, relay, outbox: Arc::default(), user: None, staged: Vec::new(), sent: 0 };
    poll_fn(|context| session.poll(context)).await;
    if let Some(user) = session.user {
        session.relay.leave(user, &session.outbox);
    }
}

struct Session {
    socket: WebSocket,
    relay: Arc<Relay>,
    outbox: Arc<Outbox>,
    user: Option<usize>,
    /// Frames taken from the outbox; those before `sent` are with the socket already.
    staged: Vec<Utf8Bytes>,
    sent: usize,
}

/// The session is over: the peer left, broke the protocol, or does not read.
struct Ended;

impl Session {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        match self.read(context).and_then(|()| self.write(context)) {
            Ok(()) => Poll::Pending,
            Err(Ended) => Poll::Ready(()),
        }
    }

    fn read(&mut self, context: &mut Context<'_>) -> Result<(), Ended> {
        while let Poll::Ready(message) = self.socket.poll_next_unpin(context) {
            match message {
                Some(Ok(Message::Text(frame))) => self.handle(&frame)?,
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Err(Ended),
            }
        }
        Ok(())
    }

    fn write(&mut self, context: &mut Context<'_>) -> Result<(), Ended> {
        self.outbox.poll_take(context, &mut self.staged).map_err(|_| Ended)?;
        if self.staged.is_empty() {
            return Ok(());
        }
        while self.sent < self.staged.len() {
            match self.socket.poll_ready_unpin(context) {
                Poll::Pending => return Ok(()),
                Poll::Ready(ready) => ready.map_err(|_| Ended)?,
            }
            let frame = std::mem::take(&mut self.staged[self.sent]);
            self.socket.start_send_unpin(Message::Text(frame)).map_err(|_| Ended)?;
            self.sent += 1;
        }
        if let Poll::Ready(flushed) = self.socket.poll_flush_unpin(context) {
            flushed.map_err(|_| Ended)?;
            self.staged.clear();
            self.sent = 0;
        }
        Ok(())
    }

    fn handle(&mut self, frame: &Utf8Bytes) -> Result<(), Ended> {
        let accepted = match (scan::client_frame(frame.as_bytes()).ok_or(Ended)?, self.user) {
            (ClientFrame::Send { id, conversation, text }, Some(user)) => {
                let text = std::str::from_utf8(text).map_err(|_| Ended)?;
                self.relay.send(user, id, conversation, text)
            }
            (ClientFrame::Ack { conversation, delivered }, Some(user)) => {
                self.relay.acknowledge(user, conversation, delivered)
            }
            (ClientFrame::Hello { id, token }, None) => self.hello(id, token),
            _ => false,
        };
        if accepted { Ok(()) } else { Err(Ended) }
    }

    fn hello(&mut self, id: u64, token: &[u8]) -> bool {
        let number = token
            .strip_prefix(TOKEN_PREFIX)
            .and_then(scan::number)
            .and_then(|user| usize::try_from(user).ok());
        let Some(user) = number.filter(|user| self.relay.join(*user, &self.outbox)) else { return false };
        self.user = Some(user);
        self.outbox.push(frames::ready(id, wire_id(user)));
        true
    }
}
