//! PROTOCOL: "Limits", each set low and met.

use loquat_proto::Limits;
use serde_json::{Value, json};

use crate::Stage;
use crate::support::{PASSWORD, Person, Server, Settings, Socket, nonce, request, unlimited};

async fn server(limits: Limits) -> Server {
    Server::start_with(Settings { limits, ..Settings::default() }).await
}

#[test]
fn limits_have_their_defaults() {
    let limits = serde_json::to_value(Limits::default()).unwrap();
    for (key, default) in [
        ("text_bytes", 16_384),
        ("frame_bytes", 65_536),
        ("title_chars", 128),
        ("group_members", 100),
        ("sends_per_second", 20),
        ("sends_burst", 60),
        ("signups_per_hour", 5),
        ("logins_per_minute", 10),
        ("requests_per_second", 50),
        ("requests_burst", 200),
        ("devices_per_user", 20),
        ("sockets_per_user", 10),
        ("watched_users", 500),
        ("connections", 15_000),
        ("channel_members", 0),
    ] {
        assert_eq!(limits[key], default, "{key}");
    }
}

#[tokio::test]
async fn limits_text_bytes() {
    let stage = Stage::on(server(Limits { text_bytes: 10, ..unlimited() }).await).await;
    let send = async |text: &str| {
        stage.ada.post(&stage.path("/messages"), json!({"nonce": nonce(), "text": text})).await
    };
    send("ten bytes!").await.expect(201);
    assert_eq!(send("ten bytes!!").await.refused(413), "too_large");
    assert_eq!(send("ööööö!").await.refused(413), "too_large", "bytes, not characters");
}

#[tokio::test]
async fn limits_frame_bytes() {
    let stage = Stage::on(server(Limits { frame_bytes: 1_000, ..unlimited() }).await).await;
    let mut socket = stage.ada.connect(&stage.server).await;
    let large = json!({"op": "ping", "filler": "x".repeat(1_000)});
    assert_eq!(socket.ask(large).await.unwrap_err(), "too_large");
    let body = json!({"bio": "x".repeat(1_000)});
    assert_eq!(stage.ada.patch("/v1/me", body).await.refused(413), "too_large");
}

#[tokio::test]
async fn limits_title_chars() {
    let stage = Stage::on(server(Limits { title_chars: 7, ..unlimited() }).await).await;
    let rename = async |title: &str| stage.ada.patch(&stage.path(""), json!({"title": title})).await;
    rename("öööööö!").await.expect(200);
    assert_eq!(rename("Orchards").await.refused(413), "too_large");
}

#[tokio::test]
async fn limits_group_members() {
    let stage = Stage::on(server(Limits { group_members: 3, ..unlimited() }).await).await;
    let (eve, dan) = (stage.server.sign_up("eve").await, stage.server.sign_up("dan").await);
    let add = async |users: Value| stage.ada.post(&stage.path("/members"), json!({"users": users})).await;
    assert_eq!(add(json!([eve.id, dan.id])).await.refused(409), "group_full", "all or none");
    add(json!([eve.id])).await.expect(200);
    let create = json!({"kind": "group", "members": [stage.bob.id, eve.id, dan.id]});
    assert_eq!(stage.ada.post("/v1/conversations", create).await.refused(409), "group_full");
}

#[tokio::test]
async fn limits_channel_members() {
    let server = server(Limits { channel_members: 2, ..unlimited() }).await;
    let (ada, bob) = (server.sign_up("ada").await, server.sign_up("bob").await);
    let channel = ada.create("channel", &[]).await;
    let members = format!("/v1/conversations/{channel}/members");
    ada.post(&members, json!({"users": [bob.id]})).await.expect(200);
    let eve = server.sign_up("eve").await;
    assert_eq!(ada.post(&members, json!({"users": [eve.id]})).await.refused(409), "group_full");
}

