//! One authenticated WebSocket of the generator.

use std::{
    future::poll_fn,
    net::SocketAddr,
    task::{Context, Poll},
    time::Duration,
};

use bytes::BytesMut;
use futures_util::{SinkExt, StreamExt};
use hyper::header::{HeaderValue, SEC_WEBSOCKET_PROTOCOL};
use tokio::{net::TcpStream, time::timeout};
use tokio_websockets::{ClientBuilder, Config, Message, Payload, WebSocketStream};

use super::gathered::Gathered;
use crate::{
    error::BenchError,
    scan::{self, ServerFrame},
    system::Account,
};

/// How long a connection and its `hello` may take.
const CONNECT_LIMIT: Duration = Duration::from_secs(30);
/// Bytes that may gather before a write in the middle of a round.
const FLUSH_THRESHOLD_BYTES: usize = 64 * 1024;

/// A socket whose `hello` was answered with `ready`.
pub(crate) struct Socket {
    stream: WebSocketStream<Gathered>,
    user: String,
    /// Frames were queued since the last complete flush.
    dirty: bool,
}

impl Socket {
    /// Connects and authenticates.
    pub(crate) async fn connect(address: SocketAddr, account: &Account) -> Result<Self, BenchError> {
        Ok(Self::resume(address, account, None).await?.0)
    }

    /// Connects with the sync token of an earlier connection, where there was one; returns the answer to `hello`, too.
    pub(crate) async fn resume(
        address: SocketAddr,
        account: &Account,
        since: Option<&str>,
    ) -> Result<(Self, Payload), BenchError> {
        timeout(CONNECT_LIMIT, Self::connect_without_limit(address, account, since)).await.map_err(|_| {
            BenchError::Server(format!("{} could not connect within {CONNECT_LIMIT:?}", account.id))
        })?
    }

    async fn connect_without_limit(
        address: SocketAddr,
        account: &Account,
        since: Option<&str>,
    ) -> Result<(Self, Payload), BenchError> {
        let tcp = TcpStream::connect(address).await?;
        tcp.set_nodelay(true)?;
        let (mut stream, _) = ClientBuilder::new()
            .uri(&format!("ws://{address}/v1/ws"))
            .map_err(|error| BenchError::Protocol(error.to_string()))?
            .config(Config::default().flush_threshold(FLUSH_THRESHOLD_BYTES))
            .add_header(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static("loquat.v1.json"))?
            .connect_on(Gathered::new(tcp))
            .await?;
        let since = since.map(|since| format!(",\"since\":\"{since}\"")).unwrap_or_default();
        let hello = format!(
            "{{\"op\":\"hello\",\"id\":1,\"token\":\"{}\"{since},\"client\":{{\"name\":\"bench\",\"version\":\"1\"}}}}",
            account.token
        );
        stream.send(Message::text(hello)).await?;
        while let Some(message) = stream.next().await {
            let message = message?;
            if !message.is_text() {
                continue;
            }
            if scan::is_ready(message.as_payload()) {
                let socket = Self { stream, user: account.id.clone(), dirty: false };
                return Ok((socket, message.into_payload()));
            }
            let answer = String::from_utf8_lossy(message.as_payload()).into_owned();
            return Err(BenchError::Protocol(format!("hello of {} was answered with {answer}", account.id)));
        }
        Err(BenchError::Closed(account.id.clone()))
    }

    /// Sends a frame with this id and returns its answer; what is pushed before it is passed over.
    pub(crate) async fn ask(&mut self, id: u64, frame: BytesMut) -> Result<Payload, BenchError> {
        self.queue(frame)?;
        poll_fn(|context| {
            loop {
                self.flush(context)?;
                let frame = std::task::ready!(self.poll_frame(context))?;
                match scan::server_frame(&frame) {
                    Some(ServerFrame::Answer { re, .. }) if re == id => return Poll::Ready(Ok(frame)),
                    Some(ServerFrame::Refusal { frame, .. }) => {
                        let refusal = String::from_utf8_lossy(frame);
                        return Poll::Ready(Err(BenchError::Protocol(format!("refused: {refusal}"))));
                    }
                    _ => {}
                }
            }
        })
        .await
    }

    /// Answers pings and passes over what is pushed; returns only when the connection fails.
    pub(crate) async fn stay(&mut self) -> BenchError {
        poll_fn(|context| {
            loop {
                match self.poll_frame(context) {
                    Poll::Ready(Err(error)) => return Poll::Ready(error),
                    Poll::Ready(Ok(_)) => {}
                    Poll::Pending => return Poll::Pending,
                }
            }
        })
        .await
    }

    /// The next text frame; control frames are answered on the way.
    pub(crate) fn poll_frame(&mut self, context: &mut Context<'_>) -> Poll<Result<Payload, BenchError>> {
        loop {
            let message = match std::task::ready!(self.stream.poll_next_unpin(context)) {
                Some(message) => message?,
                None => return Poll::Ready(Err(BenchError::Closed(self.user.clone()))),
            };
            if message.is_text() {
                return Poll::Ready(Ok(message.into_payload()));
            }
            if let Some((code, reason)) = message.as_close() {
                let code = u16::from(code);
                return Poll::Ready(Err(BenchError::Closed(format!("{} ({code} {reason})", self.user))));
            }
        }
    }

    /// Queues a text frame; [`Socket::flush`] sends it.
    pub(crate) fn queue(&mut self, frame: BytesMut) -> Result<(), BenchError> {
        self.dirty = true;
        Ok(self.stream.start_send_unpin(Message::text(Payload::from(frame)))?)
    }

    /// Sends what is queued as far as the kernel takes it; the rest follows when it has room.
    pub(crate) fn flush(&mut self, context: &mut Context<'_>) -> Result<(), BenchError> {
        if self.dirty
            && let Poll::Ready(flushed) = self.stream.poll_flush_unpin(context)
        {
            flushed?;
            self.dirty = false;
        }
        Ok(())
    }
}
