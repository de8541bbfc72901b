//! PROTOCOL: "Contacts and blocks", the contacts.

use loquat_proto::Limits;
use serde_json::{Value, json};

use crate::support::{Person, Server, Settings, unlimited};
use crate::tools::people;

#[tokio::test]
async fn get_contacts() {
    let server = Server::start().await;
    let [ann, bob, carl] = people(&server).await;
    assert_eq!(ann.get("/v1/contacts").await.expect(200), json!({"items": [], "next_cursor": null}));
    ann.befriend(&bob).await;
    carl.befriend(&ann).await;
    let contact = &bob.get("/v1/contacts").await.expect(200)["items"][0];
    assert_eq!((&contact["user"], &contact["profile"]["username"]), (&json!(ann.id), &json!("ann")));
    assert!(contact["created_at"].is_i64());
    assert_eq!(contact["profile"].get("email"), None, "a contact sees the public profile");

    let first = ann.get("/v1/contacts?limit=1").await.expect(200);
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = ann.get(&format!("/v1/contacts?limit=1&cursor={cursor}")).await.expect(200);
    assert_eq!(second["next_cursor"], Value::Null);
    let mut met = vec![&first["items"][0]["user"], &second["items"][0]["user"]];
    met.sort_by_key(|id| id.as_str());
    let mut all = [json!(bob.id), json!(carl.id)];
    all.sort_by_key(|id| id.as_str().unwrap().to_owned());
    assert_eq!(met, [&all[0], &all[1]]);
    for query in ["limit=0", "limit=201", "cursor=x", "cursor=0"] {
        for list in ["contacts", "contacts/requests", "blocks"] {
            let answer = ann.get(&format!("/v1/{list}?{query}")).await;
            assert_eq!(answer.refused(400), "invalid", "{list}?{query}");
        }
    }
}

#[tokio::test]
async fn post_contacts_requests() {
    let server = Server::start().await;
    let [ann, bob] = people(&server).await;
    let second = Person::log_in(&server, "bob").await;
    let (mut own, mut theirs, mut other) =
        (ann.connect(&server).await, bob.connect(&server).await, second.connect(&server).await);
    let body = json!({"user": bob.id});
    let first = ann.post("/v1/contacts/requests", body.clone()).await.expect(201);
    assert_eq!((&first["user"], &first["status"]), (&json!(bob.id), &json!("pending")));
    assert_eq!(ann.post("/v1/contacts/requests", body).await.expect(200), first, "once more is no news");

    let kind = "contact_request".to_owned();
    let out = json!({"user": bob.id, "direction": "out"});
    assert_eq!(own.account_event().await, (kind.clone(), out));
    for device in [&mut theirs, &mut other] {
        let event = (kind.clone(), json!({"user": ann.id, "direction": "in"}));
        assert_eq!(device.account_event().await, event, "every device of who is asked");
    }
    assert_eq!(theirs.account_kinds().await, [""; 0], "asked once, told once");
    for (body, status, code) in [
        (json!({"user": ann.id}), 400, "invalid"),
        (json!({"user": "2251799813685247"}), 404, "not_found"),
        (json!({"user": "0"}), 400, "invalid"),
        (json!({}), 400, "invalid"),
    ] {
        assert_eq!(ann.post("/v1/contacts/requests", body).await.refused(status), code);
    }
}

#[tokio::test]
async fn requests_in_both_directions_are_accepted() {
    let server = Server::start().await;
    let [ann, bob] = people(&server).await;
    let (mut from, mut to) = (ann.connect(&server).await, bob.connect(&server).await);
    assert_eq!(ann.ask(&bob).await, "pending");
    assert_eq!(bob.ask(&ann).await, "accepted");
    assert_eq!(from.account_kinds().await, ["contact_request", "contact_added"]);
    assert_eq!(to.account_kinds().await, ["contact_request", "contact_added"]);
    assert_eq!(ann.listed("/v1/contacts").await, std::slice::from_ref(&bob.id));
    assert_eq!(bob.listed("/v1/contacts").await, std::slice::from_ref(&ann.id));
    assert_eq!((ann.requests().await, bob.requests().await), (vec![], vec![]));
    assert_eq!(ann.ask(&bob).await, "accepted", "who is a contact stays one");
}

#[tokio::test]
async fn get_contacts_requests() {
    let server = Server::start().await;
    let [ann, bob, carl] = people(&server).await;
    ann.ask(&bob).await;
    let waits = ann.get("/v1/contacts/requests").await.expect(200)["items"][0].clone();
    assert_eq!((&waits["user"], &waits["direction"]), (&json!(bob.id), &json!("out")));
    assert!(waits["created_at"].is_i64());
    assert_eq!(waits["profile"]["username"], "bob");
    assert_eq!(bob.requests().await, [(ann.id.clone(), "in".to_owned())]);
    assert_eq!(carl.requests().await, []);
}

#[tokio::test]
async fn post_contacts_requests_user_accept() {
    let server = Server::start().await;
    let [ann, bob, carl] = people(&server).await;
    ann.ask(&bob).await;
    let accept = async |who: &Person, whom: &Person| {
        who.post(&format!("/v1/contacts/requests/{}/accept", whom.id), Value::Null).await
    };
    assert_eq!(accept(&ann, &bob).await.refused(404), "not_found", "one's own request is not accepted");
    assert_eq!(accept(&bob, &carl).await.refused(404), "not_found");
    assert_eq!(accept(&bob, &bob).await.refused(400), "invalid");
    let (mut from, mut to) = (ann.connect(&server).await, bob.connect(&server).await);
    let first = accept(&bob, &ann).await.expect(200);
    assert_eq!((&first["user"], &first["status"]), (&json!(ann.id), &json!("accepted")));
    assert_eq!(accept(&bob, &ann).await.expect(200), first, "a repetition answers alike");
    assert_eq!(from.account_event().await, ("contact_added".to_owned(), json!({"user": bob.id})));
    assert_eq!(to.account_event().await, ("contact_added".to_owned(), json!({"user": ann.id})));
}

