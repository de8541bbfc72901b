//! The few REST calls that a run needs.

use std::net::SocketAddr;

use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Request, StatusCode,
    body::Bytes,
    client::conn::http1::{self, SendRequest},
    header::{AUTHORIZATION, CONTENT_TYPE, HOST},
};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::error::BenchError;

/// One kept-alive connection to a server.
pub(crate) struct Client {
    address: SocketAddr,
    requests: SendRequest<Full<Bytes>>,
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> Result<Self, BenchError> {
        let stream = TcpStream::connect(address).await?;
        let (requests, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // The connection ends with the client; what went wrong shows in the request that fails.
        tokio::spawn(connection);
        Ok(Self { address, requests })
    }

    /// Sends one request and returns status and body.
    pub(crate) async fn request(
        &mut self,
        method: Method,
        path: &str,
        token: Option<&str>,
        body: String,
    ) -> Result<(StatusCode, Bytes), BenchError> {
        let mut request = Request::builder().method(method).uri(path).header(HOST, self.address.to_string());
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        let request = request
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| BenchError::Protocol(error.to_string()))?;
        self.requests.ready().await?;
        let response = self.requests.send_request(request).await?;
        let status = response.status();
        Ok((status, response.into_body().collect().await?.to_bytes()))
    }
}

/// Whether `/readyz` answers 200.
pub(super) async fn is_ready(address: SocketAddr) -> bool {
    let ask = async {
        let mut client = Client::connect(address).await?;
        client.request(Method::GET, "/readyz", None, String::new()).await
    };
    matches!(ask.await, Ok((StatusCode::OK, _)))
}
