//! PROTOCOL: "Accounts and devices".

use hyper::Method;
use serde_json::{Value, json};

use crate::support::{PASSWORD, Person, Server};
use crate::{each, items};

#[tokio::test]
async fn post_auth_signup() {
    let server = Server::start().await;
    let wanted = json!({"username": "Ada.L", "password": PASSWORD, "display_name": "Ada", "email": "ada@example.org",
        "phone": "+15550100", "device": {"name": "laptop", "platform": "linux"}});
    let session = server.client().post("/v1/auth/signup", wanted.clone()).await.expect(201);
    let (user, device) = (&session["user"], &session["device"]);
    for (field, value) in [
        ("username", json!("ada.l")),
        ("display_name", json!("Ada")),
        ("bio", json!("")),
        ("avatar", Value::Null),
        ("kind", json!("person")),
        ("deleted", json!(false)),
        ("email", json!("ada@example.org")),
        ("phone", json!("+15550100")),
        ("privacy", json!({"last_seen": "everyone", "read_receipts": true, "find_by": ["username"]})),
    ] {
        if field == "privacy" {
            assert_eq!(user[field]["last_seen"], value["last_seen"]);
            assert_eq!(user[field]["read_receipts"], value["read_receipts"]);
        } else {
            assert_eq!(user[field], value, "{field}");
        }
    }
    assert_eq!((&device["name"], &device["platform"]), (&json!("laptop"), &json!("linux")));
    assert_eq!((&device["current"], &session["expires_in"]), (&json!(true), &json!(900)));
    assert_eq!(server.client().post("/v1/auth/signup", wanted).await.refused(409), "conflict");
    for (username, password) in [
        ("ab", PASSWORD),
        ("with space", PASSWORD),
        (&"x".repeat(33), PASSWORD),
        ("bob", "short"),
        ("bob", &"x".repeat(257)),
    ] {
        let body = json!({"username": username, "password": password});
        assert_eq!(server.client().post("/v1/auth/signup", body).await.refused(400), "invalid", "{username}");
    }
    // The claims of an access token, and nothing secret.
    let token = session["access_token"].as_str().unwrap();
    let parts: Vec<_> = token.split('.').collect();
    let decoded = |part: &str| -> Value { serde_json::from_slice(&base64(part)).unwrap() };
    assert_eq!((parts.len(), decoded(parts[0])["alg"].clone()), (3, json!("EdDSA")));
    let claims = decoded(parts[1]);
    assert_eq!((&claims["sub"], &claims["did"]), (&user["id"], &device["id"]));
    let mut names: Vec<_> = claims.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["aud", "did", "exp", "iat", "iss", "sub"]);
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 900);
}

/// Base64url without padding.
fn base64(text: &str) -> Vec<u8> {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (mut bytes, mut held, mut bits) = (Vec::new(), 0_u32, 0);
    for digit in text.bytes() {
        let value = DIGITS.iter().position(|known| *known == digit).unwrap();
        held = held << 6 | u32::try_from(value).unwrap();
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from(held >> bits & 0xff).unwrap());
        }
    }
    bytes
}

#[tokio::test]
async fn post_auth_login() {
    let server = Server::start().await;
    let wanted =
        json!({"username": "ada", "password": PASSWORD, "email": "ada@example.org", "phone": "+15550100"});
    server.client().post("/v1/auth/signup", wanted).await.expect(201);
    let log_in = async |login: &str, password: &str| {
        server.client().post("/v1/auth/login", json!({"login": login, "password": password})).await
    };
    for login in ["ada", "Ada", "ada@example.org", "+15550100"] {
        assert_eq!(log_in(login, PASSWORD).await.expect(200)["user"]["username"], "ada", "{login}");
    }
    let (wrong, nobody) = (log_in("ada", "wrong password").await, log_in("nobody", PASSWORD).await);
    assert_eq!((wrong.refused(401), nobody.refused(401)), ("unauthorized", "unauthorized"));
    assert_eq!(wrong.body["detail"], nobody.body["detail"]);
}

