//! The suite that every device store passes. It panics with what was expected.

use loquat_proto::event::{DeleteBody, EditBody, MemberBody, MemberChange, ReactionBody};
use loquat_proto::{
    Conversation, ConversationId, ErrorBody, ErrorCode, Event, EventBody, MessageBody, Profile, Role, Seq,
    UserId,
};
use serde_json::json;
use serde_json::value::RawValue;

use super::{Found, Operation, Progress, Query, QueuedChange, Ranges, Search, Store, SyncPoint};
use crate::view::Change;

/// Checks a store that `open` makes empty each time.
///
/// # Panics
/// The store breaks a promise of the port.
pub fn check<S: Store>(open: impl Fn() -> S) {
    pages_bring_what_changes_them(&mut open());
    events_are_read_in_order(&mut open());
    erasure_leaves_the_skeleton(&mut open());
    expiry_leaves_the_skeletons(&mut open());
    everything_is_restored(&mut open());
    what_leaves_is_gone(&mut open());
    messages_are_found_by_their_words(&mut open());
    what_is_found_follows_the_log(&mut open());
}

/// Checks that a store which `open` opens again and again keeps what was written.
///
/// # Panics
/// The store breaks a promise of the port.
pub fn check_reopening<S: Store>(open: impl Fn() -> S) {
    let written = everything_is_restored(&mut open());
    assert_eq!(ok(open().restore()), written, "after reopening");
    assert_eq!(ok(open().load(&all(1))).len(), 3, "events after reopening");
    assert_eq!(found(&mut open(), "text"), [3, 2, 1], "what is found after reopening");
}

fn ok<T, E: std::error::Error>(result: Result<T, E>) -> T {
    result.unwrap_or_else(|error| panic!("the store failed: {error}"))
}

fn conversation_id(id: u64) -> ConversationId {
    ConversationId::new(id).expect("small numbers are ids")
}

fn user(id: u64) -> UserId {
    UserId::new(id).expect("small numbers are ids")
}

fn event(conversation: u64, seq: Seq, body: &EventBody) -> Event {
    Event {
        conversation: conversation_id(conversation),
        seq,
        ts: 1_763_800_000_000 + i64::try_from(seq).expect("small"),
        sender: user(7),
        device: loquat_proto::DeviceId::new(9),
        nonce: Some(format!("n{seq}").parse().expect("a nonce")),
        kind: body.kind(),
        body: Some(RawValue::from_string(body.encode()).expect("JSON")),
    }
}

fn message(conversation: u64, seq: Seq) -> Event {
    event(conversation, seq, &EventBody::Message(MessageBody::text(format!("text {seq} \u{1F34B} \"'\n"))))
}

fn edit(seq: Seq, target: Seq) -> Event {
    let (text, mentions) = ("new".to_owned(), Vec::new());
    event(1, seq, &EventBody::Edit(EditBody { target, text, format: Default::default(), mentions }))
}

fn reaction(seq: Seq, target: Seq) -> Event {
    event(1, seq, &EventBody::Reaction(ReactionBody { target, emoji: "👍".to_owned(), on: true }))
}

fn deletion(seq: Seq, target: Seq) -> Event {
    event(1, seq, &EventBody::Delete(DeleteBody { target }))
}

fn joined(seq: Seq) -> Event {
    let (change, role) = (MemberChange::Joined, Role::Member);
    event(1, seq, &EventBody::Member(MemberBody { user: user(8), change, role, by: user(7) }))
}

fn all(conversation: u64) -> Query {
    Query::Events { conversation: conversation_id(conversation), after: 0, limit: 1_000 }
}

fn seqs(events: &[Event]) -> Vec<Seq> {
    events.iter().map(|event| event.seq).collect()
}

