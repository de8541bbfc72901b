//! PROTOCOL: "Contacts and blocks", the blocks.

use loquat_proto::Limits;
use serde_json::{Value, json};

use crate::support::{Person, Server, Settings, nonce, unlimited};
use crate::tools::{people, send};

#[tokio::test]
async fn get_blocks() {
    let server = Server::start().await;
    let [ann, bob, carl] = people(&server).await;
    ann.block(&bob).await;
    ann.block(&carl).await;
    let page = ann.get("/v1/blocks?limit=1").await.expect(200);
    let block = &page["items"][0];
    assert!([&bob.id, &carl.id].contains(&&block["user"].as_str().unwrap().to_owned()));
    assert!(block["created_at"].is_i64() && block["profile"]["username"].is_string());
    assert!(page["next_cursor"].is_string());
    assert_eq!(ann.listed("/v1/blocks").await.len(), 2);
    assert_eq!(bob.listed("/v1/blocks").await, [""; 0]);
}

#[tokio::test]
async fn put_blocks_user() {
    let server =
        Server::start_with(Settings { limits: Limits { blocks: 1, ..unlimited() }, ..Settings::default() })
            .await;
    let [ann, bob, carl] = people(&server).await;
    let second = Person::log_in(&server, "ann").await;
    let (mut own, mut theirs) = (second.connect(&server).await, bob.connect(&server).await);
    ann.block(&bob).await;
    ann.block(&bob).await;
    assert_eq!(own.account_event().await, ("blocked".to_owned(), json!({"user": bob.id})));
    assert_eq!(own.account_kinds().await, [""; 0], "once");
    assert_eq!(theirs.account_kinds().await, [""; 0], "who is blocked is not told");
    for (user, status, code) in [
        ("2251799813685247", 404, "not_found"),
        (&*ann.id, 400, "invalid"),
        ("me", 400, "invalid"),
        ("x", 400, "invalid"),
        (&*carl.id, 409, "conflict"),
    ] {
        assert_eq!(ann.put(&format!("/v1/blocks/{user}")).await.refused(status), code, "{user}");
    }
}

#[tokio::test]
async fn delete_blocks_user() {
    let server = Server::start().await;
    let [ann, bob] = people(&server).await;
    let direct = ann.direct(&bob).await;
    ann.block(&bob).await;
    let mut own = ann.connect(&server).await;
    ann.unblock(&bob).await;
    ann.unblock(&bob).await;
    ann.delete("/v1/blocks/2251799813685247").await.expect(204);
    assert_eq!(own.account_event().await, ("unblocked".to_owned(), json!({"user": bob.id})));
    assert_eq!(own.account_kinds().await, [""; 0]);
    // Everything is as before.
    bob.say(&direct, "again").await;
    assert_eq!(bob.direct(&ann).await, direct);
    assert_eq!(bob.ask(&ann).await, "pending");
}

#[tokio::test]
async fn a_blocked_user_cannot_open_a_direct_conversation() {
    let server = Server::start().await;
    let [ann, bob, carl] = people(&server).await;
    let there = bob.direct(&ann).await;
    ann.block(&bob).await;
    ann.block(&carl).await;
    let open = async |who: &Person, whom: &Person| {
        who.post("/v1/conversations", json!({"kind": "direct", "members": [whom.id]})).await
    };
    assert_eq!(open(&carl, &ann).await.refused(403), "blocked", "a new one");
    assert_eq!(open(&bob, &ann).await.refused(403), "blocked", "nor one that is there");
    assert_eq!(open(&ann, &carl).await.refused(403), "blocked", "nobody could write in it");
    assert_eq!(open(&ann, &bob).await.expect(200)["id"], *there, "who blocks finds their own");
    assert_eq!(
        bob.get(&format!("/v1/conversations/{there}")).await.status,
        200,
        "what was said stays readable"
    );
    ann.unblock(&carl).await;
    open(&carl, &ann).await.expect(201);
}

#[tokio::test]
async fn a_blocked_user_cannot_write() {
    let server = Server::start().await;
    let [ann, bob] = people(&server).await;
    let id = ann.direct(&bob).await;
    let target = bob.say(&id, "before").await;
    let other = ann.say(&id, "before").await;
    let (mut from, mut to) = (bob.connect(&server).await, ann.connect(&server).await);
    let before = send(&id, "by socket, before");
    from.ask(before.clone()).await.unwrap();
    ann.block(&bob).await;

    let nonce = nonce();
    let change = |op: &str, more: Value| {
        let mut frame =
            json!({"op": op, "conversation": id, "nonce": crate::support::nonce(), "target": target});
        frame.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        frame
    };
    for frame in [
        send(&id, "after"),
        change("edit", json!({"text": "changed"})),
        change("react", json!({"emoji": "👍", "on": true})),
        change("pin", json!({"on": true})),
    ] {
        assert_eq!(from.ask(frame.clone()).await.unwrap_err(), "blocked", "{frame}");
    }
    let path = format!("/v1/conversations/{id}");
    let body = json!({"nonce": nonce, "text": "after"});
    for answer in [
        bob.post(&format!("{path}/messages"), body.clone()).await,
        bob.patch(&format!("{path}/messages/{target}"), json!({"text": "changed"})).await,
        bob.put(&format!("{path}/messages/{other}/reactions/x")).await,
        bob.put(&format!("{path}/pins/{other}")).await,
        bob.post(&format!("{path}/typing"), json!({"on": true})).await,
        ann.post(&format!("{path}/messages"), body.clone()).await,
    ] {
        assert_eq!(answer.refused(403), "blocked");
    }
    from.tell(json!({"op": "typing", "conversation": id, "on": true})).await;
    from.ask(before).await.expect("a replay is answered with its first result");
    bob.delete(&format!("{path}/messages/{target}")).await.expect(200);
    // Both lanes are past the typing now: nothing of all this was shown.
    let seen = to.pushes_until_now().await;
    let shown: Vec<_> = seen.iter().filter(|push| push["op"] == "typing" || push["op"] == "event").collect();
    assert_eq!(shown.iter().filter(|push| push["op"] == "typing").count(), 0, "{shown:?}");
    let kinds: Vec<_> = shown.iter().map(|push| push["event"]["kind"].clone()).collect();
    assert_eq!(kinds, ["message", "delete"]);

    ann.unblock(&bob).await;
    from.ask(send(&id, "again")).await.unwrap();
    from.tell(json!({"op": "typing", "conversation": id, "on": true})).await;
    assert_eq!(to.push("typing").await["user"], bob.id.as_str());
}

