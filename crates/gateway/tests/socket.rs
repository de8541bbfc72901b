//! The socket over a real connection: greeting, frames, pushes, ends.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use loquat_gateway::{GatewayConfig, Stopped};
use loquat_proto::Limits;
use serde_json::{Value, json};
use support::{Received, Server, Settings, Socket, nonce, request, unlimited};
use tokio::io::AsyncWriteExt as _;
use tokio_tungstenite::tungstenite::{Error, Message};

fn send(conversation: &str, text: &str) -> Value {
    json!({"op": "send", "conversation": conversation, "nonce": nonce(), "body": {"text": text}})
}

#[tokio::test]
async fn hello_is_answered_by_ready() {
    let server = Server::start().await;
    let (ada, bob) = (server.sign_up("ada").await, server.sign_up("bob").await);
    let id = ada.create_group(&[&bob]).await;
    let ready = Socket::open(&server).await.hello(&ada.token).await;
    assert_eq!((&ready["user"], &ready["device"]), (&json!(ada.id), &json!(ada.device)));
    assert_eq!((&ready["reset"], &ready["more"]), (&json!(false), &json!(false)));
    assert_eq!(ready["changed"][0]["id"], *id);
    let since = ready["since"].as_str().unwrap();

    let connect = bob.post("/v1/connect", Value::Null).await.expect(200);
    assert_eq!(connect["url"], format!("ws://{}/v1/ws", server.address));
    assert_eq!((&connect["expires_in"], &connect["node"]), (&json!(30), &json!("node-1")));
    let hello = json!({"op": "hello", "ticket": connect["ticket"], "since": since});
    Socket::open(&server).await.ask(hello.clone()).await.unwrap();
    let mut replayed = Socket::open(&server).await;
    assert_eq!(replayed.ask(hello).await.unwrap_err(), "unauthorized", "a ticket is good once");
    assert_eq!(replayed.closed().await, 4001);
}

#[tokio::test]
async fn who_does_not_greet_is_sent_away() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    for (first, error, code) in [
        (json!({"op": "ping", "id": 1}).to_string(), "invalid", 4000),
        (json!({"op": "hello", "token": ada.token}).to_string(), "invalid", 4000),
        (json!({"op": "hello", "id": 1}).to_string(), "unauthorized", 4001),
        (json!({"op": "hello", "id": 1, "token": "x", "ticket": "y"}).to_string(), "invalid", 4000),
        (json!({"op": "hello", "id": 1, "token": 7}).to_string(), "invalid", 4000),
        ("hello".to_owned(), "invalid", 4000),
        (String::new(), "invalid", 4000),
    ] {
        let mut socket = Socket::open(&server).await;
        socket.send_text(first.clone()).await;
        let Received::Frame(answer) = socket.next().await else { panic!("{first}: closed without a word") };
        assert_eq!(answer["error"]["code"], error, "{first}");
        assert_eq!(socket.closed().await, code, "{first}");
    }
    server.clock.advance(16 * 60 * 1_000);
    let mut socket = Socket::open(&server).await;
    assert_eq!(socket.ask(json!({"op": "hello", "token": ada.token})).await.unwrap_err(), "token_expired");
    assert_eq!(socket.closed().await, 4001);
}

#[tokio::test]
async fn an_upgrade_needs_the_subprotocol_and_an_allowed_origin() {
    let allowed_origins = vec!["https://app.example".to_owned()];
    let gateway = GatewayConfig { allowed_origins, ..GatewayConfig::default() };
    let server = Server::start_with(Settings { gateway, ..Settings::default() }).await;
    let own = format!("http://{}", server.address);
    for (protocol, origin, status) in [
        (Some("loquat.v1.json"), None, 101),
        (Some("other, loquat.v1.json"), None, 101),
        (Some("other"), None, 400),
        (None, None, 400),
        (Some("loquat.v1.json"), Some(own.as_str()), 101),
        (Some("loquat.v1.json"), Some("https://app.example"), 101),
        (Some("loquat.v1.json"), Some("https://evil.example"), 403),
        (Some("loquat.v1.json"), Some("null"), 403),
    ] {
        let mut request = request(&server);
        let headers = request.headers_mut();
        headers.remove("sec-websocket-protocol");
        if let Some(protocol) = protocol {
            headers.insert("sec-websocket-protocol", protocol.parse().unwrap());
        }
        if let Some(origin) = origin {
            headers.insert("origin", origin.parse().unwrap());
        }
        let got = match Socket::open_with(&server, request).await {
            Ok(_) => 101,
            Err(Error::Http(response)) => {
                assert_eq!(response.headers()["content-type"], "application/problem+json");
                response.status().as_u16()
            }
            Err(error) => panic!("{error}"),
        };
        assert_eq!(got, status, "{protocol:?} {origin:?}");
    }
    assert_eq!(server.client().get("/v1/ws").await.refused(400), "invalid");
}

