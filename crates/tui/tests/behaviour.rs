//! What keys and news do to the state, and what it asks for.

#[path = "../examples/scene/mod.rs"]
mod scene;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use loquat_client::view::MessageStatus;
use loquat_proto::{ErrorBody, ErrorCode, MessageBody, PresenceState};
use loquat_tui::app::effect::{Change, Device, Effect, GroupAction, Network, Terminal};
use loquat_tui::app::{App, Connection, Focus, Message};
use loquat_tui::screens::Overlay;

use scene::{HARVEST, INES, MINUTE, MIRA, NOW, TOMAS, conversation, send, user};

fn press(app: &mut App, code: KeyCode) -> Vec<Effect> {
    send(app, Message::Key(KeyEvent::new(code, KeyModifiers::NONE)))
}

fn press_with(app: &mut App, code: KeyCode, modifiers: KeyModifiers) -> Vec<Effect> {
    send(app, Message::Key(KeyEvent::new(code, modifiers)))
}

fn type_text(app: &mut App, text: &str) -> Vec<Effect> {
    text.chars().flat_map(|character| press(app, KeyCode::Char(character))).collect()
}

fn change(change: Change) -> Effect {
    Effect::Device(Device::Change { conversation: conversation(HARVEST), change })
}

fn changes(effects: Vec<Effect>) -> Vec<Effect> {
    effects.into_iter().filter(|effect| matches!(effect, Effect::Device(Device::Change { .. }))).collect()
}

/// The group, with the pane at the newest message.
fn at_bottom() -> App {
    let mut app = scene::group(120, 40);
    press_with(&mut app, KeyCode::End, KeyModifiers::CONTROL);
    app
}

#[test]
fn enter_sends_and_clears_the_draft() {
    let mut app = at_bottom();
    let typing = type_text(&mut app, "hello");
    assert_eq!(typing, [Effect::Device(Device::Typing { conversation: conversation(HARVEST), on: true })]);
    let effects = press(&mut app, KeyCode::Enter);
    assert_eq!(
        effects,
        [
            change(Change::Send(MessageBody::text("hello"))),
            Effect::Device(Device::SaveDraft { conversation: conversation(HARVEST), text: None }),
        ]
    );
    assert!(app.open.unwrap().compose.editor.is_empty());
}

#[test]
fn line_breaks_are_typed_in_three_ways() {
    for (code, modifiers) in [
        (KeyCode::Enter, KeyModifiers::ALT),
        (KeyCode::Enter, KeyModifiers::SHIFT),
        (KeyCode::Char('j'), KeyModifiers::CONTROL),
    ] {
        let mut app = at_bottom();
        type_text(&mut app, "a");
        press_with(&mut app, code, modifiers);
        type_text(&mut app, "b");
        assert_eq!(app.open.unwrap().compose.editor.text(), "a\nb");
    }
}

#[test]
fn a_paste_is_text_and_sends_nothing() {
    let mut app = at_bottom();
    let effects = send(&mut app, Message::Paste("one\r\ntwo\u{1b}[A\n".to_owned()));
    assert_eq!(changes(effects), []);
    assert_eq!(app.open.unwrap().compose.editor.text(), "one\ntwo[A\n");
}

#[test]
fn names_of_members_are_mentions() {
    let mut app = at_bottom();
    type_text(&mut app, "@tomas and @nobody");
    let body = MessageBody { mentions: vec![user(TOMAS)], ..MessageBody::text("@tomas and @nobody") };
    assert_eq!(changes(press(&mut app, KeyCode::Enter)), [change(Change::Send(body))]);
}

#[test]
fn up_in_an_empty_box_edits_the_last_own_message() {
    let mut app = at_bottom();
    press(&mut app, KeyCode::Up);
    type_text(&mut app, " And when?");
    let body = MessageBody::text("Perfect. Who makes the jam? And when?");
    assert_eq!(changes(press(&mut app, KeyCode::Enter)), [change(Change::Edit { target: 11, body })]);
}

