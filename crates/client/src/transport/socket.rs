//! The socket: one task a connection, which carries text frames between the server and the client's task.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use loquat_proto::SUBPROTOCOL;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Message, http};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use super::Origin;
use super::stream::ByteStream;

/// The server pings each 15 s; after this silence the connection counts as half-open.
pub(crate) const SILENCE: Duration = Duration::from_secs(45);
/// Frames on their way in. When full, the socket is not read: the server notices by itself.
const INCOMING: usize = 256;
/// The largest message taken: a page of 200 of the longest events, escaped.
const MESSAGE: usize = 32 << 20;
/// How long a clean close may take.
const CLOSE: Duration = Duration::from_secs(2);

/// What a socket tells.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum FromSocket {
    /// A text frame.
    Frame(String),
    /// It is gone; nothing follows. With the close code, where there is one.
    Closed { code: Option<u16>, reason: String },
}

/// A socket that is open. Dropping it closes the connection.
#[derive(Debug)]
pub(crate) struct Socket {
    pub(crate) incoming: mpsc::Receiver<FromSocket>,
    pub(crate) outgoing: mpsc::Sender<String>,
}

impl Socket {
    /// Opens a socket at this URL.
    ///
    /// # Errors
    /// With a reason for the log.
    pub(crate) async fn open(url: &str) -> Result<Self, String> {
        let (origin, _) = Origin::parse(url)?;
        let mut request = url.into_client_request().map_err(|error| error.to_string())?;
        let subprotocol = http::HeaderValue::from_static(SUBPROTOCOL);
        request.headers_mut().insert(http::header::SEC_WEBSOCKET_PROTOCOL, subprotocol);
        let stream = origin.connect().await.map_err(|error| error.to_string())?;
        let config = WebSocketConfig::default()
            .read_buffer_size(16 << 10)
            .write_buffer_size(16 << 10)
            .max_write_buffer_size(4 << 20)
            .max_message_size(Some(MESSAGE))
            .max_frame_size(Some(MESSAGE));
        let greeting = client_async_with_config(request, stream, Some(config));
        let (socket, _) = tokio::time::timeout(SILENCE, greeting)
            .await
            .map_err(|_| "no answer to the upgrade".to_owned())?
            .map_err(|error| error.to_string())?;
        let (to_client, incoming) = mpsc::channel(INCOMING);
        let (outgoing, from_client) = mpsc::channel(INCOMING);
        tokio::spawn(carry(socket, to_client, from_client));
        Ok(Self { incoming, outgoing })
    }
}

type Stream = WebSocketStream<Box<dyn ByteStream>>;

async fn carry(
    mut socket: Stream,
    to_client: mpsc::Sender<FromSocket>,
    mut from_client: mpsc::Receiver<String>,
) {
    let mut heard = Instant::now();
    let mut check = tokio::time::interval(SILENCE / 9);
    check.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (code, reason) = loop {
        tokio::select! {
            message = socket.next() => {
                heard = Instant::now();
                match message {
                    Some(Ok(Message::Text(text))) => {
                        // Waiting here is the back-pressure on the server.
                        if to_client.send(FromSocket::Frame(text.as_str().to_owned())).await.is_err() {
                            break (None, "not wanted any more".to_owned());
                        }
                        // The time that the client took is not the server's silence.
                        heard = Instant::now();
                    }
                    Some(Ok(Message::Close(frame))) => {
                        let code = frame.as_ref().map(|frame| u16::from(frame.code));
                        break (code, frame.map_or_else(String::new, |frame| frame.reason.to_string()));
                    }
                    // Pings are answered by the library with the next write or read.
                    Some(Ok(_)) => {}
                    Some(Err(error)) => break (None, error.to_string()),
                    None => break (None, "the connection broke".to_owned()),
                }
            }
            frame = from_client.recv() => {
                let Some(frame) = frame else { break (None, "not wanted any more".to_owned()) };
                if let Err(error) = write(&mut socket, frame, &mut from_client).await {
                    break (None, error.to_string());
                }
            }
            _ = check.tick() => {
                if heard.elapsed() > SILENCE {
                    break (None, "nothing was heard for too long".to_owned());
                }
            }
        }
    };
    // Where the server is gone, nobody waits for the close.
    let _ = tokio::time::timeout(CLOSE, socket.close(None)).await;
    let _ = to_client.send(FromSocket::Closed { code, reason }).await;
}

/// Writes a frame and all that wait behind it, then flushes once. A write that hangs is a broken connection.
async fn write(
    socket: &mut Stream,
    frame: String,
    from_client: &mut mpsc::Receiver<String>,
) -> Result<(), tungstenite::Error> {
    let writing = async {
        socket.feed(Message::text(frame)).await?;
        while let Ok(frame) = from_client.try_recv() {
            socket.feed(Message::text(frame)).await?;
        }
        socket.flush().await
    };
    let late = || std::io::Error::from(std::io::ErrorKind::TimedOut);
    tokio::time::timeout(SILENCE, writing).await.unwrap_or_else(|_| Err(tungstenite::Error::Io(late())))
}
