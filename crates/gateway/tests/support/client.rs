//! A client of the REST calls: one connection for each call.

use std::net::SocketAddr;

use axum::body::Body;
use hyper::client::conn::http1;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{HeaderMap, Method, Request};
use hyper_util::rt::TokioIo;
use loquat_proto::Problem;
use serde_json::Value;
use tokio::net::TcpStream;

use super::contract;

#[derive(Clone)]
pub struct Client {
    address: SocketAddr,
    token: Option<String>,
    headers: Vec<(&'static str, String)>,
}

/// What a call answered.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Value,
}

impl Answer {
    /// The body, after checking the status.
    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.body);
        self.body
    }

    /// The error code, after checking that the answer is a problem document of that status.
    #[track_caller]
    pub fn refused(&self, status: u16) -> &'static str {
        assert_eq!(self.status, status, "{}", self.body);
        assert_eq!(self.headers[CONTENT_TYPE], "application/problem+json");
        let problem: Problem = serde_json::from_value(self.body.clone()).unwrap();
        assert_eq!(problem.status, status);
        assert_eq!(self.headers["x-request-id"].to_str().ok(), problem.request_id.as_deref());
        problem.code.as_str()
    }
}

impl Client {
    pub fn new(address: SocketAddr) -> Self {
        Self { address, token: None, headers: Vec::new() }
    }

    #[must_use]
    pub fn with_token(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.clone() }
    }

    #[must_use]
    pub fn with_header(&self, name: &'static str, value: impl Into<String>) -> Self {
        let mut client = self.clone();
        client.headers.push((name, value.into()));
        client
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.call(Method::GET, path, None).await
    }

    /// Posts the body; `null` stands for none.
    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.call(Method::POST, path, Some(body).filter(|body| !body.is_null())).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        self.call(Method::PATCH, path, Some(body)).await
    }

    pub async fn put(&self, path: &str) -> Answer {
        self.call(Method::PUT, path, None).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.call(Method::DELETE, path, None).await
    }

    pub async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        let headers = request.headers_mut().unwrap();
        headers.insert(HOST, self.address.to_string().parse().unwrap());
        if let Some(token) = &self.token {
            headers.insert(AUTHORIZATION, format!("Bearer {token}").parse().unwrap());
        }
        if body.is_some() {
            headers.insert(CONTENT_TYPE, "application/json".parse().unwrap());
        }
        for (name, value) in &self.headers {
            headers.insert(*name, value.parse().unwrap());
        }
        let method = request.method_ref().unwrap().clone();
        let text = body.as_ref().map_or_else(Body::empty, |body| Body::from(body.to_string()));
        let answer = self.send(request.body(text).unwrap()).await;
        contract::check_call(&method, path, body.as_ref(), answer.status, &answer.body);
        answer
    }

    /// Sends a request as it is.
    pub async fn send(&self, request: Request<Body>) -> Answer {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        let connection = tokio::spawn(connection);
        let response = sender.send_request(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(Body::new(body), 16 << 20).await.unwrap();
        connection.abort();
        let body = if body.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&body)
                .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&body).into_owned()))
        };
        Answer { status: parts.status.as_u16(), headers: parts.headers, body }
    }
}