#[tokio::test]
async fn limits_invites() {
    let stage = Stage::on(server(Limits { invites: 2, ..unlimited() }).await).await;
    for _ in 0..2 {
        stage.ada.post(&stage.path("/invites"), json!({})).await.expect(201);
    }
    assert_eq!(stage.ada.post(&stage.path("/invites"), json!({})).await.refused(413), "too_large");
}

/// So many at once by socket and REST together; the rest is refused with the time to wait.
async fn sends_of(limits: Limits) -> (usize, u64) {
    let stage = Stage::on(server(limits).await).await;
    let mut socket = stage.ada.connect(&stage.server).await;
    let mut sent = 0;
    loop {
        let frame = stage.frame("send", json!({"body": {"text": "x"}}));
        match socket.ask(frame).await {
            Ok(_) => sent += 1,
            Err(code) => break assert_eq!(code, "rate_limited"),
        }
    }
    let refused = stage.ada.post(&stage.path("/messages"), json!({"nonce": nonce(), "text": "x"})).await;
    assert_eq!(refused.refused(429), "rate_limited");
    (sent, refused.body["retry_after_ms"].as_u64().unwrap())
}

#[tokio::test]
async fn limits_sends_burst() {
    let (sent, _) = sends_of(Limits { sends_per_second: 1, sends_burst: 5, ..unlimited() }).await;
    assert!((5..10).contains(&sent), "{sent}");
}

#[tokio::test]
async fn limits_sends_per_second() {
    let (_, retry_after_ms) = sends_of(Limits { sends_per_second: 1, sends_burst: 3, ..unlimited() }).await;
    assert!((1..=1_000).contains(&retry_after_ms), "one a second: {retry_after_ms}");
}

async fn requests_of(limits: Limits) -> (usize, u64) {
    let server = server(limits).await;
    let ada = server.sign_up("ada").await;
    let mut done = 0;
    loop {
        let answer = ada.get("/v1/me").await;
        match answer.status {
            200 => done += 1,
            _ => return (done, answer.body["retry_after_ms"].as_u64().unwrap()),
        }
    }
}

#[tokio::test]
async fn limits_requests_burst() {
    let (done, _) = requests_of(Limits { requests_per_second: 1, requests_burst: 7, ..unlimited() }).await;
    assert!((7..12).contains(&done), "{done}");
}

#[tokio::test]
async fn limits_requests_per_second() {
    let (_, wait) = requests_of(Limits { requests_per_second: 1, requests_burst: 2, ..unlimited() }).await;
    assert!((1..=1_000).contains(&wait), "one a second: {wait}");
}

#[tokio::test]
async fn limits_signups_per_hour() {
    let server = server(Limits { signups_per_hour: 1, ..unlimited() }).await;
    server.sign_up("ada").await;
    let another = json!({"username": "bob", "password": PASSWORD});
    let refused = server.client().post("/v1/auth/signup", another.clone()).await;
    assert_eq!(refused.refused(429), "rate_limited");
    server.clock.advance(3_600_000);
    server.client().post("/v1/auth/signup", another).await.expect(201);
}

#[tokio::test]
async fn limits_logins_per_minute() {
    let server = server(Limits { logins_per_minute: 2, ..unlimited() }).await;
    server.sign_up("ada").await;
    let log_in = json!({"login": "ada", "password": PASSWORD});
    for _ in 0..2 {
        server.client().post("/v1/auth/login", log_in.clone()).await.expect(200);
    }
    assert_eq!(server.client().post("/v1/auth/login", log_in.clone()).await.refused(429), "rate_limited");
    server.clock.advance(60_000);
    server.client().post("/v1/auth/login", log_in).await.expect(200);
}

