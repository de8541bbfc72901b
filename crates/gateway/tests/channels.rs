//! Channels, by REST and the socket over the real store. Each test is named after what the protocol says of them.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use axum::http::Method;
use serde_json::{Value, json};
use support::{Person, Server, Settings, Socket, nonce, unlimited};

async fn create(owner: &Person, members: &[&Person], more: Value) -> String {
    let members: Vec<_> = members.iter().map(|member| &member.id).collect();
    let mut body = json!({"kind": "channel", "title": "Market", "members": members});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let channel = owner.post("/v1/conversations", body).await.expect(201);
    assert_eq!(channel["kind"], "channel");
    channel["id"].as_str().unwrap().to_owned()
}

fn path(channel: &str, rest: &str) -> String {
    format!("/v1/conversations/{channel}{rest}")
}

async fn view(person: &Person, channel: &str) -> Value {
    person.get(&path(channel, "")).await.expect(200)
}

async fn add(by: &Person, channel: &str, person: &Person) -> support::Answer {
    by.post(&path(channel, "/members"), json!({"users": [person.id]})).await
}

async fn remove(by: &Person, channel: &str, person: &Person) -> support::Answer {
    by.delete(&path(channel, &format!("/members/{}", person.id))).await
}

/// The log as a member reads it: kinds.
async fn kinds(person: &Person, channel: &str) -> Vec<String> {
    let page = person.get(&path(channel, "/events?after=0&limit=200")).await.expect(200);
    page["items"].as_array().unwrap().iter().map(|event| event["kind"].as_str().unwrap().to_owned()).collect()
}

async fn trio(server: &Server) -> [Person; 3] {
    [server.sign_up("ada").await, server.sign_up("bob").await, server.sign_up("eve").await]
}

#[tokio::test]
async fn in_channels_only_admins_post_by_default() {
    let server = Server::start().await;
    let [ada, bob, eve] = trio(&server).await;
    let channel = create(&ada, &[&bob, &eve], json!({})).await;
    let shown = view(&bob, &channel).await;
    let permissions = json!({"post": "admin", "invite": "admin", "edit_info": "admin", "pin": "admin"});
    assert_eq!((&shown["permissions"], &shown["history"]), (&permissions, &json!("full")));
    assert_eq!((&shown["member_count"], &shown["me"]["role"]), (&json!(3), &json!("member")));
    let message = || json!({"nonce": nonce(), "text": "hello"});
    ada.post(&path(&channel, "/messages"), message()).await.expect(201);
    assert_eq!(bob.post(&path(&channel, "/messages"), message()).await.refused(403), "forbidden");
    assert_eq!(bob.post(&path(&channel, "/typing"), json!({"on": true})).await.refused(403), "forbidden");
    let role = path(&channel, &format!("/members/{}", bob.id));
    ada.patch(&role, json!({"role": "admin"})).await.expect(200);
    bob.post(&path(&channel, "/messages"), message()).await.expect(201);
    // Everybody reads, reacts and acknowledges.
    let seq = view(&eve, &channel).await["head"].as_u64().unwrap();
    eve.put(&path(&channel, &format!("/messages/{seq}/reactions/%F0%9F%91%8D"))).await.expect(200);
    eve.post(&path(&channel, "/receipts"), json!({"read": seq})).await.expect(200);
    assert_eq!(view(&eve, &channel).await["me"]["unread"], 0);
    let all =
        json!({"permissions": {"post": "member", "invite": "admin", "edit_info": "admin", "pin": "admin"}});
    ada.patch(&path(&channel, ""), all).await.expect(200);
    eve.post(&path(&channel, "/messages"), message()).await.expect(201);
}

