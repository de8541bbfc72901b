//! PROTOCOL: "Conversations", messages and the log.

use serde_json::{Value, json};

use crate::support::nonce;
use crate::{Stage, each, items, number};

const THUMB: &str = "%F0%9F%91%8D";

#[tokio::test]
async fn get_conversation_messages() {
    let stage = Stage::set().await;
    let mut seqs = Vec::new();
    for text in ["one", "two", "three", "four", "five"] {
        seqs.push(json!(stage.ada.say(&stage.group, text).await));
        stage.server.clock.advance(1_000);
    }
    let page = async |query: &str| {
        let page = stage.bob.get(&stage.path(&format!("/messages?{query}"))).await.expect(200);
        assert_eq!((&page["head"], &page["visible_from"]), (&seqs[4], &json!(1)));
        each(&page, "seq")
    };
    assert_eq!(page("").await, seqs);
    assert_eq!(page(&format!("limit=2&before={}", seqs[3])).await, seqs[1..3]);
    assert_eq!(page(&format!("limit=2&after={}", seqs[1])).await, seqs[2..4]);
    let around = page(&format!("limit=3&around={}", seqs[2])).await;
    assert!(around.contains(&seqs[2]) && around.len() == 3, "{around:?}");
    let third = stage.bob.get(&stage.path(&format!("/messages/{}", seqs[2]))).await.expect(200);
    assert_eq!(page(&format!("limit=2&at={}", third["ts"])).await[0], seqs[2]);
    for query in ["limit=0", "limit=201", "before=1&after=2", "at=x"] {
        assert_eq!(
            stage.bob.get(&stage.path(&format!("/messages?{query}"))).await.refused(400),
            "invalid",
            "{query}"
        );
    }
}

#[tokio::test]
async fn post_conversation_messages() {
    let stage = Stage::set().await;
    let first = stage.ada.say(&stage.group, "hello").await;
    let wanted = json!({"nonce": nonce(), "text": "**figs** @bob", "format": "markdown", "reply_to": first,
        "mentions": [stage.bob.id]});
    let sent = stage.ada.post(&stage.path("/messages"), wanted.clone()).await.expect(201);
    assert_eq!((&sent["conversation"], number(&sent, "seq")), (&json!(stage.group), first + 1));
    assert!(sent["ts"].is_i64());
    assert_eq!(stage.ada.post(&stage.path("/messages"), wanted).await.expect(201), sent, "a replay");
    let seen = stage.bob.get(&stage.path(&format!("/messages/{}", sent["seq"]))).await.expect(200);
    let expected = json!({"conversation": stage.group, "seq": sent["seq"], "ts": sent["ts"], "sender": stage.ada.id,
        "text": "**figs** @bob", "format": "markdown", "reply_to": first, "mentions": [stage.bob.id], "attachments": [],
        "edited_at": null, "deleted": false, "pinned": false, "reactions": []});
    assert_eq!(seen, expected);
    for body in [
        json!({"text": "no nonce"}),
        json!({"nonce": "a b", "text": "x"}),
        json!({"nonce": "x".repeat(65), "text": "x"}),
        json!({"nonce": nonce(), "text": ""}),
        json!({"nonce": nonce(), "text": "x", "format": "html"}),
    ] {
        assert_eq!(
            stage.ada.post(&stage.path("/messages"), body.clone()).await.refused(400),
            "invalid",
            "{body}"
        );
    }
}

#[tokio::test]
async fn get_conversation_messages_seq() {
    let stage = Stage::set().await;
    let seq = stage.ada.say(&stage.group, "hello").await;
    let seen = stage.bob.get(&stage.path(&format!("/messages/{seq}"))).await.expect(200);
    assert_eq!((number(&seen, "seq"), &seen["text"]), (seq, &json!("hello")));
    for nothing in ["1", "9999"] {
        let answer = stage.bob.get(&stage.path(&format!("/messages/{nothing}"))).await;
        assert_eq!(answer.refused(404), "not_found", "{nothing} is no message");
    }
}

