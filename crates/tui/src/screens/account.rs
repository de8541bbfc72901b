//! The own profile, what others may see, and what the client itself does.

use crossterm::event::KeyEvent;
use loquat_proto::OwnProfile;
use loquat_proto::account::{FindBy, LastSeenAudience, Privacy, UpdateProfile};
use ratatui::Frame;
use ratatui::layout::{Position, Rect};

use super::list::Click;
use super::menu::{Item, Menu};
use super::popup::Popup;
use super::sheet::{Kind, Row, Sheet, Told};
use crate::app::command::Command;
use crate::app::effect::{Effect, Network, Terminal};
use crate::preferences::Preferences;
use crate::theme::{Theme, ThemeChoice};

/// Names have up to 64 characters: this many bytes hold them in any script.
const NAME_BYTES: usize = 256;

/// The server takes up to 512 characters.
const BIO_BYTES: usize = 2_048;

/// The state of the popup.
#[derive(Debug, Clone, Default)]
pub struct Account {
    sheet: Sheet,
}

/// What the popup shows.
#[derive(Debug, Clone, Copy)]
pub struct AccountView<'a> {
    /// The own profile.
    pub own: &'a OwnProfile,
    /// What the user chose in the client.
    pub preferences: Preferences,
    /// How many ask to be contacts.
    pub requests: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Name,
    Bio,
    LastSeen,
    Receipts,
    Find(FindBy),
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
    /// The account is to be erased, once the password was given.
    Delete,
}

impl Account {
    /// A key.
    pub fn key(&mut self, key: KeyEvent, view: AccountView<'_>) -> Option<Wish> {
        match self.sheet.key(key, &rows(view)) {
            Told::Nothing => None,
            Told::Close => Some(Wish::Close),
            Told::Chosen(place) => chosen(place, view),
            Told::Written(Place::Name, name) => {
                Some(update(UpdateProfile { display_name: Some(name), ..UpdateProfile::default() }))
            }
            Told::Written(_, bio) => {
                Some(update(UpdateProfile { bio: Some(bio), ..UpdateProfile::default() }))
            }
        }
    }

    /// Pasted text goes to the field that is open.
    pub fn paste(&mut self, text: &str) {
        self.sheet.paste(text);
    }

    /// A click.
    pub fn click(&mut self, at: Position, screen: Rect, view: AccountView<'_>) -> Click {
        let length = rows(view).len();
        self.sheet.click(at, popup(length, false).inner(screen), length)
    }

    /// Draws the popup.
    pub fn draw(&self, view: AccountView<'_>, theme: Theme, screen: Rect, frame: &mut Frame<'_>) {
        let rows = rows(view);
        let inner = popup(rows.len(), self.sheet.is_editing()).draw(theme, screen, frame);
        self.sheet.draw(&rows, theme, inner, frame);
    }
}

fn popup(length: usize, editing: bool) -> Popup<'static> {
    let keys: &[(&str, &str)] = if editing {
        &[("Enter", "keep"), ("Esc", "as it was")]
    } else {
        &[("Enter", "change"), ("↑↓", "choose"), ("Esc", "close")]
    };
    Popup { title: "You", keys, width: 58, height: u16::try_from(length).unwrap_or(u16::MAX) }
}

