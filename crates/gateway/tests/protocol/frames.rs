//! PROTOCOL: "Frames, client to server".

use serde_json::{Value, json};

use crate::support::{Socket, nonce};
use crate::{Stage, each, number};

#[tokio::test]
async fn frame_hello() {
    let stage = Stage::set().await;
    let ticket = stage.bob.post("/v1/connect", Value::Null).await.expect(200)["ticket"].clone();
    let client = json!({"name": "test", "version": "1"});
    let mut socket = Socket::open(&stage.server).await;
    let hello = json!({"op": "hello", "ticket": ticket, "client": client});
    let ready = socket.ask(hello.clone()).await.unwrap();
    assert_eq!((&ready["user"], &ready["device"]), (&json!(stage.bob.id), &json!(stage.bob.device)));
    assert_eq!(
        (number(&ready, "heartbeat_ms"), &ready["more"], &ready["reset"]),
        (15_000, &json!(false), &json!(false))
    );
    assert!(ready["session"].is_string() && ready["account"].is_array());
    assert_eq!(ready["changed"][0]["id"], json!(stage.group), "everything, without a token");
    let mut second = Socket::open(&stage.server).await;
    assert_eq!(second.ask(hello).await.unwrap_err(), "unauthorized", "a ticket is good once");

    let since = ready["since"].as_str().unwrap().to_owned();
    let hello = |since: &str| json!({"op": "hello", "token": stage.bob.token, "since": since});
    let mut again = Socket::open(&stage.server).await;
    assert_eq!(again.ask(hello(&since)).await.unwrap()["reset"], false);
    stage.ada.say(&stage.group, "news").await;
    let mut behind = Socket::open(&stage.server).await;
    assert_eq!(behind.ask(hello(&since)).await.unwrap()["changed"][0]["last_message"]["text"], "news");
    let mut lost = Socket::open(&stage.server).await;
    assert_eq!(lost.ask(hello("of-another-life")).await.unwrap()["reset"], true);
}

/// Who was away for more account events than one answer brings starts anew, from everything.
#[tokio::test]
async fn a_reset_brings_every_conversation() {
    let stage = Stage::set().await;
    let other = stage.ada.create_group(&[&stage.bob]).await;
    let since = stage.bob.get("/v1/sync?timeout=0").await.expect(200)["since"].clone();
    // Many at once, so that they wait for the disk together.
    let path = stage.path("/preferences");
    for piece in (0..1_001).collect::<Vec<_>>().chunks(100) {
        let calls =
            piece.iter().map(|number| stage.bob.patch(&path, json!({"draft": format!("draft {number}")})));
        futures_util::future::join_all(calls).await.into_iter().for_each(|answer| drop(answer.expect(200)));
    }
    let mut socket = Socket::open(&stage.server).await;
    let hello = json!({"op": "hello", "token": stage.bob.token, "since": since});
    let ready = socket.ask(hello).await.unwrap();
    assert_eq!((&ready["reset"], &ready["account"]), (&json!(true), &json!([])));
    let mut ids: Vec<_> = ready["changed"].as_array().unwrap().iter().map(|one| one["id"].clone()).collect();
    let mut expected = vec![json!(stage.group), json!(other)];
    ids.sort_by_key(ToString::to_string);
    expected.sort_by_key(ToString::to_string);
    assert_eq!(ids, expected, "also what did not move");
}

#[tokio::test]
async fn frame_send() {
    let stage = Stage::set().await;
    let mut socket = stage.ada.connect(&stage.server).await;
    let frame = stage.frame("send", json!({"body": {"text": "hello"}}));
    let sent = socket.ask(frame.clone()).await.unwrap();
    assert_eq!(sent["conversation"], json!(stage.group));
    assert!(sent["seq"].is_u64() && sent["ts"].is_i64());
    assert_eq!(socket.ask(frame.clone()).await.unwrap(), sent, "a replay");
    // One namespace for each user and conversation: by REST, too.
    let same = json!({"nonce": frame["nonce"], "text": "another text"});
    assert_eq!(stage.ada.post(&stage.path("/messages"), same).await.expect(201), sent);
    let without = json!({"op": "send", "conversation": stage.group, "body": {"text": "x"}});
    assert_eq!(socket.ask(without).await.unwrap_err(), "invalid", "a send needs a nonce");
}

#[tokio::test]
async fn frame_edit() {
    let stage = Stage::set().await;
    let target = stage.ada.say(&stage.group, "helo").await;
    let mut socket = stage.ada.connect(&stage.server).await;
    let edit = stage.frame("edit", json!({"target": target, "text": "hello", "mentions": [stage.bob.id]}));
    let edited = socket.ask(edit).await.unwrap();
    assert_eq!(number(&edited, "seq"), target + 1);
    let seen = stage.bob.get(&stage.path(&format!("/messages/{target}"))).await.expect(200);
    assert_eq!((&seen["text"], &seen["mentions"]), (&json!("hello"), &json!([stage.bob.id])));
}

#[tokio::test]
async fn frame_delete() {
    let stage = Stage::set().await;
    let target = stage.ada.say(&stage.group, "hello").await;
    let mut socket = stage.ada.connect(&stage.server).await;
    let frame = stage.frame("delete", json!({"target": target}));
    let deleted = socket.ask(frame.clone()).await.unwrap();
    assert_eq!(socket.ask(frame).await.unwrap(), deleted);
    let seen = stage.bob.get(&stage.path(&format!("/messages/{target}"))).await.expect(200);
    assert_eq!((&seen["deleted"], &seen["text"]), (&json!(true), &Value::Null));
}

