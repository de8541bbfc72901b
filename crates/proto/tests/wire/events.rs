use loquat_proto::event::{DeleteBody, EditBody, MemberBody, MemberChange, PinBody, ReactionBody};
use loquat_proto::frame::{self, EventHead};
use loquat_proto::{Event, EventBody, EventKind, Format, Role};
use serde_json::value::RawValue;

use crate::common::{NOW, ada, bob, both_ways, device, harvest, nonce, snapshots};
use crate::conversations::settings;
use crate::messages::body;

fn event(body: &EventBody) -> Event {
    Event {
        conversation: harvest(),
        seq: 42,
        ts: NOW,
        sender: ada(),
        device: Some(device()),
        nonce: Some(nonce()),
        kind: body.kind(),
        body: Some(RawValue::from_string(body.encode()).unwrap()),
    }
}

pub fn message() -> Event {
    event(&EventBody::Message(body()))
}

pub fn erased() -> Event {
    Event { body: None, nonce: None, device: None, ..message() }
}

/// One body of each kind.
fn bodies() -> [EventBody; 7] {
    let (text, mentions) = ("ripe".to_owned(), vec![bob()]);
    let emoji = "👍".to_owned();
    let (user, by) = (bob(), ada());
    [
        EventBody::Message(body()),
        EventBody::Edit(EditBody { target: 41, text, format: Format::Plain, mentions }),
        EventBody::Delete(DeleteBody { target: 41 }),
        EventBody::Reaction(ReactionBody { target: 41, emoji, on: true }),
        EventBody::Member(MemberBody { user, change: MemberChange::Joined, role: Role::Member, by }),
        EventBody::Settings(settings()),
        EventBody::Pin(PinBody { target: 41, on: false }),
    ]
}

fn of(kind: EventKind) -> Event {
    event(bodies().iter().find(|body| body.kind() == kind).unwrap())
}

snapshots! {
    event_message: of(EventKind::Message);
    event_edit: of(EventKind::Edit);
    event_delete: of(EventKind::Delete);
    event_reaction: of(EventKind::Reaction);
    event_member: of(EventKind::Member);
    event_settings: of(EventKind::Settings);
    event_pin: of(EventKind::Pin);
    event_erased: erased();
    member_changes: [MemberChange::Joined, MemberChange::Left, MemberChange::Removed, MemberChange::Role];
}

#[test]
fn a_body_is_decoded_by_its_kind() {
    for body in bodies() {
        let event = event(&body);
        assert_eq!(event.decode().unwrap().as_ref(), Some(&body), "{}", both_ways(&event));
        assert_eq!(EventBody::decode(event.kind, &body.encode()).unwrap(), Some(body));
    }
    assert_eq!(erased().decode().unwrap(), None);
}

#[test]
fn a_body_of_another_kind_is_an_error() {
    assert!(EventBody::decode(EventKind::Edit, r#"{"text":"no target"}"#).is_err());
    assert!(EventBody::decode(EventKind::Message, "[]").is_err());
}

#[test]
fn events_of_a_later_version_are_kept_and_not_decoded() {
    let text =
        r#"{"conversation":"71","seq":1,"ts":2,"sender":"12","device":null,"kind":"poll","body":{"x":1}}"#;
    let event: Event = serde_json::from_str(text).unwrap();
    assert_eq!(event.kind, EventKind::Unknown);
    assert_eq!(event.body.as_ref().unwrap().get(), r#"{"x":1}"#);
    assert_eq!(event.decode().unwrap(), None);
}

/// The hot path writes frames by hand: they must be what serde writes.
#[test]
fn an_event_frame_written_by_hand_reads_as_the_event() {
    for body in bodies() {
        let written = event(&body);
        for (nonce, device) in [(written.nonce.clone(), written.device), (None, None)] {
            for json in [Some(body.encode()), None] {
                let head = EventHead {
                    conversation: written.conversation,
                    seq: written.seq,
                    ts: written.ts,
                    sender: written.sender,
                    device,
                    nonce: nonce.as_ref(),
                    kind: written.kind,
                };
                let bytes = frame::event_frame(&head, json.as_deref());
                let expected = Event {
                    nonce: nonce.clone(),
                    device,
                    body: json.clone().map(|json| RawValue::from_string(json).unwrap()),
                    ..written.clone()
                };
                let pushed = frame::push(&frame::Push::Event { event: expected });
                let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
                assert_eq!(text(&bytes), text(&pushed));
            }
        }
    }
}
