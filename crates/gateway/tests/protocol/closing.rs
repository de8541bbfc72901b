//! PROTOCOL: "Close codes".

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use loquat_proto::Limits;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::Stage;
use crate::support::{Received, Server, Settings, Socket, unlimited};

#[tokio::test]
async fn close_4000() {
    let stage = Stage::set().await;
    for first in [r#"{"op":"ping","id":1}"#, "[]", "{"] {
        let mut socket = Socket::open(&stage.server).await;
        socket.send_text(first).await;
        assert_eq!(socket.closed().await, 4000, "{first}: no hello came first");
    }
}

#[tokio::test]
async fn close_4001() {
    let stage = Stage::set().await;
    for credentials in [json!({"op": "hello", "token": "x"}), json!({"op": "hello", "ticket": "x"})] {
        let mut socket = Socket::open(&stage.server).await;
        assert_eq!(socket.ask(credentials).await.unwrap_err(), "unauthorized");
        assert_eq!(socket.closed().await, 4001);
    }
}

#[tokio::test]
async fn close_4002() {
    let stage = Stage::set().await;
    let mut socket = stage.ada.connect(&stage.server).await;
    stage.ada.post("/v1/auth/logout", Value::Null).await.expect(204);
    assert_eq!(socket.closed().await, 4002);
}

/// Bob does not read: what waits for him passes its limit, and others are served.
#[tokio::test(flavor = "multi_thread")]
async fn close_4003() {
    let stage = Stage::set().await;
    let mut deaf = stage.bob.connect(&stage.server).await;
    let mut sender = stage.ada.connect(&stage.server).await;
    let text = "x".repeat(16_000);
    for _ in 0..1_500 {
        sender.ask(stage.frame("send", json!({"body": {"text": text}}))).await.unwrap();
        if stage.server.metrics().await.contains("loquat_socket_closes_total{code=\"4003\"} 1\n") {
            break;
        }
    }
    // The close stands behind what was not read: it comes where the connection lasts so long.
    let code = loop {
        match deaf.next().await {
            Received::Frame(_) => {}
            Received::Closed(code) => break code,
            Received::Lost => break 4003,
        }
    };
    assert_eq!(code, 4003);
    let metrics = stage.server.metrics().await;
    assert!(metrics.contains("loquat_socket_closes_total{code=\"4003\"} 1\n"), "{metrics}");
}

/// Time is stopped: half a minute of silence passes at once.
#[tokio::test]
async fn close_4004() {
    let stage = Stage::set().await;
    let mut silent = stage.ada.connect(&stage.server).await;
    tokio::time::pause();
    // Does not read, so does not answer pings.
    tokio::time::sleep(Duration::from_secs(31)).await;
    let code = loop {
        match silent.stream().next().await {
            Some(Ok(Message::Close(Some(frame)))) => break u16::from(frame.code),
            Some(Ok(_)) => {}
            ended => panic!("{ended:?}"),
        }
    };
    tokio::time::resume();
    assert_eq!(code, 4004);
}

#[tokio::test]
async fn close_4008() {
    let limits = Limits { requests_per_second: 1, requests_burst: 10, ..unlimited() };
    let server = Server::start_with(Settings { limits, ..Settings::default() }).await;
    let ada = server.sign_up("ada").await;
    let mut socket = ada.connect(&server).await;
    for _ in 0..400 {
        // The server may close while this is still written.
        if socket.stream().send(Message::text(r#"{"op":"ping","id":1}"#)).await.is_err() {
            break;
        }
    }
    assert_eq!(socket.closed().await, 4008);
}

#[tokio::test]
async fn close_4009() {
    let gateway =
        loquat_gateway::GatewayConfig { drain_spread_ms: 1, ..loquat_gateway::GatewayConfig::default() };
    let server = Server::start_with(Settings { gateway, ..Settings::default() }).await;
    let ada = server.sign_up("ada").await;
    let mut socket = ada.connect(&server).await;
    server.begin_stop();
    assert_eq!(socket.closed().await, 4009);
}