#[tokio::test]
async fn post_auth_refresh() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let keyed = server.client().with_header("idempotency-key", "once");
    let first = json!({"refresh_token": ada.refresh_token});
    let next = keyed.post("/v1/auth/refresh", first.clone()).await.expect(200);
    let again = keyed.post("/v1/auth/refresh", first.clone()).await.expect(200);
    assert_eq!(next["refresh_token"], again["refresh_token"], "the same successor within a minute");
    server.clock.advance(61_000);
    assert_eq!(keyed.post("/v1/auth/refresh", first).await.refused(401), "unauthorized");
    let family = json!({"refresh_token": next["refresh_token"]});
    assert_eq!(server.client().post("/v1/auth/refresh", family).await.refused(401), "unauthorized");
}

#[tokio::test]
async fn post_auth_logout() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let second = Person::log_in(&server, "ada").await;
    ada.post("/v1/auth/logout", Value::Null).await.expect(204);
    assert_eq!(ada.get("/v1/me").await.refused(401), "unauthorized");
    assert_eq!(items(&second.get("/v1/me/devices").await.expect(200)).len(), 1, "this device only");
}

#[tokio::test]
async fn post_auth_password() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let second = Person::log_in(&server, "ada").await;
    let change = |current: &str, new: &str| json!({"current": current, "new": new});
    let path = "/v1/auth/password";
    assert_eq!(ada.post(path, change("wrong password", "another one")).await.refused(403), "forbidden");
    assert_eq!(ada.post(path, change(PASSWORD, "short")).await.refused(400), "invalid");
    ada.post(path, change(PASSWORD, "another password")).await.expect(204);
    ada.get("/v1/me").await.expect(200);
    assert_eq!(second.get("/v1/me").await.refused(401), "unauthorized", "other devices are revoked");
    let log_in = |password: &str| json!({"login": "ada", "password": password});
    assert_eq!(server.client().post("/v1/auth/login", log_in(PASSWORD)).await.refused(401), "unauthorized");
    server.client().post("/v1/auth/login", log_in("another password")).await.expect(200);
}

#[tokio::test]
async fn get_me() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let me = ada.get("/v1/me").await.expect(200);
    for field in [
        "id",
        "username",
        "display_name",
        "bio",
        "avatar",
        "kind",
        "deleted",
        "email",
        "phone",
        "settings",
        "privacy",
    ] {
        assert!(me.get(field).is_some(), "{field} in {me}");
    }
    assert_eq!(me["id"], ada.id.as_str());
}

#[tokio::test]
async fn patch_me() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let change = json!({"display_name": "Ada Lovelace", "bio": "numbers", "avatar": "x", "settings": {"theme": "dark"},
        "privacy": {"last_seen": "contacts"}});
    let me = ada.patch("/v1/me", change).await.expect(200);
    assert_eq!((&me["display_name"], &me["bio"]), (&json!("Ada Lovelace"), &json!("numbers")));
    assert_eq!(
        (&me["settings"], &me["privacy"]["last_seen"]),
        (&json!({"theme": "dark"}), &json!("contacts"))
    );
    assert_eq!(me["privacy"]["read_receipts"], true, "what is left out stays");
    assert_eq!(ada.patch("/v1/me", json!({"avatar": null})).await.expect(200)["avatar"], Value::Null);
    let large = json!({"settings": {"filler": "x".repeat(16 * 1024)}});
    let refused = ada.patch("/v1/me", large).await;
    assert!(matches!(refused.status, 400 | 413), "{}", refused.body);
    assert_eq!(ada.get("/v1/me").await.expect(200)["settings"], json!({"theme": "dark"}));
}

#[tokio::test]
async fn get_me_devices() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let second = Person::log_in(&server, "ada").await;
    let devices = ada.get("/v1/me/devices").await.expect(200);
    let own = items(&devices).iter().find(|device| device["id"] == ada.device.as_str()).unwrap();
    assert_eq!(
        (&own["current"], &own["name"], &own["platform"]),
        (&json!(true), &json!("d"), &json!("test"))
    );
    let other = items(&devices).iter().find(|device| device["id"] == second.device.as_str()).unwrap();
    assert_eq!(other["current"], false);
    assert!(own["created_at"].is_i64() && own.get("last_seen").is_some());
}

