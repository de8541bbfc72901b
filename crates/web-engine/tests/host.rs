//! The engine behind its text interface, driven as the worker drives it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use loquat_web_engine::Host;
use serde_json::{Value, json};

/// A host that is called at ascending times.
#[derive(Default)]
struct Worker {
    host: Host,
    time: u64,
}

impl Worker {
    fn call(&mut self, input: Value) -> Value {
        self.time += 10;
        let call =
            json!({"wall": 1_763_800_000_000_u64 + self.time, "monotonic_ms": self.time, "input": input});
        serde_json::from_str(&self.host.call(&call.to_string())).unwrap()
    }

    fn start(&mut self, restored: Value) {
        let input =
            json!({"start": {"user": "12", "device": "900", "seed": "1".repeat(64), "restored": restored}});
        let output = self.call(input);
        assert_eq!(output["invalid"], Value::Null);
    }

    fn views(&mut self, whole: bool) -> Value {
        self.call(json!({"views": {"whole": whole}}))["answer"]["patch"].clone()
    }

    /// Confirms what is to be written, and returns the queue's store operations.
    fn persist_all(&mut self, output: &Value) -> Vec<Value> {
        let effects = output["effects"].as_array().unwrap().clone();
        let mut operations = Vec::new();
        for effect in effects.iter().filter(|effect| effect["kind"] == "persist") {
            operations.extend(effect["operations"].as_array().unwrap().clone());
            self.call(json!({"persisted": {"batch": effect["batch"]}}));
        }
        operations
    }
}

fn conversation(head: u64) -> Value {
    json!({
        "id": "71", "kind": "group", "title": "Harvest", "description": "", "avatar": null, "owner": "12",
        "member_count": 2, "head": head, "visible_from": 1, "history": "full", "created_at": 1, "last_activity": 2,
        "last_message": null, "retention": {"mode": "keep"},
        "permissions": {"post": "member", "invite": "admin", "edit_info": "admin", "pin": "admin"},
        "slow_mode_ms": 0, "peer": null,
        "me": {"role": "owner", "delivered": head, "read": head, "unread": 0, "mentions": 0, "muted_until": null,
               "pinned": false, "archived": false, "draft": null},
        "cursors": [{"user": "12", "delivered": head, "read": head}, {"user": "13", "delivered": 0, "read": 0}]
    })
}

fn restored() -> Value {
    let progress = json!({"head": 0, "ranges": [], "delivered": 0, "read": 0, "repeat_cursors": false,
                          "draft": null, "draft_unsent": false});
    json!({"sync": {"since": null, "account_pos": null}, "conversations": [[conversation(0), progress]],
           "queue": [], "profiles": []})
}

#[test]
fn a_restored_engine_tells_all_it_has_without_a_network() {
    let mut worker = Worker::default();
    worker.start(restored());
    let patch = worker.views(false);
    assert_eq!(patch["order"], json!(["71"]));
    assert_eq!(patch["conversations"][0]["title"], "Harvest");
    assert_eq!(patch["sync"], "disconnected");
    let again = worker.views(false);
    assert_eq!((&again["order"], &again["conversations"]), (&Value::Null, &json!([])));
    assert_eq!(worker.views(true)["conversations"][0]["title"], "Harvest", "a new tab is told everything");
}

#[test]
fn a_message_is_shown_at_once_as_a_splice_and_stored_before_it_is_sent() {
    let mut worker = Worker::default();
    worker.start(restored());
    let output = worker.call(json!({"obey": {"command": {"kind": "open", "value": "71"}}}));
    let body =
        json!({"text": "stored", "format": "plain", "reply_to": null, "mentions": [], "attachments": []});
    let events = json!([{"conversation": "71", "seq": 0, "ts": 1, "sender": "13", "device": null, "kind": "message", "body": body}]);
    for effect in output["effects"].as_array().unwrap().iter().filter(|effect| effect["kind"] == "load") {
        worker.call(json!({"loaded": {"id": effect["id"], "events": events}}));
    }
    let opened = worker.views(false);
    assert_eq!(opened["timelines"][0]["base"], 0);
    for (text, place) in [("one", 1), ("two", 2)] {
        let nonce = worker.call(json!("new_nonce"))["answer"]["nonce"].clone();
        let change = json!({"kind": "send", "body": {"text": text}});
        let command = json!({"conversation": "71", "nonce": nonce, "change": change});
        let output = worker.call(json!({"obey": {"command": {"kind": "change", "value": command}}}));
        assert_eq!(output["refused"], Value::Null);
        let stored = worker.persist_all(&output);
        assert!(stored.iter().any(|operation| operation["op"] == "put_change"), "{stored:?}");
        let timeline = &worker.views(false)["timelines"][0];
        assert_eq!((&timeline["start"], &timeline["remove"]), (&json!(place), &json!(0)));
        assert_eq!(timeline["insert"].as_array().unwrap().len(), 1);
        assert_eq!(timeline["insert"][0]["value"]["message"]["text"], text);
        assert_eq!(timeline["insert"][0]["value"]["status"]["state"], "queued");
    }
}

#[test]
fn what_is_not_understood_is_said_and_changes_nothing() {
    let mut worker = Worker::default();
    assert!(worker.call(json!("dance"))["invalid"].is_string());
    worker.start(restored());
    let short = json!({"start": {"user": "1", "device": "2", "seed": "1", "restored": restored()}});
    assert!(worker.call(short)["invalid"].is_string());
    let refused = worker.call(json!({"obey": {"command": {"kind": "open", "value": "72"}}}));
    assert_eq!(refused["refused"], "no_such_conversation");
    assert_eq!(worker.views(false)["order"], json!(["71"]));
}