#[tokio::test]
async fn frame_react() {
    let stage = Stage::set().await;
    let target = stage.ada.say(&stage.group, "hello").await;
    let mut socket = stage.bob.connect(&stage.server).await;
    for (on, count) in [(true, 1), (false, 0)] {
        socket.ask(stage.frame("react", json!({"target": target, "emoji": "👍", "on": on}))).await.unwrap();
        let seen = stage.bob.get(&stage.path(&format!("/messages/{target}"))).await.expect(200);
        assert_eq!(seen["reactions"].as_array().unwrap().len(), count);
    }
}

#[tokio::test]
async fn frame_pin() {
    let stage = Stage::set().await;
    let target = stage.ada.say(&stage.group, "hello").await;
    let mut socket = stage.ada.connect(&stage.server).await;
    for on in [true, false] {
        socket.ask(stage.frame("pin", json!({"target": target, "on": on}))).await.unwrap();
        let seen = stage.bob.get(&stage.path(&format!("/messages/{target}"))).await.expect(200);
        assert_eq!(seen["pinned"], on);
    }
}

#[tokio::test]
async fn frame_ack() {
    let stage = Stage::set().await;
    let seq = stage.ada.say(&stage.group, "hello").await;
    let mut socket = stage.bob.connect(&stage.server).await;
    // Without an id there is no answer: the ping's is the next.
    let quiet = json!({"op": "ack", "conversation": stage.group, "delivered": seq});
    socket.send_text(quiet.to_string()).await;
    socket.ask(json!({"op": "ping"})).await.unwrap();
    let answer = socket.ask(json!({"op": "ack", "conversation": stage.group, "read": seq})).await.unwrap();
    assert_eq!((number(&answer, "delivered"), number(&answer, "read")), (seq, seq));
}

#[tokio::test]
async fn frame_typing() {
    let stage = Stage::set().await;
    let (mut from, mut to) = (stage.bob.connect(&stage.server).await, stage.ada.connect(&stage.server).await);
    from.send_text(json!({"op": "typing", "conversation": stage.group, "on": true}).to_string()).await;
    assert_eq!(to.push("typing").await["user"], json!(stage.bob.id));
}

#[tokio::test]
async fn frame_watch() {
    let stage = Stage::set().await;
    let mut socket = stage.ada.connect(&stage.server).await;
    let now = socket.ask(json!({"op": "watch", "users": [stage.bob.id]})).await.unwrap();
    assert_eq!(now["items"], json!([{"user": stage.bob.id, "state": "offline", "last_seen": null}]));
    // The next one replaces it.
    socket.ask(json!({"op": "watch", "users": []})).await.unwrap();
    let _online = stage.bob.connect(&stage.server).await;
    assert!(socket.pushes_until_now().await.iter().all(|push| push["op"] != "presence"));
}

#[tokio::test]
async fn frame_status() {
    let stage = Stage::set().await;
    let mut watcher = stage.ada.connect(&stage.server).await;
    watcher.ask(json!({"op": "watch", "users": [stage.bob.id]})).await.unwrap();
    let socket = &mut stage.bob.connect(&stage.server).await;
    assert_eq!(watcher.push("presence").await["state"], "online");
    for state in ["away", "online"] {
        socket.send_text(json!({"op": "status", "state": state}).to_string()).await;
        assert_eq!(watcher.push("presence").await["state"], state);
    }
}

#[tokio::test]
async fn frame_fetch() {
    let stage = Stage::set().await;
    let seq = stage.ada.say(&stage.group, "hello").await;
    let mut socket = stage.bob.connect(&stage.server).await;
    let fetch = |more: Value| {
        let mut frame = json!({"op": "fetch", "conversation": stage.group});
        frame.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        frame
    };
    let page = socket.ask(fetch(json!({"after": 0, "limit": 200}))).await.unwrap();
    assert_eq!((number(&page, "head"), number(&page, "visible_from")), (seq, 1));
    assert_eq!(each(&page, "seq"), (1..=seq).map(|seq| json!(seq)).collect::<Vec<_>>());
    let page = socket.ask(fetch(json!({"before": seq, "limit": 1}))).await.unwrap();
    assert_eq!(each(&page, "seq"), [json!(seq - 1)]);
    for wrong in [json!({"after": 1, "before": 2, "limit": 1}), json!({"after": 1, "limit": 201})] {
        assert_eq!(socket.ask(fetch(wrong.clone())).await.unwrap_err(), "invalid", "{wrong}");
    }
}

#[tokio::test]
async fn frame_ping() {
    let stage = Stage::set().await;
    let mut socket = stage.ada.connect(&stage.server).await;
    assert_eq!(socket.ask(json!({"op": "ping"})).await.unwrap(), json!({}));
}

/// "Nonces": another mutation without one is done without protection against replays.
#[tokio::test]
async fn a_mutation_without_a_nonce_is_done() {
    let stage = Stage::set().await;
    let target = stage.ada.say(&stage.group, "hello").await;
    let mut socket = stage.ada.connect(&stage.server).await;
    let edit = json!({"op": "edit", "conversation": stage.group, "target": target, "text": "hello!"});
    let edited = socket.ask(edit).await.unwrap();
    assert_eq!(number(&edited, "seq"), target + 1);
    let reused = json!({"op": "send", "conversation": stage.group, "nonce": nonce(), "body": {"text": "on"}});
    assert_eq!(number(&socket.ask(reused).await.unwrap(), "seq"), target + 2);
}