#[test]
fn up_in_a_text_moves_the_cursor() {
    let mut app = at_bottom();
    type_text(&mut app, "text");
    press(&mut app, KeyCode::Up);
    assert_eq!(app.open.unwrap().compose.editor.text(), "text");
}

#[test]
fn messages_are_answered_reacted_to_edited_deleted_and_copied() {
    let select = |up: usize| {
        let mut app = at_bottom();
        press(&mut app, KeyCode::Tab);
        (0..up).for_each(|_| drop(press(&mut app, KeyCode::Up)));
        assert_eq!(app.focus, Focus::Messages);
        app
    };

    let mut app = select(1);
    press(&mut app, KeyCode::Char('r'));
    type_text(&mut app, "thanks");
    let body = MessageBody { reply_to: Some(14), ..MessageBody::text("thanks") };
    assert_eq!(changes(press(&mut app, KeyCode::Enter)), [change(Change::Send(body))]);

    let mut app = select(0);
    press(&mut app, KeyCode::Char('+'));
    let reaction = Change::React { target: 15, emoji: "👍".to_owned(), on: true };
    assert_eq!(changes(press(&mut app, KeyCode::Char('1'))), [change(reaction)]);

    let mut app = select(4);
    press(&mut app, KeyCode::Char('e'));
    type_text(&mut app, "!");
    let body = MessageBody::text("Perfect. Who makes the jam?!");
    assert_eq!(changes(press(&mut app, KeyCode::Enter)), [change(Change::Edit { target: 11, body })]);

    let mut app = select(4);
    assert_eq!(changes(press(&mut app, KeyCode::Char('d'))), [], "it asks first");
    assert_eq!(changes(press(&mut app, KeyCode::Char('y'))), [change(Change::Delete(11))]);

    let mut app = select(0);
    let effects = press(&mut app, KeyCode::Char('c'));
    assert_eq!(effects, [Effect::Terminal(Terminal::Copy("Deal.".to_owned()))]);
}

#[test]
fn messages_of_others_are_neither_edited_nor_deleted() {
    for key in ['e', 'd'] {
        let mut app = at_bottom();
        press(&mut app, KeyCode::Tab);
        assert_eq!(press(&mut app, KeyCode::Char(key)), []);
        assert!(app.overlay.is_none() && app.toast.is_some_and(|toast| toast.is_problem));
    }
}

#[test]
fn what_was_not_sent_is_tried_again_or_dropped() {
    let with_refused = || {
        let mut app = at_bottom();
        let mut timeline = scene::timeline();
        let mut refused = scene::message(0, MIRA, NOW, "no");
        refused.nonce = Some("n1".parse().unwrap());
        let error = ErrorBody { code: ErrorCode::Forbidden, detail: String::new(), retry_after_ms: None };
        refused.status = Some(MessageStatus::Failed(error));
        timeline.items.push(scene::entry(refused));
        send(&mut app, Message::Timeline(timeline));
        press(&mut app, KeyCode::Tab);
        app
    };
    let mut app = with_refused();
    assert_eq!(press(&mut app, KeyCode::Char('t')), [Effect::Device(Device::Retry("n1".parse().unwrap()))]);
    let mut app = with_refused();
    press(&mut app, KeyCode::Char('d'));
    let effects = press(&mut app, KeyCode::Char('y'));
    assert!(effects.contains(&Effect::Device(Device::Discard("n1".parse().unwrap()))));
}

#[test]
fn only_what_is_in_sight_is_read_and_only_while_looking() {
    let read = |effects: &[Effect]| {
        effects.iter().find_map(|effect| match effect {
            Effect::Device(Device::MarkRead { seq, .. }) => Some(*seq),
            _ => None,
        })
    };
    let mut app = scene::listed(120, 40);
    send(&mut app, Message::Focus(false));
    send(&mut app, Message::Created(Ok(conversation(HARVEST))));
    assert_eq!(read(&send(&mut app, Message::Timeline(scene::timeline()))), None);
    let effects = send(&mut app, Message::Focus(true));
    assert_eq!(read(&effects), Some(16), "everything up to the head was in sight");
    assert_eq!(read(&send(&mut app, Message::Focus(true))), None, "it is told once");
}