fn pages_bring_what_changes_them(store: &mut impl Store) {
    let log = vec![
        message(1, 1),
        message(1, 2),
        joined(3),
        edit(4, 1),
        message(1, 5),
        reaction(6, 2),
        message(1, 7),
        reaction(8, 6),
    ];
    ok(store.apply(&[Operation::PutEvents(log), Operation::PutEvents(vec![message(2, 5)])]));
    let page = |before, floor, limit| Query::Page { conversation: conversation_id(1), before, floor, limit };
    for (query, expected) in [
        (page(8, 1, 10), vec![1, 2, 3, 4, 5, 6, 7]),
        (page(8, 1, 2), vec![5, 7]),
        (page(5, 1, 2), vec![2, 3, 6]),
        (page(5, 3, 9), vec![3]),
        (page(2, 1, 9), vec![1, 4]),
        (page(1, 1, 9), vec![]),
        (Query::Messages { conversation: conversation_id(1), seqs: vec![2, 7, 99] }, vec![2, 6, 7]),
        (Query::Messages { conversation: conversation_id(1), seqs: vec![] }, vec![]),
        (Query::Messages { conversation: conversation_id(3), seqs: vec![1] }, vec![]),
    ] {
        assert_eq!(seqs(&ok(store.load(&query))), expected, "{query:?}");
    }
}

fn events_are_read_in_order(store: &mut impl Store) {
    ok(store.apply(&[Operation::PutEvents(vec![message(1, 9), message(1, 10)])]));
    ok(store.apply(&[Operation::PutEvents(vec![message(1, 2), message(1, 3)])]));
    let mut changed = message(1, 3);
    changed.body = None;
    ok(store.apply(&[Operation::PutEvents(vec![changed])]));
    assert_eq!(seqs(&ok(store.load(&all(1)))), [2, 3, 9, 10]);
    assert_eq!(ok(store.load(&all(1)))[1], message(1, 3), "an event that is there is not changed");
    let some = Query::Events { conversation: conversation_id(1), after: 2, limit: 2 };
    assert_eq!(ok(store.load(&some)), [message(1, 3), message(1, 9)]);
}

fn erasure_leaves_the_skeleton(store: &mut impl Store) {
    let log = vec![message(1, 1), edit(2, 1), reaction(3, 1), message(1, 4), deletion(5, 1)];
    ok(store.apply(&[Operation::PutEvents(log.clone())]));
    ok(store.apply(&[Operation::Erase { conversation: conversation_id(1), target: 1 }]));
    let stored = ok(store.load(&all(1)));
    let bodies: Vec<bool> = stored.iter().map(|event| event.body.is_some()).collect();
    assert_eq!(bodies, [false, false, true, true, true]);
    for (stored, written) in stored.iter().zip(&log) {
        assert_eq!((stored.seq, stored.ts, stored.kind), (written.seq, written.ts, written.kind));
        assert_eq!((stored.sender, &stored.nonce), (written.sender, &written.nonce));
    }
}

fn expiry_leaves_the_skeletons(store: &mut impl Store) {
    let log =
        vec![message(1, 1), joined(2), message(1, 3), reaction(4, 3), message(1, 5), edit(6, 1), edit(7, 5)];
    ok(store.apply(&[Operation::PutEvents(log), Operation::PutEvents(vec![message(2, 1)])]));
    ok(store.apply(&[Operation::EraseUpTo { conversation: conversation_id(1), upto: 4 }]));
    let stored = ok(store.load(&all(1)));
    let bodies: Vec<bool> = stored.iter().map(|event| event.body.is_some()).collect();
    assert_eq!(bodies, [false, true, false, false, true, false, true]);
    let page = Query::Page { conversation: conversation_id(1), before: 5, floor: 1, limit: 9 };
    assert_eq!(seqs(&ok(store.load(&page))), [1, 2, 3], "skeletons are shown, and nothing changes them");
    assert_eq!(ok(store.load(&all(2))), [message(2, 1)], "other conversations stay");
    let found =
        |store: &mut _, text| find(store, text, Some(1), 9).iter().map(|found| found.seq).collect::<Vec<_>>();
    assert_eq!(
        (found(store, "new"), found(store, "text")),
        (vec![5], vec![]),
        "nor is it found by its words"
    );
}

