//! What holds for every call: problems, limits, headers, browsers, and the accept loop.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::time::{Duration, Instant};

use axum::body::Body;
use hyper::{Method, Request};
use loquat_gateway::{GatewayConfig, Stopped};
use loquat_proto::Limits;
use serde_json::json;
use support::{PASSWORD, Server, Settings, unlimited};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

#[tokio::test]
async fn what_is_not_there_is_a_problem() {
    let server = Server::start().await;
    let client = server.client();
    for path in ["/v1", "/v1/nothing", "/v1/contact", "/v1/me/", "/metrics", "/%ff", "/../etc/passwd"] {
        assert_eq!(client.get(path).await.refused(404), "not_found", "{path}");
    }
    let answer = client.put("/v1/me").await;
    assert_eq!(answer.refused(405), "invalid");
    let mut allowed: Vec<_> = answer.headers["allow"].to_str().unwrap().split(',').collect();
    allowed.sort_unstable();
    assert_eq!(allowed, ["DELETE", "GET", "HEAD", "PATCH"]);
}

#[tokio::test]
async fn what_cannot_be_read_is_a_problem() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    for path in
        ["/v1/conversations/abc", "/v1/conversations/0", "/v1/conversations/1/messages/x", "/v1/users/-1"]
    {
        assert_eq!(ada.get(path).await.refused(400), "invalid", "{path}");
    }
    let deep = "[".repeat(100_000 / 2);
    for body in
        ["", "{", "[]", "null", "{\"username\":1}", "{\"username\":\"\\ud800\",\"password\":\"x\"}", &deep]
    {
        let answer = post_raw(&server, Some("application/json"), body.to_owned().into()).await;
        assert_eq!(answer.refused(400), "invalid", "{:?}", &body[..body.len().min(40)]);
    }
    let whole = json!({"username": "bob", "password": PASSWORD}).to_string();
    for content_type in [None, Some("text/plain"), Some("application/x-www-form-urlencoded")] {
        let answer = post_raw(&server, content_type, whole.clone().into()).await;
        assert_eq!(answer.refused(400), "invalid", "{content_type:?}");
    }
    let latin = post_raw(&server, Some("application/json"), b"{\"username\":\"\xe9\"}".to_vec().into()).await;
    assert_eq!(latin.refused(400), "invalid");
}

async fn post_raw(server: &Server, content_type: Option<&str>, body: Body) -> support::Answer {
    let mut request = Request::post("/v1/auth/signup").header("host", "x");
    if let Some(content_type) = content_type {
        request = request.header("content-type", content_type);
    }
    server.client().send(request.body(body).unwrap()).await
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_announced_or_not() {
    let server = Server::start_with(Settings {
        limits: Limits { frame_bytes: 1_000, ..unlimited() },
        ..Settings::default()
    })
    .await;
    let large = json!({"username": "x".repeat(2_000), "password": PASSWORD}).to_string();
    let announced = post_raw(&server, Some("application/json"), large.clone().into()).await;
    assert_eq!(announced.refused(413), "too_large");
    let pieces = large
        .into_bytes()
        .chunks(100)
        .map(|piece| Ok::<_, std::io::Error>(piece.to_vec()))
        .collect::<Vec<_>>();
    let streamed = Body::from_stream(futures_util::stream::iter(pieces));
    assert_eq!(post_raw(&server, Some("application/json"), streamed).await.refused(413), "too_large");
}

#[tokio::test]
async fn every_answer_has_its_headers() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    for answer in [ada.get("/v1/me").await, server.client().get("/v1/me").await, ada.get("/nothing").await] {
        assert_eq!(answer.headers["x-content-type-options"], "nosniff");
        assert_eq!(answer.headers["referrer-policy"], "no-referrer");
        assert_eq!(answer.headers["cache-control"], "no-store");
        assert!(answer.headers.contains_key("content-security-policy"));
        assert!(answer.headers.contains_key("x-request-id"));
        assert!(!answer.headers.contains_key("access-control-allow-origin"));
    }
    let chosen = ada.with_header("x-request-id", "mine").get("/v1/me").await;
    assert_ne!(chosen.headers["x-request-id"], "mine", "not from whom nobody trusts");
}

#[tokio::test]
async fn trusted_proxies_say_who_asks_and_how_it_is_called() {
    let settings = || Settings {
        limits: Limits { logins_per_minute: 1, ..unlimited() },
        gateway: GatewayConfig {
            trusted_proxies: vec!["127.0.0.0/8".parse().unwrap()],
            ..GatewayConfig::default()
        },
        ..Settings::default()
    };
    let server = Server::start_with(settings()).await;
    let named = server.client().with_header("x-request-id", "abc-1").get("/healthz").await;
    assert_eq!(named.headers["x-request-id"], "abc-1");
    let unfit = server.client().with_header("x-request-id", "a b\"c").get("/healthz").await;
    assert_ne!(unfit.headers["x-request-id"], "a b\"c");

    let log_in = json!({"login": "nobody", "password": PASSWORD});
    let from = |address: &str| server.client().with_header("x-forwarded-for", address);
    assert_eq!(from("203.0.113.1").post("/v1/auth/login", log_in.clone()).await.refused(401), "unauthorized");
    assert_eq!(from("203.0.113.1").post("/v1/auth/login", log_in.clone()).await.refused(429), "rate_limited");
    assert_eq!(from("203.0.113.2").post("/v1/auth/login", log_in.clone()).await.refused(401), "unauthorized");

    let untrusting = Server::start_with(Settings { gateway: GatewayConfig::default(), ..settings() }).await;
    let from = |address: &str| untrusting.client().with_header("x-forwarded-for", address);
    assert_eq!(from("203.0.113.1").post("/v1/auth/login", log_in.clone()).await.refused(401), "unauthorized");
    assert_eq!(from("203.0.113.2").post("/v1/auth/login", log_in).await.refused(429), "rate_limited");
}

