//! What the service says about its interface: the documents as they are committed, and the page that shows them.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::path::Path;

use serde_json::Value;
use support::Server;

/// Compares with the committed document; with `LOQUAT_UPDATE_API` set, writes it.
fn is_as_committed(name: &str, document: &Value) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(name);
    let text = format!("{document:#}\n");
    if std::env::var_os("LOQUAT_UPDATE_API").is_some() {
        std::fs::write(&path, text).unwrap();
        return;
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == text,
        "docs/{name} is not what the code says; look at what `cargo xtask api` changes in it, and commit that"
    );
}

#[test]
fn the_calls_are_as_committed() {
    is_as_committed("openapi.json", &loquat_gateway::openapi());
}

#[test]
fn the_frames_are_as_committed() {
    is_as_committed("asyncapi.json", &loquat_gateway::asyncapi());
}

#[test]
fn every_frame_is_described_with_its_answer() {
    let document = loquat_gateway::asyncapi();
    for op in loquat_gateway::ops() {
        let name = op.name();
        let operation = &document["operations"][name];
        assert_eq!(operation["action"], "receive", "{name}");
        let payload = &document["components"]["messages"][name]["payload"];
        assert_eq!(payload["properties"]["op"]["const"], name);
        assert!(!document["components"]["messages"][name]["summary"].as_str().unwrap().is_empty(), "{name}");
        let answered = !matches!(name, "typing" | "status");
        assert_eq!(operation.get("reply").is_some(), answered, "{name}");
    }
    for push in ["event", "receipt", "erased", "typing", "presence", "account", "tick", "drain", "error"] {
        assert_eq!(document["operations"][format!("push_{push}")]["action"], "send", "{push}");
    }
    let text = document.to_string();
    for reference in text.split("\"$ref\":\"#").skip(1) {
        let pointer = reference.split('"').next().unwrap();
        assert!(document.pointer(pointer).is_some(), "{pointer} leads nowhere");
    }
}

#[tokio::test]
async fn the_documents_and_their_page_are_served_by_the_binary_alone() {
    let server = Server::start().await;
    let client = server.client();
    assert_eq!(client.get("/v1/openapi.json").await.expect(200), loquat_gateway::openapi());
    assert_eq!(client.get("/v1/asyncapi.json").await.expect(200), loquat_gateway::asyncapi());

    let page = client.get("/docs").await;
    let policy = page.headers["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.contains("default-src 'none'") && policy.contains("script-src 'self'"), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    assert_eq!(page.headers["content-type"], "text/html; charset=utf-8");
    let text = page.expect(200).as_str().unwrap().to_owned();
    assert!(!text.contains("://"), "the page refers to nothing elsewhere");
    for (path, content_type) in
        [("/docs/page.js", "text/javascript; charset=utf-8"), ("/docs/page.css", "text/css; charset=utf-8")]
    {
        assert!(text.contains(path), "the page uses {path}");
        let part = client.get(path).await;
        assert_eq!(part.headers["content-type"], content_type);
        assert!(!part.expect(200).as_str().unwrap().contains("://"), "{path} refers to nothing elsewhere");
    }
}