fn everything_is_restored(store: &mut impl Store) -> super::Restored {
    let progress = Progress {
        head: 12,
        ranges: Ranges::from(vec![(1, 3), (9, 12)]),
        delivered: 12,
        read: 11,
        repeat_cursors: true,
        whole: true,
        draft: Some("half a \u{1F34B}".to_owned()),
        draft_unsent: true,
    };
    let queued = |order: u64, nonce: &str| QueuedChange {
        order,
        conversation: conversation_id(1),
        nonce: nonce.parse().expect("a nonce"),
        change: Change::Send { body: MessageBody::text("waits") },
        created_at: 5,
        failed: None,
    };
    let refused = ErrorBody { code: ErrorCode::Forbidden, detail: "no".to_owned(), retry_after_ms: None };
    let failed = QueuedChange { failed: Some(refused), ..queued(2, "z") };
    let sync = SyncPoint { since: Some("token".to_owned()), account_pos: Some(17) };
    ok(store.apply(&[
        Operation::PutConversation(Box::new(conversation(1))),
        Operation::PutProgress(conversation_id(1), progress.clone()),
        Operation::PutProgress(conversation_id(5), progress.clone()),
        Operation::PutChange(Box::new(queued(2, "z"))),
        Operation::PutChange(Box::new(queued(1, "zz"))),
        Operation::PutChange(Box::new(queued(3, "a"))),
        Operation::RemoveChange("a".parse().expect("a nonce")),
        Operation::PutChange(Box::new(failed.clone())),
        Operation::PutProfile(Box::new(profile(8))),
        Operation::PutSync(sync.clone()),
        Operation::PutEvents(vec![message(1, 1), message(1, 2), message(1, 3)]),
    ]));
    let restored = ok(store.restore());
    assert_eq!(restored.conversations, [(conversation(1), progress)]);
    assert_eq!(restored.queue, [queued(1, "zz"), failed]);
    assert_eq!(restored.profiles, [profile(8)]);
    assert_eq!(restored.sync, sync);
    restored
}

fn what_leaves_is_gone(store: &mut impl Store) {
    everything_is_restored(store);
    ok(store.apply(&[Operation::PutEvents(vec![message(2, 1)])]));
    ok(store.apply(&[Operation::ForgetLog(conversation_id(1))]));
    assert_eq!(ok(store.load(&all(1))), []);
    let restored = ok(store.restore());
    assert_eq!((restored.conversations.len(), restored.queue.len()), (1, 2), "record and queue stay");
    ok(store.apply(&[Operation::PutEvents(vec![message(1, 1)])]));
    ok(store.apply(&[Operation::RemoveConversation(conversation_id(1))]));
    let restored = ok(store.restore());
    assert_eq!((restored.conversations.len(), restored.queue.len()), (0, 0));
    assert_eq!(ok(store.load(&all(1))), []);
    assert_eq!(seqs(&ok(store.load(&all(2)))), [1], "others stay");
}

fn written(conversation: u64, seq: Seq, text: &str) -> Event {
    event(conversation, seq, &EventBody::Message(MessageBody::text(text)))
}

fn find(store: &mut impl Store, text: &str, conversation: Option<u64>, limit: usize) -> Vec<Found> {
    let conversation = conversation.map(conversation_id);
    ok(store.search(&Search { text: text.to_owned(), conversation, limit }))
}

fn found(store: &mut impl Store, text: &str) -> Vec<Seq> {
    find(store, text, None, 100).iter().map(|found| found.seq).collect()
}

