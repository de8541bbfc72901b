//! PROTOCOL: "Connecting", "Long poll" and "Operations".

use loquat_proto::Limits;
use serde_json::{Value, json};

use crate::support::{Server, Settings, Socket, request};
use crate::{Stage, items, number};

#[tokio::test]
async fn post_connect() {
    let stage = Stage::set().await;
    let connect = stage.ada.post("/v1/connect", Value::Null).await.expect(200);
    assert_eq!(connect["url"], format!("ws://{}/v1/ws", stage.server.address));
    assert_eq!((number(&connect, "expires_in"), &connect["node"]), (30, &json!("node-1")));
    stage.server.clock.advance(30_001);
    let mut late = Socket::open(&stage.server).await;
    let hello = json!({"op": "hello", "ticket": connect["ticket"]});
    assert_eq!(late.ask(hello).await.unwrap_err(), "unauthorized", "good for thirty seconds");
}

#[tokio::test]
async fn get_ws() {
    let stage = Stage::set().await;
    let mut bare = request(&stage.server);
    bare.headers_mut().remove("sec-websocket-protocol");
    assert!(Socket::open_with(&stage.server, bare).await.is_err(), "without the subprotocol");
    let mut foreign = request(&stage.server);
    foreign.headers_mut().insert("origin", "https://evil.example".parse().unwrap());
    assert!(Socket::open_with(&stage.server, foreign).await.is_err(), "from another origin");
    let mut own = request(&stage.server);
    own.headers_mut().insert("origin", format!("http://{}", stage.server.address).parse().unwrap());
    let mut socket = Socket::open_with(&stage.server, own).await.unwrap();
    socket.hello(&stage.ada.token).await;
}

#[tokio::test]
async fn get_sync() {
    let stage = Stage::set().await;
    let start = stage.bob.get("/v1/sync?timeout=0").await.expect(200);
    for field in ["since", "changed", "events", "receipts", "account", "more", "reset"] {
        assert!(start.get(field).is_some(), "{field} in {start}");
    }
    assert_eq!(start["changed"][0]["id"], json!(stage.group));
    let path = format!("/v1/sync?since={}&timeout=30", start["since"].as_str().unwrap());
    let bob = stage.bob.clone();
    let waiting = tokio::spawn(async move { bob.get(&path).await.expect(200) });
    while stage.server.app.sessions().count() == 0 {
        tokio::task::yield_now().await;
    }
    stage.ada.say(&stage.group, "news").await;
    let news = waiting.await.unwrap();
    assert_eq!(news["changed"][0]["last_message"]["text"], "news");
    assert_eq!(news["events"].as_array().unwrap().last().unwrap()["body"]["text"], "news");
    let path = format!("/v1/sync?since={}&timeout=0", news["since"].as_str().unwrap());
    let nothing = stage.bob.get(&path).await.expect(200);
    assert_eq!((&nothing["changed"], &nothing["events"]), (&json!([]), &json!([])));
    assert_eq!(stage.bob.get("/v1/sync?timeout=61").await.refused(400), "invalid");
    assert_eq!(stage.bob.get("/v1/sync?since=lost&timeout=0").await.expect(200)["reset"], true);
}

#[tokio::test]
async fn get_healthz() {
    let server = Server::start().await;
    assert_eq!(server.client().get("/healthz").await.expect(200), json!({"status": "alive"}));
}

#[tokio::test]
async fn get_readyz() {
    let server = Server::start().await;
    assert_eq!(server.client().get("/readyz").await.expect(200), json!({"status": "ready"}));
}

#[tokio::test]
async fn get_server() {
    let limits = Limits { title_chars: 77, ..Limits::default() };
    let server = Server::start_with(Settings { limits: limits.clone(), ..Settings::default() }).await;
    let info = server.client().get("/v1/server").await.expect(200);
    assert_eq!((&info["name"], &info["version"]), (&json!("test"), &json!(env!("CARGO_PKG_VERSION"))));
    assert_eq!(info["limits"], serde_json::to_value(limits).unwrap());
    assert!(info["features"].is_array());
}

#[tokio::test]
async fn get_openapi_json() {
    let server = Server::start().await;
    let document = server.client().get("/v1/openapi.json").await.expect(200);
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
}

#[tokio::test]
async fn get_asyncapi_json() {
    let server = Server::start().await;
    let document = server.client().get("/v1/asyncapi.json").await.expect(200);
    assert!(document["asyncapi"].as_str().unwrap().starts_with("3."));
}

#[tokio::test]
async fn get_docs() {
    let server = Server::start().await;
    assert!(server.client().get("/docs").await.expect(200).as_str().unwrap().contains("/docs/page.js"));
}

#[tokio::test]
async fn get_docs_page_js() {
    let server = Server::start().await;
    assert!(server.client().get("/docs/page.js").await.expect(200).as_str().unwrap().contains("openapi"));
}

#[tokio::test]
async fn get_docs_page_css() {
    let server = Server::start().await;
    assert!(server.client().get("/docs/page.css").await.expect(200).as_str().unwrap().contains('{'));
}

/// "Lists": 50 by default, 1 to 200.
#[tokio::test]
async fn lists_have_1_to_200_entries_50_by_default() {
    let stage = Stage::set().await;
    for number in 0..52 {
        stage.ada.say(&stage.group, &number.to_string()).await;
    }
    assert_eq!(items(&stage.bob.get(&stage.path("/messages")).await.expect(200)).len(), 50);
    assert_eq!(items(&stage.bob.get(&stage.path("/messages?limit=200")).await.expect(200)).len(), 52);
    for path in ["/v1/conversations", "/v1/contacts", "/v1/blocks", "/v1/contacts/requests"] {
        for limit in ["0", "201", "x"] {
            assert_eq!(
                stage.bob.get(&format!("{path}?limit={limit}")).await.refused(400),
                "invalid",
                "{path}"
            );
        }
        let forged = stage.bob.get(&format!("{path}?cursor=%2A")).await;
        assert_eq!(forged.refused(400), "invalid", "{path}: a cursor of nobody's");
    }
}
