//! PROTOCOL: `privacy` of the own profile.

use serde_json::json;

use crate::support::{PASSWORD, Person, Server};
use crate::tools::{people, send};

#[tokio::test]
async fn privacy_last_seen() {
    let server = Server::start().await;
    let [ann, bob, carl] = people(&server).await;
    ann.create_group(&[&bob, &carl]).await;
    ann.befriend(&bob).await;
    let _online = ann.connect(&server).await;
    for (audience, contact, member) in
        [("everyone", true, true), ("contacts", true, false), ("nobody", false, false)]
    {
        ann.set_privacy(json!({"last_seen": audience})).await;
        let shown = |sees| if sees { ("online".to_owned(), true) } else { ("offline".to_owned(), false) };
        assert_eq!(bob.sees(&ann).await, shown(contact), "{audience}: a contact");
        assert_eq!(carl.sees(&ann).await, shown(member), "{audience}: a member of the same group");
    }
    let answer = ann.patch("/v1/me", json!({"privacy": {"last_seen": "friends"}})).await;
    assert_eq!(answer.refused(400), "invalid");
}

#[tokio::test]
async fn privacy_find_by() {
    let server = Server::start().await;
    let mira = json!({"username": "mira", "password": PASSWORD, "display_name": "Mira Lem",
        "email": "mira@example.org", "phone": "+15550100"});
    let session = server.client().post("/v1/auth/signup", mira).await.expect(201);
    let mira = Person::from_session(&server, &session);
    let bob = server.sign_up("bob").await;
    let found = async |query: &str| {
        let page = bob.get(&format!("/v1/users?q={query}")).await.expect(200);
        !page["items"].as_array().unwrap().is_empty()
    };
    let ways = ["mir", "mira%20l", "mira@example.org", "%2B15550100"];
    for (find_by, expected) in [
        (json!(["username", "email", "phone"]), [true, true, true, true]),
        (json!(["username"]), [true, true, false, false]),
        (json!(["email"]), [false, false, true, false]),
        (json!(["phone"]), [false, false, false, true]),
        (json!([]), [false, false, false, false]),
    ] {
        mira.set_privacy(json!({"find_by": find_by})).await;
        for (way, expected) in ways.into_iter().zip(expected) {
            assert_eq!(found(way).await, expected, "{way}, find_by {find_by}");
        }
        // How one signs in is one's own affair, and tells others nothing.
        for login in ["mira", "mira@example.org", "+15550100"] {
            let log_in = |password: &str| json!({"login": login, "password": password});
            server.client().post("/v1/auth/login", log_in(PASSWORD)).await.expect(200);
            let wrong = server.client().post("/v1/auth/login", log_in("wrong password")).await;
            let nobody = json!({"login": "nobody@example.org", "password": "wrong password"});
            let nobody = server.client().post("/v1/auth/login", nobody).await;
            let without_id = |mut body: serde_json::Value| {
                body["request_id"] = json!(null);
                body
            };
            assert_eq!((wrong.status, without_id(wrong.body)), (401, without_id(nobody.body)));
        }
    }
    let answer = mira.patch("/v1/me", json!({"privacy": {"find_by": ["shoe size"]}})).await;
    assert_eq!(answer.refused(400), "invalid");
}

#[tokio::test]
async fn privacy_read_receipts() {
    let server = Server::start().await;
    let [ann, bob] = people(&server).await;
    let id = ann.direct(&bob).await;
    let path = format!("/v1/conversations/{id}");
    bob.set_privacy(json!({"read_receipts": false})).await;
    let mut from = ann.connect(&server).await;
    let (mut to, second) = (bob.connect(&server).await, Person::log_in(&server, "bob").await);
    let mut own = second.connect(&server).await;
    let seq = from.ask(send(&id, "read me")).await.unwrap()["seq"].as_u64().unwrap();
    to.ask(json!({"op": "ack", "conversation": id, "read": seq})).await.unwrap();
    let cursor = json!({"user": bob.id, "delivered": seq, "read": 0});
    assert_eq!(from.receipt_of(&bob.id).await, cursor, "delivered, as far as others can see");
    assert_eq!(own.receipt_of(&bob.id).await["read"], seq, "one's own devices know");
    let read = async |who: &Person| {
        let view = who.get(&path).await.expect(200);
        let cursors = view["cursors"].as_array().unwrap().clone();
        let members =
            who.get(&format!("{path}/members")).await.expect(200)["items"].as_array().unwrap().clone();
        let of_bob = |list: &[serde_json::Value]| {
            list.iter().find(|entry| entry["user"] == bob.id.as_str()).unwrap()["read"].as_u64().unwrap()
        };
        (of_bob(&cursors), of_bob(&members))
    };
    assert_eq!(read(&ann).await, (0, 0));
    assert_eq!(read(&bob).await, (seq, seq));
    bob.set_privacy(json!({"read_receipts": true})).await;
    assert_eq!(read(&ann).await, (seq, seq));
    let next = from.ask(send(&id, "and me")).await.unwrap()["seq"].as_u64().unwrap();
    to.ask(json!({"op": "ack", "conversation": id, "read": next})).await.unwrap();
    assert_eq!(from.receipt_of(&bob.id).await["read"], next);
}
