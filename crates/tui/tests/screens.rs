//! Every main screen at three sizes, as text: what a change of the view changes is seen in review.

#[path = "../examples/scene/mod.rs"]
mod scene;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use loquat_client::view::{MessageStatus, TimelineItem};
use loquat_proto::conversation::Member;
use loquat_proto::{ErrorBody, ErrorCode, Page, Role};
use loquat_tui::app::{App, Connection, Message};
use loquat_tui::screens;
use loquat_tui::text::time::Clock;
use loquat_tui::theme::Theme;
use ratatui::Terminal;
use ratatui::backend::TestBackend;

use scene::{HARVEST, INES, MIRA, NOW, TOMAS, send};

/// Wide, the classic size, and a phone's.
const SIZES: [(u16, u16); 3] = [(120, 40), (80, 24), (50, 20)];

fn drawn(app: &App) -> String {
    let (width, height) = app.size;
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| screens::view(app, frame)).unwrap();
    terminal.backend().to_string()
}

fn press(app: &mut App, code: KeyCode) {
    send(app, Message::Key(KeyEvent::new(code, KeyModifiers::NONE)));
}

fn control(app: &mut App, letter: char) {
    send(app, Message::Key(KeyEvent::new(KeyCode::Char(letter), KeyModifiers::CONTROL)));
}

fn type_text(app: &mut App, text: &str) {
    text.chars().for_each(|character| press(app, KeyCode::Char(character)));
}

fn check(name: &str, make: impl Fn(u16, u16) -> App) {
    for (width, height) in SIZES {
        insta::assert_snapshot!(format!("{name}-{width}x{height}"), drawn(&make(width, height)));
    }
}

#[test]
fn login() {
    check("login", |width, height| {
        let mut app = App::new(Clock::fixed(NOW, 0), Theme::new(true), "http://127.0.0.1:8080");
        send(&mut app, Message::Resize { width, height });
        app.login.ask("", false);
        type_text(&mut app, "mira");
        press(&mut app, KeyCode::Tab);
        type_text(&mut app, "correct horse");
        app
    });
}

#[test]
fn sign_up_refused() {
    check("sign-up", |width, height| {
        let mut app = App::new(Clock::fixed(NOW, 0), Theme::new(true), "http://127.0.0.1:8080");
        send(&mut app, Message::Resize { width, height });
        app.login.ask("mira", true);
        type_text(&mut app, "correct horse");
        send(&mut app, Message::SignInFailed("The username is taken".to_owned()));
        app
    });
}

#[test]
fn first_start() {
    check("first-start", |width, height| {
        let mut app = scene::empty(width, height);
        send(&mut app, Message::Conversations(Vec::new()));
        app
    });
}

#[test]
fn chats() {
    check("chats", scene::listed);
}

#[test]
fn conversation() {
    check("conversation", scene::group);
}

#[test]
fn selection() {
    check("selection", |width, height| {
        let mut app = scene::group(width, height);
        press(&mut app, KeyCode::Tab);
        press(&mut app, KeyCode::Up);
        app
    });
}

#[test]
fn compose() {
    check("compose", |width, height| {
        let mut app = scene::group(width, height);
        press(&mut app, KeyCode::Tab);
        press(&mut app, KeyCode::Char('r'));
        type_text(&mut app, "日本語 and 👨‍👩‍👧‍👦 wrap like words, over more than one line where they must");
        control(&mut app, 'j');
        type_text(&mut app, "second line");
        app
    });
}

#[test]
fn offline() {
    check("offline", |width, height| {
        let mut app = scene::group(width, height);
        let mut timeline = scene::timeline();
        for (nonce, text) in [("a", "Is anybody there?"), ("b", "Then later")] {
            let mut view = scene::message(0, MIRA, NOW, text);
            view.nonce = Some(nonce.parse().unwrap());
            view.status = Some(MessageStatus::Queued);
            timeline.items.push(scene::entry(view));
        }
        let mut refused = scene::message(0, MIRA, NOW, "To a group that I may not write in");
        refused.nonce = Some("c".parse().unwrap());
        let error = ErrorBody {
            code: ErrorCode::Forbidden,
            detail: "only admins write here".to_owned(),
            retry_after_ms: None,
        };
        refused.status = Some(MessageStatus::Failed(error));
        timeline.items.push(scene::entry(refused));
        send(&mut app, Message::Timeline(timeline));
        let mut rows = scene::rows();
        rows[0].queued = 3;
        send(&mut app, Message::Conversations(rows));
        send(&mut app, Message::Connection(Connection::Reconnecting { at: NOW + 3_600 }));
        send(&mut app, Message::Key(KeyEvent::new(KeyCode::End, KeyModifiers::CONTROL)));
        app
    });
}