#[tokio::test]
async fn joins_and_leaves_are_not_logged_roles_are() {
    let server = Server::start().await;
    let [ada, bob, eve] = trio(&server).await;
    let channel = create(&ada, &[&bob], json!({})).await;
    let founded = kinds(&ada, &channel).await;
    assert_eq!(founded, ["settings", "member"], "the settings, and the owner's role");
    let mut hers = eve.connect(&server).await;
    add(&ada, &channel, &eve).await.expect(200);
    assert_eq!(hers.push("account").await["event"]["kind"], "conversation_joined");
    remove(&ada, &channel, &bob).await.expect(200);
    eve.delete(&path(&channel, "/members/me")).await.expect(200);
    assert_eq!(hers.push("account").await["event"]["kind"], "conversation_left");
    assert_eq!(kinds(&ada, &channel).await, founded);
    assert_eq!(view(&ada, &channel).await["member_count"], 1);
    add(&ada, &channel, &eve).await.expect(200);
    let role = path(&channel, &format!("/members/{}", eve.id));
    ada.patch(&role, json!({"role": "admin"})).await.expect(200);
    ada.patch(&role, json!({"role": "owner"})).await.expect(200);
    assert_eq!(kinds(&eve, &channel).await, ["settings", "member", "member", "member", "member"]);
    assert_eq!(view(&ada, &channel).await["owner"], json!(eve.id));
    // The owner leaves: the oldest admin inherits, which is logged.
    eve.delete(&path(&channel, "/members/me")).await.expect(200);
    assert_eq!(view(&ada, &channel).await["owner"], json!(ada.id));
    assert_eq!(kinds(&ada, &channel).await.len(), 6);
}

#[tokio::test]
async fn a_replay_of_a_join_or_a_leave_returns_the_first_result() {
    let server = Server::start().await;
    let [ada, bob, _] = trio(&server).await;
    let channel = create(&ada, &[], json!({})).await;
    let body = json!({"users": [bob.id], "nonce": nonce()});
    let first = ada.post(&path(&channel, "/members"), body.clone()).await.expect(200);
    ada.say(&channel, "one").await;
    assert_eq!(ada.post(&path(&channel, "/members"), body).await.expect(200), first);
    let leaver = bob.with_header("idempotency-key", nonce());
    let left = leaver.delete(&path(&channel, "/members/me")).await.expect(200);
    ada.say(&channel, "two").await;
    assert_eq!(leaver.delete(&path(&channel, "/members/me")).await.expect(200), left);
    assert_eq!(bob.delete(&path(&channel, "/members/me")).await.refused(404), "not_found");
    assert_eq!(remove(&ada, &channel, &bob).await.refused(409), "not_member");
}

#[tokio::test]
async fn events_reach_every_members_every_device_and_nobody_else() {
    let server = Server::start().await;
    let [ada, bob, eve] = trio(&server).await;
    let channel = create(&ada, &[&bob], json!({})).await;
    let second = Person::log_in(&server, "bob").await;
    let adas_phone = Person::log_in(&server, "ada").await;
    let mut sockets = [bob.connect(&server).await, second.connect(&server).await];
    let mut phone = adas_phone.connect(&server).await;
    let mut stranger = eve.connect(&server).await;
    let mut sender = ada.connect(&server).await;
    let name = nonce();
    let send = json!({"op": "send", "conversation": channel, "nonce": name, "body": {"text": "hello"}});
    let answer = sender.ask(send).await.unwrap();
    for socket in &mut sockets {
        let event = &socket.push("event").await["event"];
        assert_eq!((&event["seq"], &event["body"]["text"]), (&answer["seq"], &json!("hello")));
        assert_eq!(event.get("nonce"), None, "nonces are for their senders");
    }
    assert_eq!(phone.push("event").await["event"]["nonce"], json!(name));
    // Who joins, or creates a channel, while connected is sent what follows at once.
    add(&ada, &channel, &eve).await.expect(200);
    let seq = ada.say(&channel, "welcome").await;
    assert_eq!(stranger.push("event").await["event"]["seq"], json!(seq));
    let own = create(&eve, &[&bob], json!({})).await;
    let mut socket = stranger;
    let event = socket.push("event").await;
    assert_eq!((&event["event"]["conversation"], &event["event"]["seq"]), (&json!(own), &json!(1)));
    let seq = eve.say(&own, "first").await;
    loop {
        let event = sockets[0].push("event").await;
        if event["event"]["conversation"] == json!(own) && event["event"]["seq"] == json!(seq) {
            break;
        }
    }
}

