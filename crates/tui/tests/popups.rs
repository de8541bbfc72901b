//! Everything that opens above the rest: how it looks at three sizes, and what it asks for.

#[path = "../examples/scene/mod.rs"]
mod scene;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use loquat_client::Found;
use loquat_client::view::TimelineItem;
use loquat_proto::account::{Privacy, UpdateProfile};
use loquat_proto::{
    Conversation, ConversationKind, Device as SignedIn, DeviceId, OwnProfile, Permissions, Role,
};
use loquat_tui::app::effect::{Change, ContactAction, Device, Effect, GroupAction, Network, Terminal};
use loquat_tui::app::message::Done;
use loquat_tui::app::social::{Asked, ContactBook, Invitation, Preview};
use loquat_tui::app::{App, Focus, Message};
use loquat_tui::screens::{self, Overlay};
use ratatui::backend::TestBackend;

use scene::{DAY, HARVEST, INES, MINUTE, MIRA, NOOR, NOW, TOMAS, conversation, send, user};

/// Wide, the classic size, and a phone's.
const SIZES: [(u16, u16); 3] = [(120, 40), (80, 24), (50, 20)];

fn drawn(app: &App) -> String {
    let (width, height) = app.size;
    let mut terminal = ratatui::Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| screens::view(app, frame)).unwrap();
    terminal.backend().to_string()
}

fn check(name: &str, make: impl Fn(u16, u16) -> App) {
    for (width, height) in SIZES {
        insta::assert_snapshot!(format!("{name}-{width}x{height}"), drawn(&make(width, height)));
    }
}

fn press(app: &mut App, code: KeyCode) -> Vec<Effect> {
    send(app, Message::Key(KeyEvent::new(code, KeyModifiers::NONE)))
}

fn control(app: &mut App, letter: char) -> Vec<Effect> {
    send(app, Message::Key(KeyEvent::new(KeyCode::Char(letter), KeyModifiers::CONTROL)))
}

fn type_text(app: &mut App, text: &str) {
    text.chars().for_each(|character| drop(press(app, KeyCode::Char(character))));
}

fn click(app: &mut App, column: u16, row: u16) -> Vec<Effect> {
    let kind = MouseEventKind::Down(MouseButton::Left);
    send(app, Message::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE }))
}

/// The group with its settings, as a member with this role sees it.
fn whole(role: Role) -> Box<Conversation> {
    let json = serde_json::json!({
        "id": HARVEST.to_string(), "kind": "group", "title": "Harvest 🍐",
        "description": "Pears, quinces, and who brings the ladder", "avatar": null, "owner": "1", "member_count": 5,
        "head": 16, "visible_from": 1, "history": "full", "created_at": 1, "last_activity": 2, "last_message": null,
        "retention": {"mode": "keep"},
        "permissions": {"post": "member", "invite": "admin", "edit_info": "admin", "pin": "admin"},
        "slow_mode_ms": 0, "peer": null,
        "me": {"role": role, "delivered": 16, "read": 13, "unread": 2, "mentions": 0, "muted_until": null,
               "pinned": true, "archived": false, "draft": null},
        "cursors": []
    });
    Box::new(serde_json::from_value(json).expect("the shape of the protocol"))
}

/// The group open, with the own user in this role.
fn group_as(role: Role, width: u16, height: u16) -> App {
    let mut app = scene::group(width, height);
    let mut rows = scene::rows();
    rows[0].role = role;
    send(&mut app, Message::Conversations(rows));
    send(&mut app, Message::Whole(whole(role)));
    app
}

fn own() -> OwnProfile {
    let mut profile = scene::profile(MIRA);
    profile.bio = "Orchards and old bicycles".to_owned();
    OwnProfile {
        profile,
        email: Some("mira@example.org".to_owned()),
        phone: None,
        settings: serde_json::json!({}),
        privacy: Privacy::default(),
    }
}

fn book() -> ContactBook {
    let asked = |id, is_incoming, at| Asked { profile: scene::profile(id), is_incoming, at };
    ContactBook {
        contacts: vec![scene::profile(TOMAS), scene::profile(INES)],
        requests: vec![asked(NOOR, true, NOW - 40 * MINUTE), asked(6, false, NOW - 2 * DAY)],
        blocked: vec![scene::profile(5)],
    }
}

