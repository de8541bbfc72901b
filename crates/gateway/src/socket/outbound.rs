//! The way out: what the session's queue holds is written together and flushed once.

use std::time::Duration;

use bytes::Bytes;
use futures_util::SinkExt as _;
use loquat_domain::fanout::Session;
use loquat_proto::CloseCode;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::{Error, Message};

use super::close::{Closing, End};
use crate::metrics::Metrics;

/// A client that takes nothing for this long is a slow consumer.
const STALL_LIMIT: Duration = Duration::from_secs(10);
/// How often a stalled write looks whether its device was revoked meanwhile.
const REVOCATION_CHECK: Duration = Duration::from_millis(250);
/// How long a closing handshake may take.
const FAREWELL_LIMIT: Duration = Duration::from_secs(2);
/// Larger messages go in fragments of this size (RFC 6455, section 5.4): the library's write buffer never shrinks, and
/// one long answer must not stay with an idle socket for hours.
const FRAGMENT_BYTES: usize = 8 * 1024;
/// A list of frames that grew beyond this gives its memory back.
const KEPT_FRAMES: usize = 32;

/// Writes all frames and flushes once. The list is empty afterwards.
///
/// # Errors
/// How the socket ends: the client is gone, or takes nothing for 10 s, or was revoked meanwhile.
pub(super) async fn write_all<S: AsyncRead + AsyncWrite + Unpin>(
    socket: &mut WebSocketStream<S>,
    session: &Session,
    frames: &mut Vec<Bytes>,
    metrics: &Metrics,
) -> Result<(), End> {
    metrics.socket_flushes.inc();
    let writing = async {
        for frame in frames.drain(..) {
            metrics.sent(&frame);
            feed(socket, frame).await?;
        }
        socket.flush().await
    };
    within_limit(session, writing).await?;
    if frames.capacity() > KEPT_FRAMES {
        *frames = Vec::new();
    }
    Ok(())
}

/// Sends a ping (RFC 6455, section 5.5.2).
///
/// # Errors
/// As [`write_all`].
pub(super) async fn ping<S: AsyncRead + AsyncWrite + Unpin>(
    socket: &mut WebSocketStream<S>,
    session: &Session,
) -> Result<(), End> {
    within_limit(session, socket.send(Message::Ping(Bytes::new()))).await
}

/// Says why the socket is closed, and waits a moment for the client's own close: leaving with unread input would reset
/// the connection, and the client might never read the reason.
pub(super) async fn farewell<S: AsyncRead + AsyncWrite + Unpin>(
    socket: &mut WebSocketStream<S>,
    closing: Closing,
) {
    use futures_util::StreamExt as _;
    use tokio_tungstenite::tungstenite::protocol::CloseFrame;

    let Closing { code, reason, last_words } = closing;
    let goodbye = async {
        if let Some(frame) = last_words {
            feed(socket, frame).await?;
        }
        socket.close(Some(CloseFrame { code: code.into(), reason: reason.into() })).await?;
        while let Some(Ok(_)) = socket.next().await {}
        Ok::<(), Error>(())
    };
    // Whoever does not answer is left behind.
    let _ = timeout(FAREWELL_LIMIT, goodbye).await;
}

async fn feed<S: AsyncRead + AsyncWrite + Unpin>(
    socket: &mut WebSocketStream<S>,
    mut message: Bytes,
) -> Result<(), Error> {
    // The domain encodes frames as UTF-8; a ready-made frame is not validated once more.
    let mut opcode = Data::Text;
    while message.len() > FRAGMENT_BYTES {
        let fragment = message.split_to(FRAGMENT_BYTES);
        socket.feed(Message::Frame(Frame::message(fragment, OpCode::Data(opcode), false))).await?;
        opcode = Data::Continue;
    }
    socket.feed(Message::Frame(Frame::message(message, OpCode::Data(opcode), true))).await
}

async fn within_limit(
    session: &Session,
    writing: impl Future<Output = Result<(), Error>>,
) -> Result<(), End> {
    let mut writing = std::pin::pin!(writing);
    let started = Instant::now();
    loop {
        match timeout(REVOCATION_CHECK, writing.as_mut()).await {
            Ok(outcome) => return outcome.map_err(|_| End::Gone),
            Err(_) if session.closed() == Some(CloseCode::Revoked) => return Err(CloseCode::Revoked.into()),
            Err(_) if started.elapsed() >= STALL_LIMIT => return Err(CloseCode::SlowConsumer.into()),
            Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt as _;
    use tokio::io::{DuplexStream, duplex};
    use tokio_tungstenite::tungstenite::protocol::Role;

    use super::*;

    async fn pair(buffer: usize) -> (WebSocketStream<DuplexStream>, WebSocketStream<DuplexStream>) {
        let (near, far) = duplex(buffer);
        let config = super::super::upgrade::socket_config(65_536);
        (
            WebSocketStream::from_raw_socket(near, Role::Server, Some(config)).await,
            WebSocketStream::from_raw_socket(far, Role::Client, None).await,
        )
    }

    #[tokio::test]
    async fn long_messages_arrive_whole() {
        let (mut server, mut client) = pair(1 << 20).await;
        for length in [0, 1, FRAGMENT_BYTES, FRAGMENT_BYTES + 1, 5 * FRAGMENT_BYTES, 100_003] {
            // Two-byte characters, so that fragments split them.
            let text = "é".repeat(length / 2) + if length % 2 == 1 { "x" } else { "" };
            feed(&mut server, text.clone().into()).await.unwrap();
            server.flush().await.unwrap();
            assert_eq!(client.next().await.unwrap().unwrap(), Message::text(text));
        }
    }

    #[tokio::test]
    async fn the_reason_of_a_close_arrives_after_the_last_words() {
        let (mut server, mut client) = pair(1 << 16).await;
        let closing =
            Closing { code: 4001, reason: "unauthorized", last_words: Some(Bytes::from_static(b"{}")) };
        let reading = tokio::spawn(async move {
            let words = client.next().await.unwrap().unwrap();
            let close = client.next().await.unwrap().unwrap();
            // Answers the close.
            assert!(client.next().await.is_none());
            (words, close)
        });
        farewell(&mut server, closing).await;
        drop(server);
        let (words, close) = reading.await.unwrap();
        assert_eq!(words, Message::text("{}"));
        let Message::Close(Some(frame)) = close else { panic!("{close:?}") };
        assert_eq!((u16::from(frame.code), frame.reason.as_str()), (4001, "unauthorized"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_does_not_answer_the_close_is_left() {
        let (mut server, _client) = pair(16).await;
        let started = Instant::now();
        farewell(&mut server, Closing { code: 4009, reason: "drain", last_words: None }).await;
        assert_eq!(started.elapsed(), FAREWELL_LIMIT);
    }
}