#[tokio::test]
async fn rates_are_told_and_kept() {
    let limits = Limits { requests_per_second: 1, requests_burst: 3, signups_per_hour: 1, ..unlimited() };
    let server = Server::start_with(Settings { limits, ..Settings::default() }).await;
    let ada = server.sign_up("ada").await;
    let again =
        server.client().post("/v1/auth/signup", json!({"username": "bob", "password": PASSWORD})).await;
    assert_eq!(again.refused(429), "rate_limited");
    assert_eq!(again.headers["ratelimit-limit"], "1", "the limit of sign-ups");

    let first = ada.get("/v1/me").await;
    assert_eq!(first.headers["ratelimit-limit"], "3");
    assert_eq!(first.headers["ratelimit-remaining"], "2");
    ada.get("/v1/me").await.expect(200);
    ada.get("/v1/me").await.expect(200);
    let refused = ada.get("/v1/me").await;
    assert_eq!(refused.refused(429), "rate_limited");
    assert_eq!(refused.headers["ratelimit-remaining"], "0");
    assert!(refused.headers["retry-after"].to_str().unwrap().parse::<u64>().unwrap() >= 1);
    assert!(refused.body["retry_after_ms"].as_u64().unwrap() >= 1);
}

#[tokio::test]
async fn pages_of_configured_origins_may_read_answers() {
    let allowed_origins = vec!["https://app.example".to_owned()];
    let gateway = GatewayConfig { allowed_origins, ..GatewayConfig::default() };
    let server = Server::start_with(Settings { gateway, ..Settings::default() }).await;
    let page = server.client().with_header("origin", "https://app.example");
    let asking = page.with_header("access-control-request-method", "PATCH");
    let permission = asking.call(Method::OPTIONS, "/v1/me", None).await;
    assert_eq!(permission.headers["access-control-allow-origin"], "https://app.example");
    assert_eq!(permission.headers["access-control-allow-credentials"], "true");
    let answer = page.get("/v1/me").await;
    assert_eq!(answer.refused(401), "unauthorized");
    assert_eq!(
        answer.headers["access-control-allow-origin"], "https://app.example",
        "problems can be read, too"
    );
    let foreign = server.client().with_header("origin", "https://evil.example").get("/v1/me").await;
    assert!(!foreign.headers.contains_key("access-control-allow-origin"));
}

#[tokio::test]
async fn a_head_that_does_not_end_is_not_waited_for() {
    let server = Server::start().await;
    let mut slow = TcpStream::connect(server.address).await.unwrap();
    let started = Instant::now();
    slow.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n").await.unwrap();
    let mut rest = Vec::new();
    slow.read_to_end(&mut rest).await.unwrap();
    let took = started.elapsed();
    assert!((Duration::from_secs(9)..Duration::from_secs(14)).contains(&took), "{took:?}");
}

#[tokio::test]
async fn connections_beyond_the_cap_are_turned_away() {
    let limits = Limits { connections: 1, ..unlimited() };
    let server = Server::start_with(Settings { limits, ..Settings::default() }).await;
    let mut held = Vec::new();
    for _ in 0..257 {
        held.push(TcpStream::connect(server.address).await.unwrap());
    }
    let mut refused = TcpStream::connect(server.address).await.unwrap();
    let mut answer = String::new();
    refused.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("\"code\":\"unavailable\""), "{answer}");
    assert!(server.metrics().await.contains("loquat_gateway_turned_away_total 1\n"));
    drop(held);
}

#[tokio::test]
async fn a_stopping_server_lets_calls_finish() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let start = ada.get("/v1/sync?timeout=0").await.expect(200);
    let since = start["since"].as_str().unwrap().to_owned();
    let waiting = tokio::spawn(async move { ada.get(&format!("/v1/sync?since={since}&timeout=60")).await });
    let mut idle = TcpStream::connect(server.address).await.unwrap();
    while !server.metrics().await.contains("loquat_gateway_connections 2\n") {
        tokio::task::yield_now().await;
    }
    assert_eq!(server.stop().await, Stopped::Drained);
    let polled = waiting.await.unwrap();
    assert!(polled.status == 200 || polled.refused(503) == "unavailable", "{polled:?}");
    assert_eq!(idle.read_to_end(&mut Vec::new()).await.unwrap(), 0);
}

#[tokio::test]
async fn metrics_have_routes_not_paths() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    ada.get(&format!("/v1/users/{}", ada.id)).await.expect(200);
    ada.get("/v1/secret-path").await;
    ada.call(Method::from_bytes(b"BREW").unwrap(), "/v1/me", None).await;
    let text = server.metrics().await;
    for expected in [
        "loquat_http_requests_total{method=\"GET\",route=\"/v1/users/{user}\",status=\"200\"} 1\n",
        "loquat_http_requests_total{method=\"GET\",route=\"unmatched\",status=\"404\"} 1\n",
        "loquat_http_requests_total{method=\"OTHER\",route=\"/v1/me\",status=\"405\"} 1\n",
        "loquat_gateway_refusals_total{code=\"not_found\"} 1\n",
        "loquat_events_appended_total 0\n",
    ] {
        assert!(text.contains(expected), "{expected:?} is missing from:\n{text}");
    }
    assert!(!text.contains("secret-path") && !text.contains(&ada.id), "{text}");
    assert_eq!(server.client().get("/metrics").await.refused(404), "not_found", "not for clients");
}
