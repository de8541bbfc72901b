//! A scene for pictures and for snapshot tests: invented people who plan a harvest.

use loquat_client::view::{
    ConversationSummary, LastMessage, MessageStatus, MessageView, Notice, NoticeKind, ReplyPreview, Timeline,
    TimelineItem,
};
use loquat_proto::conversation::Cursor;
use loquat_proto::event::{MemberBody, MemberChange};
use loquat_proto::{
    ConversationId, ConversationKind, Format, Message as Content, Presence, PresenceState, Profile, Reaction,
    Role, Seq, Timestamp, UserId, UserKind,
};
use loquat_tui::app::{App, Connection, Effect, Message};
use loquat_tui::text::time::Clock;
use loquat_tui::theme::Theme;

/// Saturday 22 November 2025, 14:06 UTC.
pub const NOW: Timestamp = 1_763_820_360_000;

/// One minute, in milliseconds.
pub const MINUTE: Timestamp = 60_000;

/// One day, in milliseconds.
pub const DAY: Timestamp = 24 * 60 * MINUTE;

/// The own user and the others.
pub const MIRA: u64 = 1;
/// See [`MIRA`].
pub const TOMAS: u64 = 2;
/// See [`MIRA`].
pub const INES: u64 = 3;
/// See [`MIRA`].
pub const NOOR: u64 = 4;

/// The group of the scene.
pub const HARVEST: u64 = 71;

/// A user's id.
pub fn user(id: u64) -> UserId {
    UserId::new(id).expect("ids of the scene are in range")
}

/// A conversation's id.
pub fn conversation(id: u64) -> ConversationId {
    ConversationId::new(id).expect("ids of the scene are in range")
}

/// A display name.
pub fn name(id: u64) -> &'static str {
    match id {
        MIRA => "Mira",
        TOMAS => "Tomas",
        INES => "Inês",
        NOOR => "نور",
        _ => "海斗",
    }
}

/// A profile.
pub fn profile(id: u64) -> Profile {
    let username = match id {
        MIRA => "mira",
        TOMAS => "tomas",
        INES => "ines",
        NOOR => "noor",
        _ => "kaito",
    };
    Profile {
        id: user(id),
        username: username.to_owned(),
        display_name: name(id).to_owned(),
        bio: String::new(),
        avatar: None,
        kind: UserKind::Person,
        deleted: false,
    }
}

/// An application of this size where Mira is signed in and online, with nothing in it.
pub fn empty(width: u16, height: u16) -> App {
    let mut app = App::new(Clock::fixed(NOW, 0), Theme::new(true), "http://127.0.0.1:8080");
    send(&mut app, Message::Resize { width, height });
    send(&mut app, Message::SignedIn(profile(MIRA)));
    send(&mut app, Message::Connection(Connection::Online { catching_up: false }));
    app
}

/// One message into the application, now.
pub fn send(app: &mut App, message: Message) -> Vec<Effect> {
    app.update(NOW, message)
}

/// The application with the conversations of the scene in its list, none open.
pub fn listed(width: u16, height: u16) -> App {
    let mut app = empty(width, height);
    send(&mut app, Message::Profiles([MIRA, TOMAS, INES, NOOR, 5].map(profile).to_vec()));
    send(&mut app, Message::Conversations(rows()));
    for (id, state, last_seen) in [
        (TOMAS, PresenceState::Online, None),
        (INES, PresenceState::Online, None),
        (NOOR, PresenceState::Away, None),
        (5, PresenceState::Offline, Some(NOW - 50 * MINUTE)),
    ] {
        send(&mut app, Message::Presence(Presence { user: user(id), state, last_seen }));
    }
    app
}

/// The application with the group open.
pub fn group(width: u16, height: u16) -> App {
    let mut app = listed(width, height);
    send(&mut app, Message::Created(Ok(conversation(HARVEST))));
    send(&mut app, Message::Timeline(timeline()));
    app
}

/// The list.
pub fn rows() -> Vec<ConversationSummary> {
    let mut harvest = row(HARVEST, "Harvest 🍐", None);
    harvest.kind = ConversationKind::Group;
    harvest.member_count = 5;
    harvest.pinned = true;
    harvest.typing = vec![user(INES)];
    harvest.last = last(TOMAS, "Deal.", NOW - MINUTE, None);

    let mut tomas = row(72, name(TOMAS), Some(TOMAS));
    tomas.last = last(MIRA, "See you at the orchard", NOW - 24 * MINUTE, Some(MessageStatus::Read));

    let mut noor = row(73, name(NOOR), Some(NOOR));
    noor.unread = 2;
    noor.last = last(NOOR, "شكرا! أراك غدا", NOW - 68 * MINUTE, None);

    let mut ines = row(74, name(INES), Some(INES));
    ines.draft = Some("Could you bring the long".to_owned());
    ines.last = last(INES, "The ladder is in the shed", NOW - DAY, None);

    let mut choir = row(75, "Choir", None);
    choir.kind = ConversationKind::Group;
    choir.member_count = 14;
    choir.unread = 12;
    choir.mentions = 1;
    choir.last = last(5, "@mira can you open the hall at seven?", NOW - DAY - 3 * 60 * MINUTE, None);

    let mut kaito = row(76, name(5), Some(5));
    kaito.last = last(MIRA, "ありがとう、また来週！", NOW - 3 * DAY, Some(MessageStatus::Delivered));

    let mut neighbours = row(77, "Neighbours", None);
    neighbours.kind = ConversationKind::Group;
    neighbours.member_count = 31;
    neighbours.unread = 140;
    neighbours.muted_until = Some(NOW + DAY);
    neighbours.last = last(TOMAS, "Found: one grey cat 🐈", NOW - 12 * DAY, None);
    vec![harvest, tomas, noor, ines, choir, kaito, neighbours]
}

