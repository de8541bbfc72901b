//! The REST calls over a real connection: what each answers, and what it changes.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use serde_json::{Value, json};
use support::{PASSWORD, Person, Server, Settings, nonce, unlimited};

#[tokio::test]
async fn a_session_begins_goes_on_and_ends() {
    let server = Server::start().await;
    let client = server.client();
    let sign_up = json!({"username": "Ada", "password": PASSWORD, "display_name": "Ada L.", "email": "ada@example.org",
        "device": {"name": "laptop", "platform": "linux"}, "unknown": 1});
    let session = client.post("/v1/auth/signup", sign_up.clone()).await.expect(201);
    assert_eq!(session["user"]["username"], "ada");
    assert_eq!(session["user"]["display_name"], "Ada L.");
    assert_eq!(session["device"]["current"], true);
    assert_eq!(session["expires_in"], 900);
    assert_eq!(client.post("/v1/auth/signup", sign_up).await.refused(409), "conflict");

    for login in ["ada", "ADA", "ada@example.org"] {
        client.post("/v1/auth/login", json!({"login": login, "password": PASSWORD})).await.expect(200);
    }
    for (login, password) in [("ada", "wrong password"), ("nobody", PASSWORD)] {
        let answer = client.post("/v1/auth/login", json!({"login": login, "password": password})).await;
        assert_eq!(answer.refused(401), "unauthorized");
        assert!(answer.headers.contains_key("www-authenticate"));
    }

    let refresh = json!({"refresh_token": session["refresh_token"]});
    let next = client.post("/v1/auth/refresh", refresh.clone()).await.expect(200);
    assert_ne!(next["refresh_token"], session["refresh_token"]);
    assert_eq!(client.post("/v1/auth/refresh", refresh).await.refused(401), "unauthorized");
    let family = json!({"refresh_token": next["refresh_token"]});
    assert_eq!(
        client.post("/v1/auth/refresh", family).await.refused(401),
        "unauthorized",
        "reuse ends the family"
    );

    let ada = Person::log_in(&server, "ada").await;
    ada.post("/v1/auth/logout", Value::Null).await.expect(204);
    assert_eq!(ada.get("/v1/me").await.refused(401), "unauthorized");
}

#[tokio::test]
async fn a_repeated_sign_up_answers_with_the_same_account() {
    let server = Server::start().await;
    let client = server.client().with_header("idempotency-key", "retry-1");
    let body = json!({"username": "ada", "password": PASSWORD});
    let first = client.post("/v1/auth/signup", body.clone()).await.expect(201);
    let again = client.post("/v1/auth/signup", body).await.expect(201);
    assert_eq!(
        (&first["user"]["id"], &first["device"]["id"]),
        (&again["user"]["id"], &again["device"]["id"])
    );
    let other = json!({"username": "ada", "password": PASSWORD, "display_name": "Other"});
    assert_eq!(client.post("/v1/auth/signup", other).await.refused(409), "conflict");
    let invalid = server.client().with_header("idempotency-key", "not a key");
    assert_eq!(invalid.post("/v1/auth/signup", json!({})).await.refused(400), "invalid");
}

#[tokio::test]
async fn an_expired_token_says_so() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    server.clock.advance(16 * 60 * 1_000);
    assert_eq!(ada.get("/v1/me").await.refused(401), "token_expired");
    let forged = server.client().with_token("made.up.token");
    assert_eq!(forged.get("/v1/me").await.refused(401), "unauthorized");
}

#[tokio::test]
async fn the_refresh_cookie_takes_the_place_of_the_token() {
    let server = Server::start().await;
    server.sign_up("ada").await;
    let log_in = json!({"login": "ada", "password": PASSWORD, "cookie": true});
    let bare = server.client();
    assert_eq!(
        bare.post("/v1/auth/login", log_in.clone()).await.refused(403),
        "forbidden",
        "without X-Loquat"
    );
    let page = bare.with_header("x-loquat", "1").with_header("origin", format!("http://{}", server.address));
    let answer = page.post("/v1/auth/login", log_in).await;
    let cookie = answer.headers["set-cookie"].to_str().unwrap().to_owned();
    let session = answer.expect(200);
    assert_eq!(session.get("refresh_token"), None);
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");

    let pair = cookie.split(';').next().unwrap().to_owned();
    let foreign = bare.with_header("x-loquat", "1").with_header("origin", "https://evil.example");
    for refused in [bare.clone(), foreign, bare.with_header("origin", "null").with_header("x-loquat", "1")] {
        let answer = refused.with_header("cookie", pair.clone()).post("/v1/auth/refresh", json!({})).await;
        assert_eq!(answer.refused(403), "forbidden");
    }
    let answer = page.with_header("cookie", pair.clone()).post("/v1/auth/refresh", Value::Null).await;
    let renewed = answer.headers["set-cookie"].to_str().unwrap().to_owned();
    assert!(!renewed.starts_with(&format!("{pair};")), "the cookie moves on");
    let token = answer.expect(200)["access_token"].as_str().unwrap().to_owned();
    let renewed = renewed.split(';').next().unwrap().to_owned();
    let signed_out =
        bare.with_token(&token).with_header("cookie", renewed).post("/v1/auth/logout", Value::Null).await;
    assert_eq!(signed_out.status, 204, "{}", signed_out.body);
    assert!(signed_out.headers["set-cookie"].to_str().unwrap().contains("Max-Age=0"));
    assert_eq!(
        page.post("/v1/auth/refresh", json!({})).await.refused(401),
        "unauthorized",
        "no cookie, no token"
    );
}

