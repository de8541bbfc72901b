//! PROTOCOL: "Conventions", the error codes, each by the shortest way to it.

use loquat_proto::Limits;
use serde_json::{Value, json};

use crate::Stage;
use crate::support::{PASSWORD, Server, Settings, nonce, unlimited};

#[tokio::test]
async fn code_unauthorized() {
    let server = Server::start().await;
    let answer = server.client().get("/v1/me").await;
    assert_eq!(answer.refused(401), "unauthorized");
    for field in ["type", "title", "status", "detail", "code"] {
        assert!(answer.body.get(field).is_some(), "{field} in {}", answer.body);
    }
}

#[tokio::test]
async fn code_token_expired() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    server.clock.advance(901_000);
    assert_eq!(ada.get("/v1/me").await.refused(401), "token_expired");
}

#[tokio::test]
async fn code_forbidden() {
    let stage = Stage::set().await;
    assert_eq!(stage.bob.delete(&stage.path("")).await.refused(403), "forbidden");
}

#[tokio::test]
async fn code_not_found() {
    let stage = Stage::set().await;
    let eve = stage.server.sign_up("eve").await;
    let (hidden, absent) = (eve.get(&stage.path("")).await, eve.get("/v1/conversations/77").await);
    assert_eq!((hidden.refused(404), absent.refused(404)), ("not_found", "not_found"));
    assert_eq!(hidden.body["detail"], absent.body["detail"]);
}

#[tokio::test]
async fn code_not_member() {
    let stage = Stage::set().await;
    let eve = stage.server.sign_up("eve").await;
    let path = stage.path(&format!("/members/{}", eve.id));
    assert_eq!(stage.ada.patch(&path, json!({"role": "admin"})).await.refused(409), "not_member");
}

#[tokio::test]
async fn code_invalid() {
    let stage = Stage::set().await;
    let answer = stage.ada.post("/v1/conversations", json!({"kind": "direct", "members": []})).await;
    assert_eq!(answer.refused(400), "invalid");
}

#[tokio::test]
async fn code_too_large() {
    let stage = Stage::set().await;
    let body = json!({"nonce": nonce(), "text": "x".repeat(16_385)});
    assert_eq!(stage.ada.post(&stage.path("/messages"), body).await.refused(413), "too_large");
}

#[tokio::test]
async fn code_conflict() {
    let stage = Stage::set().await;
    let again = json!({"username": "ada", "password": PASSWORD});
    assert_eq!(stage.server.client().post("/v1/auth/signup", again).await.refused(409), "conflict");
}

#[tokio::test]
async fn code_group_full() {
    let limits = Limits { group_members: 2, ..unlimited() };
    let stage = Stage::on(Server::start_with(Settings { limits, ..Settings::default() }).await).await;
    let eve = stage.server.sign_up("eve").await;
    let add = json!({"users": [eve.id]});
    assert_eq!(stage.ada.post(&stage.path("/members"), add).await.refused(409), "group_full");
}

#[tokio::test]
async fn code_blocked() {
    let stage = Stage::set().await;
    stage.bob.put(&format!("/v1/blocks/{}", stage.ada.id)).await.expect(204);
    for kind in ["direct", "group", "channel"] {
        let create = json!({"kind": kind, "members": [stage.bob.id]});
        assert_eq!(stage.ada.post("/v1/conversations", create).await.refused(403), "blocked", "{kind}");
    }
    for kind in ["group", "channel"] {
        let id = stage.ada.create(kind, &[]).await;
        let add = json!({"users": [stage.bob.id]});
        let answer = stage.ada.post(&format!("/v1/conversations/{id}/members"), add).await;
        assert_eq!(answer.refused(403), "blocked", "{kind}");
    }
}

#[tokio::test]
async fn code_gone() {
    let stage = Stage::set().await;
    let invite = stage.ada.post(&stage.path("/invites"), json!({"expires_in": 1})).await.expect(201);
    stage.server.clock.advance(1_001);
    let eve = stage.server.sign_up("eve").await;
    let join = format!("/v1/invites/{}/join", invite["code"].as_str().unwrap());
    assert_eq!(eve.post(&join, Value::Null).await.refused(410), "gone");
}

#[tokio::test]
async fn code_rate_limited() {
    let limits = Limits { logins_per_minute: 1, ..unlimited() };
    let server = Server::start_with(Settings { limits, ..Settings::default() }).await;
    let log_in = json!({"login": "nobody", "password": PASSWORD});
    server.client().post("/v1/auth/login", log_in.clone()).await;
    let answer = server.client().post("/v1/auth/login", log_in).await;
    assert_eq!(answer.refused(429), "rate_limited");
    assert!(answer.body["retry_after_ms"].as_u64().unwrap() > 0);
    for header in ["retry-after", "ratelimit-limit", "ratelimit-remaining", "ratelimit-reset"] {
        assert!(answer.headers.contains_key(header), "{header}");
    }
}

#[tokio::test]
async fn code_unavailable() {
    let limits = Limits { connections: 1, ..unlimited() };
    let server = Server::start_with(Settings { limits, ..Settings::default() }).await;
    let ada = server.sign_up("ada").await;
    let _held = ada.connect(&server).await;
    let upgrade = server
        .client()
        .with_header("connection", "upgrade")
        .with_header("upgrade", "websocket")
        .with_header("sec-websocket-version", "13")
        .with_header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
        .with_header("sec-websocket-protocol", loquat_proto::SUBPROTOCOL);
    let answer = upgrade.get("/v1/ws").await;
    assert_eq!(answer.refused(503), "unavailable");
    assert!(answer.body["retry_after_ms"].as_u64().unwrap() > 0);
    assert!(answer.headers.contains_key("retry-after"));
}

/// The same codes in frames.
#[tokio::test]
async fn errors_of_frames_have_code_and_detail() {
    let stage = Stage::set().await;
    let mut socket = stage.bob.connect(&stage.server).await;
    for (frame, code) in [
        (stage.frame("pin", json!({"target": 1, "on": true})), "forbidden"),
        (json!({"op": "fetch", "conversation": "77", "after": 0, "limit": 1}), "not_found"),
        (stage.frame("send", json!({"body": {"text": "x".repeat(16_385)}})), "too_large"),
        (json!({"op": "juggle"}), "invalid"),
    ] {
        assert_eq!(socket.ask(frame.clone()).await.unwrap_err(), code, "{frame}");
    }
}
