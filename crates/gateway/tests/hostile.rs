//! Those who mean harm, on a live server: requests within requests, compressed bombs, silent crowds.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::time::{Duration, Instant};

use hyper::Request;
use loquat_proto::Limits;
use serde_json::json;
use support::{PASSWORD, Received, Server, Settings, Socket, request, unlimited};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;

/// Everything that a server answers to these bytes, until it hangs up or says nothing more.
async fn raw(server: &Server, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let _ = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let reading = stream.read_to_end(&mut answer);
    // A reset is an end, too.
    let _ = tokio::time::timeout(Duration::from_secs(15), reading).await.expect("an end in time");
    String::from_utf8_lossy(&answer).into_owned()
}

/// Heads on which a proxy and a server could disagree where the request ends (RFC 9112, sections 6.3 and 11.2).
#[tokio::test]
async fn no_request_hides_in_another() {
    let server = Server::start().await;
    let hidden = "GET /v1/server HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let inside = format!("0\r\n\r\n{hidden}");
    let length = inside.len();
    for (name, head) in [
        ("two lengths", format!("content-length: 0\r\ncontent-length: {length}\r\n")),
        ("two lengths in one line", format!("content-length: 0, {length}\r\n")),
        ("a signed length", format!("content-length: +{length}\r\n")),
        ("a length in hexadecimal", "content-length: 0x10\r\n".to_owned()),
        ("a coding that is none", "transfer-encoding: xchunked\r\n".to_owned()),
        ("chunked, and then something", "transfer-encoding: chunked, identity\r\n".to_owned()),
        ("a space before the colon", format!("content-length : {length}\r\n")),
        ("a folded line", format!("x: y\r\n content-length: {length}\r\n")),
        ("a bare carriage return", "x: y\rcontent-length: 5\r\n".to_owned()),
        ("a zero byte", "x: \0\r\n".to_owned()),
    ] {
        let answer = raw(
            &server,
            format!("POST /v1/auth/refresh HTTP/1.1\r\nhost: x\r\n{head}\r\n{inside}").as_bytes(),
        )
        .await;
        let answers = answer.matches("HTTP/1.1 ").count();
        assert!(answers <= 1 && !answer.contains("HTTP/1.1 200"), "{name}: {answer}");
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{name}: {answer}");
    }
    // Both kinds of length: the coding wins and the connection may not be used for a second request, or it is refused.
    let both = format!("transfer-encoding: chunked\r\ncontent-length: {length}\r\n");
    let answer =
        raw(&server, format!("POST /v1/auth/refresh HTTP/1.1\r\nhost: x\r\n{both}\r\n{inside}").as_bytes())
            .await;
    assert!(!answer.contains("HTTP/1.1 200"), "{answer}");
    // Nothing of it has hurt.
    assert!(raw(&server, hidden.as_bytes()).await.starts_with("HTTP/1.1 200 OK"));
}

/// Nothing is ever inflated: neither bodies nor frames.
#[tokio::test]
async fn compressed_bombs_stay_folded() {
    let server = Server::start().await;
    // 10 KiB of these inflate to 10 MiB.
    let bomb =
        vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xec, 0xc1, 1, 1, 0, 0, 0, 0x80, 0x90, 0xfe, 0xaf, 0xee];
    for encoding in ["gzip", "deflate", "br", "zstd"] {
        let request = Request::post("/v1/auth/signup")
            .header("host", "x")
            .header("content-type", "application/json")
            .header("content-encoding", encoding);
        let answer = server.client().send(request.body(bomb.clone().into()).unwrap()).await;
        assert_eq!(answer.refused(400), "invalid", "{encoding}");
    }
    let ada = server.sign_up("ada").await;
    let mut asking = request(&server);
    asking.headers_mut().insert("sec-websocket-extensions", "permessage-deflate".parse().unwrap());
    let stream = TcpStream::connect(server.address).await.unwrap();
    let (mut socket, response) = tokio_tungstenite::client_async(asking, stream).await.unwrap();
    assert!(!response.headers().contains_key("sec-websocket-extensions"), "no compression is agreed on");
    let hello = json!({"op": "hello", "id": 1, "token": ada.token}).to_string();
    futures_util::SinkExt::send(&mut socket, Message::text(hello)).await.unwrap();
    // A masked text frame that says it is compressed.
    let frame = [0b1100_0001, 0x80 | 2, 0, 0, 0, 0, b'{', b'}'];
    socket.get_mut().write_all(&frame).await.unwrap();
    let ended = async {
        while let Some(Ok(message)) = futures_util::StreamExt::next(&mut socket).await {
            if let Message::Close(Some(close)) = message {
                return u16::from(close.code);
            }
        }
        0
    };
    assert_eq!(tokio::time::timeout(Duration::from_secs(10), ended).await.unwrap(), 4000);
}