#[tokio::test]
async fn cookies_are_bound_to_the_host_over_tls() {
    let settings = Settings { public_url: Some("https://chat.example".to_owned()), ..Settings::default() };
    let server = Server::start_with(settings).await;
    let page = server.client().with_header("x-loquat", "1").with_header("origin", "https://chat.example");
    let body = json!({"username": "ada", "password": PASSWORD, "cookie": true});
    let answer = page.post("/v1/auth/signup", body).await;
    let cookie = answer.headers["set-cookie"].to_str().unwrap();
    assert!(cookie.starts_with("__Host-loquat_refresh="), "{cookie}");
    assert!(cookie.contains("; Secure") && cookie.contains("; Path=/;"), "{cookie}");
    assert!(answer.headers.contains_key("strict-transport-security"));
    let token = answer.expect(201)["access_token"].as_str().unwrap().to_owned();
    let connect = server.client().with_token(&token).post("/v1/connect", Value::Null).await.expect(200);
    assert_eq!(connect["url"], "wss://chat.example/v1/ws");
}

#[tokio::test]
async fn passwords_devices_and_accounts() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let second = Person::log_in(&server, "ada").await;
    let devices = ada.get("/v1/me/devices").await.expect(200);
    assert_eq!(devices["items"].as_array().unwrap().len(), 2);
    assert_eq!(devices["next_cursor"], Value::Null);

    let wrong = json!({"current": "wrong password", "new": "another password"});
    assert_eq!(ada.post("/v1/auth/password", wrong).await.refused(403), "forbidden");
    assert_eq!(second.get("/v1/me").await.status, 200);
    let right = json!({"current": PASSWORD, "new": "another password"});
    ada.post("/v1/auth/password", right).await.expect(204);
    assert_eq!(second.get("/v1/me").await.refused(401), "unauthorized");

    let me =
        ada.patch("/v1/me", json!({"bio": "mathematician", "settings": {"theme": "dark"}})).await.expect(200);
    assert_eq!((&me["bio"], &me["settings"]["theme"]), (&json!("mathematician"), &json!("dark")));
    assert_eq!(ada.get("/v1/me").await.expect(200), me);
    let bob = server.sign_up("bob").await;
    let seen = bob.get(&format!("/v1/users/{}", ada.id)).await.expect(200);
    assert_eq!(seen["bio"], "mathematician");
    assert_eq!(seen.get("email"), None, "what is private stays so");
    assert_eq!(bob.get("/v1/users/me").await.expect(200)["username"], "bob");
    let found = bob.get("/v1/users?q=AD&limit=5").await.expect(200);
    assert_eq!(found["items"][0]["id"], ada.id.as_str());
    assert_eq!(bob.get("/v1/users").await.refused(400), "invalid");

    assert_eq!(
        ada.call(hyper::Method::DELETE, "/v1/me", Some(json!({"password": PASSWORD}))).await.refused(403),
        "forbidden"
    );
    let password = Some(json!({"password": "another password"}));
    ada.call(hyper::Method::DELETE, "/v1/me", password).await.expect(204);
    assert_eq!(ada.get("/v1/me").await.refused(401), "unauthorized");
    assert_eq!(bob.get(&format!("/v1/users/{}", ada.id)).await.expect(200)["deleted"], true);
}