#[test]
fn switcher() {
    check("switcher", |width, height| {
        let mut app = scene::group(width, height);
        control(&mut app, 'p');
        type_text(&mut app, "no");
        app
    });
}

#[test]
fn commands() {
    check("commands", |width, height| {
        let mut app = group_as(Role::Owner, width, height);
        press(&mut app, KeyCode::F(2));
        app
    });
}

#[test]
fn about_a_group() {
    check("about-group", |width, height| {
        let mut app = group_as(Role::Owner, width, height);
        press(&mut app, KeyCode::F(3));
        app
    });
}

#[test]
fn about_a_person() {
    check("about-person", |width, height| {
        let mut app = scene::listed(width, height);
        send(&mut app, Message::Contacts(Ok(book())));
        send(&mut app, Message::Created(Ok(conversation(73))));
        press(&mut app, KeyCode::F(3));
        app
    });
}

#[test]
fn roles() {
    check("roles", |width, height| {
        let mut app = group_as(Role::Owner, width, height);
        press(&mut app, KeyCode::F(3));
        type_down(&mut app, 9);
        press(&mut app, KeyCode::Enter);
        app
    });
}

#[test]
fn account() {
    check("account", |width, height| {
        let mut app = scene::listed(width, height);
        send(&mut app, Message::OwnProfile(Box::new(own())));
        send(&mut app, Message::Contacts(Ok(book())));
        press(&mut app, KeyCode::F(4));
        app
    });
}

#[test]
fn password() {
    check("password", |width, height| {
        let mut app = scene::listed(width, height);
        press(&mut app, KeyCode::F(2));
        type_text(&mut app, "password");
        press(&mut app, KeyCode::Enter);
        type_text(&mut app, "correct horse");
        press(&mut app, KeyCode::Enter);
        type_text(&mut app, "short");
        press(&mut app, KeyCode::Enter);
        press(&mut app, KeyCode::Enter);
        app
    });
}

#[test]
fn contacts() {
    check("contacts", |width, height| {
        let mut app = scene::listed(width, height);
        send(&mut app, Message::Contacts(Ok(ContactBook { requests: Vec::new(), ..book() })));
        control(&mut app, 'o');
        app
    });
}

#[test]
fn requests() {
    check("requests", |width, height| {
        let mut app = scene::listed(width, height);
        send(&mut app, Message::Contacts(Ok(book())));
        control(&mut app, 'o');
        app
    });
}

#[test]
fn devices() {
    check("devices", |width, height| {
        let mut app = scene::listed(width, height);
        press(&mut app, KeyCode::F(2));
        type_text(&mut app, "devices");
        press(&mut app, KeyCode::Enter);
        let device = |id, name: &str, platform: &str, last_seen| SignedIn {
            id: DeviceId::new(id).unwrap(),
            name: name.to_owned(),
            platform: platform.to_owned(),
            created_at: NOW - 20 * DAY,
            last_seen,
            current: id == 900,
        };
        let devices = vec![
            device(901, "Phone", "Android", Some(NOW - 50 * MINUTE)),
            device(900, "Terminal", "Linux", Some(NOW)),
            device(902, "Library computer", "", None),
        ];
        send(&mut app, Message::Devices(Ok(devices)));
        press(&mut app, KeyCode::Down);
        press(&mut app, KeyCode::Char('x'));
        app
    });
}

#[test]
fn invitations() {
    check("invitations", |width, height| {
        let mut app = group_as(Role::Owner, width, height);
        press(&mut app, KeyCode::F(9));
        let invite = |code: &str, uses, max_uses, expires_at| Invitation {
            code: code.to_owned(),
            url: format!("https://chat.example.org/invite/{code}"),
            uses,
            max_uses,
            expires_at,
        };
        let invites = vec![
            invite("kT9vQm2xW7bR4nLc", 3, Some(25), Some(NOW + 6 * DAY)),
            invite("Zp3hYd8sJq6fXv1A", 0, Some(1), None),
        ];
        send(&mut app, Message::Invites { conversation: conversation(HARVEST), invites: Ok(invites) });
        app
    });
}

