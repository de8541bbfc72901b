//! Retention and erasure over the wire, named after the rows of the protocol; and the export.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use serde_json::{Value, json};
use support::{Person, Server, Socket, nonce};

async fn group(owner: &Person, other: &Person, retention: Value) -> String {
    let body = json!({"kind": "group", "title": "Harvest", "members": [other.id], "retention": retention});
    let conversation = owner.post("/v1/conversations", body).await.expect(201);
    assert_eq!(conversation["retention"], retention);
    conversation["id"].as_str().unwrap().to_owned()
}

/// Lets time pass and the workers do what is due; the erasure that the socket is told of.
async fn erased(server: &Server, socket: &mut Socket, milliseconds: i64) -> (u64, u64) {
    server.clock.advance(milliseconds);
    server.app.workers().work_off().await.unwrap();
    let push = socket.push("erased").await;
    (push["erased_to"].as_u64().unwrap(), push["expired_to"].as_u64().unwrap())
}

async fn message(person: &Person, conversation: &str, seq: u64) -> Value {
    person.get(&format!("/v1/conversations/{conversation}/messages/{seq}")).await.expect(200)
}

#[tokio::test]
async fn retention_ttl_counts_seconds_from_ts() {
    let server = Server::start().await;
    let (ada, bob) = (server.sign_up("ada").await, server.sign_up("bob").await);
    let conversation = group(&ada, &bob, json!({"mode": "ttl", "seconds": 400})).await;
    let mut socket = bob.connect(&server).await;
    let early = ada.say(&conversation, "early").await;
    server.clock.advance(200_000);
    let late = ada.say(&conversation, "late").await;
    assert_eq!(message(&bob, &conversation, early).await["text"], "early");
    assert_eq!(erased(&server, &mut socket, 200_000).await, (early, early));
    let gone = message(&bob, &conversation, early).await;
    assert_eq!(
        (&gone["text"], &gone["deleted"], &gone["sender"]),
        (&Value::Null, &json!(true), &json!(ada.id))
    );
    assert_eq!(message(&bob, &conversation, late).await["text"], "late");
    assert_eq!(erased(&server, &mut socket, 200_000).await, (late, late));
    let view = bob.get(&format!("/v1/conversations/{conversation}")).await.expect(200);
    assert_eq!((&view["expired_to"], &view["last_message"]["text"]), (&json!(late), &Value::Null));
    assert_eq!(view["me"]["unread"], 2, "what is gone was still said");
}

#[tokio::test]
async fn retention_until_delivered_waits_for_every_active_device() {
    let server = Server::start().await;
    let (ada, bob) = (server.sign_up("ada").await, server.sign_up("bob").await);
    let conversation = group(&ada, &bob, json!({"mode": "until_delivered"})).await;
    let phone = Person::log_in(&server, "bob").await;
    let mut socket = bob.connect(&server).await;
    let mut sender = ada.connect(&server).await;
    let body = json!({"text": "hello"});
    let frame = json!({"op": "send", "conversation": conversation, "nonce": nonce(), "body": body});
    let seq = sender.ask(frame).await.unwrap()["seq"].as_u64().unwrap();
    let receipts = format!("/v1/conversations/{conversation}/receipts");
    bob.post(&receipts, json!({"delivered": seq})).await.expect(200);
    server.app.workers().work_off().await.unwrap();
    assert_eq!(message(&ada, &conversation, seq).await["text"], "hello", "the phone does not have it");
    phone.post(&receipts, json!({"delivered": seq})).await.expect(200);
    assert_eq!(erased(&server, &mut socket, 0).await, (seq, 0), "devices keep what they have");
    assert_eq!(message(&ada, &conversation, seq).await["text"], Value::Null);
}

#[tokio::test]
async fn retention_until_delivered_ends_after_thirty_days() {
    let server = Server::start().await;
    let (ada, bob) = (server.sign_up("ada").await, server.sign_up("bob").await);
    let conversation = group(&ada, &bob, json!({"mode": "until_delivered"})).await;
    let seq = ada.say(&conversation, "hello").await;
    server.app.workers().work_off().await.unwrap();
    assert_eq!(message(&ada, &conversation, seq).await["text"], "hello");
    server.clock.advance(30 * 86_400_000);
    // Tokens do not live as long.
    let (ada, bob) = (Person::log_in(&server, "ada").await, Person::log_in(&server, "bob").await);
    let mut socket = bob.connect(&server).await;
    assert_eq!(erased(&server, &mut socket, 0).await, (seq, 0));
    assert_eq!(message(&ada, &conversation, seq).await["text"], Value::Null);
}

