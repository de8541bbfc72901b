//! Lessons that others paid for.

use serde_json::{Value, json};

use crate::support::{Person, Server, nonce};
use crate::tools::people;

/// CVE-2023-42453: forged receipts. A cursor is the caller's own, of a conversation that they are in, and says nothing of
/// what is not there.
#[tokio::test]
async fn receipts_cannot_be_forged() {
    let server = Server::start().await;
    let [ann, bob, carl, stranger] = people(&server).await;
    let id = ann.create_group(&[&bob, &carl]).await;
    let head = ann.say(&id, "hello").await;
    ann.delete(&format!("/v1/conversations/{id}/members/{}", carl.id)).await.expect(200);
    let receipts = format!("/v1/conversations/{id}/receipts");
    for outsider in [&stranger, &carl] {
        let answer = outsider.post(&receipts, json!({"read": head})).await;
        assert_eq!(answer.refused(404), "not_found");
        let mut socket = outsider.connect(&server).await;
        let ack = json!({"op": "ack", "conversation": id, "read": head});
        assert_eq!(socket.ask(ack).await.unwrap_err(), "not_found");
    }
    // In somebody else's name: the field is not one, the cursor is the caller's.
    let forged = json!({"user": ann.id, "delivered": head, "read": head});
    let cursor = bob.post(&receipts, forged).await.expect(200);
    assert_eq!(cursor["user"], bob.id.as_str());
    let mut socket = bob.connect(&server).await;
    let ahead = json!({"op": "ack", "conversation": id, "user": ann.id, "read": head + 1000});
    let cursor = socket.ask(ahead).await.unwrap();
    assert_eq!(cursor["user"], bob.id.as_str());
    assert!(cursor["read"].as_u64().unwrap() <= head + 1, "never past what is there: {cursor}");
    let view = bob.get(&format!("/v1/conversations/{id}")).await.expect(200);
    let users: Vec<_> =
        view["cursors"].as_array().unwrap().iter().map(|cursor| cursor["user"].clone()).collect();
    assert_eq!(users.len(), 2, "nobody but members has a cursor: {users:?}");
    let of_ann = view["cursors"].as_array().unwrap().iter().find(|cursor| cursor["user"] == ann.id.as_str());
    assert_eq!(of_ann.unwrap()["read"], 0, "nobody reads for another");
    for body in [json!({"read": -1}), json!({"read": "5"}), json!({"read": 1.5})] {
        assert_eq!(bob.post(&receipts, body).await.refused(400), "invalid");
    }
}

/// CVE-2021-39164: private member lists that leak. Whatever one knows of a conversation (its id, a cursor, a `seq`, having
/// been in it), its members are told to its members only.
#[tokio::test]
async fn member_lists_are_for_members() {
    let server = Server::start().await;
    let [ann, bob, carl, stranger] = people(&server).await;
    let id = ann.create_group(&[&bob, &carl]).await;
    ann.say(&id, "hello").await;
    let path = format!("/v1/conversations/{id}");
    let page = carl.get(&format!("{path}/members?limit=1")).await.expect(200);
    let cursor = page["next_cursor"].as_str().unwrap().to_owned();
    ann.delete(&format!("{path}/members/{}", carl.id)).await.expect(200);
    for outsider in [&carl, &stranger] {
        for query in [
            "",
            "/members",
            &format!("/members?cursor={cursor}"),
            "/members?limit=200",
            "/members?at=1",
            "/events?after=0",
            "/messages?around=1",
            "/messages/1",
        ] {
            let answer = outsider.get(&format!("{path}{query}")).await;
            assert_eq!(answer.refused(404), "not_found", "{query}");
            assert!(!answer.body.to_string().contains(&bob.id), "{query}");
        }
        for listed in ["/v1/conversations", "/v1/sync?timeout=0"] {
            let all = outsider.get(listed).await.expect(200);
            assert!(!all.to_string().contains(&id) || listed == "/v1/sync?timeout=0", "{listed}: {all}");
            assert!(!all.to_string().contains(&bob.id), "{listed}: {all}");
        }
        let mention = json!({"nonce": nonce(), "text": "x", "mentions": [bob.id]});
        let answer = outsider.post(&format!("{path}/messages"), mention).await;
        assert_eq!(answer.refused(404), "not_found", "not even whether somebody is a member");
        let role = outsider.patch(&format!("{path}/members/{}", bob.id), json!({"role": "guest"})).await;
        let nobody =
            outsider.patch(&format!("{path}/members/{}", stranger.id), json!({"role": "guest"})).await;
        assert_eq!((role.refused(404), nobody.refused(404)), ("not_found", "not_found"));
    }
}