/// From the moment the removal or leave is acknowledged nothing comes, on any way (CVE-2024-53867: room state served
/// after leaving).
#[tokio::test]
async fn nothing_is_served_after_a_removal_or_a_leave() {
    let server = Server::start().await;
    let [ada, bob, eve] = trio(&server).await;
    let channel = create(&ada, &[&bob, &eve], json!({})).await;
    let seq = ada.say(&channel, "before").await;
    let mut sockets = [bob.connect(&server).await, eve.connect(&server).await];
    remove(&ada, &channel, &bob).await.expect(200);
    eve.delete(&path(&channel, "/members/me")).await.expect(200);
    ada.say(&channel, "after").await;
    ada.patch(&path(&channel, ""), json!({"title": "Secret"})).await.expect(200);
    for (socket, person) in sockets.iter_mut().zip([&bob, &eve]) {
        let pushes = socket.pushes_until_now().await;
        assert!(pushes.iter().all(|push| push["op"] != "event"), "{pushes:?}");
        for (method, rest, body) in [
            (Method::GET, String::new(), None),
            (Method::GET, "/members".to_owned(), None),
            (Method::GET, "/messages".to_owned(), None),
            (Method::GET, format!("/messages/{seq}"), None),
            (Method::GET, "/events?after=0".to_owned(), None),
            (Method::GET, "/pins".to_owned(), None),
            (Method::GET, "/invites".to_owned(), None),
            (Method::POST, "/receipts".to_owned(), Some(json!({"read": seq}))),
            (Method::POST, "/typing".to_owned(), Some(json!({"on": true}))),
            (Method::PATCH, "/preferences".to_owned(), Some(json!({"pinned": true}))),
            (Method::POST, "/messages".to_owned(), Some(json!({"nonce": nonce(), "text": "x"}))),
        ] {
            let answer = person.call(method, &path(&channel, &rest), body).await;
            assert_eq!(answer.refused(404), "not_found", "{rest}");
        }
        let fetch = json!({"op": "fetch", "conversation": channel, "after": 0, "limit": 10});
        assert_eq!(socket.ask(fetch).await.unwrap_err(), "not_found");
        let mut again = Socket::open(&server).await;
        let ready = again.ask(json!({"op": "hello", "token": person.token})).await.unwrap();
        assert_eq!(ready["changed"], json!([]));
        assert_eq!(person.get("/v1/sync?timeout=0").await.expect(200)["changed"], json!([]));
        assert_eq!(person.get("/v1/conversations").await.expect(200)["items"], json!([]));
        ada.say(&channel, "still nothing").await;
        assert!(again.pushes_until_now().await.iter().all(|push| push["op"] != "event"));
    }
    ada.delete(&path(&channel, "")).await.expect(204);
}

#[tokio::test]
async fn history_joined_begins_with_the_next_event() {
    let server = Server::start().await;
    let [ada, bob, eve] = trio(&server).await;
    let channel = create(&ada, &[&bob], json!({"history": "joined"})).await;
    let before = ada.say(&channel, "before").await;
    add(&ada, &channel, &eve).await.expect(200);
    let shown = view(&eve, &channel).await;
    assert_eq!((&shown["visible_from"], &shown["head"]), (&json!(before + 1), &json!(before)));
    assert_eq!((&shown["last_message"], &shown["me"]["unread"]), (&Value::Null, &json!(0)));
    for rest in ["/messages", "/messages?at=0", &format!("/messages?around={before}"), "/events?after=0"] {
        let page = eve.get(&path(&channel, rest)).await.expect(200);
        assert_eq!((&page["items"], &page["visible_from"]), (&json!([]), &json!(before + 1)), "{rest}");
    }
    assert_eq!(eve.get(&path(&channel, &format!("/messages/{before}"))).await.refused(404), "not_found");
    let seq = ada.say(&channel, "after").await;
    let page = eve.get(&path(&channel, "/messages")).await.expect(200);
    assert_eq!(page["items"][0]["seq"], json!(seq));
    assert_eq!(view(&eve, &channel).await["me"]["unread"], 1);
    assert_eq!(kinds(&bob, &channel).await.len(), 4, "founders see all");
}