#[tokio::test]
async fn patch_conversation_messages_seq() {
    let stage = Stage::set().await;
    let seq = stage.ada.say(&stage.group, "helo").await;
    let path = stage.path(&format!("/messages/{seq}"));
    let edit = json!({"nonce": nonce(), "text": "hello"});
    assert_eq!(stage.bob.patch(&path, edit.clone()).await.refused(403), "forbidden", "the author alone");
    let edited = stage.ada.patch(&path, edit.clone()).await.expect(200);
    assert_eq!(number(&edited, "seq"), seq + 1, "an event of its own");
    assert_eq!(stage.ada.patch(&path, edit).await.expect(200), edited, "a replay");
    let seen = stage.bob.get(&path).await.expect(200);
    assert_eq!((&seen["text"], &seen["edited_at"]), (&json!("hello"), &edited["ts"]));
}

#[tokio::test]
async fn delete_conversation_messages_seq() {
    let stage = Stage::set().await;
    let seq = stage.ada.say(&stage.group, "secret").await;
    let path = stage.path(&format!("/messages/{seq}"));
    stage.ada.patch(&path, json!({"nonce": nonce(), "text": "secret, edited"})).await.expect(200);
    assert_eq!(stage.bob.delete(&path).await.refused(403), "forbidden");
    stage.ada.delete(&path).await.expect(200);
    let seen = stage.bob.get(&path).await.expect(200);
    assert_eq!(
        (&seen["text"], &seen["deleted"], &seen["sender"]),
        (&Value::Null, &json!(true), &json!(stage.ada.id))
    );
    let log = stage.bob.get(&stage.path("/events?after=0&limit=200")).await.expect(200);
    assert!(!log.to_string().contains("secret"), "its edits are erased with it: {log}");
    for refused in [
        stage.ada.patch(&path, json!({"nonce": nonce(), "text": "again"})).await,
        stage.bob.put(&format!("{path}/reactions/{THUMB}")).await,
        stage.ada.put(&stage.path(&format!("/pins/{seq}"))).await,
    ] {
        assert_eq!(refused.refused(409), "conflict");
    }
}

#[tokio::test]
async fn put_conversation_messages_seq_reactions_emoji() {
    let stage = Stage::set().await;
    let seq = stage.ada.say(&stage.group, "hello").await;
    let path = stage.path(&format!("/messages/{seq}"));
    let put = stage.bob.put(&format!("{path}/reactions/{THUMB}")).await.expect(200);
    stage.ada.put(&format!("{path}/reactions/{THUMB}")).await.expect(200);
    let again = stage.bob.put(&format!("{path}/reactions/{THUMB}")).await.expect(200);
    assert_eq!(
        number(&stage.view(&stage.bob).await, "head"),
        number(&put, "seq") + 1,
        "the same twice: {again}"
    );
    let seen = stage.bob.get(&path).await.expect(200);
    assert_eq!(seen["reactions"], json!([{"emoji": "👍", "count": 2, "me": true}]));
}

#[tokio::test]
async fn delete_conversation_messages_seq_reactions_emoji() {
    let stage = Stage::set().await;
    let seq = stage.ada.say(&stage.group, "hello").await;
    let path = stage.path(&format!("/messages/{seq}"));
    stage.bob.put(&format!("{path}/reactions/{THUMB}")).await.expect(200);
    stage.bob.delete(&format!("{path}/reactions/{THUMB}")).await.expect(200);
    assert_eq!(stage.bob.get(&path).await.expect(200)["reactions"], json!([]));
    let log = stage.bob.get(&stage.path(&format!("/events?after={seq}&limit=10"))).await.expect(200);
    let bodies = each(&log, "body");
    assert_eq!(bodies[1], json!({"target": seq, "emoji": "👍", "on": false}));
}

