//! Invitations, roles, slow mode and pins, by REST and the socket over the real store. Each test is named after the
//! row of the protocol that it holds the server to.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use serde_json::{Value, json};
use support::{Person, Server, Settings, nonce, unlimited};

fn invites(conversation: &str) -> String {
    format!("/v1/conversations/{conversation}/invites")
}

fn member_path(conversation: &str, person: &Person) -> String {
    format!("/v1/conversations/{conversation}/members/{}", person.id)
}

/// A new invitation: its code.
async fn invite(by: &Person, conversation: &str, body: Value) -> String {
    let invite = by.post(&invites(conversation), body).await.expect(201);
    invite["code"].as_str().unwrap().to_owned()
}

async fn join(person: &Person, code: &str) -> support::Answer {
    person.call(axum::http::Method::POST, &format!("/v1/invites/{code}/join"), None).await
}

async fn set_role(by: &Person, conversation: &str, person: &Person, role: &str) -> support::Answer {
    by.patch(&member_path(conversation, person), json!({"role": role})).await
}

async fn roles(by: &Person, conversation: &str) -> Vec<(String, String)> {
    let page = by.get(&format!("/v1/conversations/{conversation}/members")).await.expect(200);
    let role = |member: &Value| {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        (text(&member["user"]), text(&member["role"]))
    };
    page["items"].as_array().unwrap().iter().map(role).collect()
}

async fn role_of(by: &Person, conversation: &str, person: &Person) -> Option<String> {
    roles(by, conversation).await.into_iter().find(|(user, _)| *user == person.id).map(|(_, role)| role)
}

#[tokio::test]
async fn post_invites_max_uses_expires_in_get_and_delete() {
    let settings = Settings { public_url: Some("https://chat.example/".to_owned()), ..Settings::default() };
    let server = Server::start_with(settings).await;
    let (ada, bob, eve) =
        (server.sign_up("ada").await, server.sign_up("bob").await, server.sign_up("eve").await);
    let group = ada.create_group(&[&bob]).await;
    let key = nonce();
    let wanted = json!({"max_uses": 2, "expires_in": 60, "nonce": key});
    let made = ada.post(&invites(&group), wanted.clone()).await.expect(201);
    let code = made["code"].as_str().unwrap();
    assert!(code.len() >= 22, "{code} has 128 random bits");
    assert_eq!(made["url"], format!("https://chat.example/join/{code}"));
    assert_eq!(
        (&made["uses"], &made["max_uses"], &made["conversation"]),
        (&json!(0), &json!(2), &json!(group))
    );
    let lasts = made["expires_at"].as_i64().unwrap() - made["created_at"].as_i64().unwrap();
    assert_eq!((lasts, &made["creator"]), (60_000, &json!(ada.id)));
    assert_eq!(ada.post(&invites(&group), wanted).await.expect(201), made, "a retry makes no other one");

    let open = ada.post(&invites(&group), json!({})).await.expect(201);
    assert_eq!((&open["max_uses"], &open["expires_at"]), (&Value::Null, &Value::Null));
    let listed = ada.get(&invites(&group)).await.expect(200);
    assert_eq!(listed, json!({"items": [open, made], "next_cursor": null}));
    let first = ada.get(&format!("{}?limit=1", invites(&group))).await.expect(200);
    let rest = format!("{}?limit=1&cursor={}", invites(&group), first["next_cursor"].as_str().unwrap());
    assert_eq!(ada.get(&rest).await.expect(200)["items"], json!([made]));

    for bad in [json!({"max_uses": 0}), json!({"expires_in": 0}), json!({"expires_in": 9_000_000_000_u64})] {
        assert_eq!(ada.post(&invites(&group), bad).await.refused(400), "invalid");
    }
    assert_eq!(bob.post(&invites(&group), json!({})).await.refused(403), "forbidden");
    assert_eq!(bob.get(&invites(&group)).await.refused(403), "forbidden");
    assert_eq!(eve.post(&invites(&group), json!({})).await.refused(404), "not_found");
    let revoke = format!("{}/{code}", invites(&group));
    assert_eq!(bob.delete(&revoke).await.refused(403), "forbidden");
    assert_eq!(eve.delete(&revoke).await.refused(404), "not_found");
    ada.delete(&revoke).await.expect(204);
    assert_eq!(ada.delete(&revoke).await.refused(404), "not_found");
    assert_eq!(join(&eve, code).await.refused(410), "gone");
    assert_eq!(ada.get(&invites(&group)).await.expect(200)["items"], json!([open]));
}