#[tokio::test]
async fn limits_channel_members_bound_a_channel() {
    let mut limits = unlimited();
    limits.channel_members = 2;
    let server = Server::start_with(Settings { limits, ..Settings::default() }).await;
    let [ada, bob, eve] = trio(&server).await;
    let body = json!({"kind": "channel", "title": "Full", "members": [bob.id, eve.id]});
    assert_eq!(ada.post("/v1/conversations", body).await.refused(409), "group_full");
    let channel = create(&ada, &[&bob], json!({})).await;
    assert_eq!(add(&ada, &channel, &eve).await.refused(409), "group_full");
    let code = ada.post(&path(&channel, "/invites"), json!({})).await.expect(201)["code"].clone();
    let join = format!("/v1/invites/{}/join", code.as_str().unwrap());
    assert_eq!(eve.call(Method::POST, &join, None).await.refused(409), "group_full");
    remove(&ada, &channel, &bob).await.expect(200);
    assert_eq!(bob.call(Method::POST, &join, None).await.refused(403), "forbidden");
    assert_eq!(eve.call(Method::POST, &join, None).await.expect(200)["kind"], "channel");
}

#[tokio::test]
async fn mentions_and_slow_mode_hold_in_channels() {
    let server = Server::start().await;
    let [ada, bob, eve] = trio(&server).await;
    let channel = create(&ada, &[&bob], json!({})).await;
    let mention = |who: &Person| json!({"nonce": nonce(), "text": "@you", "mentions": [who.id]});
    let messages = path(&channel, "/messages");
    ada.post(&messages, mention(&bob)).await.expect(201);
    assert_eq!(ada.post(&messages, mention(&eve)).await.refused(409), "not_member");
    assert_eq!(view(&bob, &channel).await["me"]["mentions"], 1);
    let open = json!({"post": "member", "invite": "admin", "edit_info": "admin", "pin": "admin"});
    let settings = json!({"permissions": open, "slow_mode_ms": 60_000});
    ada.patch(&path(&channel, ""), settings).await.expect(200);
    bob.say(&channel, "one").await;
    let message = json!({"nonce": nonce(), "text": "two"});
    let refused = bob.post(&messages, message).await;
    assert_eq!(refused.refused(429), "rate_limited");
    assert!(refused.body["retry_after_ms"].as_u64().unwrap() > 50_000);
}