#[tokio::test]
async fn limits_devices_per_user() {
    let server = server(Limits { devices_per_user: 2, ..unlimited() }).await;
    let first = server.sign_up("ada").await;
    Person::log_in(&server, "ada").await;
    let third = json!({"login": "ada", "password": PASSWORD});
    let answer = server.client().post("/v1/auth/login", third).await;
    let devices = first.get("/v1/me/devices").await;
    // Whichever way a full list is kept: never more than so many.
    match answer.status {
        200 => assert_eq!(devices.refused(401), "unauthorized", "the longest unused one made room"),
        _ => assert_eq!(devices.expect(200)["items"].as_array().unwrap().len(), 2),
    }
}

#[tokio::test]
async fn limits_sockets_per_user() {
    let server = server(Limits { sockets_per_user: 1, ..unlimited() }).await;
    let ada = server.sign_up("ada").await;
    let _held = ada.connect(&server).await;
    let mut second = Socket::open(&server).await;
    assert_eq!(second.ask(json!({"op": "hello", "token": ada.token})).await.unwrap_err(), "rate_limited");
    assert_eq!(second.closed().await, 4008);
}

#[tokio::test]
async fn limits_watched_users() {
    let stage = Stage::on(server(Limits { watched_users: 1, ..unlimited() }).await).await;
    let mut socket = stage.ada.connect(&stage.server).await;
    let watch = |users: Value| json!({"op": "watch", "users": users});
    socket.ask(watch(json!([stage.bob.id]))).await.unwrap();
    let refused = socket.ask(watch(json!([stage.bob.id, stage.ada.id]))).await.unwrap_err();
    assert_eq!(refused, "too_large");
}

#[tokio::test]
async fn limits_connections() {
    let server = server(Limits { connections: 1, ..unlimited() }).await;
    let ada = server.sign_up("ada").await;
    let _held = ada.connect(&server).await;
    assert!(Socket::open_with(&server, request(&server)).await.is_err(), "one socket for the whole node");
}

/// Three people, and how often the first one is refused who asks the others to be contacts.
async fn asks(limits: Limits) -> Vec<u16> {
    let server = server(limits).await;
    let ada = server.sign_up("ada").await;
    let mut answers = Vec::new();
    for name in ["bob", "eve"] {
        let other = server.sign_up(name).await;
        answers.push(ada.post("/v1/contacts/requests", json!({"user": other.id})).await.status);
    }
    answers
}

#[tokio::test]
async fn limits_contact_requests() {
    assert_eq!(asks(Limits { contact_requests: 1, ..unlimited() }).await, [201, 409]);
}

#[tokio::test]
async fn limits_contact_requests_per_hour() {
    assert_eq!(asks(Limits { contact_requests_per_hour: 1, ..unlimited() }).await, [201, 429]);
}

#[tokio::test]
async fn limits_contact_requests_received() {
    let server = server(Limits { contact_requests_received: 1, ..unlimited() }).await;
    let ada = server.sign_up("ada").await;
    for (name, status) in [("bob", 201), ("eve", 409)] {
        let other = server.sign_up(name).await;
        let answer = other.post("/v1/contacts/requests", json!({"user": ada.id})).await;
        assert_eq!(answer.status, status, "{name}: {}", answer.body);
    }
}

#[tokio::test]
async fn limits_contacts() {
    let server = server(Limits { contacts: 1, ..unlimited() }).await;
    let ada = server.sign_up("ada").await;
    for (name, status) in [("bob", 200), ("eve", 409)] {
        let other = server.sign_up(name).await;
        other.post("/v1/contacts/requests", json!({"user": ada.id})).await;
        let accept = format!("/v1/contacts/requests/{}/accept", other.id);
        assert_eq!(ada.post(&accept, Value::Null).await.status, status, "{name}");
    }
}

#[tokio::test]
async fn limits_blocks() {
    let server = server(Limits { blocks: 1, ..unlimited() }).await;
    let (ada, bob, eve) =
        (server.sign_up("ada").await, server.sign_up("bob").await, server.sign_up("eve").await);
    ada.put(&format!("/v1/blocks/{}", bob.id)).await.expect(204);
    assert_eq!(ada.put(&format!("/v1/blocks/{}", eve.id)).await.refused(409), "conflict");
}
