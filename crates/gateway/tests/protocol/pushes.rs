//! PROTOCOL: "Frames, server to client".

use serde_json::{Value, json};

use crate::support::{Person, Server, Settings};
use crate::{Stage, number};

#[tokio::test]
async fn push_event() {
    let stage = Stage::set().await;
    let phone = Person::log_in(&stage.server, "bob").await;
    let mut devices = [stage.bob.connect(&stage.server).await, phone.connect(&stage.server).await];
    let (first, second) =
        (stage.ada.say(&stage.group, "one").await, stage.ada.say(&stage.group, "two").await);
    for socket in &mut devices {
        for seq in [first, second] {
            let event = socket.push("event").await["event"].clone();
            assert_eq!(
                (number(&event, "seq"), &event["conversation"]),
                (seq, &json!(stage.group)),
                "in order"
            );
            assert_eq!((&event["kind"], &event["sender"]), (&json!("message"), &json!(stage.ada.id)));
            assert!(event.get("nonce").is_none(), "to its sender alone");
        }
    }
}

#[tokio::test]
async fn push_receipt() {
    let stage = Stage::set().await;
    let body = json!({"kind": "direct", "members": [stage.bob.id]});
    let direct =
        stage.ada.post("/v1/conversations", body).await.expect(201)["id"].as_str().unwrap().to_owned();
    let mut socket = stage.ada.connect(&stage.server).await;
    for conversation in [&direct, &stage.group] {
        let seq = stage.ada.say(conversation, "hello").await;
        let path = format!("/v1/conversations/{conversation}/receipts");
        stage.bob.post(&path, json!({"read": seq})).await.expect(200);
        let cursor = json!({"user": stage.bob.id, "delivered": seq, "read": seq});
        loop {
            let push = socket.push("receipt").await;
            if push["conversation"] == json!(conversation)
                && push["items"].as_array().unwrap().contains(&cursor)
            {
                break;
            }
        }
    }
}

#[tokio::test]
async fn push_erased() {
    let stage = Stage::set().await;
    let seq = stage.ada.say(&stage.group, "hello").await;
    let ttl = json!({"retention": {"mode": "ttl", "seconds": 60}});
    stage.ada.patch(&stage.path(""), ttl).await.expect(200);
    let mut socket = stage.bob.connect(&stage.server).await;
    stage.server.clock.advance(60_000);
    stage.server.app.workers().work_off().await.unwrap();
    let expected = json!({"op": "erased", "conversation": stage.group, "erased_to": seq, "expired_to": seq});
    assert_eq!(socket.push("erased").await, expected);
}

#[tokio::test]
async fn push_typing() {
    let stage = Stage::set().await;
    let (mut from, mut to) = (stage.bob.connect(&stage.server).await, stage.ada.connect(&stage.server).await);
    from.send_text(json!({"op": "typing", "conversation": stage.group, "on": true}).to_string()).await;
    let expected = json!({"op": "typing", "conversation": stage.group, "user": stage.bob.id, "on": true});
    assert_eq!(to.push("typing").await, expected);
    assert!(from.pushes_until_now().await.iter().all(|push| push["op"] != "typing"), "not to oneself");
}

#[tokio::test]
async fn push_presence() {
    let stage = Stage::set().await;
    let mut watcher = stage.ada.connect(&stage.server).await;
    watcher.ask(json!({"op": "watch", "users": [stage.bob.id]})).await.unwrap();
    let socket = stage.bob.connect(&stage.server).await;
    let push = watcher.push("presence").await;
    assert_eq!((&push["user"], &push["state"]), (&json!(stage.bob.id), &json!("online")));
    drop(socket);
    let push = watcher.push("presence").await;
    assert_eq!(push["state"], "offline");
    assert!(push["last_seen"].is_i64());
}

#[tokio::test]
async fn push_account() {
    let stage = Stage::set().await;
    let mut socket = stage.bob.connect(&stage.server).await;
    let mut positions = Vec::new();
    for _ in 0..3 {
        stage.ada.create_group(&[&stage.bob]).await;
        let event = socket.push("account").await["event"].clone();
        assert!(event["ts"].is_i64() && event["kind"] == "conversation_joined" && event["body"].is_object());
        positions.push(number(&event, "pos"));
    }
    assert!(positions.windows(2).all(|pair| pair[1] == pair[0] + 1), "contiguous: {positions:?}");
}

/// Time is stopped: it jumps to the tick while nothing else happens.
#[tokio::test]
async fn push_tick() {
    let stage = Stage::set().await;
    let mut socket = stage.bob.connect(&stage.server).await;
    let seq = stage.ada.say(&stage.group, "hello").await;
    assert_eq!(number(&socket.push("event").await["event"], "seq"), seq);
    let reading = tokio::spawn(async move { socket.push("tick").await["since"].clone() });
    tokio::time::pause();
    let since = reading.await.unwrap();
    tokio::time::resume();
    // It never claims more than was sent; it may claim less.
    let mut again = crate::support::Socket::open(&stage.server).await;
    let hello = json!({"op": "hello", "token": stage.bob.token, "since": since});
    let ready = again.ask(hello).await.unwrap();
    assert_eq!(ready["reset"], false);
}

#[tokio::test]
async fn push_drain() {
    let gateway =
        loquat_gateway::GatewayConfig { drain_spread_ms: 500, ..loquat_gateway::GatewayConfig::default() };
    let server = Server::start_with(Settings { gateway, ..Settings::default() }).await;
    let ada = server.sign_up("ada").await;
    let mut socket = ada.connect(&server).await;
    server.begin_stop();
    let drain = socket.push("drain").await;
    assert!(number(&drain, "retry_after_ms") < 500);
}

#[tokio::test]
async fn push_error() {
    let stage = Stage::set().await;
    let mut socket = stage.ada.connect(&stage.server).await;
    socket.send_text(r#"{"op":"send"}"#).await;
    let push = socket.push("error").await;
    assert_eq!(push["error"]["code"], "invalid");
    assert_ne!(push["error"]["detail"], Value::Null);
}