#[test]
fn new_chat() {
    check("new-chat", |width, height| {
        let mut app = scene::listed(width, height);
        control(&mut app, 'n');
        type_text(&mut app, "to");
        let people = Ok(vec![scene::profile(TOMAS), scene::profile(INES), scene::profile(5)]);
        send(&mut app, Message::Found { query: "to".to_owned(), people });
        app
    });
}

#[test]
fn new_group() {
    check("new-group", |width, height| {
        let mut app = scene::listed(width, height);
        control(&mut app, 'g');
        type_text(&mut app, "Jam session");
        press(&mut app, KeyCode::Enter);
        type_text(&mut app, "to");
        send(&mut app, Message::Found { query: "to".to_owned(), people: Ok(vec![scene::profile(TOMAS)]) });
        press(&mut app, KeyCode::Enter);
        app
    });
}

#[test]
fn members() {
    check("members", |width, height| {
        let mut app = scene::group(width, height);
        control(&mut app, 't');
        let member = |(id, role): (u64, Role)| Member {
            user: scene::user(id),
            profile: scene::profile(id),
            role,
            joined_at: NOW,
            delivered: 0,
            read: 0,
        };
        let members = [(TOMAS, Role::Member), (MIRA, Role::Owner), (INES, Role::Admin), (4, Role::Member)];
        let members = Ok(Page { items: members.into_iter().map(member).collect(), next_cursor: None });
        send(&mut app, Message::Members { conversation: scene::conversation(HARVEST), from: None, members });
        press(&mut app, KeyCode::Down);
        press(&mut app, KeyCode::Char('x'));
        app
    });
}

#[test]
fn emoji() {
    check("emoji", |width, height| {
        let mut app = scene::group(width, height);
        press(&mut app, KeyCode::Tab);
        press(&mut app, KeyCode::Char('+'));
        app
    });
}

#[test]
fn details() {
    check("details", |width, height| {
        let mut app = scene::group(width, height);
        send(&mut app, Message::Key(KeyEvent::new(KeyCode::End, KeyModifiers::CONTROL)));
        press(&mut app, KeyCode::Tab);
        press(&mut app, KeyCode::Char('i'));
        app
    });
}

#[test]
fn help() {
    check("help", |width, height| {
        let mut app = scene::group(width, height);
        press(&mut app, KeyCode::F(1));
        app
    });
}

#[test]
fn every_size_down_to_nothing_is_drawn() {
    for width in [1, 2, 5, 10, 20, 30, 79, 80, 81, 200] {
        for height in [1, 2, 3, 5, 7, 9, 10, 60] {
            let mut app = scene::group(width, height);
            drawn(&app);
            for code in
                [KeyCode::PageUp, KeyCode::Tab, KeyCode::Up, KeyCode::Up, KeyCode::Char('r'), KeyCode::F(1)]
            {
                press(&mut app, code);
                drawn(&app);
            }
        }
    }
}

#[test]
fn no_control_character_of_others_reaches_the_terminal() {
    let evil = "x\u{1b}]0;owned\u{7}\u{1b}[2J\u{9b}31m\u{202e}\u{0}y\r\nz";
    let mut app = scene::listed(120, 40);
    let mut rows = scene::rows();
    rows[0].title = evil.to_owned();
    rows[1].last.as_mut().unwrap().text = Some(evil.to_owned());
    send(&mut app, Message::Conversations(rows));
    send(&mut app, Message::Created(Ok(scene::conversation(HARVEST))));
    let mut timeline = scene::timeline();
    for item in &mut timeline.items {
        let TimelineItem::Message(view) = item else { continue };
        view.message.text = Some(evil.to_owned());
        view.sender_name = Some(evil.to_owned());
        if let Some(reply) = &mut view.reply {
            reply.text = Some(evil.to_owned());
            reply.sender_name = Some(evil.to_owned());
        }
        for reaction in &mut view.message.reactions {
            reaction.emoji = evil.to_owned();
        }
    }
    send(&mut app, Message::Timeline(timeline));
    send(&mut app, Message::Failed(evil.to_owned()));
    let screen = drawn(&app);
    let obeyed =
        screen.chars().find(|c| (c.is_control() && *c != '\n') || ('\u{202a}'..='\u{202e}').contains(c));
    assert_eq!(obeyed, None);
    assert!(screen.contains('␛'), "what was taken out is seen");
}
