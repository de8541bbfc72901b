//! PROTOCOL: "Account event", each kind as the devices of its user hear it.

use hyper::Method;
use serde_json::{Value, json};

use crate::Stage;
use crate::support::{PASSWORD, Person, Socket};

/// The body of the next account event of this kind.
async fn told(socket: &mut Socket, kind: &str) -> Value {
    loop {
        let event = socket.push("account").await["event"].clone();
        if event["kind"] == kind {
            return event["body"].clone();
        }
    }
}

/// The stage, and another device of the second person that listens.
async fn listening() -> (Stage, Socket) {
    let stage = Stage::set().await;
    let phone = Person::log_in(&stage.server, "bob").await;
    let socket = phone.connect(&stage.server).await;
    (stage, socket)
}

#[tokio::test]
async fn account_event_conversation_joined() {
    let (stage, mut socket) = listening().await;
    let id = stage.ada.create_group(&[&stage.bob]).await;
    assert_eq!(told(&mut socket, "conversation_joined").await["conversation"], json!(id));
}

#[tokio::test]
async fn account_event_conversation_left() {
    let (stage, mut socket) = listening().await;
    stage.ada.delete(&stage.path(&format!("/members/{}", stage.bob.id))).await.expect(200);
    let body = told(&mut socket, "conversation_left").await;
    assert_eq!((&body["conversation"], &body["reason"]), (&json!(stage.group), &json!("removed")));
}

#[tokio::test]
async fn account_event_contact_request() {
    let (stage, mut socket) = listening().await;
    stage.ada.post("/v1/contacts/requests", json!({"user": stage.bob.id})).await.expect(201);
    let expected = json!({"user": stage.ada.id, "direction": "in"});
    assert_eq!(told(&mut socket, "contact_request").await, expected);
}

#[tokio::test]
async fn account_event_contact_added() {
    let (stage, mut socket) = listening().await;
    stage.ada.post("/v1/contacts/requests", json!({"user": stage.bob.id})).await.expect(201);
    let accept = format!("/v1/contacts/requests/{}/accept", stage.ada.id);
    stage.bob.post(&accept, Value::Null).await.expect(200);
    assert_eq!(told(&mut socket, "contact_added").await, json!({"user": stage.ada.id}));
}

#[tokio::test]
async fn account_event_contact_removed() {
    let (stage, mut socket) = listening().await;
    stage.ada.post("/v1/contacts/requests", json!({"user": stage.bob.id})).await.expect(201);
    stage.ada.delete(&format!("/v1/contacts/{}", stage.bob.id)).await.expect(204);
    assert_eq!(told(&mut socket, "contact_removed").await, json!({"user": stage.ada.id, "request": true}));
}

#[tokio::test]
async fn account_event_blocked() {
    let (stage, mut socket) = listening().await;
    stage.bob.put(&format!("/v1/blocks/{}", stage.ada.id)).await.expect(204);
    assert_eq!(told(&mut socket, "blocked").await, json!({"user": stage.ada.id}));
}

#[tokio::test]
async fn account_event_unblocked() {
    let (stage, mut socket) = listening().await;
    stage.bob.put(&format!("/v1/blocks/{}", stage.ada.id)).await.expect(204);
    stage.bob.delete(&format!("/v1/blocks/{}", stage.ada.id)).await.expect(204);
    assert_eq!(told(&mut socket, "unblocked").await, json!({"user": stage.ada.id}));
}

#[tokio::test]
async fn account_event_profile() {
    let (stage, mut socket) = listening().await;
    stage.bob.patch("/v1/me", json!({"bio": "grows figs"})).await.expect(200);
    assert_eq!(told(&mut socket, "profile").await["bio"], "grows figs");
}

#[tokio::test]
async fn account_event_settings() {
    let (stage, mut socket) = listening().await;
    let change = json!({"settings": {"theme": "dark"}, "privacy": {"read_receipts": false}});
    stage.bob.patch("/v1/me", change).await.expect(200);
    let body = told(&mut socket, "settings").await;
    assert_eq!(
        (&body["settings"]["theme"], &body["privacy"]["read_receipts"]),
        (&json!("dark"), &json!(false))
    );
}

#[tokio::test]
async fn account_event_device_added() {
    let (stage, mut socket) = listening().await;
    let tablet = Person::log_in(&stage.server, "bob").await;
    assert_eq!(told(&mut socket, "device_added").await["id"], json!(tablet.device));
}

#[tokio::test]
async fn account_event_device_removed() {
    let (stage, mut socket) = listening().await;
    stage.bob.post("/v1/auth/logout", Value::Null).await.expect(204);
    assert_eq!(told(&mut socket, "device_removed").await["device"], json!(stage.bob.device));
}

#[tokio::test]
async fn account_event_preferences() {
    let (stage, mut socket) = listening().await;
    stage.bob.patch(&stage.path("/preferences"), json!({"pinned": true, "draft": "half"})).await.expect(200);
    let expected = json!({"conversation": stage.group, "muted_until": null, "pinned": true, "archived": false, "draft": "half"});
    assert_eq!(told(&mut socket, "preferences").await, expected);
}

/// What one reads elsewhere comes as a `receipt`, and stands in `changed` for who was away. The account log does not
/// repeat it: it is bounded for who was away, and reading would fill it.
#[tokio::test]
async fn account_event_read() {
    let (stage, mut socket) = listening().await;
    let since = stage.bob.get("/v1/sync?timeout=0").await.expect(200)["since"].as_str().unwrap().to_owned();
    let seq = stage.ada.say(&stage.group, "hello").await;
    stage.bob.post(&stage.path("/receipts"), json!({"read": seq})).await.expect(200);
    let cursor = json!({"user": stage.bob.id, "delivered": seq, "read": seq});
    loop {
        if socket.push("receipt").await["items"].as_array().unwrap().contains(&cursor) {
            break;
        }
    }
    let missed = stage.bob.get(&format!("/v1/sync?timeout=0&since={since}")).await.expect(200);
    assert_eq!((&missed["changed"][0]["me"]["read"], &missed["account"]), (&json!(seq), &json!([])));
}

/// Who comes back finds in `ready` what was said to the account meanwhile.
#[tokio::test]
async fn account_events_wait_for_who_is_away() {
    let (stage, _) = listening().await;
    let since = stage.bob.get("/v1/sync?timeout=0").await.expect(200)["since"].clone();
    let eve = stage.server.sign_up("eve").await;
    eve.post("/v1/contacts/requests", json!({"user": stage.bob.id})).await.expect(201);
    let password = Some(json!({"password": PASSWORD}));
    eve.call(Method::DELETE, "/v1/me", password).await.expect(204);
    let mut socket = Socket::open(&stage.server).await;
    let hello = json!({"op": "hello", "token": stage.bob.token, "since": since});
    let ready = socket.ask(hello).await.unwrap();
    let kinds: Vec<_> =
        ready["account"].as_array().unwrap().iter().map(|event| event["kind"].clone()).collect();
    assert_eq!(kinds, ["contact_request", "contact_removed"]);
}
