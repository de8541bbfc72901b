//! One authenticated WebSocket of the generator.

use std::{
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
use crate::{error::BenchError, scan, system::Account};

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
        timeout(CONNECT_LIMIT, Self::connect_without_limit(address, account)).await.map_err(|_| {
            BenchError::Server(format!("{} could not connect within {CONNECT_LIMIT:?}", account.id))
        })?
    }

    async fn connect_without_limit(address: SocketAddr, account: &Account) -> Result<Self, BenchError> {
        let tcp = TcpStream::connect(address).await?;
        tcp.set_nodelay(true)?;
        let (mut stream, _) = ClientBuilder::new()
            .uri(&format!("ws://{address}/v1/ws"))
            .map_err(|error| BenchError::Protocol(error.to_string()))?
            .config(Config::default().flush_threshold(FLUSH_THRESHOLD_BYTES))
            .add_header(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static("loquat.v1.json"))?
            .connect_on(Gathered::new(tcp))
            .await?;
        let hello = format!(
            "{{\"op\":\"hello\",\"id\":1,\"token\":\"{}\",\"client\":{{\"name\":\"bench\",\"version\":\"1\"}}}}",
            account.token
        );
        stream.send(Message::text(hello)).await?;
        while let Some(message) = stream.next().await {
            let message = message?;
            if !message.is_text() {
                continue;
            }
            if scan::is_ready(message.as_payload()) {
                return Ok(Self { stream, user: account.id.clone(), dirty: false });
            }
            let answer = String::from_utf8_lossy(message.as_payload()).into_owned();
            return Err(BenchError::Protocol(format!("hello of {} was answered with {answer}", account.id)));
        }
        Err(BenchError::Closed(account.id.clone()))
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