#[tokio::test]
async fn a_message_is_acknowledged_delivered_and_read() {
    let server = Server::start().await;
    let (ada, bob) = (server.sign_up("ada").await, server.sign_up("bob").await);
    let create = json!({"kind": "direct", "members": [bob.id]});
    let id = ada.post("/v1/conversations", create).await.expect(201)["id"].as_str().unwrap().to_owned();
    let (mut from, mut to) = (ada.connect(&server).await, bob.connect(&server).await);

    to.tell(json!({"op": "typing", "conversation": id, "on": true})).await;
    let typing = from.push("typing").await;
    assert_eq!((&typing["user"], &typing["on"]), (&json!(bob.id), &json!(true)));

    let sent = from.ask(send(&id, "hello")).await.unwrap();
    let event = to.push("event").await["event"].clone();
    assert_eq!((&event["seq"], &event["body"]["text"]), (&sent["seq"], &json!("hello")));
    assert_eq!(event.get("nonce"), None, "the nonce is the sender's alone");

    to.tell(json!({"op": "ack", "conversation": id, "read": sent["seq"]})).await;
    let receipt = loop {
        let receipt = from.push("receipt").await;
        if receipt["items"][0]["user"] == bob.id.as_str() {
            break receipt;
        }
    };
    assert_eq!(receipt["items"][0]["read"], sent["seq"]);

    let target = sent["seq"].as_u64().unwrap();
    let change = |op: &str| json!({"op": op, "conversation": id, "nonce": nonce(), "target": target});
    let mut edit = change("edit");
    edit["text"] = "hello!".into();
    from.ask(edit).await.unwrap();
    assert_eq!(to.push("event").await["event"]["kind"], "edit");
    let mut react = change("react");
    (react["emoji"], react["on"]) = ("👍".into(), true.into());
    to.ask(react).await.unwrap();
    assert_eq!(from.push("event").await["event"]["kind"], "reaction");
    from.ask(change("delete")).await.unwrap();
    assert_eq!(to.push("event").await["event"]["kind"], "delete");

    let page = to.ask(json!({"op": "fetch", "conversation": id, "after": 0, "limit": 200})).await.unwrap();
    let seqs: Vec<_> =
        page["items"].as_array().unwrap().iter().map(|event| event["seq"].as_u64().unwrap()).collect();
    assert_eq!(seqs, (1..=page["head"].as_u64().unwrap()).collect::<Vec<_>>());
}

#[tokio::test]
async fn pipelined_sends_keep_their_order() {
    let server = Server::start().await;
    let (ada, bob) = (server.sign_up("ada").await, server.sign_up("bob").await);
    let id = ada.create_group(&[&bob]).await;
    let (mut from, mut to) = (ada.connect(&server).await, bob.connect(&server).await);
    let mut asked = Vec::new();
    for number in 0..300 {
        asked.push(from.tell(send(&id, &number.to_string())).await);
    }
    for number in 0..300 {
        assert_eq!(to.push("event").await["event"]["body"]["text"], number.to_string());
    }
    let mut before = 0;
    for id in asked {
        let seq = from.answer(id).await.unwrap()["seq"].as_u64().unwrap();
        assert!(seq > before);
        before = seq;
    }
}

#[tokio::test]
async fn a_replayed_send_answers_with_the_first_result() {
    let server = Server::start().await;
    let (ada, bob) = (server.sign_up("ada").await, server.sign_up("bob").await);
    let id = ada.create_group(&[&bob]).await;
    let mut socket = ada.connect(&server).await;
    let frame = send(&id, "once");
    let first = socket.ask(frame.clone()).await.unwrap();
    assert_eq!(socket.ask(frame).await.unwrap(), first);
}