#[tokio::test]
async fn delete_me_devices_device() {
    let server = Server::start().await;
    let (ada, bob) = (server.sign_up("ada").await, server.sign_up("bob").await);
    let second = Person::log_in(&server, "ada").await;
    let path = format!("/v1/me/devices/{}", second.device);
    assert_eq!(bob.delete(&path).await.refused(404), "not_found");
    ada.delete(&path).await.expect(204);
    assert_eq!(second.get("/v1/me").await.refused(401), "unauthorized");
    let refresh = json!({"refresh_token": second.refresh_token});
    assert_eq!(server.client().post("/v1/auth/refresh", refresh).await.refused(401), "unauthorized");
}

#[tokio::test]
async fn get_me_export() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let answer = ada.get("/v1/me/export").await;
    assert_eq!((answer.status, answer.headers["content-type"].to_str().unwrap()), (200, "application/x-tar"));
    assert!(answer.headers["content-disposition"].to_str().unwrap().contains("loquat-export-ada.tar"));
    assert!(answer.body.as_str().unwrap().starts_with("README.txt"));
}

#[tokio::test]
async fn get_users() {
    let server = Server::start().await;
    let (ada, bob) = (server.sign_up("ada").await, server.sign_up("bob").await);
    server.sign_up("adam").await;
    bob.patch("/v1/me", json!({"display_name": "Adalbert"})).await.expect(200);
    let mut found = each(&ada.get("/v1/users?q=ADA").await.expect(200), "username");
    found.sort_by_key(ToString::to_string);
    assert_eq!(found, ["ada", "adam", "bob"], "by the beginning of username or display name");
    let page = ada.get("/v1/users?q=ada&limit=2").await.expect(200);
    let next = format!("/v1/users?q=ada&limit=2&cursor={}", page["next_cursor"].as_str().unwrap());
    let rest = ada.get(&next).await.expect(200);
    assert_eq!((items(&page).len(), items(&rest).len()), (2, 1));
    assert_eq!(ada.get("/v1/users").await.refused(400), "invalid");
}

#[tokio::test]
async fn get_users_user() {
    let server = Server::start().await;
    let (ada, bob) = (server.sign_up("ada").await, server.sign_up("bob").await);
    let seen = bob.get(&format!("/v1/users/{}", ada.id)).await.expect(200);
    let mut fields: Vec<_> = seen.as_object().unwrap().keys().map(String::as_str).collect();
    fields.sort_unstable();
    assert_eq!(
        fields,
        ["avatar", "bio", "deleted", "display_name", "id", "kind", "username"],
        "the public part alone"
    );
    assert_eq!(bob.get("/v1/users/2251799813685247").await.refused(404), "not_found");
}

#[tokio::test]
async fn get_well_known_jwks_json() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let keys = server.client().get("/.well-known/jwks.json").await.expect(200);
    let key = &keys["keys"][0];
    assert_eq!((&key["kty"], &key["crv"], &key["alg"]), (&json!("OKP"), &json!("Ed25519"), &json!("EdDSA")));
    assert!(key.get("d").is_none(), "the public half");
    let header: Value = serde_json::from_slice(&base64(ada.token.split('.').next().unwrap())).unwrap();
    assert!(keys["keys"].as_array().unwrap().iter().any(|key| key["kid"] == header["kid"]));
}

/// A wrong password deletes nothing; see `people` for all that ends with an account.
#[tokio::test]
async fn delete_me_needs_the_password() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let wrong = Some(json!({"password": "wrong password"}));
    assert_eq!(ada.call(Method::DELETE, "/v1/me", wrong).await.refused(403), "forbidden");
    ada.get("/v1/me").await.expect(200);
}