/// Receipts and typing go to everybody in small channels, to the own user's devices in large ones; cursors likewise.
#[tokio::test(flavor = "multi_thread")]
async fn above_256_members_receipts_go_to_the_own_user_only() {
    let server = Server::start().await;
    let [ada, bob, eve] = trio(&server).await;
    let channel = create(&ada, &[&bob, &eve], json!({})).await;
    let seq = ada.say(&channel, "hello").await;
    assert_eq!(view(&ada, &channel).await["cursors"].as_array().unwrap().len(), 3);
    let mut socket = ada.connect(&server).await;
    let mut phone = Person::log_in(&server, "bob").await.connect(&server).await;
    bob.post(&path(&channel, "/receipts"), json!({"read": seq})).await.expect(200);
    let expected = json!([{"user": bob.id, "delivered": seq, "read": seq}]);
    assert_eq!(socket.push("receipt").await["items"], expected);
    assert_eq!(phone.push("receipt").await["items"], expected);
    let mut hers = eve.connect(&server).await;
    ada.post(&path(&channel, "/typing"), json!({"on": true})).await.expect(204);
    assert_eq!(hers.push("typing").await["user"], json!(ada.id));
    assert!(socket.pushes_until_now().await.iter().all(|push| push["op"] != "typing"), "not to oneself");

    let mut crowd = Vec::new();
    for number in 0..254 {
        crowd.push(server.sign_up(&format!("fan{number}")).await.id);
    }
    ada.post(&path(&channel, "/members"), json!({"users": crowd})).await.expect(200);
    let shown = view(&ada, &channel).await;
    assert_eq!((&shown["member_count"], &shown["cursors"]), (&json!(257), &json!([])));
    let next = ada.say(&channel, "all of you").await;
    ada.post(&path(&channel, "/typing"), json!({"on": true})).await.expect(204);
    bob.post(&path(&channel, "/receipts"), json!({"read": next})).await.expect(200);
    let own = json!([{"user": bob.id, "delivered": next, "read": next}]);
    assert_eq!(phone.push("receipt").await["items"], own);
    // Behind the receipt in the same lane.
    let last = ada.say(&channel, "last").await;
    let mut seen = Vec::new();
    while seen.last() != Some(&json!(last)) {
        let support::Received::Frame(frame) = hers.next().await else { panic!("it stays open") };
        assert!(frame["op"] != "receipt" && frame["op"] != "typing", "{frame}");
        if frame["op"] == "event" {
            seen.push(frame["event"]["seq"].clone());
        }
    }
    let shown = view(&eve, &channel).await;
    assert_eq!((&shown["me"]["unread"], &shown["me"]["read"]), (&json!(3), &json!(0)));
    // The list of members goes by pages; members of large channels come back with a token.
    let page = eve.get(&path(&channel, "/members?limit=200")).await.expect(200);
    let cursor = page["next_cursor"].as_str().unwrap();
    let rest = eve.get(&path(&channel, &format!("/members?limit=200&cursor={cursor}"))).await.expect(200);
    let count = |page: &Value| page["items"].as_array().unwrap().len();
    assert_eq!((count(&page) + count(&rest), &rest["next_cursor"]), (257, &Value::Null));
}

#[tokio::test]
async fn ready_and_tokens_tell_of_channels_that_moved() {
    let server = Server::start().await;
    let [ada, bob, eve] = trio(&server).await;
    let channel = create(&ada, &[&bob], json!({})).await;
    let quiet = create(&ada, &[&bob], json!({})).await;
    let since = bob.get("/v1/sync?timeout=0").await.expect(200)["since"].as_str().unwrap().to_owned();
    let seq = ada.say(&channel, "while you were away").await;
    add(&ada, &quiet, &eve).await.expect(200);
    let mut socket = Socket::open(&server).await;
    let hello = json!({"op": "hello", "token": bob.token, "since": since});
    let ready = socket.ask(hello).await.unwrap();
    let changed = ready["changed"].as_array().unwrap();
    let told = changed.iter().find(|conversation| conversation["id"] == json!(channel)).unwrap();
    assert_eq!((&told["head"], &told["me"]["unread"]), (&json!(seq), &json!(1)));
    let poll = bob.get(&format!("/v1/sync?timeout=0&since={since}")).await.expect(200);
    assert_eq!(poll["changed"].as_array().unwrap().len(), changed.len());
    // A long poll that waits is woken by a channel.
    let since = poll["since"].as_str().unwrap().to_owned();
    let path = format!("/v1/sync?timeout=20&since={since}");
    let (woken, seq) = tokio::join!(bob.get(&path), async {
        while server.app.sessions().count() < 2 {
            tokio::task::yield_now().await;
        }
        ada.say(&channel, "news").await
    });
    let woken = woken.expect(200);
    assert_eq!(woken["changed"][0]["head"], json!(seq));
}

#[tokio::test]
async fn a_deleted_channel_is_gone_for_everybody() {
    let server = Server::start().await;
    let [ada, bob, _] = trio(&server).await;
    let channel = create(&ada, &[&bob], json!({})).await;
    let mut socket = bob.connect(&server).await;
    assert_eq!(bob.delete(&path(&channel, "")).await.refused(403), "forbidden");
    ada.delete(&path(&channel, "")).await.expect(204);
    let told = socket.push("account").await;
    assert_eq!(told["event"]["kind"], "conversation_left");
    assert_eq!(bob.get(&path(&channel, "")).await.refused(404), "not_found");
    assert_eq!(
        ada.post(&path(&channel, "/messages"), json!({"nonce": nonce(), "text": "x"})).await.refused(404),
        "not_found"
    );
}
