//! What others paid for (`RELIABILITY.md`): each lesson a test.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::time::{Duration, Instant};

use hyper::Method;
use loquat_gateway::{Access, Route, routes};
use serde_json::{Value, json};
use support::{PASSWORD, Person, Server, nonce};

/// CVE-2026-9162: sockets that outlive what signed their device out.
#[tokio::test]
async fn whatever_ends_a_session_closes_its_socket_within_a_second() {
    let server = Server::start().await;
    for (index, end) in ["revoke", "log out", "password", "reuse", "delete"].into_iter().enumerate() {
        let name = format!("ada{index}");
        let other = server.sign_up(&name).await;
        let device = Person::log_in(&server, &name).await;
        let mut socket = device.connect(&server).await;
        let started = Instant::now();
        match end {
            "revoke" => {
                other.delete(&format!("/v1/me/devices/{}", device.device)).await.expect(204);
            }
            "log out" => {
                device.post("/v1/auth/logout", Value::Null).await.expect(204);
            }
            "password" => {
                let change = json!({"current": PASSWORD, "new": "another password"});
                other.post("/v1/auth/password", change).await.expect(204);
            }
            "reuse" => {
                let refresh = json!({"refresh_token": device.refresh_token});
                server.client().post("/v1/auth/refresh", refresh.clone()).await.expect(200);
                assert_eq!(
                    server.client().post("/v1/auth/refresh", refresh).await.refused(401),
                    "unauthorized"
                );
            }
            _ => {
                let password = Some(json!({"password": PASSWORD}));
                other.call(Method::DELETE, "/v1/me", password).await.expect(204);
            }
        }
        assert_eq!(socket.closed().await, 4002, "{end}");
        assert!(started.elapsed() < Duration::from_secs(1), "{end}: {:?}", started.elapsed());
        assert_eq!(device.get("/v1/me").await.refused(401), "unauthorized", "{end}");
    }
}

/// CVE-2026-45076: pagination that stops on a page of filtered events.
#[tokio::test]
async fn pages_go_on_past_what_is_not_shown() {
    let server = Server::start().await;
    let (ada, bob) = (server.sign_up("ada").await, server.sign_up("bob").await);
    let id = ada.create_group(&[&bob]).await;
    let first = ada.say(&id, "the first").await;
    // Far more events that are no messages than a page has.
    for round in 0..120 {
        let reaction = format!("/v1/conversations/{id}/messages/{first}/reactions/%F0%9F%91%8D");
        if round % 2 == 0 { bob.put(&reaction).await } else { bob.delete(&reaction).await }.expect(200);
    }
    let last = ada.say(&id, "the last").await;
    let page = async |query: &str| {
        let page = bob.get(&format!("/v1/conversations/{id}/messages?limit=1&{query}")).await.expect(200);
        page["items"].as_array().unwrap().iter().map(|item| item["seq"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(page("").await, [last]);
    assert_eq!(page(&format!("before={last}")).await, [first], "past a page of reactions");
    assert_eq!(page(&format!("after={first}")).await, [last]);
    // The raw log, page by page, has no hole and an end.
    let mut seen = 0;
    loop {
        let page = bob.get(&format!("/v1/conversations/{id}/events?after={seen}&limit=7")).await.expect(200);
        let items = page["items"].as_array().unwrap();
        for item in items {
            seen += 1;
            assert_eq!(item["seq"].as_u64(), Some(seen));
        }
        if items.is_empty() {
            break;
        }
    }
    assert_eq!(seen, last);
}

/// The same, of lists: who is not to be found does not end the search.
#[tokio::test]
async fn a_search_goes_on_past_those_who_are_not_to_be_found() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    for index in 0..6 {
        let hidden = server.sign_up(&format!("same{index}")).await;
        hidden.patch("/v1/me", json!({"privacy": {"find_by": []}})).await.expect(200);
    }
    server.sign_up("same9").await;
    let mut found = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = ada.get(&format!("/v1/users?q=same&limit=2&cursor={cursor}")).await.expect(200);
        found.extend(page["items"].as_array().unwrap().iter().map(|user| user["username"].clone()));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(found, ["same9"]);
}

/// Caches that serve one user's page to another: nothing that depends on who asks may be kept by anybody.
#[tokio::test]
async fn only_what_is_the_same_for_everybody_may_be_cached() {
    let server = Server::start().await;
    let (ada, bob) = (server.sign_up("ada").await, server.sign_up("bob").await);
    let id = ada.create_group(&[&bob]).await;
    let seq = ada.say(&id, "hello").await;
    let gets = routes().filter(|route| route.method() == Method::GET && route.template() != "/v1/ws");
    for route in gets {
        let path = fill(route, &[("{conversation}", &id), ("{user}", &ada.id), ("{seq}", &seq.to_string())]);
        let (first, second) = (ada.get(&path).await, bob.get(&path).await);
        let control = first.headers["cache-control"].to_str().unwrap().to_owned();
        match route.access() {
            Access::SignedIn(_) => assert_eq!(control, "no-store", "{path}"),
            Access::Probe | Access::Public if control == "no-store" => {}
            Access::Probe | Access::Public => {
                assert!(control.starts_with("public"), "{path}: {control}");
                assert_eq!(first.body, second.body, "{path} is the same for everybody");
                assert!(!first.headers.contains_key("set-cookie"), "{path}");
            }
        }
    }
    assert_ne!(ada.get("/v1/me").await.body, bob.get("/v1/me").await.body);
    let refused = server.client().get("/v1/me").await;
    assert_eq!(refused.headers["cache-control"], "no-store", "a refusal is one caller's, too");
}

fn fill(route: &Route, values: &[(&str, &str)]) -> String {
    let path =
        values.iter().fold(route.template().to_owned(), |path, (name, value)| path.replace(name, value));
    match route.template() {
        "/v1/users" => format!("{path}?q=ada"),
        "/v1/presence" => format!("{path}?users=1"),
        "/v1/sync" => format!("{path}?timeout=0"),
        _ => path.replace("{device}", "1").replace("{code}", &nonce()),
    }
}