#[tokio::test]
async fn a_blocked_user_cannot_see_presence() {
    let server = Server::start().await;
    let [ann, bob] = people(&server).await;
    ann.befriend(&bob).await;
    let direct = ann.direct(&bob).await;
    let seq = bob.say(&direct, "there?").await;
    let (mut watcher, mut watched) = (bob.connect(&server).await, ann.connect(&server).await);
    let items = watcher.ask(json!({"op": "watch", "users": [ann.id]})).await.unwrap();
    assert_eq!(items["items"][0]["state"], "online");

    ann.block(&bob).await;
    let gone = watcher.push("presence").await;
    assert_eq!(
        (&gone["user"], &gone["state"], &gone["last_seen"]),
        (&json!(ann.id), &json!("offline"), &Value::Null)
    );
    assert_eq!(bob.sees(&ann).await, ("offline".to_owned(), false));
    assert_eq!(ann.sees(&bob).await.0, "online", "a block is one-sided");
    watched.tell(json!({"op": "status", "state": "away"})).await;
    watched.pushes_until_now().await;
    let again = watcher.ask(json!({"op": "watch", "users": [ann.id]})).await.unwrap();
    let hidden = json!({"user": ann.id, "state": "offline", "last_seen": null});
    assert_eq!(again["items"][0], hidden);
    // Nor by how far they have read.
    watched.ask(json!({"op": "ack", "conversation": direct, "read": seq})).await.unwrap();
    let view = bob.get(&format!("/v1/conversations/{direct}")).await.expect(200);
    let cursor = view["cursors"].as_array().unwrap().iter().find(|cursor| cursor["user"] == ann.id.as_str());
    assert_eq!(cursor.unwrap()["read"], 0);
    let pushes = watcher.pushes_until_now().await;
    assert!(!pushes.iter().any(|push| push["op"] == "presence" || push["op"] == "receipt"), "{pushes:?}");

    ann.unblock(&bob).await;
    let back = watcher.push("presence").await;
    assert_eq!((&back["user"], &back["state"]), (&json!(ann.id), &json!("away")));
    assert_eq!(bob.sees(&ann).await, ("away".to_owned(), true));
    let view = bob.get(&format!("/v1/conversations/{direct}")).await.expect(200);
    assert!(view["cursors"].as_array().unwrap().iter().any(|cursor| cursor["read"] == seq));
}

#[tokio::test]
async fn a_blocked_user_cannot_add_who_blocked() {
    let server = Server::start().await;
    let [ann, bob, carl] = people(&server).await;
    let id = bob.create_group(&[&carl]).await;
    ann.block(&bob).await;
    let members = format!("/v1/conversations/{id}/members");
    let add = async |who: &Person, users: Value| who.post(&members, json!({"users": users})).await;
    assert_eq!(add(&bob, json!([ann.id])).await.refused(403), "blocked");
    assert_eq!(add(&carl, json!([ann.id])).await.refused(403), "forbidden", "the role is asked first");
    assert_eq!(add(&ann, json!([ann.id])).await.refused(404), "not_found", "and membership before");
    let group = json!({"kind": "group", "title": "Trap", "members": [ann.id, carl.id]});
    assert_eq!(bob.post("/v1/conversations", group.clone()).await.refused(403), "blocked");
    assert_eq!(ann.get("/v1/conversations").await.expect(200)["items"], json!([]));

    bob.patch(&format!("{members}/{}", carl.id), json!({"role": "admin"})).await.expect(200);
    add(&carl, json!([ann.id])).await.expect(200);
    // In shared groups the server filters nothing.
    bob.say(&id, "hello all").await;
    assert_eq!(
        ann.get(&format!("/v1/conversations/{id}/messages")).await.expect(200)["items"][0]["text"],
        "hello all"
    );
    add(&bob, json!([ann.id])).await.expect(200);

    ann.unblock(&bob).await;
    bob.post("/v1/conversations", group).await.expect(201);
}

#[tokio::test]
async fn a_block_declines_and_withdraws_requests() {
    let server = Server::start().await;
    let [ann, bob, carl] = people(&server).await;
    bob.ask(&ann).await;
    ann.ask(&carl).await;
    let mut asking = bob.connect(&server).await;
    ann.block(&bob).await;
    ann.block(&carl).await;
    assert_eq!((ann.requests().await, carl.requests().await), (vec![], vec![]));
    assert_eq!(bob.requests().await, [(ann.id.clone(), "out".to_owned())], "to who asked, it waits");
    assert_eq!(asking.account_kinds().await, [""; 0]);
    for (who, whom) in [(&bob, &ann), (&ann, &bob)] {
        let answer = who.post("/v1/contacts/requests", json!({"user": whom.id})).await;
        assert_eq!(answer.refused(403), "blocked");
    }
    ann.unblock(&bob).await;
    assert_eq!(ann.requests().await, []);
    assert_eq!(ann.ask(&bob).await, "accepted");
}
