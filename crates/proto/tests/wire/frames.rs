use loquat_proto::account::Secret;
use loquat_proto::conversation::Cursor;
use loquat_proto::frame::{
    self, Answer, ClientInfo, Fetch, FrameError, Hello, ParsedFrame, Push, React, Target, WatchAnswer,
};
use loquat_proto::presence::Heartbeat;
use loquat_proto::{ClientFrame, ErrorBody, ErrorCode, Format, Presence, PresenceState, ServerFrame};

use crate::common::{NOW, ada, bob, harvest, nonce};
use crate::messages::body;
use crate::{events, lists};

fn hello(ticket: Option<&str>, token: Option<&str>) -> ClientFrame {
    let secret = |text: &str| Secret(text.to_owned());
    ClientFrame::Hello(Hello {
        ticket: ticket.map(secret),
        token: token.map(secret),
        since: Some("opaque".to_owned()),
        client: ClientInfo { name: "example".to_owned(), version: "1.0".to_owned() },
    })
}

fn target() -> Target {
    Target { conversation: harvest(), nonce: Some(nonce()), target: 42 }
}

/// One frame of each op, by the name of its snapshot.
fn client_frames() -> Vec<(&'static str, ClientFrame)> {
    let (conversation, state) = (harvest(), PresenceState::Away);
    let edit = ClientFrame::Edit {
        conversation,
        nonce: Some(nonce()),
        target: 42,
        text: "ripe".to_owned(),
        format: Format::Markdown,
        mentions: vec![bob()],
    };
    let react = React { conversation, nonce: Some(nonce()), target: 42, emoji: "👍".to_owned(), on: true };
    let after = Fetch { conversation, after: Some(41), before: None, limit: Some(200) };
    let before = Fetch { conversation, after: None, before: Some(42), limit: None };
    vec![
        ("client_hello_with_a_ticket", hello(Some("ticket"), None)),
        ("client_hello_with_a_token", hello(None, Some("token"))),
        ("client_send", ClientFrame::Send { conversation, nonce: nonce(), body: body() }),
        ("client_edit", edit),
        ("client_delete", ClientFrame::Delete(target())),
        ("client_react", ClientFrame::React(react)),
        ("client_pin", ClientFrame::Pin { target: target(), on: true }),
        ("client_ack", ClientFrame::Ack { conversation, delivered: Some(42), read: Some(41) }),
        ("client_typing", ClientFrame::Typing { conversation, on: true }),
        ("client_watch", ClientFrame::Watch { users: vec![ada(), bob()] }),
        ("client_status", ClientFrame::Status(Heartbeat { state })),
        ("client_fetch_after", ClientFrame::Fetch(after)),
        ("client_fetch_before", ClientFrame::Fetch(before)),
        ("client_ping", ClientFrame::Ping {}),
    ]
}

fn presence() -> Presence {
    Presence { user: bob(), state: PresenceState::Online, last_seen: Some(NOW) }
}

fn unavailable() -> ErrorBody {
    let detail = "the disk is busy".to_owned();
    ErrorBody { code: ErrorCode::Unavailable, detail, retry_after_ms: Some(250) }
}

fn pushes() -> Vec<(&'static str, Push)> {
    let conversation = harvest();
    let (user, items) = (bob(), vec![Cursor { user: bob(), delivered: 42, read: 41 }]);
    vec![
        ("server_event", Push::Event { event: events::message() }),
        ("server_event_erased", Push::Event { event: events::erased() }),
        ("server_receipt", Push::Receipt { conversation, items }),
        ("server_erased", Push::Erased { conversation, erased_to: 42, expired_to: 40 }),
        ("server_typing", Push::Typing { conversation, user, on: true }),
        ("server_presence", Push::Presence { user, state: PresenceState::Offline, last_seen: None }),
        ("server_account", Push::Account { event: lists::account_event() }),
        ("server_tick", Push::Tick { since: "opaque".to_owned() }),
        (
            "server_drain",
            Push::Drain { retry_after_ms: 500, url: Some("wss://b.example.org/v1/ws".to_owned()) },
        ),
        ("server_drain_anywhere", Push::Drain { retry_after_ms: 500, url: None }),
        ("server_error", Push::Error { error: unavailable() }),
    ]
}

fn pretty(text: &str) -> String {
    // Through a raw value, so that the order of fields is what travels.
    let fields: indexed::Fields = serde_json::from_str(text).unwrap();
    serde_json::to_string_pretty(&fields).unwrap()
}

/// JSON objects with their fields in the order in which they stand in the text.
mod indexed {
    use serde::de::{MapAccess, Visitor};
    use serde::ser::SerializeMap;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use serde_json::value::RawValue;