/// A line of the list with nothing special about it.
pub fn row(id: u64, title: &str, peer: Option<u64>) -> ConversationSummary {
    ConversationSummary {
        id: conversation(id),
        kind: ConversationKind::Direct,
        title: title.to_owned(),
        peer: peer.map(user),
        presence: None,
        member_count: 2,
        role: Role::Member,
        last: None,
        last_activity: NOW,
        unread: 0,
        mentions: 0,
        muted_until: None,
        pinned: false,
        archived: false,
        draft: None,
        typing: Vec::new(),
        queued: 0,
        failed: 0,
    }
}

fn last(sender: u64, text: &str, ts: Timestamp, status: Option<MessageStatus>) -> Option<LastMessage> {
    Some(LastMessage {
        seq: Some(9),
        ts,
        sender: user(sender),
        sender_name: Some(name(sender).to_owned()),
        text: Some(text.to_owned()),
        status,
    })
}

/// A message.
pub fn message(seq: Seq, sender: u64, ts: Timestamp, text: &str) -> MessageView {
    MessageView {
        message: Content {
            conversation: conversation(HARVEST),
            seq,
            ts,
            sender: user(sender),
            text: Some(text.to_owned()),
            format: Format::Plain,
            reply_to: None,
            mentions: Vec::new(),
            attachments: Vec::new(),
            edited_at: None,
            deleted: false,
            pinned: false,
            reactions: Vec::new(),
        },
        nonce: None,
        status: (sender == MIRA).then_some(MessageStatus::Read),
        sender_name: Some(name(sender).to_owned()),
        reply: None,
        change_queued: false,
    }
}

/// A message as an entry.
pub fn entry(view: MessageView) -> TimelineItem {
    TimelineItem::Message(Box::new(view))
}

fn reaction(emoji: &str, count: u64, me: bool) -> Reaction {
    Reaction { emoji: emoji.to_owned(), count, me }
}

/// The group's timeline: two days, a notice, replies, reactions, an edit, ticks and an unread divider.
pub fn timeline() -> Timeline {
    let mut items = yesterday();
    items.extend(today());
    let cursor = |id: u64, delivered: Seq, read: Seq| Cursor { user: user(id), delivered, read };
    Timeline {
        conversation: conversation(HARVEST),
        items,
        has_older: false,
        loading: false,
        head: 16,
        read: 13,
        cursors: vec![
            cursor(MIRA, 16, 13),
            cursor(TOMAS, 16, 16),
            cursor(INES, 16, 15),
            cursor(NOOR, 14, 12),
            cursor(5, 9, 9),
        ],
    }
}

fn yesterday() -> Vec<TimelineItem> {
    let evening = NOW - DAY + 5 * 60 * MINUTE;
    let added = Notice {
        seq: 2,
        ts: evening - 20 * MINUTE,
        sender: user(MIRA),
        sender_name: Some(name(MIRA).to_owned()),
        what: NoticeKind::Member(
            MemberBody { user: user(NOOR), change: MemberChange::Joined, role: Role::Member, by: user(MIRA) },
            Some(name(NOOR).to_owned()),
        ),
    };
    let mut pears = message(5, INES, evening + MINUTE, "The pears on the south wall are ripe 🍐");
    pears.message.reactions = vec![reaction("🎉", 3, false), reaction("👀", 1, true)];
    let greeting = message(6, NOOR, evening + 9 * MINUTE, "مرحبا! يمكنني المساعدة يوم السبت");
    vec![TimelineItem::Notice(added), entry(pears), entry(greeting)]
}

fn today() -> Vec<TimelineItem> {
    let at = |minutes_ago: Timestamp| NOW - minutes_ago * MINUTE;
    let mut plan = message(
        9,
        MIRA,
        at(34),
        "Then today it is. I bring the ladder and the two big baskets, the small ones are still with Kaito as far as I know.",
    );
    plan.message.edited_at = Some(at(33));
    let mut kaito = message(10, 5, at(31), "はい、小さいかごは私が持っています。３時に行きます！");
    kaito.reply = Some(ReplyPreview {
        seq: 9,
        sender: user(MIRA),
        sender_name: Some(name(MIRA).to_owned()),
        text: Some("Then today it is. I bring the ladder and the two big baskets, the small ones are still with Kaito as far as I know.".to_owned()),
    });
    kaito.message.reply_to = Some(9);
    kaito.message.reactions = vec![reaction("👍", 2, true)];
    let mut question = message(11, MIRA, at(29), "Perfect. Who makes the jam?");
    question.status = Some(MessageStatus::Read);
    let mut deleted = message(12, TOMAS, at(28), "");
    deleted.message.text = None;
    deleted.message.deleted = true;
    let mut offer = message(13, TOMAS, at(27), "Me, if somebody else does the peeling 😅");
    offer.message.reactions = vec![reaction("😂", 4, false)];
    let mut peeling = message(14, INES, at(3), "I peel, you cook");
    peeling.reply = Some(ReplyPreview {
        seq: 13,
        sender: user(TOMAS),
        sender_name: Some(name(TOMAS).to_owned()),
        text: Some("Me, if somebody else does the peeling 😅".to_owned()),
    });
    peeling.message.reply_to = Some(13);
    let deal = message(15, TOMAS, at(1), "Deal.");
    [plan, kaito, question, deleted, offer, peeling, deal].into_iter().map(entry).collect()
}
