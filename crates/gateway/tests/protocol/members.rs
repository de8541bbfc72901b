//! PROTOCOL: "Conversations", members and invitations.

use serde_json::{Value, json};

use crate::support::{Person, nonce};
use crate::{Stage, each, items, number};

#[tokio::test]
async fn get_conversation_members() {
    let stage = Stage::set().await;
    let seq = stage.ada.say(&stage.group, "hello").await;
    stage.bob.post(&stage.path("/receipts"), json!({"read": seq})).await.expect(200);
    let members = stage.ada.get(&stage.path("/members")).await.expect(200);
    let bob = items(&members).iter().find(|member| member["user"] == stage.bob.id.as_str()).unwrap();
    assert_eq!((&bob["role"], number(bob, "delivered"), number(bob, "read")), (&json!("member"), seq, seq));
    assert!(bob["joined_at"].is_i64() && bob["profile"]["username"] == "bob");
    let page = stage.ada.get(&stage.path("/members?limit=1")).await.expect(200);
    let cursor = page["next_cursor"].as_str().unwrap();
    let rest = stage.ada.get(&stage.path(&format!("/members?limit=1&cursor={cursor}"))).await.expect(200);
    assert_eq!((items(&rest).len(), &rest["next_cursor"]), (1, &Value::Null));
}

#[tokio::test]
async fn post_conversation_members() {
    let stage = Stage::set().await;
    let (eve, dan) = (stage.server.sign_up("eve").await, stage.server.sign_up("dan").await);
    let body = json!({"users": [eve.id, dan.id], "nonce": nonce()});
    assert_eq!(stage.bob.post(&stage.path("/members"), body.clone()).await.refused(403), "forbidden");
    let added = stage.ada.post(&stage.path("/members"), body.clone()).await.expect(200);
    assert_eq!(added["conversation"], json!(stage.group));
    assert_eq!(number(&stage.view(&eve).await, "member_count"), 4);
    assert_eq!(stage.ada.post(&stage.path("/members"), body).await.expect(200), added, "a replay");
    let unknown = json!({"users": ["2251799813685247"]});
    assert_eq!(stage.ada.post(&stage.path("/members"), unknown).await.refused(404), "not_found");
}

#[tokio::test]
async fn patch_conversation_members_user() {
    let stage = Stage::set().await;
    let path = |person: &Person| stage.path(&format!("/members/{}", person.id));
    let role = |role: &str| json!({"role": role, "nonce": nonce()});
    for name in ["guest", "member", "admin"] {
        stage.ada.patch(&path(&stage.bob), role(name)).await.expect(200);
        assert_eq!(stage.view(&stage.bob).await["me"]["role"], name);
    }
    assert_eq!(stage.bob.patch(&path(&stage.ada), role("member")).await.refused(403), "forbidden");
    stage.ada.patch(&path(&stage.bob), role("owner")).await.expect(200);
    let seen = stage.view(&stage.ada).await;
    assert_eq!((&seen["owner"], &seen["me"]["role"]), (&json!(stage.bob.id), &json!("admin")), "handed over");
    assert_eq!(stage.bob.patch(&path(&stage.ada), role("king")).await.refused(400), "invalid");
    let eve = stage.server.sign_up("eve").await;
    assert_eq!(stage.bob.patch(&path(&eve), role("admin")).await.refused(409), "not_member");
}