#[test]
fn join() {
    check("join", |width, height| {
        let mut app = scene::listed(width, height);
        press(&mut app, KeyCode::F(8));
        type_text(&mut app, "https://chat.example.org/invite/kT9vQm2x");
        press(&mut app, KeyCode::Enter);
        let preview = Preview {
            title: "Village news".to_owned(),
            kind: ConversationKind::Channel,
            member_count: 1_204,
        };
        send(&mut app, Message::Previewed { code: "kT9vQm2x".to_owned(), preview: Ok(preview) });
        app
    });
}

#[test]
fn search() {
    check("search", |width, height| {
        let mut app = scene::group(width, height);
        control(&mut app, 's');
        type_text(&mut app, "lad");
        let hit = |place, seq, sender, ago, text: &str| Found {
            conversation: conversation(place),
            seq,
            ts: NOW - ago,
            sender: user(sender),
            text: text.to_owned(),
        };
        let hits = vec![
            hit(
                HARVEST,
                9,
                MIRA,
                34 * MINUTE,
                "Then today it is. I bring the ladder and the two big baskets",
            ),
            hit(74, 8, INES, DAY, "The ladder is in the shed"),
            hit(72, 3, TOMAS, 9 * DAY, "はしご (a ladder, I looked it up)"),
        ];
        send(&mut app, Message::Hits { query: "lad".to_owned(), conversation: None, hits: Ok(hits) });
        press(&mut app, KeyCode::Down);
        app
    });
}

#[test]
fn pins() {
    check("pins", |width, height| {
        let mut app = scene::group(width, height);
        press(&mut app, KeyCode::F(6));
        let mut one = scene::message(9, MIRA, NOW - 34 * MINUTE, "Then today it is.").message;
        let mut two = scene::message(5, INES, NOW - DAY, "The pears on the south wall are ripe 🍐").message;
        (one.pinned, two.pinned) = (true, true);
        send(&mut app, Message::Pins { conversation: conversation(HARVEST), pins: Ok(vec![one, two]) });
        app
    });
}

#[test]
fn link() {
    check("link", |width, height| {
        let mut app = with_text(
            "See https://chat.example.org/a/rather/long/path?that=does&not=fit&into=one&line=of&a=phone and http://b.example",
            width,
            height,
        );
        press(&mut app, KeyCode::Tab);
        press(&mut app, KeyCode::Char('o'));
        app
    });
}

#[test]
fn completion() {
    check("completion", |width, height| {
        let mut app = scene::group(width, height);
        type_text(&mut app, "ask @");
        app
    });
}

#[test]
fn channel() {
    check("channel", |width, height| {
        let mut app = group_as(Role::Member, width, height);
        let mut channel = whole(Role::Member);
        channel.kind = ConversationKind::Channel;
        channel.permissions.post = Role::Admin;
        channel.member_count = 1_204;
        let mut rows = scene::rows();
        (rows[0].kind, rows[0].member_count, rows[0].role) = (ConversationKind::Channel, 1_204, Role::Member);
        rows[0].typing.clear();
        send(&mut app, Message::Conversations(rows));
        send(&mut app, Message::Whole(channel));
        app
    });
}

#[test]
fn new_channel() {
    check("new-channel", |width, height| {
        let mut app = scene::listed(width, height);
        press(&mut app, KeyCode::Char('c'));
        type_text(&mut app, "Village news");
        app
    });
}

/// The group with one message of Tomas at the bottom.
fn with_text(text: &str, width: u16, height: u16) -> App {
    let mut app = scene::group(width, height);
    let mut timeline = scene::timeline();
    timeline.items.push(scene::entry(scene::message(17, TOMAS, NOW, text)));
    (timeline.head, timeline.read) = (17, 17);
    send(&mut app, Message::Timeline(timeline));
    send(&mut app, Message::Key(KeyEvent::new(KeyCode::End, KeyModifiers::CONTROL)));
    app
}