fn messages_are_found_by_their_words(store: &mut impl Store) {
    ok(store.apply(&[
        Operation::PutEvents(vec![
            written(1, 1, "The ladder is in the shed"),
            written(1, 2, "Don't forget the LADDER, \"please\" (AND thanks)"),
            joined(3),
            written(1, 4, "日本語の文章です"),
        ]),
        Operation::PutEvents(vec![written(2, 9, "a ladder elsewhere")]),
    ]));
    for (query, expected) in [
        ("ladder", vec![9, 2, 1]),
        ("Lad", vec![9, 2, 1]),
        ("adder", vec![]),
        ("ladder shed", vec![1]),
        ("shed the", vec![1]),
        ("don't", vec![2]),
        ("and", vec![2]),
        ("本語", vec![4]),
        ("語本", vec![]),
        ("text", vec![]),
        ("", vec![]),
        ("  \" * ( ", vec![]),
        ("ladder OR nothing", vec![]),
        ("please\"", vec![2]),
        ("ladder*", vec![9, 2, 1]),
        ("words:ladder", vec![]),
    ] {
        assert_eq!(found(store, query), expected, "{query:?}");
    }
    let here: Vec<Seq> = find(store, "ladder", Some(1), 100).iter().map(|found| found.seq).collect();
    assert_eq!(here, [2, 1], "in one conversation");
    let first = Found {
        conversation: conversation_id(2),
        seq: 9,
        ts: message(2, 9).ts,
        sender: user(7),
        text: "a ladder elsewhere".to_owned(),
    };
    assert_eq!(find(store, "ladder", None, 1), [first], "the newest, as many as asked for");
}

fn what_is_found_follows_the_log(store: &mut impl Store) {
    ok(store.apply(&[Operation::PutEvents(vec![written(1, 1, "one apple"), written(1, 2, "two apples")])]));
    ok(store.apply(&[Operation::PutEvents(vec![edit(3, 1)])]));
    assert_eq!((found(store, "apple"), found(store, "new")), (vec![2], vec![1]), "an edit replaces the text");
    assert_eq!(find(store, "new", None, 1)[0].text, "new");
    ok(store.apply(&[Operation::PutEvents(vec![written(1, 1, "one apple")])]));
    assert_eq!(found(store, "apple"), [2], "what is there is not changed");

    // Newer pages come before older ones.
    ok(store.apply(&[Operation::PutEvents(vec![edit(22, 11), deletion(23, 12)])]));
    ok(store.apply(&[Operation::PutEvents(vec![written(1, 11, "a pear"), written(1, 12, "no pear")])]));
    assert_eq!((found(store, "pear"), found(store, "new")), (vec![], vec![11, 1]));

    ok(store.apply(&[
        Operation::PutEvents(vec![deletion(24, 1)]),
        Operation::Erase { conversation: conversation_id(1), target: 1 },
        Operation::Erase { conversation: conversation_id(1), target: 11 },
    ]));
    assert_eq!(found(store, "new"), [] as [Seq; 0], "what was erased is not found");
    ok(store.apply(&[Operation::PutEvents(vec![written(2, 1, "an apple elsewhere")])]));
    ok(store.apply(&[Operation::ForgetLog(conversation_id(1))]));
    assert_eq!(found(store, "apple"), [1]);
    ok(store.apply(&[Operation::RemoveConversation(conversation_id(2))]));
    assert_eq!(found(store, "apple"), [] as [Seq; 0]);
}

fn profile(id: u64) -> Profile {
    from(json!({
        "id": id.to_string(), "username": "ada", "display_name": "Ada", "bio": "", "avatar": null,
        "kind": "person", "deleted": false
    }))
}

fn conversation(id: u64) -> Conversation {
    from(json!({
        "id": id.to_string(), "kind": "group", "title": "Harvest", "description": "", "avatar": null,
        "owner": "7", "member_count": 2, "head": 12, "visible_from": 1, "history": "full", "created_at": 1,
        "last_activity": 2, "last_message": null, "retention": {"mode": "keep"},
        "permissions": {"post": "member", "invite": "admin", "edit_info": "admin", "pin": "admin"},
        "slow_mode_ms": 0, "peer": null,
        "me": {"role": "member", "delivered": 12, "read": 11, "unread": 1, "mentions": 0, "muted_until": null,
               "pinned": false, "archived": false, "draft": null},
        "cursors": [{"user": "7", "delivered": 12, "read": 11}]
    }))
}

fn from<T: serde::de::DeserializeOwned>(value: serde_json::Value) -> T {
    serde_json::from_value(value).expect("the shape of the protocol")
}
