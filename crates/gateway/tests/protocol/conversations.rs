//! PROTOCOL: "Conversations", the conversations themselves.

use serde_json::{Value, json};

use crate::support::nonce;
use crate::{Stage, each, items, number};

#[tokio::test]
async fn get_conversations() {
    let stage = Stage::set().await;
    let other = stage.ada.create_group(&[&stage.bob]).await;
    assert_eq!(
        each(&stage.bob.get("/v1/conversations").await.expect(200), "id"),
        [json!(other), json!(stage.group)]
    );
    // Times are in milliseconds: the two must not fall together.
    stage.server.clock.advance(1_000);
    stage.ada.say(&stage.group, "news").await;
    let list = stage.bob.get("/v1/conversations").await.expect(200);
    assert_eq!(each(&list, "id"), [json!(stage.group), json!(other)], "newest activity first");
    let page = stage.bob.get("/v1/conversations?limit=1").await.expect(200);
    let next = format!("/v1/conversations?limit=1&cursor={}", page["next_cursor"].as_str().unwrap());
    let rest = stage.bob.get(&next).await.expect(200);
    assert_eq!((each(&rest, "id"), &rest["next_cursor"]), (vec![json!(other)], &Value::Null));
}

#[tokio::test]
async fn post_conversations() {
    let stage = Stage::set().await;
    let create = |body: Value| stage.ada.post("/v1/conversations", body);
    let direct = json!({"kind": "direct", "members": [stage.bob.id]});
    let made = create(direct.clone()).await.expect(201);
    assert_eq!(create(direct).await.expect(200)["id"], made["id"], "the existing one");
    assert_eq!((&made["peer"]["username"], &made["owner"]), (&json!("bob"), &Value::Null));
    let group = json!({"kind": "group", "members": [stage.bob.id], "title": "Harvest", "description": "figs",
        "history": "joined", "retention": {"mode": "ttl", "seconds": 60}});
    let keyed = stage.ada.with_header("idempotency-key", "once");
    let made = keyed.post("/v1/conversations", group.clone()).await.expect(201);
    for (field, value) in [
        ("kind", json!("group")),
        ("title", json!("Harvest")),
        ("description", json!("figs")),
        ("history", json!("joined")),
        ("retention", json!({"mode": "ttl", "seconds": 60})),
        ("owner", json!(stage.ada.id)),
        ("member_count", json!(2)),
        ("slow_mode_ms", json!(0)),
        ("visible_from", json!(1)),
        ("permissions", json!({"post": "member", "invite": "admin", "edit_info": "admin", "pin": "admin"})),
    ] {
        assert_eq!(made[field], value, "{field}");
    }
    let again = keyed.post("/v1/conversations", group).await;
    assert_eq!((again.body["id"].clone(), again.status < 300), (made["id"].clone(), true), "a replay");
    let channel = create(json!({"kind": "channel", "title": "Market", "members": []})).await.expect(201);
    assert_eq!((&channel["permissions"]["post"], &channel["history"]), (&json!("admin"), &json!("full")));
    for body in [
        json!({"kind": "direct", "members": []}),
        json!({"kind": "direct", "members": [stage.bob.id, "7"]}),
        json!({"kind": "party", "members": []}),
        json!({"kind": "channel", "members": [], "retention": {"mode": "until_delivered"}}),
    ] {
        assert_eq!(create(body.clone()).await.refused(400), "invalid", "{body}");
    }
    assert_eq!(
        create(json!({"kind": "group", "members": ["2251799813685247"]})).await.refused(404),
        "not_found"
    );
}

#[tokio::test]
async fn get_conversation() {
    let stage = Stage::set().await;
    let seq = stage.ada.say(&stage.group, "hello").await;
    let seen = stage.view(&stage.bob).await;
    for field in [
        "id",
        "kind",
        "title",
        "description",
        "avatar",
        "owner",
        "member_count",
        "head",
        "visible_from",
        "history",
        "created_at",
        "last_activity",
        "last_message",
        "retention",
        "permissions",
        "slow_mode_ms",
        "peer",
        "me",
        "cursors",
        "erased_to",
        "expired_to",
    ] {
        assert!(seen.get(field).is_some(), "{field} in {seen}");
    }
    assert_eq!((number(&seen, "head"), &seen["last_message"]["text"]), (seq, &json!("hello")));
    let me = json!({"role": "member", "delivered": 0, "read": 0, "unread": 1, "mentions": 0, "muted_until": null,
        "pinned": false, "archived": false, "draft": null});
    assert_eq!(seen["me"], me);
    assert_eq!(seen["cursors"].as_array().unwrap().len(), 2);
    let eve = stage.server.sign_up("eve").await;
    assert_eq!(eve.get(&stage.path("")).await.refused(404), "not_found", "what one may not see is not there");
}