#[test]
fn a_long_absence_begins_at_the_first_unread_message() {
    let mut app = scene::listed(80, 24);
    send(&mut app, Message::Created(Ok(conversation(HARVEST))));
    let mut timeline = scene::timeline();
    timeline.read = 9;
    for seq in 17..60 {
        timeline.items.push(scene::entry(scene::message(seq, INES, NOW, "one more")));
    }
    timeline.head = 59;
    send(&mut app, Message::Timeline(timeline));
    let open = app.open.as_ref().unwrap();
    assert_eq!(open.divider, Some(9));
    assert!(!open.is_at_bottom());
    assert!(open.unread_below(user(MIRA)) > 30);
    press_with(&mut app, KeyCode::End, KeyModifiers::CONTROL);
    let open = app.open.as_ref().unwrap();
    assert!(open.is_at_bottom());
    assert_eq!(open.unread_below(user(MIRA)), 0);
}

#[test]
fn the_first_unread_message_is_looked_for_further_up() {
    let mut app = scene::listed(80, 24);
    send(&mut app, Message::Created(Ok(conversation(HARVEST))));
    let page = |from: u64| {
        let mut timeline = scene::timeline();
        let messages = (from..=300).map(|seq| scene::entry(scene::message(seq, INES, NOW, "one more")));
        timeline.items = messages.collect();
        (timeline.read, timeline.head, timeline.has_older) = (120, 300, true);
        Message::Timeline(timeline)
    };
    let older = Effect::Device(Device::LoadOlder(conversation(HARVEST)));
    assert_eq!(send(&mut app, page(251)), std::slice::from_ref(&older), "and nothing is read yet");
    assert_eq!(send(&mut app, page(201)), [older]);
    let effects = send(&mut app, page(101));
    assert!(matches!(&effects[..], [Effect::Device(Device::MarkRead { seq: 121..=140, .. })]), "{effects:?}");
    assert_eq!(app.open.as_ref().unwrap().divider, Some(120));
}

#[test]
fn scrolling_up_to_the_top_asks_for_older_history_once() {
    let mut app = scene::listed(80, 24);
    send(&mut app, Message::Created(Ok(conversation(HARVEST))));
    let mut timeline = scene::timeline();
    timeline.has_older = true;
    timeline.read = 16;
    send(&mut app, Message::Timeline(timeline.clone()));
    let older = Effect::Device(Device::LoadOlder(conversation(HARVEST)));
    let asked: Vec<_> =
        (0..10).flat_map(|_| press(&mut app, KeyCode::PageUp)).filter(|e| *e == older).collect();
    assert_eq!(asked.len(), 1);

    timeline.items.insert(0, scene::entry(scene::message(1, TOMAS, NOW - scene::DAY, "older")));
    let effects = send(&mut app, Message::Timeline(timeline));
    assert!(!effects.contains(&older), "what came is above the pane: nothing is missing");
    let asked = (0..10).flat_map(|_| press(&mut app, KeyCode::PageUp)).filter(|e| *e == older).count();
    assert_eq!(asked, 1);
}

#[test]
fn new_messages_do_not_move_what_is_being_read() {
    let mut app = scene::listed(80, 24);
    send(&mut app, Message::Created(Ok(conversation(HARVEST))));
    let mut timeline = scene::timeline();
    timeline.read = 16;
    send(&mut app, Message::Timeline(timeline.clone()));
    press(&mut app, KeyCode::PageUp);
    let anchor = app.open.as_ref().unwrap().anchor.clone();
    timeline.items.push(scene::entry(scene::message(17, INES, NOW, "news")));
    timeline.head = 17;
    send(&mut app, Message::Timeline(timeline));
    let open = app.open.as_ref().unwrap();
    assert_eq!(open.anchor, anchor);
    assert_eq!(open.unread_below(user(MIRA)), 1);
}

