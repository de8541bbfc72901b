//! PROTOCOL: "Presence".

use serde_json::{Value, json};

use crate::support::Server;
use crate::tools::people;

#[tokio::test]
async fn get_presence() {
    let server = Server::start().await;
    let [ann, bob, carl, dora] = people(&server).await;
    ann.create_group(&[&bob]).await;
    ann.befriend(&carl).await;
    let _online = ann.connect(&server).await;
    assert_eq!(bob.sees(&ann).await, ("online".to_owned(), true), "by a shared conversation");
    assert_eq!(carl.sees(&ann).await, ("online".to_owned(), true), "as a contact");
    assert_eq!(dora.sees(&ann).await, ("offline".to_owned(), false), "a stranger");
    let several = format!("/v1/presence?users={},2251799813685247,{}", ann.id, dora.id);
    let items = bob.get(&several).await.expect(200)["items"].clone();
    let states: Vec<_> = items.as_array().unwrap().iter().map(|item| item["state"].clone()).collect();
    assert_eq!(states, ["online", "offline", "offline"], "the unknown look like the hidden");
}

#[tokio::test]
async fn post_presence_heartbeat() {
    let server = Server::start().await;
    let [ann, bob] = people(&server).await;
    ann.befriend(&bob).await;
    let beat = bob.post("/v1/presence/heartbeat", json!({"state": "away"})).await.expect(200);
    assert_eq!(beat, json!({"expires_in_ms": 30_000}));
    assert_eq!(ann.sees(&bob).await, ("away".to_owned(), true));
    bob.post("/v1/presence/heartbeat", json!({"state": "offline"})).await.expect(200);
    assert_eq!(ann.sees(&bob).await, ("offline".to_owned(), true));
}

#[tokio::test]
async fn who_watches_is_told_when_they_may_see_and_no_longer() {
    let server = Server::start().await;
    let [ann, bob] = people(&server).await;
    let mut watcher = bob.connect(&server).await;
    let _online = ann.connect(&server).await;
    let watch = json!({"op": "watch", "users": [ann.id]});
    assert_eq!(watcher.ask(watch).await.unwrap()["items"][0]["state"], "offline");
    let told = async |watcher: &mut crate::support::Socket| {
        let push = watcher.push("presence").await;
        assert_eq!(push["user"], ann.id.as_str());
        (push["state"].as_str().unwrap().to_owned(), push["last_seen"] != Value::Null)
    };
    let (seen, hidden) = (("online".to_owned(), true), ("offline".to_owned(), false));
    ann.befriend(&bob).await;
    assert_eq!(told(&mut watcher).await, seen, "a new contact");
    ann.set_privacy(json!({"last_seen": "nobody"})).await;
    assert_eq!(told(&mut watcher).await, hidden, "who hides is gone");
    ann.set_privacy(json!({"last_seen": "contacts"})).await;
    assert_eq!(told(&mut watcher).await, seen);
    bob.delete(&format!("/v1/contacts/{}", ann.id)).await.expect(204);
    assert_eq!(told(&mut watcher).await, hidden, "a contact no more");
    ann.set_privacy(json!({"last_seen": "everyone"})).await;
    let group = ann.create_group(&[]).await;
    ann.post(&format!("/v1/conversations/{group}/members"), json!({"users": [bob.id]})).await.expect(200);
    assert_eq!(told(&mut watcher).await, seen, "a shared conversation");
    ann.delete(&format!("/v1/conversations/{group}/members/{}", bob.id)).await.expect(200);
    assert_eq!(told(&mut watcher).await, hidden, "removed from it");
    ann.create_group(&[&bob]).await;
    assert_eq!(told(&mut watcher).await, seen, "another one");
}