/// What one may learn of a user by trying: an unknown, a deleted and a hidden one look alike.
#[tokio::test]
async fn trying_ids_tells_nothing() {
    let server = Server::start().await;
    let [ann, hidden, gone] = people(&server).await;
    hidden.set_privacy(json!({"last_seen": "nobody", "find_by": []})).await;
    gone.delete_account(crate::support::PASSWORD).await.expect(204);
    let unknown = "2251799813685247".to_owned();
    let shown = async |id: &str| {
        let page = ann.get(&format!("/v1/presence?users={id}")).await.expect(200);
        (page["items"][0]["state"].clone(), page["items"][0]["last_seen"].clone())
    };
    for id in [&hidden.id, &gone.id, &unknown] {
        assert_eq!(shown(id).await, (json!("offline"), Value::Null));
    }
    let told = async |id: &str| {
        let mut body = ann.post("/v1/contacts/requests", json!({"user": id})).await.body;
        body["request_id"] = Value::Null;
        body
    };
    assert_eq!(told(&gone.id).await, told(&unknown).await);
}

/// A block tells who is blocked no more than `blocked`, where the protocol says so: they are not listed, no event, no
/// other answer differs.
#[tokio::test]
async fn a_block_tells_no_more_than_blocked() {
    let server = Server::start().await;
    let [ann, bob, carl] = people(&server).await;
    ann.befriend(&bob).await;
    let group = ann.create_group(&[&bob]).await;
    let direct = ann.direct(&bob).await;
    ann.say(&direct, "hello").await;
    let since = bob.get("/v1/sync?timeout=0").await.expect(200)["since"].as_str().unwrap().to_owned();
    let seen = async |who: &Person| {
        let mut seen = Vec::new();
        for path in [
            format!("/v1/users/{}", ann.id),
            "/v1/users?q=ann".to_owned(),
            "/v1/contacts".to_owned(),
            "/v1/contacts/requests".to_owned(),
            "/v1/blocks".to_owned(),
            format!("/v1/conversations/{group}"),
            format!("/v1/conversations/{group}/members"),
            format!("/v1/conversations/{direct}/messages"),
            format!("/v1/conversations/{direct}/events?after=0"),
        ] {
            seen.push(who.get(&path).await.body);
        }
        seen.into_iter().map(without_request_id).collect::<Vec<_>>()
    };
    let before = seen(&bob).await;
    ann.block(&bob).await;
    assert_eq!(seen(&bob).await, before);
    let news = bob.get(&format!("/v1/sync?timeout=0&since={since}")).await.expect(200);
    assert_eq!(news["account"], json!([]));
    assert_eq!(news["changed"], json!([]));
    // The answer is the same whoever of the two blocks.
    let answer = async |who: &Person, whom: &Person| {
        let body = json!({"user": whom.id});
        without_request_id(who.post("/v1/contacts/requests", body).await.body)
    };
    let blocked = answer(&bob, &ann).await;
    ann.unblock(&bob).await;
    carl.block(&bob).await;
    assert_eq!(answer(&bob, &carl).await, blocked);
    assert_eq!(answer(&carl, &bob).await, blocked);
}

fn without_request_id(mut body: Value) -> Value {
    if body.get("request_id").is_some() {
        body["request_id"] = Value::Null;
    }
    body
}
