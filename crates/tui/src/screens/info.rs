//! What a conversation is, and its settings: those that the own role may change lead further.

use crossterm::event::KeyEvent;
use loquat_client::view::ConversationSummary;
use loquat_proto::conversation::UpdatePreferences;
use loquat_proto::event::SettingsBody;
use loquat_proto::{
    Conversation, ConversationId, ConversationKind, Permissions, Profile, Retention, Role, Timestamp,
};
use ratatui::Frame;
use ratatui::layout::{Position, Rect};

use super::list::Click;
use super::menu::{Item, Menu, Then};
use super::popup::Popup;
use super::sheet::{Kind, Row, Sheet, Told};
use crate::app::command::Command;
use crate::app::effect::{ContactAction, Effect, GroupAction, Network};
use crate::app::social::Standing;
use crate::text::time::Clock;
use crate::theme::Theme;

/// Titles have up to 128 characters: this many bytes hold them in any script.
const TITLE_BYTES: usize = 512;

/// Descriptions are kept shorter here than the server would.
const DESCRIPTION_BYTES: usize = 2_048;

/// The state of the popup.
#[derive(Debug, Clone)]
pub struct Info {
    /// Which conversation.
    pub conversation: ConversationId,
    sheet: Sheet,
}

/// What the popup shows.
#[derive(Debug, Clone, Copy)]
pub struct InfoView<'a> {
    /// The conversation's line of the list.
    pub row: &'a ConversationSummary,
    /// The whole conversation, once it is known.
    pub whole: Option<&'a Conversation>,
    /// The other one, in a direct conversation.
    pub peer: Option<&'a Profile>,
    /// How the user stands with the other one.
    pub standing: Standing,
    /// Now.
    pub clock: &'a Clock,
}

/// What a line leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Title,
    Description,
    Post,
    Invite,
    EditInfo,
    Pin,
    SlowMode,
    Retention,
    Contact,
    Block,
    Delete,
    Command(Command),
}

/// What a key asks for.
#[derive(Debug, Clone)]
pub enum Wish {
    /// Back.
    Close,
    /// Let the user choose.
    Choose(Box<Menu>),
    /// Do this command.
    Command(Command),
    /// Ask this of the world.
    Do(Effect),
    /// Ask first.
    AskFirst(&'static str, String, Effect),
}

impl Info {
    /// About this conversation.
    #[must_use]
    pub fn new(conversation: ConversationId) -> Self {
        Self { conversation, sheet: Sheet::default() }
    }

    /// A key.
    pub fn key(&mut self, key: KeyEvent, view: InfoView<'_>) -> Option<Wish> {
        match self.sheet.key(key, &rows(view)) {
            Told::Nothing => None,
            Told::Close => Some(Wish::Close),
            Told::Chosen(place) => self.chosen(place, view),
            Told::Written(place, text) => Some(Wish::Do(self.written(place, text))),
        }
    }

    /// Pasted text goes to the field that is open.
    pub fn paste(&mut self, text: &str) {
        self.sheet.paste(text);
    }

    /// A click.
    pub fn click(&mut self, at: Position, screen: Rect, view: InfoView<'_>) -> Click {
        let length = rows(view).len();
        self.sheet.click(at, popup(view, length, false).inner(screen), length)
    }

    /// Draws the popup.
    pub fn draw(&self, view: InfoView<'_>, theme: Theme, screen: Rect, frame: &mut Frame<'_>) {
        let rows = rows(view);
        let inner = popup(view, rows.len(), self.sheet.is_editing()).draw(theme, screen, frame);
        self.sheet.draw(&rows, theme, inner, frame);
    }

    fn written(&self, place: Place, text: String) -> Effect {
        let settings = match place {
            Place::Title => return self.manage(GroupAction::SetTitle(text)),
            _ => SettingsBody { description: Some(text), ..SettingsBody::default() },
        };
        self.manage(GroupAction::Update(Box::new(settings)))
    }

    fn manage(&self, action: GroupAction) -> Effect {
        Effect::Network(Network::Manage { conversation: self.conversation, action })
    }

    fn update(&self, settings: SettingsBody) -> Effect {
        self.manage(GroupAction::Update(Box::new(settings)))
    }