#[tokio::test]
async fn put_conversation_pins_seq() {
    let stage = Stage::set().await;
    let seq = stage.bob.say(&stage.group, "hello").await;
    let pin = stage.path(&format!("/pins/{seq}"));
    assert_eq!(stage.bob.put(&pin).await.refused(403), "forbidden");
    stage.ada.put(&pin).await.expect(200);
    assert_eq!(stage.bob.get(&stage.path(&format!("/messages/{seq}"))).await.expect(200)["pinned"], true);
    let log = stage.bob.get(&stage.path(&format!("/events?after={seq}&limit=10"))).await.expect(200);
    assert_eq!(
        (&items(&log)[0]["kind"], &items(&log)[0]["body"]),
        (&json!("pin"), &json!({"target": seq, "on": true}))
    );
}

#[tokio::test]
async fn delete_conversation_pins_seq() {
    let stage = Stage::set().await;
    let seq = stage.bob.say(&stage.group, "hello").await;
    let pin = stage.path(&format!("/pins/{seq}"));
    stage.ada.put(&pin).await.expect(200);
    stage.ada.delete(&pin).await.expect(200);
    assert_eq!(stage.bob.get(&stage.path(&format!("/messages/{seq}"))).await.expect(200)["pinned"], false);
}

#[tokio::test]
async fn get_conversation_pins() {
    let stage = Stage::set().await;
    let (one, two) = (stage.bob.say(&stage.group, "one").await, stage.bob.say(&stage.group, "two").await);
    for seq in [two, one] {
        stage.ada.put(&stage.path(&format!("/pins/{seq}"))).await.expect(200);
    }
    assert_eq!(each(&stage.bob.get(&stage.path("/pins")).await.expect(200), "seq"), [json!(two), json!(one)]);
}

#[tokio::test]
async fn get_conversation_events() {
    let stage = Stage::set().await;
    let seq = stage.ada.say(&stage.group, "hello").await;
    let log = stage.bob.get(&stage.path("/events?after=0&limit=200")).await.expect(200);
    assert_eq!((number(&log, "head"), number(&log, "visible_from")), (seq, 1));
    assert_eq!(each(&log, "seq"), (1..=seq).map(|seq| json!(seq)).collect::<Vec<_>>(), "contiguous");
    assert_eq!(each(&log, "kind"), ["settings", "member", "member", "message"]);
    let last = items(&log).last().unwrap();
    let body =
        json!({"text": "hello", "format": "plain", "reply_to": null, "mentions": [], "attachments": []});
    assert_eq!(
        (&last["sender"], &last["device"], &last["body"]),
        (&json!(stage.ada.id), &json!(stage.ada.device), &body)
    );
    assert!(last.get("nonce").is_none(), "to its sender alone");
    let own = stage.ada.get(&stage.path(&format!("/events?after={}", seq - 1))).await.expect(200);
    assert!(items(&own)[0]["nonce"].is_string());
    let before = stage.bob.get(&stage.path(&format!("/events?before={seq}&limit=2"))).await.expect(200);
    assert_eq!(each(&before, "seq"), [json!(seq - 2), json!(seq - 1)]);
}

/// "Visibility": `joined` begins with the own join.
#[tokio::test]
async fn visibility_history_joined() {
    let stage = Stage::set().await;
    let body = json!({"kind": "group", "members": [], "title": "x", "history": "joined"});
    let id = stage.ada.post("/v1/conversations", body).await.expect(201)["id"].as_str().unwrap().to_owned();
    stage.ada.say(&id, "before").await;
    let path = format!("/v1/conversations/{id}");
    let join = stage.ada.post(&format!("{path}/members"), json!({"users": [stage.bob.id]})).await.expect(200);
    let log = stage.bob.get(&format!("{path}/events?after=0")).await.expect(200);
    assert_eq!(
        (number(&log, "visible_from"), each(&log, "seq")),
        (number(&join, "seq"), vec![join["seq"].clone()])
    );
    let below = number(&join, "seq") - 1;
    assert_eq!(stage.bob.get(&format!("{path}/messages/{below}")).await.refused(404), "not_found");
}