#[tokio::test]
async fn retention_is_set_at_creation_and_by_patch() {
    let server = Server::start().await;
    let (ada, bob) = (server.sign_up("ada").await, server.sign_up("bob").await);
    let conversation = group(&ada, &bob, json!({"mode": "keep"})).await;
    let path = format!("/v1/conversations/{conversation}");
    let seq = ada.say(&conversation, "hello").await;
    let mut socket = bob.connect(&server).await;
    server.clock.advance(10_000);
    let wanted = json!({"retention": {"mode": "ttl", "seconds": 5}, "nonce": nonce()});
    assert_eq!(bob.patch(&path, wanted.clone()).await.refused(403), "forbidden");
    ada.patch(&path, wanted).await.expect(200);
    assert_eq!(erased(&server, &mut socket, 0).await, (seq, seq), "what was said before counts, too");
    let changed = socket.pushes_until_now().await;
    assert!(changed.iter().all(|push| push["op"] != "event" || push["event"]["kind"] != "delete"));
    for (retention, status) in [
        (json!({"mode": "ttl", "seconds": 0}), 400),
        (json!({"mode": "ttl", "seconds": 315_360_001}), 400),
        (json!({"mode": "ttl"}), 400),
        (json!({"mode": "sometimes"}), 400),
        (json!({"mode": "until_delivered"}), 200),
        (json!({"mode": "keep"}), 200),
    ] {
        let answer = ada.patch(&path, json!({"retention": retention, "nonce": nonce()})).await;
        assert_eq!(answer.status, status, "{retention}");
    }
}

#[tokio::test]
async fn erasure_nulls_every_copy_and_keeps_the_skeleton() {
    let server = Server::start().await;
    let (ada, bob) = (server.sign_up("ada").await, server.sign_up("bob").await);
    let conversation = group(&ada, &bob, json!({"mode": "ttl", "seconds": 60})).await;
    let path = format!("/v1/conversations/{conversation}");
    let sent = json!({"nonce": "once", "text": "secret @bob", "mentions": [bob.id]});
    let seq = ada.post(&format!("{path}/messages"), sent.clone()).await.expect(201)["seq"].as_u64().unwrap();
    let reply = json!({"nonce": nonce(), "text": "quoting", "reply_to": seq});
    server.clock.advance(30_000);
    bob.post(&format!("{path}/messages"), reply).await.expect(201);
    ada.patch(&format!("{path}/messages/{seq}"), json!({"nonce": nonce(), "text": "secret, edited"}))
        .await
        .expect(200);
    bob.put(&format!("{path}/messages/{seq}/reactions/%F0%9F%91%8D")).await.expect(200);
    ada.put(&format!("{path}/pins/{seq}")).await.expect(200);
    assert_eq!(bob.get(&path).await.expect(200)["me"]["mentions"], 1);
    let before = bob.get(&format!("{path}/events?after=0&limit=200")).await.expect(200);
    let mut socket = bob.connect(&server).await;
    assert_eq!(erased(&server, &mut socket, 30_000).await, (seq, seq));

    let after = bob.get(&format!("{path}/events?after=0&limit=200")).await.expect(200);
    assert!(!after.to_string().contains("secret"), "{after}");
    let pairs = before["items"].as_array().unwrap().iter().zip(after["items"].as_array().unwrap());
    for (before, after) in pairs {
        for field in ["seq", "ts", "sender", "device", "kind"] {
            assert_eq!(before[field], after[field]);
        }
        let kind = before["kind"].as_str().unwrap();
        let gone = before["seq"] == seq || kind == "edit" || kind == "reaction";
        assert_eq!(after["body"].is_null(), gone, "{before}");
    }
    let gone = message(&bob, &conversation, seq).await;
    assert_eq!(
        (&gone["pinned"], &gone["reactions"], &gone["mentions"]),
        (&json!(false), &json!([]), &json!([]))
    );
    assert_eq!(gone["edited_at"], Value::Null);
    assert_eq!(bob.get(&path).await.expect(200)["me"]["mentions"], 0);
    let again = ada.post(&format!("{path}/messages"), sent).await.expect(201);
    assert_eq!(again["seq"], seq, "the nonce is known as long as the conversation lives");
}

