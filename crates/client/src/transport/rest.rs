//! REST calls over HTTP/1.1, on a few kept connections.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use loquat_proto::account::Secret;
use loquat_proto::{ErrorBody, ErrorCode, Problem};
use tokio::sync::Mutex;

use super::Origin;
use crate::Error;

/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(30);
/// The largest answer read: a page of 200 of the longest messages, escaped.
const BODY: usize = 32 << 20;
/// Idle connections kept.
const IDLE: usize = 4;

type Connection = SendRequest<Full<Bytes>>;

/// One call.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) method: Method,
    /// From `/v1` on.
    pub(crate) path: String,
    pub(crate) body: Option<Bytes>,
    pub(crate) idempotency_key: Option<String>,
    pub(crate) token: Option<Secret>,
}

/// Makes REST calls to one origin.
#[derive(Debug)]
pub(crate) struct RestTransport {
    origin: Origin,
    idle: Mutex<Vec<Connection>>,
}

impl RestTransport {
    pub(crate) fn new(origin: Origin) -> Self {
        Self { origin, idle: Mutex::new(Vec::new()) }
    }

    /// Makes a call and gives the answer's body.
    ///
    /// # Errors
    /// [`Error::Offline`] where there is no answer, [`Error::Refused`] where it is a problem.
    pub(crate) async fn call(&self, call: &Call) -> Result<Bytes, Error> {
        let answering = async {
            if let Some(connection) = self.idle_connection().await {
                match self.exchange(connection, call).await {
                    // The server had closed the kept connection: what was not done yet may be done on another.
                    Err(Error::Offline(_)) if is_repeatable(call) => {}
                    result => return result,
                }
            }
            let connection = self.connect().await.map_err(|error| Error::Offline(error.to_string()))?;
            self.exchange(connection, call).await
        };
        let late = || Error::Offline("no answer in time".to_owned());
        tokio::time::timeout(ANSWER, answering).await.unwrap_or_else(|_| Err(late()))
    }

    /// Makes a call on a connection of its own and gives the answer's body as it comes.
    ///
    /// # Errors
    /// As [`Self::call`].
    pub(crate) async fn stream(&self, call: &Call) -> Result<Incoming, Error> {
        let offline = |error: &dyn std::fmt::Display| Error::Offline(error.to_string());
        let answering = async {
            let mut connection = self.connect().await.map_err(|error| offline(&error))?;
            let response =
                connection.send_request(self.request(call)?).await.map_err(|error| offline(&error))?;
            let status = response.status();
            if status.is_success() {
                return Ok(response.into_body());
            }
            let body = Limited::new(response.into_body(), BODY).collect().await;
            let body = body.map_err(|error| offline(&error))?.to_bytes();
            Err(Error::Refused(Box::new(problem(status, &body))))
        };
        let late = || Error::Offline("no answer in time".to_owned());
        tokio::time::timeout(ANSWER, answering).await.unwrap_or_else(|_| Err(late()))
    }

    async fn idle_connection(&self) -> Option<Connection> {
        let mut idle = self.idle.lock().await;
        while let Some(mut connection) = idle.pop() {
            if connection.ready().await.is_ok() {
                return Some(connection);
            }
        }
        None
    }

    async fn connect(&self) -> Result<Connection, Box<dyn std::error::Error + Send + Sync>> {
        let stream = self.origin.connect().await?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        // It ends with the last handle on it, or when the server closes.
        tokio::spawn(connection);
        Ok(sender)
    }

    async fn exchange(&self, mut connection: Connection, call: &Call) -> Result<Bytes, Error> {
        let offline = |error: &dyn std::fmt::Display| Error::Offline(error.to_string());
        let request = self.request(call)?;
        let response = connection.send_request(request).await.map_err(|error| offline(&error))?;
        let status = response.status();
        let body =
            Limited::new(response.into_body(), BODY).collect().await.map_err(|error| offline(&error))?;
        let body = body.to_bytes();
        let mut idle = self.idle.lock().await;
        if idle.len() < IDLE {
            idle.push(connection);
        }
        drop(idle);
        if status.is_success() { Ok(body) } else { Err(Error::Refused(Box::new(problem(status, &body)))) }
    }

    fn request(&self, call: &Call) -> Result<Request<Full<Bytes>>, Error> {
        let mut request = Request::builder()
            .method(&call.method)
            .uri(&call.path)
            .header(HOST, self.origin.authority())
            .header(ACCEPT, "application/json");
        if let Some(Secret(token)) = &call.token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        if let Some(key) = &call.idempotency_key {
            request = request.header("idempotency-key", key);
        }
        if call.body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let body = Full::new(call.body.clone().unwrap_or_default());
        request.body(body).map_err(|error| Error::Config(format!("no valid request: {error}")))
    }
}

/// Whether a call may be made twice: it changes nothing, or the server knows it again.
fn is_repeatable(call: &Call) -> bool {
    call.method == Method::GET || call.idempotency_key.is_some()
}

/// The problem of an answer; a proxy in between may answer in its own way.
fn problem(status: StatusCode, body: &[u8]) -> Problem {
    serde_json::from_slice(body).unwrap_or_else(|_| {
        let code = match status.as_u16() {
            401 => ErrorCode::Unauthorized,
            403 => ErrorCode::Forbidden,
            404 => ErrorCode::NotFound,
            413 => ErrorCode::TooLarge,
            429 => ErrorCode::RateLimited,
            500..=599 => ErrorCode::Unavailable,
            _ => ErrorCode::Unknown,
        };
        let detail = format!("HTTP status {status}");
        let mut problem = Problem::from(ErrorBody { code, detail, retry_after_ms: None });
        problem.status = status.as_u16();
        problem
    })
}