/// JSON a thousand levels deep, as body and as frame, at full length.
#[tokio::test]
async fn nesting_bombs_are_refused_where_they_begin() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    for open in ["[", "{\"a\":"] {
        let deep = open.repeat(60_000 / open.len());
        let body = format!("{{\"settings\":{deep}");
        let request = Request::patch("/v1/me")
            .header("host", "x")
            .header("content-type", "application/json")
            .header("authorization", format!("Bearer {}", ada.token));
        let answer = server.client().send(request.body(body.into()).unwrap()).await;
        assert_eq!(answer.refused(400), "invalid");
    }
    let mut socket = ada.connect(&server).await;
    let deep = "[".repeat(50_000);
    socket.send_text(format!("{{\"op\":\"watch\",\"id\":1,\"users\":{deep}")).await;
    loop {
        match socket.next().await {
            Received::Closed(code) => break assert_eq!(code, 4000),
            Received::Frame(frame) if frame.get("error").is_some() => {
                break assert_eq!(frame["error"]["code"], "invalid");
            }
            Received::Frame(_) => {}
            Received::Lost => panic!("no word of why"),
        }
    }
}

/// Two thousand who connect and then say nothing, at every stage: others are served, and none of them stays.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes 45 seconds and 5,000 file descriptors"]
async fn a_silent_crowd_is_shown_out() {
    const CROWD: usize = 2_000;
    let limits = Limits { sockets_per_user: CROWD, ..unlimited() };
    let server = Server::start_with(Settings { limits, ..Settings::default() }).await;
    let ada = server.sign_up("ada").await;
    let started = Instant::now();
    let (mut streams, mut sockets) = (Vec::new(), Vec::new());
    for index in 0..CROWD {
        match index % 4 {
            0 => streams.push(TcpStream::connect(server.address).await.unwrap()),
            1 => {
                let mut stream = TcpStream::connect(server.address).await.unwrap();
                stream.write_all(b"POST /v1/auth/login HTTP/1.1\r\nhost: x\r\ncontent-").await.unwrap();
                streams.push(stream);
            }
            2 => sockets.push(Socket::open(&server).await),
            _ => {
                let mut socket = Socket::open(&server).await;
                socket.tell(json!({"op": "hello", "token": ada.token})).await;
                sockets.push(socket);
            }
        }
        if index % 200 == 0 {
            let asked = Instant::now();
            ada.get("/v1/me").await.expect(200);
            assert!(asked.elapsed() < Duration::from_secs(2), "others are served: {:?}", asked.elapsed());
        }
    }
    // Half-open connections are noticed within 45 seconds; whoever made them does not even read.
    let limit = Duration::from_secs(45) + started.elapsed();
    let mut looks = tokio::time::interval(Duration::from_millis(500));
    loop {
        looks.tick().await;
        let metrics = server.metrics().await;
        let gauge = |name: &str| -> i64 {
            let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            line.unwrap().parse().unwrap()
        };
        if gauge("loquat_sockets") == 0 && gauge("loquat_gateway_connections") == 0 {
            break;
        }
        assert!(started.elapsed() < limit, "{} sockets are still there", gauge("loquat_sockets"));
        ada.get("/healthz").await.expect(200);
    }
    let log_in = json!({"login": "ada", "password": PASSWORD});
    server.client().post("/v1/auth/login", log_in).await.expect(200);
    drop((streams, sockets));
}
