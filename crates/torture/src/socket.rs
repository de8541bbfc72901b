//! A WebSocket client of `loquat.v1.json`: requests by id, pushes into an inbox.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::{self, Message};

use crate::api::Address;
use crate::failure::{Failure, Outcome};

/// How long an answer may take.
pub(crate) const ANSWER_LIMIT: Duration = Duration::from_secs(20);
/// How many pushes may wait to be absorbed; a socket that passes it is closed.
const INBOX_LIMIT: usize = 1_000_000;

/// What came unasked.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    /// Pushes, in order.
    pub(crate) pushes: Vec<Value>,
    /// The close code; `None` while open, or where the connection just ended.
    pub(crate) close: Option<u16>,
}

#[derive(Debug)]
struct Shared {
    pending: Mutex<HashMap<u64, oneshot::Sender<Value>>>,
    inbox: Mutex<Inbox>,
    closed: watch::Sender<bool>,
}

/// A signed-in socket.
#[derive(Debug)]
pub(crate) struct Socket {
    outgoing: tokio::sync::Mutex<SplitSink<WebSocketStream<TcpStream>, Message>>,
    shared: Arc<Shared>,
    next_id: AtomicU64,
    reader: JoinHandle<()>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn broken(error: tungstenite::Error) -> Failure {
    Failure::Socket(Box::new(error))
}

/// The WebSocket handshake alone, on a connection of the caller's making.
pub(crate) async fn upgrade(address: &Address, stream: TcpStream) -> Outcome<WebSocketStream<TcpStream>> {
    let url = format!("ws://127.0.0.1:{}/v1/ws", address.port());
    let mut request = url.into_client_request().map_err(broken)?;
    request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static("loquat.v1.json"));
    let (socket, _) = tokio_tungstenite::client_async(request, stream).await.map_err(broken)?;
    Ok(socket)
}

/// The first frame.
pub(crate) fn hello(token: &str, since: Option<&str>) -> Value {
    let mut frame = json!({"op": "hello", "id": 1, "token": token,
        "client": {"name": "loquat-torture", "version": env!("CARGO_PKG_VERSION")}});
    if let Some(since) = since {
        frame["since"] = json!(since);
    }
    frame
}

impl Socket {
    /// Connects and signs in; returns `ready` too.
    pub(crate) async fn connect(
        address: &Address,
        token: &str,
        since: Option<&str>,
    ) -> Outcome<(Self, Value)> {
        let connecting = async {
            let (outgoing, incoming) = upgrade(address, address.connect().await?).await?.split();
            let shared = Arc::new(Shared {
                pending: Mutex::default(),
                inbox: Mutex::default(),
                closed: watch::Sender::new(false),
            });
            let reader = tokio::spawn(read(incoming, Arc::clone(&shared)));
            let outgoing = tokio::sync::Mutex::new(outgoing);
            let socket = Self { outgoing, shared, next_id: AtomicU64::new(1), reader };
            let mut answer = socket.request(hello(token, since)).await?;
            match answer["ok"].take() {
                Value::Null => Err(Failure::unexpected(format!("answer to hello: {answer}"))),
                ready => Ok((socket, ready)),
            }
        };
        tokio::time::timeout(ANSWER_LIMIT, connecting).await.unwrap_or(Err(Failure::Timeout("connecting")))
    }

    /// Sends a frame as it is.
    pub(crate) async fn send_text(&self, text: String) -> Outcome<()> {
        let mut outgoing = self.outgoing.lock().await;
        outgoing.send(Message::text(text)).await.map_err(broken)
    }

    /// Sends a frame that wants no answer.
    pub(crate) async fn notify(&self, frame: &Value) -> Outcome<()> {
        self.send_text(frame.to_string()).await
    }

    /// Sends a frame; the answer comes later.
    pub(crate) async fn submit(&self, mut frame: Value) -> Outcome<oneshot::Receiver<Value>> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        frame["id"] = json!(id);
        let (sender, receiver) = oneshot::channel();
        lock(&self.shared.pending).insert(id, sender);
        if *self.shared.closed.borrow() {
            return Err(Failure::Closed);
        }
        self.send_text(frame.to_string()).await?;
        Ok(receiver)
    }

    /// Sends a frame and waits for its answer.
    pub(crate) async fn request(&self, frame: Value) -> Outcome<Value> {
        answer(self.submit(frame).await?).await
    }

    /// Takes what came unasked since the last time.
    pub(crate) fn take_inbox(&self) -> Inbox {
        let mut inbox = lock(&self.shared.inbox);
        Inbox { pushes: std::mem::take(&mut inbox.pushes), close: inbox.close }
    }

    /// Whether the connection has ended.
    pub(crate) fn is_closed(&self) -> bool {
        *self.shared.closed.borrow()
    }

    /// Waits until the connection ends; the close code, where one came.
    pub(crate) async fn closed(&self, limit: Duration) -> Outcome<Option<u16>> {
        let mut closed = self.shared.closed.subscribe();
        let ended = closed.wait_for(|closed| *closed);
        tokio::time::timeout(limit, ended).await.map_err(|_| Failure::Timeout("closing a socket"))?.ok();
        Ok(lock(&self.shared.inbox).close)
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

/// Waits for the answer to a submitted frame.
pub(crate) async fn answer(receiver: oneshot::Receiver<Value>) -> Outcome<Value> {
    match tokio::time::timeout(ANSWER_LIMIT, receiver).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(_)) => Err(Failure::Closed),
        Err(_) => Err(Failure::Timeout("an answer")),
    }
}

async fn read(mut incoming: SplitStream<WebSocketStream<TcpStream>>, shared: Arc<Shared>) {
    while let Some(Ok(message)) = incoming.next().await {
        match message {
            Message::Text(text) => {
                let frame: Value = serde_json::from_str(&text).unwrap_or(Value::Null);
                if !deliver(frame, &shared) {
                    break;
                }
            }
            Message::Close(close) => {
                lock(&shared.inbox).close = close.map(|close| close.code.into());
            }
            _ => {}
        }
    }
    shared.closed.send_replace(true);
    lock(&shared.pending).clear();
}

/// Hands a frame to whom it is for; false when nobody has taken the pushes for too long.
fn deliver(frame: Value, shared: &Shared) -> bool {
    if let Some(id) = frame["re"].as_u64() {
        if let Some(sender) = lock(&shared.pending).remove(&id) {
            // Nobody waits any more where the asker timed out.
            let _ = sender.send(frame);
        }
        return true;
    }
    let mut inbox = lock(&shared.inbox);
    inbox.pushes.push(frame);
    inbox.pushes.len() < INBOX_LIMIT
}