#[test]
fn every_popup_is_drawn_at_every_size() {
    for width in [1, 3, 10, 30, 79, 200] {
        for height in [1, 3, 6, 10, 60] {
            let mut app = group_as(Role::Owner, width, height);
            send(&mut app, Message::OwnProfile(Box::new(own())));
            send(&mut app, Message::Contacts(Ok(book())));
            for number in 1..=9 {
                press(&mut app, KeyCode::F(number));
                drawn(&app);
                press(&mut app, KeyCode::Enter);
                drawn(&app);
                (0..4).for_each(|_| drop(press(&mut app, KeyCode::Esc)));
                send(&mut app, Message::Created(Ok(conversation(HARVEST))));
            }
            for letter in ['p', 'n', 'g', 'o', 's', 't'] {
                control(&mut app, letter);
                drawn(&app);
                (0..3).for_each(|_| drop(press(&mut app, KeyCode::Esc)));
                send(&mut app, Message::Created(Ok(conversation(HARVEST))));
            }
        }
    }
}

#[test]
fn a_setting_is_chosen_from_a_menu_and_the_sheet_comes_back() {
    let mut app = group_as(Role::Owner, 120, 40);
    assert_eq!(press(&mut app, KeyCode::F(3)), [Effect::Network(Network::LoadContacts)]);
    type_down(&mut app, 9);
    press(&mut app, KeyCode::Enter);
    assert!(matches!(app.overlay, Some(Overlay::Menu(_))));
    let effects = press(&mut app, KeyCode::Char('3'));
    let permissions = Permissions { post: Role::Admin, ..whole(Role::Owner).permissions };
    let settings = loquat_proto::event::SettingsBody { permissions: Some(permissions), ..Default::default() };
    let action = GroupAction::Update(Box::new(settings));
    let manage = Effect::Network(Network::Manage { conversation: conversation(HARVEST), action });
    assert!(effects.contains(&manage), "{effects:?}");
    assert!(matches!(app.overlay, Some(Overlay::Info(_))));
    press(&mut app, KeyCode::Esc);
    assert!(app.overlay.is_none());
}

fn type_down(app: &mut App, count: usize) {
    (0..count).for_each(|_| drop(press(app, KeyCode::Down)));
}

#[test]
fn a_member_sees_settings_and_changes_none() {
    let mut app = group_as(Role::Member, 120, 40);
    press(&mut app, KeyCode::F(3));
    let screen = drawn(&app);
    assert!(screen.contains("May write") && !screen.contains("Invitations"), "{screen}");
    for _ in 0..30 {
        press(&mut app, KeyCode::Down);
        if matches!(app.overlay, Some(Overlay::Info(_))) {
            let effects = press(&mut app, KeyCode::Enter);
            let changes = effects.iter().any(|effect| {
                matches!(effect, Effect::Network(Network::Manage { action: GroupAction::Update(_), .. }))
            });
            assert!(!changes, "{effects:?}");
        }
        while app.under.last().is_some() {
            press(&mut app, KeyCode::Esc);
        }
    }
}

#[test]
fn what_a_block_hides_comes_back_with_it() {
    let mut app = scene::group(120, 40);
    let blocked = ContactBook { blocked: vec![scene::profile(TOMAS)], ..ContactBook::default() };
    send(&mut app, Message::Contacts(Ok(blocked)));
    let screen = drawn(&app);
    assert!(!screen.contains("somebody else does the peeling"), "{screen}");
    assert!(screen.contains("message of somebody you block"));
    send(&mut app, Message::Contacts(Ok(ContactBook::default())));
    assert!(drawn(&app).contains("somebody else does the peeling"));
}

#[test]
fn blocking_asks_first() {
    let mut app = scene::listed(120, 40);
    send(&mut app, Message::Contacts(Ok(ContactBook::default())));
    send(&mut app, Message::Created(Ok(conversation(72))));
    press(&mut app, KeyCode::F(3));
    type_down(&mut app, 2);
    let ask = Effect::Network(Network::Contact { user: user(TOMAS), action: ContactAction::Request });
    assert_eq!(press(&mut app, KeyCode::Enter), [ask]);
    press(&mut app, KeyCode::Down);
    assert_eq!(press(&mut app, KeyCode::Enter), []);
    let block = Effect::Network(Network::Contact { user: user(TOMAS), action: ContactAction::Block });
    assert!(press(&mut app, KeyCode::Char('y')).contains(&block));
    let done = Message::Done { what: Done::Contacts, result: Ok(()) };
    assert_eq!(send(&mut app, done), [Effect::Network(Network::LoadContacts)]);
}

