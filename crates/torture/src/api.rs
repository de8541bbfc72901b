//! A small HTTP/1.1 client: one connection, kept alive, JSON both ways.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

use crate::failure::{Failure, Outcome};

/// How long one call may take.
const CALL_LIMIT: Duration = Duration::from_secs(15);
/// The largest answer that is read, in bytes.
const ANSWER_LIMIT: usize = 64 << 20;

/// Where the service listens now: its port changes with every start.
#[derive(Debug, Clone, Default)]
pub(crate) struct Address(Arc<AtomicU16>);

impl Address {
    /// The present port.
    pub(crate) fn port(&self) -> u16 {
        self.0.load(Ordering::Acquire)
    }

    /// Moves to another port.
    pub(crate) fn set_port(&self, port: u16) {
        self.0.store(port, Ordering::Release);
    }

    /// A new TCP connection.
    pub(crate) async fn connect(&self) -> Outcome<TcpStream> {
        let stream =
            TcpStream::connect(("127.0.0.1", self.port())).await.map_err(Failure::io("connecting"))?;
        stream.set_nodelay(true).map_err(Failure::io("setting TCP_NODELAY"))?;
        Ok(stream)
    }
}

/// One call.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    method: Method,
    path: String,
    body: Option<Bytes>,
    key: Option<String>,
}

impl Call {
    fn new(method: Method, path: impl Into<String>) -> Self {
        Self { method, path: path.into(), body: None, key: None }
    }

    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path)
    }

    pub(crate) fn post(path: impl Into<String>) -> Self {
        Self::new(Method::POST, path)
    }

    pub(crate) fn patch(path: impl Into<String>) -> Self {
        Self::new(Method::PATCH, path)
    }

    pub(crate) fn put(path: impl Into<String>) -> Self {
        Self::new(Method::PUT, path)
    }

    pub(crate) fn delete(path: impl Into<String>) -> Self {
        Self::new(Method::DELETE, path)
    }

    /// With a JSON body.
    pub(crate) fn json(mut self, body: &Value) -> Self {
        self.body = Some(Bytes::from(body.to_string()));
        self
    }

    /// With a body as it is, right or wrong.
    pub(crate) fn raw(mut self, body: impl Into<Bytes>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// With an `Idempotency-Key`.
    pub(crate) fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }
}

/// What a call was answered with.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    /// The HTTP status.
    pub(crate) status: u16,
    /// The body; null where it is no JSON.
    pub(crate) body: Value,
    /// The body as it came.
    pub(crate) text: String,
}

impl Reply {
    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The `code` of a problem.
    pub(crate) fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or("")
    }

    /// The body of a success; an error for any other answer.
    pub(crate) fn success(self) -> Outcome<Value> {
        if self.is_success() {
            Ok(self.body)
        } else {
            Err(Failure::Unexpected(format!("status {}: {}", self.status, self.text)))
        }
    }
}

/// A caller: an address, perhaps a token, and a connection while it lasts.
#[derive(Debug)]
pub(crate) struct Api {
    address: Address,
    token: Option<String>,
    connection: Option<SendRequest<Full<Bytes>>>,
}

impl Api {
    /// Nobody in particular.
    pub(crate) fn new(address: Address) -> Self {
        Self { address, token: None, connection: None }
    }

    /// The holder of an access token.
    pub(crate) fn with_token(address: Address, token: &str) -> Self {
        Self { address, token: Some(token.to_owned()), connection: None }
    }

    /// Makes a call. An error means that the outcome is unknown.
    pub(crate) async fn call(&mut self, call: Call) -> Outcome<Reply> {
        let done = tokio::time::timeout(CALL_LIMIT, self.attempt(call)).await;
        let reply = done.unwrap_or(Err(Failure::Timeout("a call")));
        if reply.is_err() {
            self.connection = None;
        }
        reply
    }

    async fn attempt(&mut self, call: Call) -> Outcome<Reply> {
        let mut connection = match self.connection.take() {
            Some(connection) if !connection.is_closed() => connection,
            _ => self.open().await?,
        };
        connection.ready().await?;
        let mut request = Request::builder()
            .method(call.method)
            .uri(&call.path)
            .header("host", format!("127.0.0.1:{}", self.address.port()));
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if let Some(key) = &call.key {
            request = request.header("idempotency-key", key);
        }
        if call.body.is_some() {
            request = request.header("content-type", "application/json");
        }
        let request = request.body(Full::new(call.body.unwrap_or_default()))?;
        let answer = connection.send_request(request).await?;
        let status = answer.status().as_u16();
        let body =
            Limited::new(answer.into_body(), ANSWER_LIMIT).collect().await.map_err(Failure::unexpected)?;
        let text = String::from_utf8_lossy(&body.to_bytes()).into_owned();
        self.connection = Some(connection);
        Ok(Reply { status, body: serde_json::from_str(&text).unwrap_or(Value::Null), text })
    }

    async fn open(&self) -> Outcome<SendRequest<Full<Bytes>>> {
        let stream = self.address.connect().await?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // Ends by itself when the sender is dropped or the server hangs up; the calls report what broke.
        tokio::spawn(connection);
        Ok(sender)
    }
}