#[tokio::test]
async fn patch_conversation() {
    let stage = Stage::set().await;
    let change = json!({"title": "Orchard", "description": "figs", "avatar": "a", "slow_mode_ms": 500,
        "retention": {"mode": "until_delivered"},
        "permissions": {"post": "member", "invite": "member", "edit_info": "member", "pin": "member"}, "nonce": nonce()});
    let changed = stage.ada.patch(&stage.path(""), change.clone()).await.expect(200);
    for field in ["title", "description", "avatar", "slow_mode_ms", "retention", "permissions"] {
        assert_eq!(changed[field], change[field], "{field}");
    }
    let log = stage.bob.get(&stage.path("/events?after=0&limit=200")).await.expect(200);
    let last = items(&log).last().unwrap();
    assert_eq!((&last["kind"], &last["body"]["title"]), (&json!("settings"), &json!("Orchard")));
    let head = number(&changed, "head");
    let again = stage.ada.patch(&stage.path(""), change).await.expect(200);
    assert_eq!(number(&again, "head"), head, "a replay appends nothing");
    let same =
        stage.ada.patch(&stage.path(""), json!({"title": "Orchard", "nonce": nonce()})).await.expect(200);
    assert_eq!(number(&same, "head"), head, "a change that changes nothing appends nothing");
    let permissions =
        json!({"permissions": {"post": "guest", "invite": "guest", "edit_info": "guest", "pin": "guest"}});
    assert_eq!(stage.bob.patch(&stage.path(""), permissions).await.refused(403), "forbidden");
}

#[tokio::test]
async fn delete_conversation() {
    let stage = Stage::set().await;
    stage.ada.say(&stage.group, "hello").await;
    let mut socket = stage.bob.connect(&stage.server).await;
    assert_eq!(stage.bob.delete(&stage.path("")).await.refused(403), "forbidden");
    stage.ada.delete(&stage.path("")).await.expect(204);
    for person in [&stage.ada, &stage.bob] {
        assert_eq!(person.get(&stage.path("")).await.refused(404), "not_found");
        assert_eq!(person.get(&stage.path("/messages")).await.refused(404), "not_found");
        assert!(items(&person.get("/v1/conversations").await.expect(200)).is_empty());
    }
    let event = socket.push("account").await["event"].clone();
    assert_eq!(
        (&event["kind"], &event["body"]["conversation"]),
        (&json!("conversation_left"), &json!(stage.group))
    );
}

#[tokio::test]
async fn patch_conversation_preferences() {
    let stage = Stage::set().await;
    let wanted =
        json!({"muted_until": 1_999_999_999_999_i64, "pinned": true, "archived": true, "draft": "half"});
    let me = stage.bob.patch(&stage.path("/preferences"), wanted.clone()).await.expect(200);
    for (field, value) in wanted.as_object().unwrap() {
        assert_eq!(me[field], *value, "{field}");
    }
    let me = stage
        .bob
        .patch(&stage.path("/preferences"), json!({"muted_until": null, "draft": null}))
        .await
        .expect(200);
    assert_eq!((&me["muted_until"], &me["draft"], &me["pinned"]), (&Value::Null, &Value::Null, &json!(true)));
    assert_eq!(stage.view(&stage.ada).await["me"]["pinned"], false, "they are one's own");
}

#[tokio::test]
async fn post_conversation_receipts() {
    let stage = Stage::set().await;
    let first = stage.ada.say(&stage.group, "one").await;
    let last = stage.ada.say(&stage.group, "two").await;
    let move_to = async |body: Value| stage.bob.post(&stage.path("/receipts"), body).await.expect(200);
    let at = |delivered: u64, read: u64| json!({"user": stage.bob.id, "delivered": delivered, "read": read});
    assert_eq!(move_to(json!({"delivered": first})).await, at(first, 0));
    assert_eq!(stage.view(&stage.bob).await["me"]["unread"], 2);
    assert_eq!(move_to(json!({"read": last})).await, at(last, last), "read implies delivered");
    assert_eq!(move_to(json!({"read": first, "delivered": first})).await, at(last, last), "forward only");
    assert_eq!(move_to(json!({"read": 9_999})).await, at(last, last), "never past head");
    assert_eq!(stage.view(&stage.bob).await["me"]["unread"], 0);
    let cursors = stage.view(&stage.ada).await["cursors"].clone();
    assert!(cursors.as_array().unwrap().contains(&at(last, last)), "{cursors}");
}

#[tokio::test]
async fn post_conversation_typing() {
    let stage = Stage::set().await;
    let mut socket = stage.ada.connect(&stage.server).await;
    for on in [true, false] {
        stage.bob.post(&stage.path("/typing"), json!({"on": on})).await.expect(204);
        let push = socket.push("typing").await;
        let expected = json!({"op": "typing", "conversation": stage.group, "user": stage.bob.id, "on": on});
        assert_eq!(push, expected);
    }
    let eve = stage.server.sign_up("eve").await;
    assert_eq!(eve.post(&stage.path("/typing"), json!({"on": true})).await.refused(404), "not_found");
}
