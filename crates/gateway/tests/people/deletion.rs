//! PROTOCOL: `DELETE /v1/me`.

use hyper::Method;
use serde_json::{Value, json};

use crate::support::{PASSWORD, Person, Server, Socket, nonce};
use crate::tools::{people, send};

const DAY_MS: i64 = 86_400_000;

impl Person {
    pub async fn delete_account(&self, password: &str) -> crate::support::Answer {
        self.call(Method::DELETE, "/v1/me", Some(json!({"password": password}))).await
    }
}

#[tokio::test]
async fn delete_me() {
    let server = Server::start().await;
    let [ann, bob, carl] = people(&server).await;
    let (direct, group) = (ann.direct(&bob).await, ann.create_group(&[&bob, &carl]).await);
    for id in [&direct, &group] {
        let seq = ann.say(id, "the secret ingredient").await;
        ann.patch(&format!("/v1/conversations/{id}/messages/{seq}"), json!({"text": "still secret"}))
            .await
            .expect(200);
        bob.put(&format!("/v1/conversations/{id}/messages/{seq}/reactions/x")).await.expect(200);
        bob.say(id, "a reply").await;
    }
    ann.befriend(&bob).await;
    ann.ask(&carl).await;
    ann.block(&carl).await;
    assert_eq!(ann.delete_account("wrong password").await.refused(403), "forbidden");
    assert_eq!(ann.call(Method::DELETE, "/v1/me", Some(json!({}))).await.refused(400), "invalid");
    let (mut socket, mut watcher) = (ann.connect(&server).await, bob.connect(&server).await);
    watcher.ask(json!({"op": "watch", "users": [ann.id]})).await.unwrap();
    ann.delete_account(PASSWORD).await.expect(204);

    // Devices revoked, sockets closed.
    assert_eq!(socket.closed().await, 4002);
    assert_eq!(ann.get("/v1/me").await.refused(401), "unauthorized");
    // Content erased wherever it was copied; the skeleton stays, and what others wrote.
    for id in [&direct, &group] {
        let path = format!("/v1/conversations/{id}");
        let log = bob.get(&format!("{path}/events?after=0&limit=200")).await.expect(200);
        assert!(!log.to_string().contains("secret"), "{log}");
        let seqs: Vec<_> =
            log["items"].as_array().unwrap().iter().map(|event| event["seq"].as_u64().unwrap()).collect();
        assert_eq!(seqs, (1..=log["head"].as_u64().unwrap()).collect::<Vec<_>>());
        let messages = bob.get(&format!("{path}/messages")).await.expect(200)["items"].clone();
        assert_eq!((&messages[0]["deleted"], &messages[0]["text"]), (&json!(true), &Value::Null));
        assert_eq!((&messages[0]["reactions"], &messages[1]["text"]), (&json!([]), &json!("a reply")));
    }
    // Memberships left, the owner hands over.
    let view = bob.get(&format!("/v1/conversations/{group}")).await.expect(200);
    assert_eq!(view["member_count"], 2);
    assert!([json!(bob.id), json!(carl.id)].contains(&view["owner"]), "{}", view["owner"]);
    let last = view["head"].as_u64().unwrap();
    let log = bob.get(&format!("/v1/conversations/{group}/events?after={}", last - 1)).await.expect(200);
    assert_eq!(
        (&log["items"][0]["kind"], &log["items"][0]["body"]["change"]),
        (&json!("member"), &json!("left"))
    );
    // Shown as a deleted account.
    let gone = bob.get(&format!("/v1/users/{}", ann.id)).await.expect(200);
    assert_eq!(gone["deleted"], true);
    assert_eq!(
        (&gone["username"], &gone["display_name"], &gone["bio"]),
        (&json!(""), &json!(""), &json!(""))
    );
    let peer = &bob.get(&format!("/v1/conversations/{direct}")).await.expect(200)["peer"];
    assert_eq!(*peer, gone);
    assert_eq!(bob.get("/v1/users?q=ann").await.expect(200)["items"], json!([]));
    // Contacts, requests and blocks gone, and the others told.
    assert_eq!((bob.listed("/v1/contacts").await, carl.requests().await), (vec![], vec![]));
    let mut kinds = watcher.account_kinds().await;
    kinds.retain(|kind| kind.starts_with("contact"));
    assert_eq!(kinds, ["contact_removed"]);
    assert_eq!(bob.sees(&ann).await, ("offline".to_owned(), false));
}