    fn chosen(&self, place: Place, view: InfoView<'_>) -> Option<Wish> {
        let menu = |title: &str, items| Some(Wish::Choose(Box::new(Menu::new(title, items))));
        match place {
            Place::Command(command) => Some(Wish::Command(command)),
            Place::Post => menu("Who may write", self.roles(view, |it| &mut it.post)),
            Place::Invite => menu("Who may add and invite", self.roles(view, |it| &mut it.invite)),
            Place::EditInfo => menu("Who may change title and description", self.roles(view, |it| &mut it.edit_info)),
            Place::Pin => menu("Who may pin messages", self.roles(view, |it| &mut it.pin)),
            Place::SlowMode => {
                let now = view.whole.map(|whole| whole.slow_mode_ms);
                let item = |seconds: u64| {
                    let settings = SettingsBody { slow_mode_ms: Some(seconds * 1_000), ..SettingsBody::default() };
                    Item::new(slow_mode_text(seconds * 1_000), self.update(settings))
                        .marked(now == Some(seconds * 1_000))
                };
                menu("Between two messages of a member", [0, 5, 10, 30, 60, 300, 900, 3_600].map(item).to_vec())
            }
            Place::Retention => menu("How long messages are kept", self.retentions(view)),
            Place::Contact => view.row.peer.map(|user| {
                let action = match view.standing {
                    Standing::Stranger | Standing::Blocked => ContactAction::Request,
                    Standing::Asks => ContactAction::Accept,
                    Standing::Asked => ContactAction::Decline,
                    Standing::Contact => ContactAction::Remove,
                };
                Wish::Do(Effect::Network(Network::Contact { user, action }))
            }),
            Place::Block => view.row.peer.map(|user| {
                if view.standing == Standing::Blocked {
                    let action = ContactAction::Unblock;
                    return Wish::Do(Effect::Network(Network::Contact { user, action }));
                }
                let text = "They cannot write to you here, see when you are there, or add you. What they write in \
                            groups is hidden.";
                let effect = Effect::Network(Network::Contact { user, action: ContactAction::Block });
                Wish::AskFirst("Block this user?", text.to_owned(), effect)
            }),
            Place::Delete => {
                let text = format!("“{}” and every message in it leave for every member.", view.row.title);
                Some(Wish::AskFirst("Delete it for everyone?", text, self.manage(GroupAction::Delete)))
            }
            Place::Title | Place::Description => None,
        }
    }

    fn roles(&self, view: InfoView<'_>, which: fn(&mut Permissions) -> &mut Role) -> Vec<Item> {
        let Some(whole) = view.whole else { return Vec::new() };
        let mut permissions = whole.permissions;
        let now = *which(&mut permissions);
        [Role::Guest, Role::Member, Role::Admin, Role::Owner]
            .map(|role| {
                let mut permissions = whole.permissions;
                *which(&mut permissions) = role;
                let settings = SettingsBody { permissions: Some(permissions), ..SettingsBody::default() };
                Item::new(least_role(role), self.update(settings)).marked(role == now)
            })
            .to_vec()
    }