#[test]
fn who_may_not_write_is_told_and_writes_nothing() {
    let mut app = group_as(Role::Member, 120, 40);
    let mut channel = whole(Role::Member);
    channel.permissions.post = Role::Admin;
    send(&mut app, Message::Whole(channel.clone()));
    type_text(&mut app, "hello");
    assert!(app.open.as_ref().unwrap().compose.editor.is_empty());
    assert!(app.toast.as_ref().is_some_and(|toast| toast.text.contains("admins")));
    channel.me.role = Role::Admin;
    send(&mut app, Message::Whole(channel));
    type_text(&mut app, "hello");
    assert_eq!(app.open.unwrap().compose.editor.text(), "hello");
}

#[test]
fn names_are_completed_behind_an_at_sign() {
    let mut app = scene::group(120, 40);
    type_text(&mut app, "ask @to");
    assert!(app.open.as_ref().unwrap().compose.completion.is_some());
    press(&mut app, KeyCode::Tab);
    assert_eq!(app.focus, Focus::Compose, "the key is taken by the names");
    assert_eq!(app.open.as_ref().unwrap().compose.editor.text(), "ask @tomas ");
    type_text(&mut app, "now");
    let effects = press(&mut app, KeyCode::Enter);
    let sent = effects.into_iter().find_map(|effect| match effect {
        Effect::Device(Device::Change { change: Change::Send(body), .. }) => Some(body),
        _ => None,
    });
    assert_eq!(sent.unwrap().mentions, [user(TOMAS)]);

    type_text(&mut app, "@in");
    press(&mut app, KeyCode::Esc);
    assert_eq!(app.focus, Focus::Compose, "the first Esc closes the names");
    assert!(app.open.as_ref().unwrap().compose.completion.is_none());
}

#[test]
fn a_message_is_pinned_by_who_may() {
    let pinned = |role| {
        let mut app = group_as(role, 120, 40);
        send(&mut app, Message::Key(KeyEvent::new(KeyCode::End, KeyModifiers::CONTROL)));
        press(&mut app, KeyCode::Tab);
        press(&mut app, KeyCode::Char('p'))
    };
    let change = Change::Pin { target: 15, on: true };
    assert_eq!(
        pinned(Role::Admin),
        [Effect::Device(Device::Change { conversation: conversation(HARVEST), change })]
    );
    assert_eq!(pinned(Role::Member), []);
}

#[test]
fn what_was_found_is_shown_in_its_place() {
    let mut app = scene::listed(80, 24);
    control(&mut app, 's');
    type_text(&mut app, "one");
    let effects = app.update(NOW + 1_000, Message::Tick);
    assert_eq!(
        effects,
        [Effect::Network(Network::SearchMessages { query: "one".to_owned(), conversation: None })]
    );
    let hit = Found {
        conversation: conversation(HARVEST),
        seq: 40,
        ts: NOW,
        sender: user(INES),
        text: "one".to_owned(),
    };
    send(&mut app, Message::Hits { query: "one".to_owned(), conversation: None, hits: Ok(vec![hit]) });
    let effects = press(&mut app, KeyCode::Enter);
    assert!(effects.contains(&Effect::Device(Device::Open(conversation(HARVEST)))), "{effects:?}");
    let page = |from: u64| {
        let mut timeline = scene::timeline();
        timeline.items =
            (from..=300).map(|seq| scene::entry(scene::message(seq, INES, NOW, "one more"))).collect();
        (timeline.read, timeline.head, timeline.has_older) = (300, 300, true);
        Message::Timeline(timeline)
    };
    let older = Effect::Device(Device::LoadOlder(conversation(HARVEST)));
    assert!(send(&mut app, page(251)).contains(&older));
    assert!(send(&mut app, page(151)).contains(&older));
    assert!(!send(&mut app, page(31)).contains(&older), "it is there");
    assert_eq!(app.focus, Focus::Messages);
    assert_eq!(app.open.as_ref().unwrap().selected_message().unwrap().message.seq, 40);
}

