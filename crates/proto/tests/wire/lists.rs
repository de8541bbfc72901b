use loquat_proto::conversation::Cursor;
use loquat_proto::sync::ReceiptUpdate;
use loquat_proto::{AccountEvent, AccountEventKind, Items, Limits, Page, Ready, ServerInfo, SyncAnswer};
use serde_json::json;

use crate::accounts::profile;
use crate::common::{NOW, ada, device, harvest, snapshots};
use crate::conversations::group;
use crate::events;

const KINDS: [AccountEventKind; 13] = [
    AccountEventKind::ConversationJoined,
    AccountEventKind::ConversationLeft,
    AccountEventKind::ContactRequest,
    AccountEventKind::ContactAdded,
    AccountEventKind::ContactRemoved,
    AccountEventKind::Blocked,
    AccountEventKind::Unblocked,
    AccountEventKind::Profile,
    AccountEventKind::Settings,
    AccountEventKind::DeviceAdded,
    AccountEventKind::DeviceRemoved,
    AccountEventKind::Preferences,
    AccountEventKind::Read,
];

pub fn account_event() -> AccountEvent {
    let body = json!({"conversation": harvest()});
    AccountEvent { pos: 17, ts: NOW, kind: AccountEventKind::ConversationJoined, body }
}

pub fn ready() -> Ready {
    Ready {
        user: ada(),
        device: device(),
        session: "s-1".to_owned(),
        heartbeat_ms: 15_000,
        since: "opaque".to_owned(),
        changed: vec![group()],
        more: true,
        account: vec![account_event()],
        reset: false,
    }
}

fn sync_answer() -> SyncAnswer {
    let items = vec![Cursor { user: ada(), delivered: 42, read: 41 }];
    SyncAnswer {
        since: "opaque".to_owned(),
        changed: vec![group()],
        events: vec![events::message(), events::erased()],
        receipts: vec![ReceiptUpdate { conversation: harvest(), items }],
        account: vec![account_event()],
        more: false,
        reset: true,
    }
}

snapshots! {
    account_event_kinds: KINDS;
    an_account_event: account_event();
    ready_frame_body: ready();
    long_poll_answer: sync_answer();
    server_info: ServerInfo {
        name: "Loquat".to_owned(),
        version: "0.1.0".to_owned(),
        limits: Limits::default(),
        features: vec!["search".to_owned()],
    };
    page: Page { items: vec![profile()], next_cursor: Some("opaque".to_owned()) };
    page_the_last: Page::<u64> { items: Vec::new(), next_cursor: None };
    items: Items { items: vec![1, 2] };
}

#[test]
fn account_events_of_a_later_version_are_kept() {
    let text = r#"{"pos":1,"ts":2,"kind":"sticker_bought","body":{}}"#;
    assert_eq!(serde_json::from_str::<AccountEvent>(text).unwrap().kind, AccountEventKind::Unknown);
}

#[test]
fn limits_of_a_later_server_are_read_by_this_client() {
    let text = r#"{"name":"x","version":"9","limits":{"text_bytes":1,"dreams_per_night":4},"features":[]}"#;
    let info: ServerInfo = serde_json::from_str(text).unwrap();
    assert_eq!(info.limits, Limits { text_bytes: 1, ..Limits::default() });
}