#[test]
fn drafts_survive_switching_and_leaving() {
    let mut app = at_bottom();
    type_text(&mut app, "unfinished");
    let draft = Effect::Device(Device::SaveDraft {
        conversation: conversation(HARVEST),
        text: Some("unfinished".to_owned()),
    });
    let mut leaving = app.clone();
    assert_eq!(
        press_with(&mut leaving, KeyCode::Char('c'), KeyModifiers::CONTROL),
        [draft.clone(), Effect::Quit]
    );
    let effects = press_with(&mut app, KeyCode::Down, KeyModifiers::ALT);
    assert_eq!(effects[..2], [draft, Effect::Device(Device::Close(conversation(HARVEST)))]);
    assert_eq!(app.open.as_ref().unwrap().id, conversation(72));
    press_with(&mut app, KeyCode::Down, KeyModifiers::ALT);
    press_with(&mut app, KeyCode::Down, KeyModifiers::ALT);
    assert_eq!(app.open.unwrap().compose.editor.text(), "Could you bring the long");
}

#[test]
fn people_are_found_and_written_to() {
    let mut app = scene::listed(80, 24);
    press(&mut app, KeyCode::Char('n'));
    type_text(&mut app, "to");
    let effects = app.update(NOW + 1_000, Message::Tick);
    assert_eq!(effects, [Effect::Network(Network::Search("to".to_owned()))]);
    send(&mut app, Message::Found { query: "to".to_owned(), people: Ok(vec![scene::profile(TOMAS)]) });
    assert_eq!(press(&mut app, KeyCode::Enter), [Effect::Network(Network::CreateDirect(user(TOMAS)))]);
    let effects = send(&mut app, Message::Created(Ok(conversation(99))));
    assert_eq!(effects[0], Effect::Device(Device::Open(conversation(99))));
    assert!(app.overlay.is_none());
    assert_eq!(app.focus, Focus::Compose);
}

fn load_members() -> Effect {
    Effect::Network(Network::LoadMembers { conversation: conversation(HARVEST), cursor: None })
}

#[test]
fn a_group_is_managed() {
    let mut app = at_bottom();
    let effects = press_with(&mut app, KeyCode::Char('t'), KeyModifiers::CONTROL);
    assert_eq!(effects, [load_members()]);
    press(&mut app, KeyCode::Char('t'));
    type_text(&mut app, " 2026");
    let manage = |action| Effect::Network(Network::Manage { conversation: conversation(HARVEST), action });
    assert_eq!(
        press(&mut app, KeyCode::Enter),
        [manage(GroupAction::SetTitle("Harvest 🍐 2026".to_owned()))]
    );
    let effects = send(&mut app, Message::Managed { conversation: conversation(HARVEST), result: Ok(()) });
    assert_eq!(effects, [load_members()]);
    press(&mut app, KeyCode::Char('l'));
    assert_eq!(press(&mut app, KeyCode::Char('n')), [], "no is no");
    press(&mut app, KeyCode::Char('l'));
    assert!(press(&mut app, KeyCode::Char('y')).contains(&manage(GroupAction::Leave)));
    let effects = send(&mut app, Message::Left(conversation(HARVEST)));
    assert_eq!(effects, [Effect::Device(Device::Close(conversation(HARVEST)))]);
    assert!(app.open.is_none() && app.focus == Focus::Chats);
}

#[test]
fn everybody_in_sight_is_watched_once() {
    let mut app = scene::empty(80, 24);
    let watch = |effects: Vec<Effect>| {
        effects.into_iter().find_map(|effect| match effect {
            Effect::Device(Device::Watch(users)) => Some(users),
            _ => None,
        })
    };
    let peers = vec![user(TOMAS), user(INES), user(4), user(5)];
    assert_eq!(watch(send(&mut app, Message::Conversations(scene::rows()))), Some(peers));
    assert_eq!(watch(send(&mut app, Message::Conversations(scene::rows()))), None);
}

#[test]
fn without_keys_the_user_is_away_and_a_key_brings_back() {
    let mut app = at_bottom();
    let later = NOW + 6 * MINUTE;
    let effects = app.update(later, Message::Tick);
    assert!(effects.contains(&Effect::Device(Device::Status(PresenceState::Away))));
    let effects = app.update(later + 1, Message::Key(KeyEvent::new(KeyCode::Left, KeyModifiers::NONE)));
    assert!(effects.contains(&Effect::Device(Device::Status(PresenceState::Online))));
}