    pub struct Fields(Vec<(String, Box<RawValue>)>);

    impl<'de> Deserialize<'de> for Fields {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct InOrder;
            impl<'de> Visitor<'de> for InOrder {
                type Value = Fields;
                fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    f.write_str("an object")
                }
                fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                    let mut fields = Vec::new();
                    while let Some(field) = map.next_entry()? {
                        fields.push(field);
                    }
                    Ok(Fields(fields))
                }
            }
            deserializer.deserialize_map(InOrder)
        }
    }

    impl Serialize for Fields {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut map = serializer.serialize_map(Some(self.0.len()))?;
            for (name, value) in &self.0 {
                map.serialize_entry(name, value)?;
            }
            map.end()
        }
    }
}

#[test]
fn client_frames_are_as_reviewed_and_read_back() {
    for (name, frame) in client_frames() {
        let text = frame.encode(Some(7));
        insta::assert_snapshot!(name, pretty(&text));
        assert_eq!(
            ClientFrame::parse(&text),
            Ok(ParsedFrame { id: Some(7), frame: frame.clone() }),
            "{text}"
        );
        let silent = frame.encode(None);
        assert_eq!(
            ClientFrame::parse(&silent),
            Ok(ParsedFrame { id: None, frame: frame.clone() }),
            "{silent}"
        );
        let newer = text.replacen('{', r#"{"of_a_later_version":{"op":"x"},"#, 1);
        assert_eq!(ClientFrame::parse(&newer), Ok(ParsedFrame { id: Some(7), frame }), "{newer}");
    }
}

#[test]
fn pushes_are_as_reviewed_and_read_back() {
    for (name, push) in pushes() {
        let text = String::from_utf8(frame::push(&push).to_vec()).unwrap();
        insta::assert_snapshot!(name, pretty(&text));
        match ServerFrame::parse(&text).unwrap() {
            ServerFrame::Push(read) => assert_eq!(*read, push, "{text}"),
            ServerFrame::Answer(answer) => panic!("{text} is read as {answer:?}"),
        }
    }
}

#[test]
fn answers_are_as_reviewed_and_read_back() {
    let ok = |text: &str| match ServerFrame::parse(text).unwrap() {
        ServerFrame::Answer(Answer { re: 7, result: Ok(ok) }) => ok.get().to_owned(),
        other => panic!("{text} is read as {other:?}"),
    };
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let appended = text(&frame::answer_appended(7, harvest(), 42, NOW));
    let watched = WatchAnswer { items: vec![presence()] };
    for (name, answer) in [
        ("server_ok_appended", appended.clone()),
        ("server_ok_ready", text(&frame::answer(7, &lists::ready()))),
        ("server_ok_watched", text(&frame::answer(7, &watched))),
        ("server_ok_pong", text(&frame::answer(7, &serde_json::json!({})))),
    ] {
        insta::assert_snapshot!(name, pretty(&answer));
        ok(&answer);
    }
    let same = loquat_proto::message::Appended { conversation: harvest(), seq: 42, ts: NOW };
    assert_eq!(appended, text(&frame::answer(7, &same)), "by hand and by serde");
    assert_eq!(
        serde_json::from_str::<WatchAnswer>(&ok(&text(&frame::answer(7, &watched)))).unwrap(),
        watched
    );
}

#[test]
fn refusals_are_as_reviewed_and_read_back() {
    for code in ErrorCode::ALL {
        let error = ErrorBody { code, ..unavailable() };
        let text = String::from_utf8(frame::answer_error(Some(7), &error).to_vec()).unwrap();
        match ServerFrame::parse(&text).unwrap() {
            ServerFrame::Answer(Answer { re: 7, result: Err(read) }) => assert_eq!(read, error),
            other => panic!("{text} is read as {other:?}"),
        }
        let text = String::from_utf8(frame::answer_error(None, &error).to_vec()).unwrap();
        match ServerFrame::parse(&text).unwrap() {
            ServerFrame::Push(push) => assert_eq!(*push, Push::Error { error }),
            other @ ServerFrame::Answer(_) => panic!("{text} is read as {other:?}"),
        }
    }
    let refusal = String::from_utf8(frame::answer_error(Some(7), &unavailable()).to_vec()).unwrap();
    insta::assert_snapshot!("server_refusal", pretty(&refusal));
}

#[test]
fn pushes_of_a_later_version_are_unknown() {
    for text in [r#"{"op":"applause","hands":2}"#, r#"{"op":"event"}"#] {
        match ServerFrame::parse(text) {
            Ok(ServerFrame::Push(push)) => assert_eq!(*push, Push::Unknown, "{text}"),
            other => panic!("{text} is read as {other:?}"),
        }
    }
    for text in ["", "[]", "7", "{}", r#"{"op":7}"#, r#"{"op":"tick"}"#, r#"{"op":"event","event":{}}"#] {
        assert!(ServerFrame::parse(text).is_err(), "{text}");
    }
}

/// Every field of every frame, taken out in turn: the frame is invalid under its id, or the field is optional.
#[test]
fn a_frame_without_a_field_it_needs_is_invalid_under_its_id() {
    let optional = [
        "id",
        "ticket",
        "token",
        "since",
        "client",
        "format",
        "mentions",
        "after",
        "before",
        "limit",
        "delivered",
        "read",
    ];
    let mut needed = Vec::new();
    for (_, frame) in client_frames() {
        let full: serde_json::Value = serde_json::from_str(&frame.encode(Some(7))).unwrap();
        let fields = full.as_object().unwrap().clone();
        let op = fields["op"].as_str().unwrap().to_owned();
        for field in fields.keys().filter(|field| *field != "op") {
            let mut less = fields.clone();
            less.remove(field);
            let text = serde_json::to_string(&less).unwrap();
            let nonce_is_optional = field == "nonce" && op != "send";
            match ClientFrame::parse(&text) {
                Ok(_) => {
                    assert!(optional.contains(&field.as_str()) || nonce_is_optional, "{op} without {field}");
                }
                Err(FrameError::Invalid { id, detail }) => {
                    assert_eq!(id, Some(7), "{op} without {field}");
                    assert!(detail.starts_with(&format!("{op}: ")) && detail.contains(field), "{detail}");
                    needed.push(format!("{op} {field}"));
                }
                Err(malformed) => panic!("{op} without {field}: {malformed:?}"),
            }
        }
    }
    insta::assert_snapshot!(needed.join("\n"));
}

#[test]
fn frames_that_are_wrong_are_told_apart_from_what_is_no_frame() {
    let invalid = |id: Option<u64>| Err(id);
    let malformed = Ok(());
    for (text, expected) in [
        (r#"{"op":"typing","id":3,"conversation":71,"on":true}"#, invalid(Some(3))),
        (r#"{"op":"typing","id":3,"conversation":"0","on":true}"#, invalid(Some(3))),
        (r#"{"op":"send","id":3,"conversation":"71","nonce":"a b","body":{"text":"x"}}"#, invalid(Some(3))),
        (r#"{"op":"send","id":3,"conversation":"71","nonce":"a","body":"x"}"#, invalid(Some(3))),
        (r#"{"op":"fetch","id":3,"conversation":"71","after":-1}"#, invalid(Some(3))),
        (r#"{"op":"dance","id":3}"#, invalid(Some(3))),
        (r#"{"op":"dance"}"#, invalid(None)),
        (r#"{"op":"ping","id":0}"#, invalid(None)),
        (r#"{"op":"ping","id":-1}"#, invalid(None)),
        (r#"{"op":"ping","id":1.5}"#, invalid(None)),
        (r#"{"op":"ping","id":"1"}"#, invalid(None)),
        (r#"{"id":3}"#, malformed),
        (r#"{"op":7,"id":3}"#, malformed),
        (r#"{"op":null}"#, malformed),
        ("", malformed),
        ("{", malformed),
        ("null", malformed),
        ("7", malformed),
        (r#""ping""#, malformed),
        (r#"["ping"]"#, malformed),
        (r#"{"op":"ping"} {"op":"ping"}"#, malformed),
        ("\u{feff}{\"op\":\"ping\"}", malformed),
    ] {
        match (ClientFrame::parse(text), expected) {
            (Err(FrameError::Malformed(_)), Ok(())) => {}
            (Err(FrameError::Invalid { id, .. }), Err(expected)) => assert_eq!(id, expected, "{text}"),
            (other, _) => panic!("{text} is read as {other:?}"),
        }
    }
}

#[test]
fn an_unknown_op_is_quoted_short_and_escaped() {
    let text = format!(r#"{{"op":"{}\n"}}"#, "x".repeat(500));
    let Err(FrameError::Invalid { detail, .. }) = ClientFrame::parse(&text) else { panic!("{text}") };
    assert!(detail.len() < 80, "{detail}");
    let Err(FrameError::Invalid { detail, .. }) = ClientFrame::parse(r#"{"op":"a\nb"}"#) else { panic!() };
    assert!(!detail.contains('\n'), "{detail}");
}
