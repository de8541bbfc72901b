//! TLS: both versions of HTTP, sockets, certificates that change, and those who do not shake hands.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use futures_util::{SinkExt as _, StreamExt as _};
use hyper::Request;
use hyper_util::rt::{TokioExecutor, TokioIo};
use loquat_gateway::{GatewayConfig, Tls};
use loquat_proto::SUBPROTOCOL;
use serde_json::{Value, json};
use support::{PASSWORD, Server, Settings};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

/// A service with a certificate, which can be changed.
struct Encrypted {
    server: Server,
    certificate: CertificateDer<'static>,
    configs: watch::Sender<Arc<ServerConfig>>,
}

fn make_certificate() -> (CertificateDer<'static>, Arc<ServerConfig>) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let certificate = made.cert.der().clone();
    let key = PrivateKeyDer::try_from(made.key_pair.serialize_der()).unwrap();
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .unwrap();
    config.alpn_protocols = Tls::protocols(false);
    (certificate, Arc::new(config))
}

fn provider() -> Arc<tokio_rustls::rustls::crypto::CryptoProvider> {
    Arc::new(tokio_rustls::rustls::crypto::ring::default_provider())
}

impl Encrypted {
    async fn start() -> Self {
        let (certificate, config) = make_certificate();
        let (configs, receiver) = watch::channel(config);
        let gateway = GatewayConfig { tls: true, ..GatewayConfig::default() };
        let settings = Settings { gateway, tls: Some(Tls::new(receiver)), ..Settings::default() };
        Self { server: Server::start_with(settings).await, certificate, configs }
    }

    async fn try_connect(&self, alpn: &[&str]) -> std::io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap();
        let mut config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        let stream = TcpStream::connect(self.server.address).await?;
        let name = ServerName::try_from("localhost").unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, stream).await
    }

    async fn connect(&self, alpn: &[&str]) -> TlsStream<TcpStream> {
        self.try_connect(alpn).await.unwrap()
    }
}

async fn read_json(response: hyper::Response<hyper::body::Incoming>) -> Value {
    let body = axum::body::to_bytes(Body::new(response.into_body()), 1 << 20).await.unwrap();
    serde_json::from_slice(&body).unwrap()
}

fn sign_up(uri: &str, name: &str) -> Request<Body> {
    let body = json!({"username": name, "password": PASSWORD}).to_string();
    Request::post(uri).header("content-type", "application/json").body(Body::from(body)).unwrap()
}

#[tokio::test]
async fn http_2_serves_many_calls_at_a_time_on_one_connection() {
    let service = Encrypted::start().await;
    let stream = service.connect(&["h2", "http/1.1"]).await;
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let response = sender.send_request(sign_up("https://localhost/v1/auth/signup", "ada")).await.unwrap();
    assert_eq!((response.status(), response.version()), (hyper::StatusCode::CREATED, hyper::Version::HTTP_2));
    assert!(response.headers().contains_key("strict-transport-security"));
    let token = read_json(response).await["access_token"].as_str().unwrap().to_owned();

    let calls = (0..50).map(|_| {
        let request =
            Request::get("https://localhost/v1/me").header("authorization", format!("Bearer {token}"));
        sender.send_request(request.body(Body::empty()).unwrap())
    });
    for response in futures_util::future::join_all(calls).await {
        assert_eq!(read_json(response.unwrap()).await["username"], "ada");
    }
    let connect =
        Request::post("https://localhost/v1/connect").header("authorization", format!("Bearer {token}"));
    let response = sender.send_request(connect.body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(read_json(response).await["url"], "wss://localhost/v1/ws", "the authority is the host");
}

#[tokio::test]
async fn a_socket_outlives_the_certificate_it_began_with() {
    let mut service = Encrypted::start().await;
    let stream = service.connect(&["http/1.1"]).await;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let mut request = sign_up("/v1/auth/signup", "ada");
    request.headers_mut().insert("host", "localhost".parse().unwrap());
    let session = read_json(sender.send_request(request).await.unwrap()).await;

    let mut request = "wss://localhost/v1/ws".into_client_request().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", SUBPROTOCOL.parse().unwrap());
    let (mut socket, _) = client_async(request, service.connect(&["http/1.1"]).await).await.unwrap();
    let hello = json!({"op": "hello", "id": 1, "token": session["access_token"]});
    socket.send(Message::text(hello.to_string())).await.unwrap();
    assert!(socket.next().await.unwrap().unwrap().into_text().unwrap().contains("\"ok\""));

    let (certificate, config) = make_certificate();
    service.configs.send_replace(config);
    assert!(service.try_connect(&["h2"]).await.is_err(), "the old certificate is not served any more");
    service.certificate = certificate;
    drop(service.connect(&["h2"]).await);
    socket.send(Message::text(json!({"op": "ping", "id": 2}).to_string())).await.unwrap();
    let pong = socket.next().await.unwrap().unwrap();
    assert_eq!(pong.into_text().unwrap().as_str(), "{\"re\":2,\"ok\":{}}");
}

#[tokio::test]
async fn who_does_not_shake_hands_is_not_waited_for() {
    let service = Encrypted::start().await;
    let started = Instant::now();
    let mut silent = TcpStream::connect(service.server.address).await.unwrap();
    let mut plain = TcpStream::connect(service.server.address).await.unwrap();
    plain.write_all(b"GET /v1/server HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP/"), "nothing is answered in the clear");
    // Others are served meanwhile.
    drop(service.connect(&["h2"]).await);
    let end = tokio::time::timeout(Duration::from_secs(20), silent.read_u8()).await.expect("an end in time");
    assert!(end.is_err() && started.elapsed() >= Duration::from_secs(9));
}