#[test]
fn an_address_is_shown_before_it_is_opened() {
    let mut app = with_text("look: https://example.org/x", 120, 40);
    press(&mut app, KeyCode::Tab);
    assert_eq!(press(&mut app, KeyCode::Char('o')), []);
    assert!(drawn(&app).contains("It leads to  example.org"));
    let open = Effect::Terminal(Terminal::OpenLink("https://example.org/x".to_owned()));
    assert_eq!(press(&mut app, KeyCode::Enter), [open]);
    assert!(app.overlay.is_none());
    let mut app = with_text("nothing here", 120, 40);
    press(&mut app, KeyCode::Tab);
    press(&mut app, KeyCode::Char('o'));
    assert!(app.overlay.is_none() && app.toast.is_some_and(|toast| toast.is_problem));
}

#[test]
fn the_mouse_opens_chooses_and_scrolls() {
    let mut app = scene::group(120, 40);
    let effects = click(&mut app, 5, 5);
    assert!(effects.contains(&Effect::Device(Device::Open(conversation(72)))), "{effects:?}");
    let mut app = with_text("last: https://example.org", 120, 40);
    // The last line of messages stands above the box: rule, box, footer.
    click(&mut app, 60, 36);
    assert_eq!(app.focus, Focus::Messages);
    assert_eq!(app.open.as_ref().unwrap().selected_message().unwrap().message.seq, 17);
    click(&mut app, 60, 36);
    assert!(matches!(app.overlay, Some(Overlay::Links(_))), "the second click opens its address");
    press(&mut app, KeyCode::Esc);
    let wheel =
        |kind| Message::Mouse(MouseEvent { kind, column: 60, row: 10, modifiers: KeyModifiers::NONE });
    let mut app = with_text("last", 120, 20);
    send(&mut app, wheel(MouseEventKind::ScrollUp));
    assert!(!app.open.as_ref().unwrap().is_at_bottom());
    send(&mut app, wheel(MouseEventKind::ScrollDown));
    assert!(app.open.as_ref().unwrap().is_at_bottom());
    click(&mut app, 60, 18);
    assert_eq!(app.focus, Focus::Compose);
    click(&mut app, 60, 0);
    assert!(matches!(app.overlay, Some(Overlay::Info(_))), "the heading leads to what it is about");
    click(&mut app, 1, 19);
    assert!(app.overlay.is_none(), "a click beside closes");
}

#[test]
fn privacy_and_name_are_changed_in_place() {
    let mut app = scene::listed(120, 40);
    press(&mut app, KeyCode::F(4));
    assert!(app.overlay.is_none(), "the profile has not come");
    send(&mut app, Message::OwnProfile(Box::new(own())));
    press(&mut app, KeyCode::F(4));
    press(&mut app, KeyCode::Down);
    press(&mut app, KeyCode::Enter);
    type_text(&mut app, " M.");
    let name = UpdateProfile { display_name: Some("Mira M.".to_owned()), ..UpdateProfile::default() };
    assert_eq!(press(&mut app, KeyCode::Enter), [Effect::Network(Network::UpdateProfile(Box::new(name)))]);
    type_down(&mut app, 4);
    let privacy = Privacy { read_receipts: false, ..Privacy::default() };
    let update = UpdateProfile { privacy: Some(privacy.into()), ..UpdateProfile::default() };
    assert_eq!(press(&mut app, KeyCode::Enter), [Effect::Network(Network::UpdateProfile(Box::new(update)))]);
}

#[test]
fn colours_are_chosen_and_kept() {
    let mut app = scene::listed(120, 40);
    press(&mut app, KeyCode::F(2));
    type_text(&mut app, "colours");
    press(&mut app, KeyCode::Enter);
    let effects = press(&mut app, KeyCode::Char('3'));
    let [Effect::Terminal(Terminal::Preferences(chosen))] = effects[..] else { panic!("{effects:?}") };
    let before = app.theme;
    send(&mut app, Message::Preferred(chosen));
    assert_ne!(app.theme, before);
    assert_eq!(app.preferences, chosen);
}

#[test]
fn the_next_unread_chat_is_a_key_away() {
    let mut app = scene::listed(120, 40);
    let key = KeyEvent::new(KeyCode::Char('u'), KeyModifiers::ALT);
    for id in [73, 75, 73] {
        send(&mut app, Message::Key(key));
        assert_eq!(app.open.as_ref().unwrap().id, conversation(id), "muted ones are passed over");
    }
}