fn rows(view: AccountView<'_>) -> Vec<Row<Place>> {
    let AccountView { own, preferences, requests } = view;
    let fact = |label, value: String| Row { label, value, kind: Kind::Fact };
    let action =
        |label, value: &str, place| Row { label, value: value.to_owned(), kind: Kind::Action(place) };
    let text = |label, value: &str, place, limit| Row {
        label,
        value: value.to_owned(),
        kind: Kind::Text(place, limit),
    };
    let mut rows = vec![
        fact("Username", format!("@{}", own.profile.username)),
        text("Name", &own.profile.display_name, Place::Name, NAME_BYTES),
        text("About you", &own.profile.bio, Place::Bio, BIO_BYTES),
    ];
    rows.extend(own.email.clone().map(|email| fact("E-mail", email)));
    rows.extend(own.phone.clone().map(|phone| fact("Phone", phone)));
    let find = |label, by| {
        let value = if own.privacy.find_by.contains(&by) { "yes" } else { "no" };
        action(label, value, Place::Find(by))
    };
    let waiting = match requests {
        0 => "contacts, requests and blocks".to_owned(),
        1 => "1 request waits".to_owned(),
        count => format!("{count} requests wait"),
    };
    rows.extend([
        action("Seen by", audience(own.privacy.last_seen), Place::LastSeen),
        action(
            "Read ticks",
            if own.privacy.read_receipts { "others see how far you read" } else { "not shown to others" },
            Place::Receipts,
        ),
        find("By username", FindBy::Username),
        find("By e-mail", FindBy::Email),
        find("By phone", FindBy::Phone),
        action("People", &waiting, Place::Command(Command::Contacts)),
        action("Devices", "where you are signed in", Place::Command(Command::Devices)),
        action("Password", "change", Place::Command(Command::Password)),
        action("Colours", preferences.theme.label(), Place::Command(Command::Theme)),
        action(
            "Mouse",
            if preferences.mouse { "on (Shift selects text)" } else { "off: the terminal's" },
            Place::Command(Command::ToggleMouse),
        ),
        action("Export", "everything of yours, to a file", Place::Command(Command::Export)),
        action("Log out", "this device forgets its messages", Place::Command(Command::LogOut)),
        action("Delete", "the account, for good", Place::Delete),
    ]);
    rows
}

const fn audience(audience: LastSeenAudience) -> &'static str {
    match audience {
        LastSeenAudience::Everyone => "who shares a chat with you",
        LastSeenAudience::Contacts => "contacts alone",
        LastSeenAudience::Nobody => "nobody",
    }
}

fn update(update: UpdateProfile) -> Wish {
    Wish::Do(Effect::Network(Network::UpdateProfile(Box::new(update))))
}

fn with_privacy(privacy: Privacy) -> UpdateProfile {
    UpdateProfile { privacy: Some(privacy.into()), ..UpdateProfile::default() }
}

fn chosen(place: Place, view: AccountView<'_>) -> Option<Wish> {
    let privacy = &view.own.privacy;
    match place {
        Place::Command(command) => Some(Wish::Command(command)),
        Place::Delete => Some(Wish::Delete),
        Place::LastSeen => {
            let choices = [LastSeenAudience::Everyone, LastSeenAudience::Contacts, LastSeenAudience::Nobody];
            let items = choices.map(|last_seen| {
                let update = with_privacy(Privacy { last_seen, ..privacy.clone() });
                Item::new(audience(last_seen), Effect::Network(Network::UpdateProfile(Box::new(update))))
                    .marked(privacy.last_seen == last_seen)
            });
            Some(Wish::Choose(Box::new(Menu::new("Who sees when you are there", items.to_vec()))))
        }
        Place::Receipts => {
            let read_receipts = !privacy.read_receipts;
            Some(update(with_privacy(Privacy { read_receipts, ..privacy.clone() })))
        }
        Place::Find(by) => {
            let mut find_by = privacy.find_by.clone();
            if find_by.contains(&by) {
                find_by.retain(|known| *known != by);
            } else {
                find_by.push(by);
            }
            Some(update(with_privacy(Privacy { find_by, ..privacy.clone() })))
        }
        Place::Name | Place::Bio => None,
    }
}

/// The choice of colours.
#[must_use]
pub fn theme_menu(now: Preferences) -> Menu {
    let items = ThemeChoice::ALL.map(|theme| {
        let effect = Effect::Terminal(Terminal::Preferences(Preferences { theme, ..now }));
        Item::new(theme.label(), effect).marked(theme == now.theme)
    });
    Menu::new("Colours", items.to_vec())
}
