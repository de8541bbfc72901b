//! Traces as a collector receives them: OTLP over HTTP, decoded and compared with ids of answers.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver};
use std::thread;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use serde_json::json;

use crate::support::Place;

/// A batch with the head of its request.
struct Batch {
    head: String,
    request: ExportTraceServiceRequest,
}

/// A collector that accepts everything.
fn collect() -> (String, Receiver<Batch>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (sender, batches) = mpsc::channel();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let sender = sender.clone();
            thread::spawn(move || {
                // Noted before it is accepted: the service waits for the answer before it ends.
                while let Some(batch) = receive(&stream)
                    && sender.send(batch).is_ok()
                    && (&stream).write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").is_ok()
                {
                }
            });
        }
    });
    (address, batches)
}

fn receive(stream: &TcpStream) -> Option<Batch> {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        (reader.read_line(&mut head).ok()? > 0).then_some(())?;
    }
    let length =
        head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok())?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let request = ExportTraceServiceRequest::decode(&*body).expect("protobuf of OTLP");
    Some(Batch { head, request })
}

fn attribute(attributes: &[KeyValue], key: &str) -> Option<String> {
    let value = attributes.iter().find(|attribute| attribute.key == key)?.value.as_ref()?.value.as_ref()?;
    Some(match value {
        Any::StringValue(text) => text.clone(),
        Any::IntValue(number) => number.to_string(),
        other => format!("{other:?}"),
    })
}

#[test]
fn a_collector_receives_requests_by_the_ids_of_their_answers() {
    let (address, batches) = collect();
    let place = Place::new();
    let service = place.serve_with(|command| {
        command.env("LOQUAT_TRACES__ENDPOINT", format!("http://{address}"));
        command.env("LOQUAT_TRACES__HEADERS", "x-key=canary-of-traces");
        command.env("LOQUAT_LOG__LEVEL", "info,loquat_gateway=debug");
    });
    let refused = service.get("/v1/me");
    let id = refused.json()["request_id"].as_str().unwrap().to_owned();
    let mira = service.sign_up("mira");
    let group = json!({ "kind": "group", "title": "a title that is nobody's business", "members": [] });
    let token = mira["access_token"].as_str();
    let group = service.authorised_call("POST", "/v1/conversations", (Some(&group), token)).json();
    let path = format!("/v1/conversations/{}/messages", group["id"].as_str().unwrap());
    let text = json!({ "nonce": "1", "text": "a text that is nobody's business" });
    assert_eq!(service.authorised_call("POST", &path, (Some(&text), token)).status, 201);
    let log = service.log();
    assert!(log.contains(&id), "the log has the id too");
    assert!(!log.contains("canary-of-traces"));
    assert!(service.stop().success(), "the end sends what is gathered");

    let batches: Vec<Batch> = batches.try_iter().collect();
    assert!(!batches.is_empty(), "nothing was sent");
    let mut spans: Vec<Span> = Vec::new();
    for Batch { head, request } in batches {
        assert!(head.starts_with("POST /v1/traces HTTP/1.1\r\n"), "{head}");
        let head = head.to_lowercase();
        assert!(
            head.contains("content-type: application/x-protobuf") && head.contains("x-key: canary-of-traces"),
            "{head}"
        );
        let told = format!("{request:?}");
        assert!(!told.contains("nobody's business"), "content is in no trace");
        for resource in request.resource_spans {
            let about = resource.resource.expect("a resource").attributes;
            assert_eq!(attribute(&about, "service.name").as_deref(), Some("loquat"));
            assert_eq!(attribute(&about, "service.version").as_deref(), Some(env!("CARGO_PKG_VERSION")));
            spans.extend(resource.scope_spans.into_iter().flat_map(|scope| scope.spans));
        }
    }
    let of_request = spans.iter().find(|span| attribute(&span.attributes, "id").as_ref() == Some(&id));
    let of_request = of_request.expect("the refused request");
    let told = |key| attribute(&of_request.attributes, key);
    assert_eq!((of_request.name.as_str(), of_request.kind), ("request", 2), "a server's span");
    assert_eq!((told("method").as_deref(), told("route").as_deref()), (Some("GET"), Some("/v1/me")));
    assert_eq!(told("status").as_deref(), Some("401"));
    assert!(of_request.end_time_unix_nano >= of_request.start_time_unix_nano);
    assert!(
        spans.iter().any(|span| span.name == "append" && attribute(&span.attributes, "events").is_some())
    );
}

#[test]
fn a_collector_that_is_away_costs_no_request() {
    let place = Place::new();
    let service = place.serve_with(|command| {
        command.env("LOQUAT_TRACES__ENDPOINT", "http://127.0.0.1:1");
    });
    service.sign_up("mira");
    assert_eq!(service.get("/readyz").status, 200);
    assert!(service.stop().success());
}