    fn retentions(&self, view: InfoView<'_>) -> Vec<Item> {
        let now = view.whole.map(|whole| whole.retention);
        let days = |days: u64| Retention::Ttl { seconds: days * 86_400 };
        let choices = [
            Retention::Keep,
            Retention::Ttl { seconds: 3_600 },
            days(1),
            days(7),
            days(30),
            days(365),
            Retention::UntilDelivered,
        ];
        choices
            .into_iter()
            .filter(|mode| view.row.kind != ConversationKind::Channel || *mode != Retention::UntilDelivered)
            .map(|mode| {
                let settings = SettingsBody { retention: Some(mode), ..SettingsBody::default() };
                Item::new(retention_text(mode), self.update(settings)).marked(now == Some(mode))
            })
            .collect()
    }
}

fn popup(view: InfoView<'_>, length: usize, editing: bool) -> Popup<'_> {
    let keys: &[(&str, &str)] = if editing {
        &[("Enter", "keep"), ("Esc", "as it was")]
    } else {
        &[("Enter", "change"), ("↑↓", "choose"), ("Esc", "close")]
    };
    let height = u16::try_from(length).unwrap_or(u16::MAX);
    Popup { title: &view.row.title, keys, width: 62, height }
}

fn rows(view: InfoView<'_>) -> Vec<Row<Place>> {
    let command =
        |label, value: String, command| Row { label, value, kind: Kind::Action(Place::Command(command)) };
    let mut rows = match view.row.kind {
        ConversationKind::Direct => direct_rows(view),
        ConversationKind::Group | ConversationKind::Channel => group_rows(view),
    };
    rows.push(command("Pinned", "messages".to_owned(), Command::Pins));
    rows.push(command("Search", "in this chat".to_owned(), Command::SearchHere));
    rows.push(command("Notify", mute_text(view.row.muted_until, view.clock), Command::Mute));
    let place = match (view.row.pinned, view.row.archived) {
        (true, _) => "kept on top",
        (false, true) => "in the archive",
        (false, false) => "by activity",
    };
    rows.push(command("In the list", place.to_owned(), Command::TogglePinned));
    let archive = if view.row.archived { "take out" } else { "put away" };
    rows.push(command("Archive", archive.to_owned(), Command::ToggleArchived));
    if let Some(whole) = view.whole {
        rows.extend(setting_rows(view, whole));
    }
    if view.row.kind != ConversationKind::Direct {
        rows.push(command("Leave", "you will no longer see it".to_owned(), Command::Leave));
        if view.row.role == Role::Owner {
            let value = "with all its messages, for everyone".to_owned();
            rows.push(Row { label: "Delete", value, kind: Kind::Action(Place::Delete) });
        }
    }
    rows
}

fn direct_rows(view: InfoView<'_>) -> Vec<Row<Place>> {
    let fact = |label, value: String| Row { label, value, kind: Kind::Fact };
    let mut rows = Vec::new();
    if let Some(peer) = view.peer {
        rows.push(fact("Name", peer.display_name.clone()));
        rows.push(fact("Username", format!("@{}", peer.username)));
        if !peer.bio.is_empty() {
            rows.push(fact("About", peer.bio.clone()));
        }
    }
    let contact = match view.standing {
        Standing::Stranger | Standing::Blocked => "no: ask to be one",
        Standing::Asked => "you asked: take it back",
        Standing::Asks => "asks you: accept",
        Standing::Contact => "yes: remove",
    };
    let block = if view.standing == Standing::Blocked { "yes: unblock" } else { "no: block" };
    let action =
        |label, value: &str, place| Row { label, value: value.to_owned(), kind: Kind::Action(place) };
    rows.push(action("Contact", contact, Place::Contact));
    rows.push(action("Blocked", block, Place::Block));
    rows
}

fn group_rows(view: InfoView<'_>) -> Vec<Row<Place>> {
    let may_edit = view.whole.is_some_and(|whole| whole.me.role >= whole.permissions.edit_info);
    let text = |label, value: String, place, limit| {
        let kind = if may_edit { Kind::Text(place, limit) } else { Kind::Fact };
        Row { label, value, kind }
    };
    let description = view.whole.map(|whole| whole.description.clone()).unwrap_or_default();
    let members = match view.row.member_count {
        1 => "1".to_owned(),
        count => count.to_string(),
    };
    let command =
        |label, value: String, command| Row { label, value, kind: Kind::Action(Place::Command(command)) };
    let mut rows = vec![
        text("Title", view.row.title.clone(), Place::Title, TITLE_BYTES),
        text("Description", description, Place::Description, DESCRIPTION_BYTES),
        command("Members", members, Command::Members),
    ];
    if view.whole.is_some_and(|whole| whole.me.role >= whole.permissions.invite) {
        rows.push(command("Invitations", "make, see, take back".to_owned(), Command::Invites));
    }
    rows
}

fn setting_rows(view: InfoView<'_>, whole: &Conversation) -> Vec<Row<Place>> {
    let may_manage = whole.me.role >= Role::Admin && view.row.kind != ConversationKind::Direct;
    let setting = |label, value: String, place, may: bool| {
        let kind = if may { Kind::Action(place) } else { Kind::Fact };
        Row { label, value, kind }
    };
    let may_edit = view.row.kind == ConversationKind::Direct || whole.me.role >= whole.permissions.edit_info;
    let kept = setting("Kept", retention_text(whole.retention), Place::Retention, may_edit);
    if view.row.kind == ConversationKind::Direct {
        return vec![kept];
    }
    let role = |label, role, place| setting(label, least_role(role).to_owned(), place, may_manage);
    vec![
        role("May write", whole.permissions.post, Place::Post),
        role("May invite", whole.permissions.invite, Place::Invite),
        role("May edit", whole.permissions.edit_info, Place::EditInfo),
        role("May pin", whole.permissions.pin, Place::Pin),
        setting("Slow mode", slow_mode_text(whole.slow_mode_ms), Place::SlowMode, may_manage),
        kept,
    ]
}

/// A least role in words.
#[must_use]
pub const fn least_role(role: Role) -> &'static str {
    match role {
        Role::Guest => "everybody",
        Role::Member => "members",
        Role::Admin => "admins",
        Role::Owner => "the owner alone",
    }
}

fn slow_mode_text(milliseconds: u64) -> String {
    if milliseconds == 0 {
        "off".to_owned()
    } else {
        format!("one in {}", span(milliseconds.div_ceil(1_000)))
    }
}

fn retention_text(retention: Retention) -> String {
    match retention {
        Retention::Keep => "for ever".to_owned(),
        Retention::Ttl { seconds } => format!("for {}", span(seconds)),
        Retention::UntilDelivered => "until everybody has them".to_owned(),
    }
}

/// A time span in words, in its largest whole unit.
#[must_use]
pub fn span(seconds: u64) -> String {
    let (count, unit) = match seconds {
        0..60 => (seconds, "second"),
        _ if seconds.is_multiple_of(86_400) => (seconds / 86_400, "day"),
        _ if seconds.is_multiple_of(3_600) => (seconds / 3_600, "hour"),
        _ if seconds.is_multiple_of(60) => (seconds / 60, "minute"),
        _ => (seconds, "second"),
    };
    if count == 1 { format!("1 {unit}") } else { format!("{count} {unit}s") }
}

fn mute_text(until: Option<Timestamp>, clock: &Clock) -> String {
    match until {
        Some(until) if until > clock.now + 180 * 86_400_000 => "muted".to_owned(),
        Some(until) if until > clock.now => {
            format!("muted until {}, {}", clock.day_label(clock.day(until)), clock.time_of_day(until))
        }
        _ => "yes".to_owned(),
    }
}

/// For how long a conversation may be muted.
#[must_use]
pub fn mute_menu(row: &ConversationSummary, now: Timestamp) -> Menu {
    let muted = row.muted_until.is_some_and(|until| until > now);
    let item = |label: &str, until: Option<Timestamp>| {
        let update = UpdatePreferences { muted_until: Some(until), ..UpdatePreferences::default() };
        Item::new(label, Effect::Network(Network::Preferences { conversation: row.id, update }))
    };
    const HOUR: Timestamp = 3_600_000;
    Menu::new(
        format!("Mute {}", row.title),
        vec![
            item("not muted", None).marked(!muted),
            item("for an hour", Some(now + HOUR)),
            item("for eight hours", Some(now + 8 * HOUR)),
            item("for a week", Some(now + 7 * 24 * HOUR)),
            // "For good" is a year: the protocol knows no word for ever.
            item("for good", Some(now + 365 * 24 * HOUR)).marked(muted),
        ],
    )
}

/// What a member may become, by the hand of somebody with this role.
#[must_use]
pub fn role_menu(
    conversation: ConversationId,
    (user, name, now): (loquat_proto::UserId, &str, Role),
    mine: Role,
) -> Menu {
    let change =
        |role| Effect::Network(Network::Manage { conversation, action: GroupAction::ChangeRole(user, role) });
    let item = |label: &str, role| Item::new(label, change(role)).marked(role == now);
    let mut items =
        vec![item("admin", Role::Admin), item("member", Role::Member), item("guest", Role::Guest)];
    if mine == Role::Owner {
        let text = format!("{name} owns it from then on, and you are an admin.");
        let then = Then::AskFirst("Hand it over?", text, Box::new(change(Role::Owner)));
        items.insert(0, Item { label: "owner: hand it over".to_owned(), current: now == Role::Owner, then });
    }
    Menu::new(format!("Role of {name}"), items)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_told_in_their_largest_unit() {
        for (seconds, expected) in [
            (5, "5 seconds"),
            (60, "1 minute"),
            (3_600, "1 hour"),
            (86_400, "1 day"),
            (7 * 86_400, "7 days"),
            (90, "90 seconds"),
        ] {
            assert_eq!(span(seconds), expected);
        }
    }
}