#[tokio::test]
async fn who_may_invite_sees_and_revokes_the_own_ones() {
    let server = Server::start().await;
    let (ada, bob, eve) =
        (server.sign_up("ada").await, server.sign_up("bob").await, server.sign_up("eve").await);
    let group = ada.create_group(&[&bob, &eve]).await;
    let permissions = json!({"post": "member", "invite": "member", "edit_info": "admin", "pin": "admin"});
    ada.patch(&format!("/v1/conversations/{group}"), json!({"permissions": permissions})).await.expect(200);
    let (of_bob, of_eve) = (invite(&bob, &group, json!({})).await, invite(&eve, &group, json!({})).await);
    let codes = async |person: &Person| {
        let listed = person.get(&invites(&group)).await.expect(200);
        listed["items"].as_array().unwrap().iter().map(|invite| invite["code"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(codes(&bob).await, [json!(of_bob)]);
    assert_eq!(codes(&ada).await.len(), 2);
    assert_eq!(bob.delete(&format!("{}/{of_eve}", invites(&group))).await.refused(403), "forbidden");
    ada.delete(&format!("{}/{of_eve}", invites(&group))).await.expect(204);
    bob.delete(&format!("{}/{of_bob}", invites(&group))).await.expect(204);
    assert!(codes(&ada).await.is_empty());
}

#[tokio::test]
async fn get_invite_previews_title_kind_member_count() {
    let server = Server::start().await;
    let (ada, eve) = (server.sign_up("ada").await, server.sign_up("eve").await);
    let group = ada.create_group(&[]).await;
    let code = invite(&ada, &group, json!({"max_uses": 1})).await;
    let preview = format!("/v1/invites/{code}");
    let shown = eve.get(&preview).await.expect(200);
    let expected = json!({"title": "Harvest", "kind": "group", "member_count": 1, "conversation": null});
    assert_eq!(shown, expected, "and nothing more");
    assert_eq!(ada.get(&preview).await.expect(200)["conversation"], json!(group));
    assert_eq!(server.client().get(&preview).await.refused(401), "unauthorized");
    for unknown in ["unknown", "AAAAAAAAAAAAAAAAAAAAAA", "%F0%9F%91%8D", &"x".repeat(2_000)] {
        assert_eq!(eve.get(&format!("/v1/invites/{unknown}")).await.refused(404), "not_found");
        assert_eq!(join(&eve, unknown).await.refused(404), "not_found");
    }
    join(&eve, &code).await.expect(200);
    let zoe = server.sign_up("zoe").await;
    assert_eq!(zoe.get(&preview).await.refused(410), "gone", "used up");
}

#[tokio::test]
async fn post_join_makes_a_member_once() {
    let server = Server::start().await;
    let (ada, eve, zoe) =
        (server.sign_up("ada").await, server.sign_up("eve").await, server.sign_up("zoe").await);
    let group = ada.create_group(&[]).await;
    ada.say(&group, "before").await;
    let mut socket = ada.connect(&server).await;
    let mut hers = eve.connect(&server).await;
    let code = invite(&ada, &group, json!({"max_uses": 1})).await;
    let joined = join(&eve, &code).await.expect(200);
    assert_eq!((&joined["id"], &joined["me"]["role"]), (&json!(group), &json!("member")));
    assert_eq!((&joined["me"]["unread"], &joined["visible_from"]), (&json!(0), &json!(1)));
    let event = socket.push("event").await;
    let body = json!({"user": eve.id, "change": "joined", "role": "member", "by": eve.id});
    assert_eq!((&event["event"]["kind"], &event["event"]["body"]), (&json!("member"), &body));
    let told = hers.push("account").await;
    assert_eq!(told["event"]["kind"], "conversation_joined");
    assert_eq!(told["event"]["body"]["conversation"], json!(group));

    let again = join(&eve, &code).await.expect(200);
    assert_eq!(again["head"], joined["head"], "a member stays one, and no use is counted");
    assert_eq!(join(&zoe, &code).await.refused(410), "gone");
    // The clock runs out for an unused one, too.
    let short = invite(&ada, &group, json!({"expires_in": 60})).await;
    server.clock.advance(61_000);
    assert_eq!(join(&zoe, &short).await.refused(410), "gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn max_uses_hold_when_many_join_at_once() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let group = ada.create_group(&[]).await;
    let code = invite(&ada, &group, json!({"max_uses": 4})).await;
    let mut people = Vec::new();
    for number in 0..12 {
        people.push(server.sign_up(&format!("p{number}.x")).await);
    }
    let joins = people.iter().map(|person| join(person, &code));
    let answers = futures_util::future::join_all(joins).await;
    let (came, late): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
    assert_eq!((came.len(), late.len()), (4, 8));
    assert!(late.iter().all(|answer| answer.refused(410) == "gone"));
    assert_eq!(roles(&ada, &group).await.len(), 5);
    let replay = people[0].with_header("idempotency-key", nonce());
    let path = format!("/v1/invites/{code}/join");
    let again = replay.call(axum::http::Method::POST, &path, None).await.status;
    assert_eq!(again, answers[0].status, "still the same");
}

#[tokio::test]
async fn group_full_stops_invitations_too() {
    let mut limits = unlimited();
    limits.group_members = 2;
    let server = Server::start_with(Settings { limits, ..Settings::default() }).await;
    let (ada, bob, eve) =
        (server.sign_up("ada").await, server.sign_up("bob").await, server.sign_up("eve").await);
    let group = ada.create_group(&[&bob]).await;
    let code = invite(&ada, &group, json!({"max_uses": 1})).await;
    assert_eq!(join(&eve, &code).await.refused(409), "group_full");
    bob.delete(&format!("/v1/conversations/{group}/members/me")).await.expect(200);
    join(&eve, &code).await.expect(200);
}

#[tokio::test]
async fn who_was_removed_stays_out_until_added_again() {
    let server = Server::start().await;
    let (ada, bob, eve) =
        (server.sign_up("ada").await, server.sign_up("bob").await, server.sign_up("eve").await);
    let group = ada.create_group(&[&bob, &eve]).await;
    set_role(&ada, &group, &bob, "admin").await.expect(200);
    let (of_ada, of_bob) = (invite(&ada, &group, json!({})).await, invite(&bob, &group, json!({})).await);
    ada.delete(&member_path(&group, &bob)).await.expect(200);
    assert_eq!(join(&bob, &of_ada).await.refused(403), "forbidden");
    let zoe = server.sign_up("zoe").await;
    assert_eq!(join(&zoe, &of_bob).await.refused(410), "gone", "the removed admin's invitations went along");
    // Who leaves comes back.
    eve.delete(&format!("/v1/conversations/{group}/members/me")).await.expect(200);
    join(&eve, &of_ada).await.expect(200);
    ada.post(&format!("/v1/conversations/{group}/members"), json!({"users": [bob.id]})).await.expect(200);
    assert_eq!(role_of(&ada, &group, &bob).await.as_deref(), Some("member"));
    bob.delete(&format!("/v1/conversations/{group}/members/me")).await.expect(200);
    join(&bob, &of_ada).await.expect(200);
}

#[tokio::test]
async fn patch_members_role_gives_roles_below_the_own() {
    let server = Server::start().await;
    let people = ["owner", "admin", "other", "member", "guest"];
    let mut all = Vec::new();
    for name in people {
        all.push(server.sign_up(name).await);
    }
    let [owner, admin, other, member, guest] = &all[..] else { panic!() };
    let group = owner.create_group(&[admin, other, member, guest]).await;
    for (person, role) in [(admin, "admin"), (other, "admin"), (guest, "guest")] {
        set_role(owner, &group, person, role).await.expect(200);
    }
    for (by, of, role, expected) in [
        (admin, member, "guest", 200),
        (admin, member, "member", 200),
        (admin, member, "admin", 403),
        (admin, other, "member", 403),
        (admin, owner, "member", 403),
        (admin, admin, "owner", 403),
        (member, guest, "member", 403),
        (member, member, "admin", 403),
        (guest, guest, "member", 403),
        (owner, owner, "admin", 409),
        (owner, other, "member", 200),
        // Who is an admin may step down.
        (admin, admin, "member", 200),
        (admin, member, "guest", 403),
    ] {
        let answer = set_role(by, &group, of, role).await;
        assert_eq!(answer.status, expected, "{} makes {} {role}: {}", by.username, of.username, answer.body);
    }
    let stranger = server.sign_up("stranger").await;
    assert_eq!(set_role(owner, &group, &stranger, "admin").await.refused(409), "not_member");
    assert_eq!(set_role(&stranger, &group, member, "admin").await.refused(404), "not_found");
    assert_eq!(set_role(owner, &group, member, "emperor").await.refused(400), "invalid");
}

#[tokio::test]
async fn patch_role_owner_hands_over() {
    let server = Server::start().await;
    let (ada, bob) = (server.sign_up("ada").await, server.sign_up("bob").await);
    let group = ada.create_group(&[&bob]).await;
    let mut socket = bob.connect(&server).await;
    set_role(&ada, &group, &bob, "owner").await.expect(200);
    assert_eq!(role_of(&bob, &group, &ada).await.as_deref(), Some("admin"));
    assert_eq!(role_of(&bob, &group, &bob).await.as_deref(), Some("owner"));
    let view = bob.get(&format!("/v1/conversations/{group}")).await.expect(200);
    assert_eq!(view["owner"], json!(bob.id));
    let roles: Vec<_> = [socket.push("event").await, socket.push("event").await]
        .iter()
        .map(|push| (push["event"]["body"]["user"].clone(), push["event"]["body"]["role"].clone()))
        .collect();
    assert_eq!(roles, [(json!(ada.id), json!("admin")), (json!(bob.id), json!("owner"))]);
    assert_eq!(ada.delete(&format!("/v1/conversations/{group}")).await.refused(403), "forbidden");
    bob.delete(&format!("/v1/conversations/{group}")).await.expect(204);
}

#[tokio::test]
async fn delete_members_me_of_an_owner_makes_the_oldest_admin_else_member_inherit() {
    let server = Server::start().await;
    let mut all = Vec::new();
    for name in ["owner", "first", "second", "third"] {
        all.push(server.sign_up(name).await);
    }
    let [owner, first, second, third] = &all[..] else { panic!() };
    let group = owner.create_group(&[]).await;
    for person in [first, second, third] {
        server.clock.advance(1_000);
        owner
            .post(&format!("/v1/conversations/{group}/members"), json!({"users": [person.id]}))
            .await
            .expect(200);
    }
    for person in [third, second] {
        set_role(owner, &group, person, "admin").await.expect(200);
    }
    let leave = format!("/v1/conversations/{group}/members/me");
    owner.delete(&leave).await.expect(200);
    assert_eq!(role_of(first, &group, second).await.as_deref(), Some("owner"), "the oldest admin");
    second.delete(&leave).await.expect(200);
    assert_eq!(role_of(first, &group, third).await.as_deref(), Some("owner"), "the other admin");
    third.delete(&leave).await.expect(200);
    assert_eq!(role_of(first, &group, first).await.as_deref(), Some("owner"), "else the oldest member");
}

#[tokio::test]
async fn permissions_name_the_least_role_that_may() {
    let server = Server::start().await;
    let (ada, guest) = (server.sign_up("ada").await, server.sign_up("guest").await);
    let group = ada.create_group(&[&guest]).await;
    set_role(&ada, &group, &guest, "guest").await.expect(200);
    let message = ada.say(&group, "hello").await;
    let calls = async || {
        let path = format!("/v1/conversations/{group}");
        [
            guest.post(&format!("{path}/messages"), json!({"nonce": nonce(), "text": "x"})).await.status,
            guest.post(&invites(&group), json!({})).await.status,
            guest.patch(&path, json!({"title": nonce()})).await.status,
            guest.put(&format!("{path}/pins/{message}")).await.status,
            guest.patch(&path, json!({"slow_mode_ms": 5})).await.status,
        ]
    };
    assert_eq!(calls().await, [403; 5]);
    let all = json!({"post": "guest", "invite": "guest", "edit_info": "guest", "pin": "guest"});
    ada.patch(&format!("/v1/conversations/{group}"), json!({"permissions": all})).await.expect(200);
    assert_eq!(calls().await, [201, 201, 200, 200, 403], "permissions and slow mode stay with admins");
    let none = json!({"post": "owner", "invite": "owner", "edit_info": "owner", "pin": "owner"});
    let changed =
        ada.patch(&format!("/v1/conversations/{group}"), json!({"permissions": none})).await.expect(200);
    assert_eq!(changed["permissions"], none, "the answer is the conversation as it is now");
    assert_eq!(calls().await, [403; 5]);
}

#[tokio::test]
async fn slow_mode_ms_is_enforced_with_retry_after_ms() {
    let server = Server::start().await;
    let (ada, bob) = (server.sign_up("ada").await, server.sign_up("bob").await);
    let group = ada.create_group(&[&bob]).await;
    ada.patch(&format!("/v1/conversations/{group}"), json!({"slow_mode_ms": 60_000})).await.expect(200);
    let messages = format!("/v1/conversations/{group}/messages");
    let send = async |person: &Person| {
        let name = nonce();
        let answer = person.post(&messages, json!({"nonce": name, "text": "x"})).await;
        (answer, name)
    };
    let (first, name) = send(&bob).await;
    let first = first.expect(201);
    server.clock.advance(20_000);
    let (refused, _) = send(&bob).await;
    assert_eq!(refused.refused(429), "rate_limited");
    let wait = refused.body["retry_after_ms"].as_u64().unwrap();
    assert!((38_000..=40_000).contains(&wait), "{wait}");
    // A replay is answered before any rate; admins are exempt; leaving and coming back does not help.
    assert_eq!(bob.post(&messages, json!({"nonce": name, "text": "x"})).await.expect(201), first);
    send(&ada).await.0.expect(201);
    send(&ada).await.0.expect(201);
    bob.delete(&format!("/v1/conversations/{group}/members/me")).await.expect(200);
    join(&bob, &invite(&ada, &group, json!({})).await).await.expect(200);
    assert_eq!(send(&bob).await.0.refused(429), "rate_limited");
    server.clock.advance(40_000);
    send(&bob).await.0.expect(201);
}

#[tokio::test]
async fn put_and_delete_pins_show_in_messages_and_in_the_list() {
    let server = Server::start().await;
    let (ada, bob, eve) =
        (server.sign_up("ada").await, server.sign_up("bob").await, server.sign_up("eve").await);
    let group = ada.create_group(&[&bob]).await;
    for number in 1..=4 {
        ada.say(&group, &format!("message {number}")).await;
    }
    let pins = format!("/v1/conversations/{group}/pins");
    let seqs = async |path: &str| {
        let page = bob.get(path).await.expect(200);
        let seqs: Vec<_> = page["items"].as_array().unwrap().iter().map(|item| item["seq"].clone()).collect();
        (seqs, page["next_cursor"].clone())
    };
    let first = bob.get(&format!("/v1/conversations/{group}/messages")).await.expect(200)["items"][0]["seq"]
        .as_u64()
        .unwrap();
    for seq in [first, first + 2, first + 3] {
        ada.put(&format!("{pins}/{seq}")).await.expect(200);
    }
    assert_eq!(bob.put(&format!("{pins}/{}", first + 1)).await.refused(403), "forbidden");
    assert_eq!(eve.get(&pins).await.refused(404), "not_found");
    let one = bob.get(&format!("/v1/conversations/{group}/messages/{first}")).await.expect(200);
    assert_eq!(one["pinned"], true);
    let (newest, cursor) = seqs(&format!("{pins}?limit=2")).await;
    assert_eq!(newest, [json!(first + 3), json!(first + 2)]);
    let rest = seqs(&format!("{pins}?limit=2&cursor={}", cursor.as_str().unwrap())).await;
    assert_eq!(rest, (vec![json!(first)], Value::Null));
    assert_eq!(bob.get(&format!("{pins}?cursor=x")).await.refused(400), "invalid");
    ada.delete(&format!("{pins}/{first}")).await.expect(200);
    ada.delete(&format!("/v1/conversations/{group}/messages/{}", first + 2)).await.expect(200);
    assert_eq!(seqs(&pins).await, (vec![json!(first + 3)], Value::Null), "an erased message is no pin");
}

/// One bad invitation must not break all of sync (CVE-2024-52815): whatever becomes of where it led, its user's
/// `ready`, long poll and list go on.
#[tokio::test]
async fn one_bad_invitation_breaks_no_sync() {
    let server = Server::start().await;
    let (ada, bob) = (server.sign_up("ada").await, server.sign_up("bob").await);
    let good = ada.create_group(&[&bob]).await;
    let mut rooms = Vec::new();
    for title in ["\u{202e}gnol\u{202c}", "👩‍👩‍👧‍👦\u{0301}", &"é".repeat(128), "<script>alert(1)</script>", " "]
    {
        let created = ada.post("/v1/conversations", json!({"kind": "group", "title": title})).await;
        if created.status == 201 {
            rooms.push(created.body["id"].as_str().unwrap().to_owned());
        }
    }
    assert!(rooms.len() >= 2, "some titles are stored as they are");
    for (number, room) in rooms.iter().enumerate() {
        let code = invite(&ada, room, json!({"max_uses": 1})).await;
        bob.get(&format!("/v1/invites/{code}")).await.expect(200);
        join(&bob, &code).await.expect(200);
        match number % 3 {
            0 => drop(ada.delete(&format!("/v1/conversations/{room}")).await.expect(204)),
            1 => drop(ada.delete(&member_path(room, &bob)).await.expect(200)),
            _ => {}
        }
        if number % 3 == 0 {
            assert_eq!(join(&bob, &code).await.refused(404), "not_found");
        }
    }
    ada.say(&good, "still here").await;
    let mut socket = support::Socket::open(&server).await;
    let ready = socket.ask(json!({"op": "hello", "token": bob.token})).await.unwrap();
    let changed = |answer: &Value| {
        answer["changed"].as_array().unwrap().iter().any(|conversation| conversation["id"] == json!(good))
    };
    assert!(changed(&ready));
    let poll = bob.get("/v1/sync?timeout=0").await.expect(200);
    assert!(changed(&poll));
    let list = bob.get("/v1/conversations").await.expect(200);
    assert_eq!(
        list["items"].as_array().unwrap().len(),
        1 + rooms.len() - rooms.len().div_ceil(3) - (rooms.len() + 1) / 3
    );
}