#[tokio::test]
async fn bad_frames_are_answered_or_end_the_socket() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let mut socket = ada.connect(&server).await;
    for frame in [
        json!({"op": "juggle"}),
        json!({"op": "send"}),
        json!({"op": "send", "conversation": 71, "nonce": "a", "body": {"text": "x"}}),
        json!({"op": "send", "conversation": "71", "nonce": "a b", "body": {"text": "x"}}),
        json!({"op": "fetch", "conversation": "71", "limit": 0}),
        json!({"op": "fetch", "conversation": "71", "after": 1, "before": 2}),
        json!({"op": "hello", "token": ada.token}),
    ] {
        assert_eq!(socket.ask(frame.clone()).await.unwrap_err(), "invalid", "{frame}");
    }
    socket.send_text(r#"{"op":"send"}"#).await;
    assert_eq!(socket.push("error").await["error"]["code"], "invalid", "without an id, a push");
    let large = json!({"op": "send", "text": "x".repeat(70_000)});
    assert!(matches!(socket.ask(large).await.unwrap_err().as_str(), "too_large" | "invalid"));
    let whole = json!({"op": "ping", "filler": "x".repeat(70_000)});
    assert_eq!(socket.ask(whole).await.unwrap_err(), "too_large");
    assert_eq!(socket.ask(json!({"op": "ping"})).await.unwrap(), json!({}), "the socket is still there");

    for message in [
        Message::text("[1,2]"),
        Message::text("{"),
        Message::text("{}"),
        Message::binary(&b"{\"op\":\"ping\"}"[..]),
    ] {
        let mut socket = ada.connect(&server).await;
        socket.send(message.clone()).await;
        assert_eq!(socket.push("error").await["error"]["code"], "invalid", "{message:?}");
        assert_eq!(socket.closed().await, 4000, "{message:?}");
    }
}

#[tokio::test]
async fn a_frame_far_over_the_limit_or_not_masked_ends_the_socket() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    // The head of a masked text frame of 1 GiB, and of a text frame without a mask.
    for head in [&[0x81, 0xff, 0, 0, 0, 0, 0x40, 0, 0, 0, 1, 2, 3, 4][..], &[0x81, 0x02, b'{', b'}'][..]] {
        let mut socket = ada.connect(&server).await;
        socket.stream().get_mut().write_all(head).await.unwrap();
        assert_eq!(socket.closed().await, 4000);
    }
    assert!(server.metrics().await.contains("loquat_socket_closes_total{code=\"4000\"} 2\n"));
}

#[tokio::test]
async fn watching_shows_presence_and_replaces() {
    let server = Server::start().await;
    let (ada, bob, eve) =
        (server.sign_up("ada").await, server.sign_up("bob").await, server.sign_up("eve").await);
    ada.create_group(&[&bob, &eve]).await;
    let mut watcher = ada.connect(&server).await;
    let now = watcher.ask(json!({"op": "watch", "users": [bob.id, eve.id]})).await.unwrap();
    assert!(now["items"].as_array().unwrap().iter().all(|item| item["state"] == "offline"));
    let mut socket = bob.connect(&server).await;
    let push = watcher.push("presence").await;
    assert_eq!((&push["user"], &push["state"]), (&json!(bob.id), &json!("online")));
    socket.tell(json!({"op": "status", "state": "away"})).await;
    assert_eq!(watcher.push("presence").await["state"], "away");
    drop(socket);
    let gone = watcher.push("presence").await;
    assert_eq!(gone["state"], "offline");
    assert!(gone["last_seen"].as_i64().unwrap() > 0);
    for _ in 0..20 {
        watcher.tell(json!({"op": "watch", "users": [bob.id]})).await;
    }
    let last = watcher.tell(json!({"op": "watch", "users": [eve.id]})).await;
    // At most so many at a time: the newest may be one too many, and says so.
    let answer = watcher.answer(last).await;
    assert!(answer.is_ok() || answer.as_ref().unwrap_err() == "rate_limited", "{answer:?}");
}

#[tokio::test]
async fn revocation_closes_live_sockets_within_a_second() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let second = support::Person::log_in(&server, "ada").await;
    let mut socket = ada.connect(&server).await;
    let mut other = second.connect(&server).await;
    let started = Instant::now();
    second.delete(&format!("/v1/me/devices/{}", ada.device)).await.expect(204);
    assert_eq!(socket.closed().await, 4002);
    assert!(started.elapsed() < Duration::from_secs(1));
    other.ask(json!({"op": "ping"})).await.unwrap();
}