#[tokio::test]
async fn nobody_reaches_a_deleted_account() {
    let server = Server::start().await;
    let [ann, bob, carl] = people(&server).await;
    let direct = ann.direct(&bob).await;
    let group = bob.create_group(&[]).await;
    let mut socket = bob.connect(&server).await;
    ann.delete_account(PASSWORD).await.expect(204);
    assert_eq!(socket.ask(send(&direct, "hello?")).await.unwrap_err(), "gone");
    let text = json!({"nonce": nonce(), "text": "hello?"});
    assert_eq!(bob.post(&format!("/v1/conversations/{direct}/messages"), text).await.refused(410), "gone");
    let user = json!({"user": ann.id});
    assert_eq!(carl.post("/v1/contacts/requests", user).await.refused(404), "not_found");
    assert_eq!(carl.put(&format!("/v1/blocks/{}", ann.id)).await.refused(404), "not_found");
    let open = json!({"kind": "direct", "members": [ann.id]});
    assert_eq!(carl.post("/v1/conversations", open).await.refused(404), "not_found");
    let add = json!({"users": [ann.id]});
    assert_eq!(bob.post(&format!("/v1/conversations/{group}/members"), add).await.refused(404), "not_found");
}

#[tokio::test]
async fn a_name_is_free_again_after_thirty_days() {
    let server = Server::start().await;
    let ann = server.sign_up("ann").await;
    ann.delete_account(PASSWORD).await.expect(204);
    let sign_up = json!({"username": "ann", "password": PASSWORD});
    let client = server.client();
    assert_eq!(client.post("/v1/auth/signup", sign_up.clone()).await.refused(409), "conflict");
    server.clock.advance(30 * DAY_MS - 60_000);
    assert_eq!(client.post("/v1/auth/signup", sign_up.clone()).await.refused(409), "conflict");
    server.clock.advance(60_001);
    let anew = client.post("/v1/auth/signup", sign_up).await.expect(201);
    assert_ne!(anew["user"]["id"], ann.id.as_str(), "another account, which has nothing of the first");
}

/// CVE-2023-32682: a deactivated account that logs in.
#[tokio::test]
async fn a_deleted_account_does_not_log_in() {
    let server = Server::start().await;
    let body =
        json!({"username": "ann", "password": PASSWORD, "email": "ann@example.org", "phone": "+15550100"});
    let keyed = server.client().with_header("idempotency-key", "once");
    let ann = Person::from_session(&server, &keyed.post("/v1/auth/signup", body.clone()).await.expect(201));
    let other = Person::log_in(&server, "ann").await;
    let ticket = ann.post("/v1/connect", Value::Null).await.expect(200)["ticket"].clone();
    ann.delete_account(PASSWORD).await.expect(204);
    for login in ["ann", "ann@example.org", "+15550100", ""] {
        for password in [PASSWORD, ""] {
            let log_in = json!({"login": login, "password": password});
            assert_eq!(server.client().post("/v1/auth/login", log_in).await.refused(401), "unauthorized");
        }
    }
    for person in [&ann, &other] {
        let refresh = json!({"refresh_token": person.refresh_token});
        assert_eq!(server.client().post("/v1/auth/refresh", refresh).await.refused(401), "unauthorized");
        assert_eq!(person.get("/v1/me").await.refused(401), "unauthorized");
        let change = json!({"current": PASSWORD, "new": "another password"});
        assert_eq!(person.post("/v1/auth/password", change).await.refused(401), "unauthorized");
        assert_eq!(person.delete_account(PASSWORD).await.refused(401), "unauthorized");
    }
    for hello in [json!({"op": "hello", "token": ann.token}), json!({"op": "hello", "ticket": ticket})] {
        let mut socket = Socket::open(&server).await;
        assert_eq!(socket.ask(hello).await.unwrap_err(), "unauthorized");
        assert_eq!(socket.closed().await, 4001);
    }
    // Nor does the repeated sign-up bring it back.
    assert_eq!(keyed.post("/v1/auth/signup", body).await.refused(409), "conflict");
}