#[test]
fn it_wakes_for_the_countdown_and_else_only_each_minute() {
    let mut app = at_bottom();
    app.toast = None;
    assert_eq!(app.next_deadline(), NOW - NOW.rem_euclid(MINUTE) + MINUTE);
    send(&mut app, Message::Connection(Connection::Reconnecting { at: NOW + 3_600 }));
    assert_eq!(app.next_deadline(), NOW + 600, "when 4 s become 3 s");
    app.update(NOW + 600, Message::Tick);
    assert_eq!(app.next_deadline(), NOW + 1_600);
}

#[test]
fn a_lost_session_leads_to_the_log_in_screen() {
    let mut app = at_bottom();
    send(&mut app, Message::SignedOut);
    assert!(app.me.is_none() && app.open.is_none() && app.chats.all().is_empty());
    type_text(&mut app, "correct horse");
    let effects = press(&mut app, KeyCode::Enter);
    assert!(
        matches!(&effects[..], [Effect::Network(Network::LogIn { login, .. })] if login == "mira"),
        "{effects:?}"
    );
}

#[test]
fn lists_are_filtered_pinned_and_archived() {
    let mut app = scene::listed(80, 24);
    press(&mut app, KeyCode::Char('/'));
    type_text(&mut app, "CHOI");
    let shown: Vec<_> = app.chats.shown().iter().map(|row| row.title.clone()).collect();
    assert_eq!(shown, ["Choir"]);
    let effects = press(&mut app, KeyCode::Enter);
    assert!(effects.contains(&Effect::Device(Device::Open(conversation(75)))));
    press(&mut app, KeyCode::Esc);
    let effects = press(&mut app, KeyCode::Char('p'));
    assert!(matches!(
        &effects[..],
        [Effect::Network(Network::Preferences { conversation, update })]
            if *conversation == scene::conversation(75) && update.pinned == Some(true)
    ));
}

#[test]
fn help_opens_outside_of_text_and_closes_with_any_other_key() {
    let mut app = at_bottom();
    type_text(&mut app, "?");
    assert!(app.overlay.is_none(), "a question mark is text");
    press(&mut app, KeyCode::F(1));
    assert!(matches!(app.overlay, Some(Overlay::Help(_))));
    press(&mut app, KeyCode::Esc);
    assert!(app.overlay.is_none());
    press(&mut app, KeyCode::Tab);
    press(&mut app, KeyCode::Char('?'));
    assert!(matches!(app.overlay, Some(Overlay::Help(_))));
}

#[test]
fn an_export_is_asked_for_and_told_of() {
    let mut app = scene::group(120, 40);
    press(&mut app, KeyCode::F(2));
    type_text(&mut app, "save everything");
    assert_eq!(press(&mut app, KeyCode::Enter), [Effect::Network(Network::Export)]);
    send(&mut app, Message::Exported(Ok("/home/mira/loquat-export-mira.tar\u{1b}[2J".to_owned())));
    let told = app.toast.as_ref().expect("a toast");
    assert_eq!(told.text, "Everything of yours is in /home/mira/loquat-export-mira.tar␛[2J");
    send(&mut app, Message::Exported(Err("The server cannot be reached".to_owned())));
    assert!(app.toast.as_ref().expect("a toast").is_problem);
}

/// Whatever was due has had its effect: the client sleeps until the next minute, signed in or not.
#[test]
fn who_is_left_alone_sleeps() {
    let mut signed_out = scene::group(120, 40);
    send(&mut signed_out, Message::SignedOut);
    for mut app in [signed_out, scene::empty(120, 40), scene::group(120, 40)] {
        let late = NOW + 60 * MINUTE + 1;
        app.update(late, Message::Tick);
        app.update(late, Message::Tick);
        assert_eq!(app.next_deadline() - late, MINUTE - 1);
    }
}