#[tokio::test]
async fn conversations_messages_and_the_log() {
    let server = Server::start().await;
    let (ada, bob) = (server.sign_up("ada").await, server.sign_up("bob").await);
    let create = json!({"kind": "direct", "members": [bob.id]});
    let answer = ada.post("/v1/conversations", create.clone()).await;
    let id = answer.body["id"].as_str().unwrap().to_owned();
    assert_eq!(answer.headers["location"], format!("/v1/conversations/{id}"));
    answer.expect(201);
    assert_eq!(
        bob.post("/v1/conversations", json!({"kind": "direct", "members": [ada.id]})).await.expect(200)["id"],
        *id
    );

    let path = format!("/v1/conversations/{id}");
    let send = json!({"nonce": nonce(), "text": "hello"});
    let first = ada.post(&format!("{path}/messages"), send.clone()).await.expect(201);
    assert_eq!(ada.post(&format!("{path}/messages"), send).await.expect(201), first, "a replay");
    let seq = first["seq"].as_u64().unwrap();
    let message = format!("{path}/messages/{seq}");
    assert_eq!(bob.get(&message).await.expect(200)["text"], "hello");
    assert_eq!(
        ada.post(&format!("{path}/messages"), json!({"text": "no nonce"})).await.refused(400),
        "invalid"
    );

    ada.patch(&message, json!({"nonce": nonce(), "text": "hello!"})).await.expect(200);
    bob.put(&format!("{message}/reactions/%F0%9F%91%8D")).await.expect(200);
    bob.put(&format!("{path}/pins/{seq}")).await;
    let shown = bob.get(&message).await.expect(200);
    assert_eq!(shown["text"], "hello!");
    assert_eq!(shown["reactions"], json!([{"emoji": "👍", "count": 1, "me": true}]));
    bob.delete(&format!("{message}/reactions/%F0%9F%91%8D")).await.expect(200);
    assert_eq!(bob.patch(&message, json!({"text": "mine"})).await.refused(403), "forbidden");

    let deleting = ada.with_header("idempotency-key", nonce());
    let deleted = deleting.delete(&message).await.expect(200);
    assert_eq!(deleting.delete(&message).await.expect(200), deleted, "a replay");
    assert_eq!(bob.get(&message).await.expect(200)["deleted"], true);
    assert_eq!(ada.patch(&message, json!({"text": "late"})).await.refused(409), "conflict");

    let log = bob.get(&format!("{path}/events?after=0&limit=200")).await.expect(200);
    let seqs: Vec<_> =
        log["items"].as_array().unwrap().iter().map(|event| event["seq"].as_u64().unwrap()).collect();
    assert_eq!(seqs, (1..=log["head"].as_u64().unwrap()).collect::<Vec<_>>(), "contiguous");
    assert_eq!(log["visible_from"], 1);
    assert!(
        log["items"]
            .as_array()
            .unwrap()
            .iter()
            .all(|event| event.get("nonce").is_none() || event["sender"] == bob.id.as_str())
    );
}