#[test]
fn a_channel_of_many_is_loaded_page_by_page() {
    let mut app = group_as(Role::Owner, 120, 40);
    control(&mut app, 't');
    let page = |from: u64, next: Option<&str>| loquat_proto::Page {
        items: (from..from + 50)
            .map(|id| loquat_proto::Member {
                user: user(id),
                profile: scene::profile(id),
                role: Role::Member,
                joined_at: NOW,
                delivered: 0,
                read: 0,
            })
            .collect(),
        next_cursor: next.map(str::to_owned),
    };
    let here = conversation(HARVEST);
    send(&mut app, Message::Members { conversation: here, from: None, members: Ok(page(10, Some("c1"))) });
    assert_eq!(press(&mut app, KeyCode::Down), []);
    let more = Effect::Network(Network::LoadMembers { conversation: here, cursor: Some("c1".to_owned()) });
    assert_eq!(press(&mut app, KeyCode::End), [more]);
    assert_eq!(press(&mut app, KeyCode::Up), [], "asked once");
    let from = Some("c1".to_owned());
    send(&mut app, Message::Members { conversation: here, from, members: Ok(page(60, None)) });
    press(&mut app, KeyCode::End);
    assert_eq!(press(&mut app, KeyCode::Enter), [Effect::Network(Network::CreateDirect(user(109)))]);
}

#[test]
fn no_control_character_of_others_reaches_the_terminal_by_a_popup() {
    let evil = "x\u{1b}]0;owned\u{7}\u{1b}[2J\u{9b}31m\u{202e}\u{0}y\r\nz";
    let mut person = scene::profile(TOMAS);
    (person.display_name, person.bio) = (evil.to_owned(), evil.to_owned());
    let mut app = group_as(Role::Owner, 120, 40);
    let mut about = whole(Role::Owner);
    (about.title, about.description) = (evil.to_owned(), evil.to_owned());
    send(&mut app, Message::Whole(about));
    let asked = Asked { profile: person.clone(), is_incoming: true, at: NOW };
    let people = vec![person];
    let evil_book = ContactBook { contacts: people.clone(), requests: vec![asked], blocked: people };
    send(&mut app, Message::Contacts(Ok(evil_book)));
    let here = conversation(HARVEST);
    let clean = |app: &App| {
        let screen = drawn(app);
        let obeyed =
            screen.chars().find(|c| (c.is_control() && *c != '\n') || ('\u{202a}'..='\u{202e}').contains(c));
        assert_eq!(obeyed, None, "{screen}");
        assert!(screen.contains('␛'), "what was taken out is seen: {screen}");
    };
    let back = |app: &mut App| (0..4).for_each(|_| drop(press(app, KeyCode::Esc)));

    press(&mut app, KeyCode::F(3));
    clean(&app);
    back(&mut app);
    control(&mut app, 'o');
    clean(&app);
    back(&mut app);
    send(&mut app, Message::Created(Ok(here)));
    press(&mut app, KeyCode::F(6));
    let TimelineItem::Message(mut view) = scene::entry(scene::message(9, TOMAS, NOW, evil)) else {
        unreachable!()
    };
    view.message.pinned = true;
    send(&mut app, Message::Pins { conversation: here, pins: Ok(vec![view.message.clone()]) });
    clean(&app);
    back(&mut app);
    control(&mut app, 's');
    type_text(&mut app, "x");
    let hit = Found { conversation: here, seq: 9, ts: NOW, sender: user(TOMAS), text: evil.to_owned() };
    send(&mut app, Message::Hits { query: "x".to_owned(), conversation: None, hits: Ok(vec![hit]) });
    clean(&app);
    back(&mut app);
    press(&mut app, KeyCode::F(8));
    type_text(&mut app, "abc");
    press(&mut app, KeyCode::Enter);
    let preview = Preview { title: evil.to_owned(), kind: ConversationKind::Group, member_count: 2 };
    send(&mut app, Message::Previewed { code: "abc".to_owned(), preview: Ok(preview) });
    clean(&app);
    back(&mut app);
    send(&mut app, Message::Created(Ok(here)));
    press(&mut app, KeyCode::F(9));
    let invite =
        Invitation { code: evil.to_owned(), url: evil.to_owned(), uses: 0, max_uses: None, expires_at: None };
    send(&mut app, Message::Invites { conversation: here, invites: Ok(vec![invite]) });
    clean(&app);
}