#[tokio::test]
async fn delete_conversation_members_user() {
    let stage = Stage::set().await;
    let eve = stage.server.sign_up("eve").await;
    stage.ada.post(&stage.path("/members"), json!({"users": [eve.id]})).await.expect(200);
    let of = |person: &Person| stage.path(&format!("/members/{}", person.id));
    assert_eq!(stage.bob.delete(&of(&eve)).await.refused(403), "forbidden");
    stage.ada.delete(&of(&eve)).await.expect(200);
    assert_eq!(eve.get(&stage.path("")).await.refused(404), "not_found");
    assert_eq!(stage.ada.delete(&of(&eve)).await.refused(409), "not_member");
    // The owner leaves without handing over: the next one inherits.
    stage.ada.delete(&stage.path("/members/me")).await.expect(200);
    assert_eq!(stage.view(&stage.bob).await["owner"], json!(stage.bob.id));
    let log = stage.bob.get(&stage.path("/events?after=0&limit=200")).await.expect(200);
    let changes: Vec<_> = items(&log).iter().filter(|event| event["kind"] == "member").collect();
    let changes: Vec<_> = changes.iter().map(|event| event["body"]["change"].as_str().unwrap()).collect();
    assert_eq!(changes, ["joined", "joined", "joined", "removed", "role", "left"]);
    let direct = json!({"kind": "direct", "members": [eve.id]});
    let direct =
        stage.bob.post("/v1/conversations", direct).await.expect(201)["id"].as_str().unwrap().to_owned();
    let leave = stage.bob.delete(&format!("/v1/conversations/{direct}/members/me")).await;
    assert_eq!(leave.refused(403), "forbidden", "a direct conversation has two members for ever");
}

#[tokio::test]
async fn post_conversation_invites() {
    let stage = Stage::set().await;
    let invite =
        stage.ada.post(&stage.path("/invites"), json!({"max_uses": 2, "expires_in": 60})).await.expect(201);
    let code = invite["code"].as_str().unwrap();
    assert!(invite["url"].as_str().unwrap().ends_with(code));
    assert_eq!((number(&invite, "uses"), number(&invite, "max_uses")), (0, 2));
    assert!(invite["expires_at"].is_i64());
    assert_eq!(stage.bob.post(&stage.path("/invites"), json!({})).await.refused(403), "forbidden");
}

#[tokio::test]
async fn get_conversation_invites() {
    let stage = Stage::set().await;
    let invite = stage.ada.post(&stage.path("/invites"), json!({})).await.expect(201);
    let listed = stage.ada.get(&stage.path("/invites")).await.expect(200);
    assert_eq!(items(&listed), &vec![invite]);
    assert_eq!(stage.bob.get(&stage.path("/invites")).await.refused(403), "forbidden");
}

#[tokio::test]
async fn delete_conversation_invites_code() {
    let stage = Stage::set().await;
    let invite = stage.ada.post(&stage.path("/invites"), json!({})).await.expect(201);
    let code = invite["code"].as_str().unwrap();
    stage.ada.delete(&stage.path(&format!("/invites/{code}"))).await.expect(204);
    assert!(items(&stage.ada.get(&stage.path("/invites")).await.expect(200)).is_empty());
    let eve = stage.server.sign_up("eve").await;
    assert_eq!(eve.post(&format!("/v1/invites/{code}/join"), Value::Null).await.refused(410), "gone");
}

#[tokio::test]
async fn get_invites_code() {
    let stage = Stage::set().await;
    let invite = stage.ada.post(&stage.path("/invites"), json!({})).await.expect(201);
    let eve = stage.server.sign_up("eve").await;
    let preview = eve.get(&format!("/v1/invites/{}", invite["code"].as_str().unwrap())).await.expect(200);
    let expected = (&json!("Harvest"), &json!("group"), &json!(2));
    assert_eq!((&preview["title"], &preview["kind"], &preview["member_count"]), expected);
    assert_eq!(eve.get("/v1/invites/nothing-of-this-name").await.refused(404), "not_found");
}

#[tokio::test]
async fn post_invites_code_join() {
    let stage = Stage::set().await;
    let invite = stage.ada.post(&stage.path("/invites"), json!({"max_uses": 1})).await.expect(201);
    let path = format!("/v1/invites/{}/join", invite["code"].as_str().unwrap());
    let (eve, dan) = (stage.server.sign_up("eve").await, stage.server.sign_up("dan").await);
    assert_eq!(eve.post(&path, Value::Null).await.expect(200)["id"], json!(stage.group));
    assert_eq!(dan.post(&path, Value::Null).await.refused(410), "gone", "used up");
    assert!(each(&stage.ada.get(&stage.path("/members")).await.expect(200), "user").contains(&json!(eve.id)));
}
