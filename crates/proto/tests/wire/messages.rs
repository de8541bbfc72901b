use loquat_proto::message::{Appended, Attachment, EditMessage, EventPage, MessagePage, SendMessage};
use loquat_proto::{Format, Message, MessageBody, Reaction};
use serde_json::json;

use crate::common::{NOW, ada, bob, harvest, nonce, snapshots};
use crate::events;

pub fn body() -> MessageBody {
    MessageBody {
        text: "Is it *ripe*? \"\\\n\u{1F34B}".to_owned(),
        format: Format::Markdown,
        reply_to: Some(41),
        mentions: vec![bob()],
        attachments: vec![Attachment(json!({"media": "5"}))],
    }
}

pub fn message() -> Message {
    let body = body();
    Message {
        conversation: harvest(),
        seq: 42,
        ts: NOW,
        sender: ada(),
        text: Some(body.text),
        format: body.format,
        reply_to: body.reply_to,
        mentions: body.mentions,
        attachments: body.attachments,
        edited_at: Some(NOW + 1),
        deleted: false,
        pinned: true,
        reactions: vec![Reaction { emoji: "👍".to_owned(), count: 2, me: true }],
    }
}

fn erased() -> Message {
    Message {
        text: None,
        format: Format::Plain,
        reply_to: None,
        mentions: Vec::new(),
        attachments: Vec::new(),
        edited_at: None,
        deleted: true,
        pinned: false,
        reactions: Vec::new(),
        ..message()
    }
}

snapshots! {
    a_message: message();
    a_message_erased: erased();
    message_body: body();
    message_body_of_a_text: MessageBody::text("ripe");
    send_message: SendMessage { nonce: nonce(), body: body() };
    edit_message: EditMessage {
        nonce: Some(nonce()),
        text: "ripe".to_owned(),
        format: Format::Plain,
        mentions: vec![bob()],
    };
    appended: Appended { conversation: harvest(), seq: 42, ts: NOW };
    message_page: MessagePage { items: vec![erased()], head: 42, visible_from: 1 };
    event_page: EventPage { items: vec![events::message()], head: 42, visible_from: 1 };
}

#[test]
fn a_send_needs_a_nonce_and_a_text() {
    let send = |json: &str| serde_json::from_str::<SendMessage>(json);
    assert_eq!(send(r#"{"nonce":"n","text":"ripe"}"#).unwrap().body, MessageBody::text("ripe"));
    for incomplete in [r#"{"text":"ripe"}"#, r#"{"nonce":"n"}"#, r#"{"nonce":"","text":"ripe"}"#] {
        assert!(send(incomplete).is_err(), "{incomplete}");
    }
}