#[tokio::test]
async fn who_was_removed_is_sent_nothing_more() {
    let server = Server::start().await;
    let (ada, bob, eve) =
        (server.sign_up("ada").await, server.sign_up("bob").await, server.sign_up("eve").await);
    let id = ada.create_group(&[&bob, &eve]).await;
    let (mut from, mut removed) = (ada.connect(&server).await, eve.connect(&server).await);
    ada.delete(&format!("/v1/conversations/{id}/members/{}", eve.id)).await.expect(200);
    from.ask(send(&id, "after the removal")).await.unwrap();
    let seen = removed.pushes_until_now().await;
    assert!(seen.iter().all(|push| !push.to_string().contains("after the removal")), "{seen:?}");
    assert_eq!(removed.ask(send(&id, "still here?")).await.unwrap_err(), "not_found");
}

#[tokio::test]
async fn sockets_of_a_user_and_of_the_node_are_bounded() {
    let limits = Limits { sockets_per_user: 2, connections: 3, ..unlimited() };
    let server = Server::start_with(Settings { limits, ..Settings::default() }).await;
    let (ada, bob) = (server.sign_up("ada").await, server.sign_up("bob").await);
    let held = [ada.connect(&server).await, ada.connect(&server).await];
    let mut third = Socket::open(&server).await;
    assert_eq!(third.ask(json!({"op": "hello", "token": ada.token})).await.unwrap_err(), "rate_limited");
    assert_eq!(third.closed().await, 4008);
    drop(third);
    while !server.metrics().await.contains("loquat_sockets 2\n") {
        tokio::task::yield_now().await;
    }
    let last = bob.connect(&server).await;
    let Err(Error::Http(refused)) = Socket::open_with(&server, request(&server)).await else {
        panic!("one too many")
    };
    assert_eq!(refused.status(), 503);
    drop((held, last));
}

#[tokio::test]
async fn a_flood_is_refused_and_then_closed() {
    let limits = Limits { requests_per_second: 1, requests_burst: 10, ..unlimited() };
    let server = Server::start_with(Settings { limits, ..Settings::default() }).await;
    let ada = server.sign_up("ada").await;
    let mut socket = ada.connect(&server).await;
    for _ in 0..400 {
        // The server may close while this is still written.
        let ping = Message::text(r#"{"op":"ping","id":1}"#);
        if futures_util::SinkExt::send(socket.stream(), ping).await.is_err() {
            break;
        }
    }
    let mut refused = 0;
    let code = loop {
        match socket.next().await {
            Received::Frame(frame) if frame["error"]["code"] == "rate_limited" => refused += 1,
            Received::Frame(_) => {}
            Received::Closed(code) => break code,
            Received::Lost => panic!("lost"),
        }
    };
    assert_eq!(code, 4008);
    assert_eq!(refused, 200);
}

/// Time is stopped and jumps from timer to timer while nothing else happens: minutes pass in no time.
#[tokio::test]
async fn silence_ends_a_socket_and_pongs_keep_it() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let mut silent = ada.connect(&server).await;
    let mut listening = ada.connect(&server).await;
    let listener = tokio::spawn(async move {
        let mut ticks = 0;
        while ticks < 4 {
            // Reading answers pings.
            if let Received::Frame(frame) = listening.next().await {
                ticks += u32::from(frame["op"] == "tick");
            }
        }
        listening.ask(json!({"op": "ping"})).await
    });
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
    assert_eq!(code, 4004);
    assert_eq!(listener.await.unwrap().unwrap(), json!({}));
    tokio::time::resume();
}

#[tokio::test]
async fn a_stopping_server_sends_its_sockets_away() {
    let gateway = GatewayConfig { drain_spread_ms: 500, ..GatewayConfig::default() };
    let server = Server::start_with(Settings { gateway, ..Settings::default() }).await;
    let ada = server.sign_up("ada").await;
    let mut socket = ada.connect(&server).await;
    let address = server.address;
    let stopping = tokio::spawn(server.stop());
    let drain = socket.push("drain").await;
    assert!(drain["retry_after_ms"].as_u64().unwrap() < 500);
    assert_eq!(socket.closed().await, 4009);
    drop(socket);
    assert_eq!(stopping.await.unwrap(), Stopped::Drained);
    assert!(tokio::net::TcpStream::connect(address).await.is_err(), "nobody listens any more");
}