#[tokio::test]
async fn erasure_editing_reacting_and_pinning_is_a_conflict() {
    let server = Server::start().await;
    let (ada, bob) = (server.sign_up("ada").await, server.sign_up("bob").await);
    let conversation = group(&ada, &bob, json!({"mode": "ttl", "seconds": 60})).await;
    let seq = ada.say(&conversation, "hello").await;
    let mut socket = ada.connect(&server).await;
    erased(&server, &mut socket, 60_000).await;
    let path = format!("/v1/conversations/{conversation}");
    let edit = json!({"nonce": nonce(), "text": "again"});
    assert_eq!(ada.patch(&format!("{path}/messages/{seq}"), edit).await.refused(409), "conflict");
    assert_eq!(ada.put(&format!("{path}/messages/{seq}/reactions/x")).await.refused(409), "conflict");
    assert_eq!(ada.put(&format!("{path}/pins/{seq}")).await.refused(409), "conflict");
    for frame in [
        json!({"op": "edit", "conversation": conversation, "nonce": nonce(), "target": seq, "text": "again"}),
        json!({"op": "react", "conversation": conversation, "nonce": nonce(), "target": seq, "emoji": "x", "on": true}),
        json!({"op": "pin", "conversation": conversation, "nonce": nonce(), "target": seq, "on": true}),
    ] {
        assert_eq!(socket.ask(frame).await, Err("conflict".to_owned()));
    }
}

#[tokio::test]
async fn erasure_is_in_ready_and_sync_for_who_was_away() {
    let server = Server::start().await;
    let (ada, bob) = (server.sign_up("ada").await, server.sign_up("bob").await);
    let conversation = group(&ada, &bob, json!({"mode": "ttl", "seconds": 60})).await;
    let seq = ada.say(&conversation, "hello").await;
    let since = bob.get("/v1/sync?timeout=0").await.expect(200)["since"].as_str().unwrap().to_owned();
    let mut socket = ada.connect(&server).await;
    erased(&server, &mut socket, 60_000).await;
    let mut away = Socket::open(&server).await;
    let hello = json!({"op": "hello", "token": bob.token, "since": since});
    let ready = away.ask(hello).await.unwrap();
    let polled = bob.get(&format!("/v1/sync?timeout=0&since={since}")).await.expect(200);
    for told in [&ready["changed"], &polled["changed"]] {
        assert_eq!((&told[0]["id"], &told[0]["expired_to"]), (&json!(conversation), &json!(seq)));
    }
}

#[tokio::test]
async fn an_export_has_everything_of_the_caller_and_nothing_of_others() {
    let server = Server::start().await;
    let (ada, bob, eve) =
        (server.sign_up("ada").await, server.sign_up("bob").await, server.sign_up("eve").await);
    let conversation = group(&ada, &bob, json!({"mode": "keep"})).await;
    for number in 0..250 {
        ada.say(&conversation, &format!("to bob {number}")).await;
    }
    let other = group(&bob, &eve, json!({"mode": "keep"})).await;
    bob.say(&other, "not for ada").await;
    let preferences = json!({"draft": "half a thought", "pinned": true});
    ada.patch(&format!("/v1/conversations/{conversation}/preferences"), preferences).await.expect(200);

    let request = hyper::Request::get("/v1/me/export")
        .header("host", server.address.to_string())
        .header("authorization", format!("Bearer {}", ada.token))
        .body(axum::body::Body::empty())
        .unwrap();
    let stream = tokio::net::TcpStream::connect(server.address).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(hyper_util::rt::TokioIo::new(stream)).await.unwrap();
    let connection = tokio::spawn(connection);
    let response = sender.send_request(request).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "application/x-tar");
    assert_eq!(response.headers()["content-disposition"], "attachment; filename=\"loquat-export-ada.tar\"");
    assert_eq!(response.headers()["cache-control"], "no-store");
    let archive = axum::body::to_bytes(axum::body::Body::new(response.into_body()), 16 << 20).await.unwrap();
    connection.abort();

    let verified = loquat_domain::export::verify(&archive[..]).unwrap();
    assert_eq!(verified.manifest.user.id.to_string(), ada.id);
    let records: Vec<_> = verified.records.iter().map(|(name, count)| (name.as_str(), *count)).collect();
    let (events, devices) = (records[0].1, 1);
    assert_eq!(
        records[1..],
        [("conversations", 1), ("devices", devices), ("members", 2), ("messages", 250), ("profile.json", 1),]
    );
    assert!(records[0].0 == "account_events" && events >= 2);
    let text = String::from_utf8_lossy(&archive);
    for (part, there) in [
        ("to bob 249", true),
        ("half a thought", true),
        (ada.id.as_str(), true),
        ("not for ada", false),
        (eve.id.as_str(), false),
        (ada.token.as_str(), false),
        ("argon2", false),
    ] {
        assert_eq!(text.contains(part), there, "{part}");
    }
    let mut tampered = archive.to_vec();
    let place = tampered.windows(9).position(|part| part == b"to bob 17").unwrap();
    tampered[place] ^= 1;
    let error = loquat_domain::export::verify(&tampered[..]).unwrap_err();
    assert_eq!(error.to_string(), "messages/000001.jsonl was changed");
}
