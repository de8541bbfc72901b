//! A client of the socket.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use loquat_proto::SUBPROTOCOL;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use super::{Server, contract};

/// Longer than anything that a test waits for.
const PATIENCE: Duration = Duration::from_secs(20);

pub struct Socket {
    stream: WebSocketStream<TcpStream>,
    next_id: u64,
    /// Frames that are not answered yet, by id.
    asked: std::collections::HashMap<u64, Value>,
    /// Pushes that came while an answer was awaited.
    pushes: std::collections::VecDeque<Value>,
}

/// What came in.
#[derive(Debug)]
pub enum Received {
    Frame(Value),
    Closed(u16),
    Lost,
}

pub fn request(server: &Server) -> Request {
    let mut request = format!("ws://{}/v1/ws", server.address).into_client_request().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", SUBPROTOCOL.parse().unwrap());
    request
}

impl Socket {
    pub async fn open(server: &Server) -> Self {
        Self::open_with(server, request(server)).await.unwrap()
    }

    pub async fn open_with(server: &Server, request: Request) -> Result<Self, Error> {
        let stream = TcpStream::connect(server.address).await.unwrap();
        let (stream, response) = client_async(request, stream).await?;
        assert_eq!(response.headers()["sec-websocket-protocol"], SUBPROTOCOL);
        Ok(Self {
            stream,
            next_id: 1,
            asked: std::collections::HashMap::new(),
            pushes: std::collections::VecDeque::new(),
        })
    }

    /// Says hello with an access token; the content of `ready`.
    pub async fn hello(&mut self, token: &str) -> Value {
        self.ask(json!({"op": "hello", "token": token})).await.expect("hello is answered")
    }

    pub async fn send_text(&mut self, text: impl Into<String>) {
        self.send(Message::text(text.into())).await;
    }

    pub async fn send(&mut self, message: Message) {
        self.stream.send(message).await.unwrap();
    }

    /// Writes a frame without waiting for an answer; its id.
    pub async fn tell(&mut self, mut frame: Value) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        frame["id"] = id.into();
        self.send_text(frame.to_string()).await;
        self.asked.insert(id, frame);
        id
    }

    /// Writes a frame and waits for its answer: `ok`, or the error's code.
    pub async fn ask(&mut self, frame: Value) -> Result<Value, String> {
        let id = self.tell(frame).await;
        self.answer(id).await
    }

    /// Waits for the answer to the frame with this id.
    pub async fn answer(&mut self, id: u64) -> Result<Value, String> {
        loop {
            match self.next().await {
                Received::Frame(frame) if frame["re"] == id => {
                    return match frame.get("error") {
                        Some(error) => Err(error["code"].as_str().unwrap().to_owned()),
                        None => Ok(frame["ok"].clone()),
                    };
                }
                Received::Frame(frame) => self.pushes.push_back(frame),
                ended => panic!("{ended:?} in place of an answer"),
            }
        }
    }

    /// Waits for a push with this `op`; drops those before it.
    pub async fn push(&mut self, op: &str) -> Value {
        while let Some(frame) = self.pushes.pop_front() {
            if frame["op"] == op {
                return frame;
            }
        }
        loop {
            match self.next().await {
                Received::Frame(frame) if frame["op"] == op => return frame,
                Received::Frame(_) => {}
                ended => panic!("{ended:?} in place of a push of {op}"),
            }
        }
    }

    /// All pushes up to the answer to a ping that have not been looked at yet.
    pub async fn pushes_until_now(&mut self) -> Vec<Value> {
        self.ask(json!({"op": "ping"})).await.unwrap();
        self.pushes.drain(..).collect()
    }

    /// Waits for the close; its code.
    pub async fn closed(&mut self) -> u16 {
        loop {
            match self.next().await {
                Received::Frame(frame) => self.pushes.push_back(frame),
                Received::Closed(code) => return code,
                Received::Lost => panic!("the connection was lost without a close"),
            }
        }
    }

    /// Waits for whatever comes next.
    pub async fn next(&mut self) -> Received {
        loop {
            match timeout(PATIENCE, self.stream.next()).await.expect("something comes in time") {
                Some(Ok(Message::Text(text))) => {
                    let frame: Value = serde_json::from_str(&text).unwrap();
                    self.check(&frame);
                    return Received::Frame(frame);
                }
                Some(Ok(Message::Close(frame))) => {
                    return Received::Closed(frame.map_or(1005, |frame| frame.code.into()));
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Received::Lost,
            }
        }
    }

    fn check(&mut self, frame: &Value) {
        match frame["re"].as_u64() {
            None => contract::check_push(frame),
            Some(id) => {
                // What was written as text may be no frame at all.
                if let Some(sent) = self.asked.remove(&id) {
                    contract::check_frame_answer(&sent, frame);
                }
            }
        }
    }

    pub fn stream(&mut self) -> &mut WebSocketStream<TcpStream> {
        &mut self.stream
    }
}