#[tokio::test]
async fn four_ways_of_paging() {
    let server = Server::start().await;
    let (ada, bob) = (server.sign_up("ada").await, server.sign_up("bob").await);
    let id = ada.create_group(&[&bob]).await;
    let mut seqs = Vec::new();
    for number in 0..10 {
        seqs.push(ada.say(&id, &number.to_string()).await);
    }
    let page = async |query: &str| {
        let body = bob.get(&format!("/v1/conversations/{id}/messages?{query}")).await.expect(200);
        body["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|message| message["seq"].as_u64().unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(page("limit=3").await, seqs[7..]);
    assert_eq!(page(&format!("limit=3&before={}", seqs[7])).await, seqs[4..7]);
    assert_eq!(page(&format!("limit=3&after={}", seqs[1])).await, seqs[2..5]);
    assert_eq!(page(&format!("limit=4&around={}", seqs[5])).await.len(), 4);
    assert_eq!(page("limit=2&at=0").await[0], seqs[0]);
    for query in ["limit=0", "limit=201", "limit=x", "before=1&after=2", "before=-1", "at=x"] {
        let answer = bob.get(&format!("/v1/conversations/{id}/messages?{query}")).await;
        assert_eq!(answer.refused(400), "invalid", "{query}");
    }
}

#[tokio::test]
async fn members_receipts_typing_and_preferences() {
    let server = Server::start().await;
    let (ada, bob, eve) =
        (server.sign_up("ada").await, server.sign_up("bob").await, server.sign_up("eve").await);
    let id = ada.create_group(&[&bob]).await;
    let path = format!("/v1/conversations/{id}");
    let added =
        ada.post(&format!("{path}/members"), json!({"users": [eve.id], "nonce": nonce()})).await.expect(200);
    assert_eq!(added["conversation"], *id);
    let members = eve.get(&format!("{path}/members?limit=2")).await.expect(200);
    assert_eq!(members["items"].as_array().unwrap().len(), 2);
    let cursor = members["next_cursor"].as_str().unwrap();
    let rest = eve.get(&format!("{path}/members?limit=2&cursor={cursor}")).await.expect(200);
    assert_eq!((rest["items"].as_array().unwrap().len(), &rest["next_cursor"]), (1, &Value::Null));

    ada.patch(&format!("{path}/members/{}", bob.id), json!({"role": "admin"})).await.expect(200);
    let stranger = server.sign_up("mallory").await;
    let target = format!("{path}/members/{}", stranger.id);
    assert_eq!(ada.patch(&target, json!({"role": "admin"})).await.refused(409), "not_member");

    let seq = ada.say(&id, "hello").await;
    let cursor = bob.post(&format!("{path}/receipts"), json!({"read": seq})).await.expect(200);
    assert_eq!(cursor, json!({"user": bob.id, "delivered": seq, "read": seq}));
    let back = bob.post(&format!("{path}/receipts"), json!({"read": 1})).await.expect(200);
    assert_eq!(back["read"], seq, "cursors move forward only");
    bob.post(&format!("{path}/typing"), json!({"on": true})).await.expect(204);

    let me =
        bob.patch(&format!("{path}/preferences"), json!({"pinned": true, "draft": "well"})).await.expect(200);
    assert_eq!((&me["pinned"], &me["draft"], &me["role"]), (&json!(true), &json!("well"), &json!("admin")));
    let me = bob.patch(&format!("{path}/preferences"), json!({"draft": null})).await.expect(200);
    assert_eq!((&me["pinned"], &me["draft"]), (&json!(true), &Value::Null));

    ada.patch(&path, json!({"title": "Orchard", "nonce": nonce()})).await.expect(200);
    assert_eq!(bob.get(&path).await.expect(200)["title"], "Orchard");
    eve.delete(&format!("{path}/members/me")).await.expect(200);
    assert_eq!(eve.get(&path).await.refused(404), "not_found");
    let list = bob.get("/v1/conversations?limit=1").await.expect(200);
    assert_eq!(list["items"][0]["id"], *id);
    ada.delete(&path).await.expect(204);
    assert_eq!(bob.get(&path).await.refused(404), "not_found");
}

#[tokio::test]
async fn presence_and_the_long_poll() {
    let server = Server::start().await;
    let (ada, bob) = (server.sign_up("ada").await, server.sign_up("bob").await);
    let id = ada.create_group(&[&bob]).await;
    let beat = bob.post("/v1/presence/heartbeat", json!({"state": "online"})).await.expect(200);
    assert_eq!(beat, json!({"expires_in_ms": 30_000}));
    let seen = ada.get(&format!("/v1/presence?users={}", bob.id)).await.expect(200);
    assert_eq!(seen["items"][0]["state"], "online");
    assert_eq!(ada.get("/v1/presence?users=x").await.refused(400), "invalid");

    let start = bob.get("/v1/sync?timeout=0").await.expect(200);
    assert_eq!(start["changed"][0]["id"], *id);
    let since = start["since"].as_str().unwrap().to_owned();
    let waiting = tokio::spawn({
        let bob = bob.clone();
        async move { bob.get(&format!("/v1/sync?since={since}&timeout=20")).await.expect(200) }
    });
    let seq = ada.say(&id, "wake up").await;
    let news = waiting.await.unwrap();
    let newest = news["events"].as_array().unwrap().last().unwrap();
    assert_eq!((&newest["seq"], &newest["body"]["text"]), (&json!(seq), &json!("wake up")));
    assert_eq!(bob.get("/v1/sync?timeout=61").await.refused(400), "invalid");
    assert_eq!(bob.get("/v1/sync?since=nonsense&timeout=0").await.expect(200)["reset"], true);
}

#[tokio::test]
async fn the_service_says_what_it_is() {
    let server = Server::start().await;
    let client = server.client();
    let info = client.get("/v1/server").await.expect(200);
    assert_eq!(info["name"], "test");
    assert_eq!(info["limits"]["text_bytes"], unlimited().text_bytes);
    client.get("/healthz").await.expect(200);
    client.get("/readyz").await.expect(200);
    let keys = client.get("/.well-known/jwks.json").await;
    assert_eq!(keys.headers["cache-control"], "public, max-age=300");
    assert_eq!(keys.expect(200)["keys"][0]["crv"], "Ed25519");
}