#[tokio::test]
async fn post_contacts_requests_user_decline() {
    let server = Server::start().await;
    let [ann, bob] = people(&server).await;
    let first = ann.post("/v1/contacts/requests", json!({"user": bob.id})).await.expect(201);
    let (mut from, mut to) = (ann.connect(&server).await, bob.connect(&server).await);
    let decline = format!("/v1/contacts/requests/{}/decline", ann.id);
    bob.post(&decline, Value::Null).await.expect(204);
    bob.post(&decline, Value::Null).await.expect(204);
    let removed = json!({"user": ann.id, "request": true});
    assert_eq!(to.account_event().await, ("contact_removed".to_owned(), removed));
    assert_eq!(bob.requests().await, []);

    // Declining tells the requester nothing: no event, the same list, the same answer.
    assert_eq!(from.account_kinds().await, [""; 0]);
    assert_eq!(ann.requests().await, [(bob.id.clone(), "out".to_owned())]);
    let again = ann.post("/v1/contacts/requests", json!({"user": bob.id})).await.expect(200);
    assert_eq!(again, first);
    ann.delete(&format!("/v1/contacts/{}", bob.id)).await.expect(204);
    assert_eq!(ann.ask(&bob).await, "pending");
    assert_eq!(to.account_kinds().await, [""; 0], "nor is who declined bothered again");
    assert_eq!(bob.requests().await, []);
    let nobody = format!("/v1/contacts/requests/{}/decline", bob.id);
    assert_eq!(ann.post(&nobody, Value::Null).await.refused(404), "not_found");
    assert_eq!(bob.ask(&ann).await, "accepted", "until they ask themselves");
}

#[tokio::test]
async fn delete_contacts_user() {
    let server = Server::start().await;
    let [ann, bob, carl] = people(&server).await;
    ann.befriend(&bob).await;
    ann.ask(&carl).await;
    let (mut own, mut theirs, mut asked) =
        (ann.connect(&server).await, bob.connect(&server).await, carl.connect(&server).await);
    for _ in 0..2 {
        ann.delete(&format!("/v1/contacts/{}", bob.id)).await.expect(204);
    }
    let event =
        |user: &Person, request| ("contact_removed".to_owned(), json!({"user": user.id, "request": request}));
    assert_eq!(own.account_event().await, event(&bob, false));
    assert_eq!(theirs.account_event().await, event(&ann, false));
    assert_eq!((ann.listed("/v1/contacts").await, bob.listed("/v1/contacts").await), (vec![], vec![]));

    ann.delete(&format!("/v1/contacts/{}", carl.id)).await.expect(204);
    assert_eq!(own.account_event().await, event(&carl, true));
    assert_eq!(asked.account_event().await, event(&ann, true));
    assert_eq!((ann.requests().await, carl.requests().await), (vec![], vec![]));
    ann.delete("/v1/contacts/2251799813685247").await.expect(204);
}

#[tokio::test]
async fn limits_of_contacts() {
    let limits = Limits {
        contacts: 1,
        contact_requests: 2,
        contact_requests_received: 1,
        contact_requests_per_hour: 5,
        ..unlimited()
    };
    let server = Server::start_with(Settings { limits, ..Settings::default() }).await;
    let info = server.client().get("/v1/server").await.expect(200);
    let said = &info["limits"];
    assert_eq!((&said["contacts"], &said["contact_requests"]), (&json!(1), &json!(2)));
    let [ann, bob, carl, dora] = people(&server).await;
    ann.ask(&bob).await;
    let ask =
        async |who: &Person, whom: &Person| who.post("/v1/contacts/requests", json!({"user": whom.id})).await;
    assert_eq!(ask(&carl, &bob).await.refused(409), "conflict", "one request waits for bob");
    ann.ask(&carl).await;
    assert_eq!(ask(&ann, &dora).await.refused(409), "conflict", "ann asked two");
    assert_eq!(bob.ask(&ann).await, "accepted");
    assert_eq!(ask(&carl, &ann).await.refused(409), "conflict", "ann has a contact");
    ask(&ann, &carl).await.expect(200);
    ask(&ann, &carl).await.expect(200);
    let flooding = ask(&ann, &carl).await;
    assert_eq!(flooding.refused(429), "rate_limited");
    assert!(flooding.headers.contains_key("retry-after"));
}

#[tokio::test]
async fn account_events_of_contacts_reach_who_was_away() {
    let server = Server::start().await;
    let [ann, bob] = people(&server).await;
    let since = bob.get("/v1/sync?timeout=0").await.expect(200)["since"].clone();
    ann.ask(&bob).await;
    let poll = format!("/v1/sync?timeout=0&since={}", since.as_str().unwrap());
    let news = bob.get(&poll).await.expect(200);
    assert_eq!(news["account"][0]["kind"], "contact_request");
    assert_eq!(news["account"][0]["body"], json!({"user": ann.id, "direction": "in"}));
    let mut socket = crate::support::Socket::open(&server).await;
    let hello = json!({"op": "hello", "token": bob.token, "since": since});
    let ready = socket.ask(hello).await.unwrap();
    assert_eq!(ready["account"], news["account"]);
}
