//! Contacts, requests and blocks, in three tabs.

use crossterm::event::{KeyCode, KeyEvent};
use loquat_proto::{Profile, Timestamp, UserId};
use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span};

use super::chats::presence_dot;
use super::list::{Click, List};
use super::picker::{Picked, Picker, person_line};
use super::popup::Popup;
use crate::app::effect::ContactAction;
use crate::app::people::People;
use crate::app::social::{Asked, ContactBook};
use crate::keys::is_plain;
use crate::text::time::Clock;
use crate::text::width::truncate;
use crate::theme::Theme;

/// The state of the popup.
#[derive(Debug, Clone)]
pub struct Contacts {
    tab: Tab,
    list: List,
    mode: Mode,
    problem: Option<String>,
    me: UserId,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tab {
    Contacts,
    Requests,
    Blocked,
}

#[derive(Debug, Clone)]
enum Mode {
    Browse,
    /// Looking for somebody to ask, or to block.
    Find(Picker, ContactAction),
    Confirm(Profile, ContactAction),
}

/// What the popup shows.
#[derive(Debug, Clone, Copy)]
pub struct ContactsView<'a> {
    /// The contacts; `None` while they were not loaded.
    pub book: Option<&'a ContactBook>,
    /// Presences.
    pub people: &'a People,
    /// Now.
    pub clock: &'a Clock,
}

/// What a key asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// Back.
    Close,
    /// Open the conversation with this user.
    Chat(UserId),
    /// Change how the user stands with this one.
    Change(UserId, ContactAction),
}

impl Contacts {
    /// The contacts, or the requests where one waits for an answer.
    #[must_use]
    pub fn new(me: UserId, requests: usize) -> Self {
        let tab = if requests > 0 { Tab::Requests } else { Tab::Contacts };
        Self { tab, list: List::default(), mode: Mode::Browse, problem: None, me }
    }

    /// The picker, for searches and their answers.
    pub fn picker(&mut self) -> Option<&mut Picker> {
        match &mut self.mode {
            Mode::Find(picker, _) => Some(picker),
            _ => None,
        }
    }

    /// When a search is due.
    #[must_use]
    pub fn deadline(&self) -> Option<Timestamp> {
        match &self.mode {
            Mode::Find(picker, _) => picker.deadline(),
            _ => None,
        }
    }

    /// What became of the last change.
    pub fn done(&mut self, result: Result<(), String>) {
        self.problem = result.err();
    }

    /// A key at this moment.
    pub fn key(&mut self, key: KeyEvent, now: Timestamp, book: &ContactBook) -> Option<Wish> {
        let mode = std::mem::replace(&mut self.mode, Mode::Browse);
        if key.code == KeyCode::Esc {
            return matches!(mode, Mode::Browse).then_some(Wish::Close);
        }
        match mode {
            Mode::Browse => self.browse(key, book),
            Mode::Find(mut picker, action) => match picker.key(key, now) {
                Picked::People(people) => {
                    people.into_iter().next().map(|person| Wish::Change(person.id, action))
                }
                Picked::Nothing => {
                    self.mode = Mode::Find(picker, action);
                    None
                }
            },
            Mode::Confirm(person, action) => {
                matches!(key.code, KeyCode::Char('y' | 'Y')).then_some(Wish::Change(person.id, action))
            }
        }
    }

    fn browse(&mut self, key: KeyEvent, book: &ContactBook) -> Option<Wish> {
        self.problem = None;
        let length = self.length(book);
        if self.list.key(key, length) {
            return None;
        }
        let step = match key.code {
            KeyCode::Tab | KeyCode::Right => 1,
            KeyCode::BackTab | KeyCode::Left => 2,
            _ => 0,
        };
        if step > 0 {
            let tabs = [Tab::Contacts, Tab::Requests, Tab::Blocked];
            let now = tabs.iter().position(|tab| *tab == self.tab).unwrap_or(0);
            self.tab = tabs[(now + step) % tabs.len()];
            self.list = List::default();
            return None;
        }
        if !is_plain(key) {
            return None;
        }
        match key.code {
            KeyCode::Char('a') => {
                self.mode = Mode::Find(Picker::new(false, [self.me]), ContactAction::Request);
                return None;
            }
            KeyCode::Char('b') if self.tab == Tab::Blocked || length == 0 => {
                self.mode = Mode::Find(Picker::new(false, [self.me]), ContactAction::Block);
                return None;
            }
            _ => {}
        }
        let (person, incoming) = self.under_cursor(book)?;
        let change = |action| Some(Wish::Change(person.id, action));
        match (self.tab, key.code) {
            (Tab::Contacts, KeyCode::Enter) => return Some(Wish::Chat(person.id)),
            (Tab::Contacts, KeyCode::Char('x') | KeyCode::Delete) => {
                self.mode = Mode::Confirm(person, ContactAction::Remove);
            }
            (Tab::Contacts | Tab::Requests, KeyCode::Char('b')) => {
                self.mode = Mode::Confirm(person, ContactAction::Block);
            }
            (Tab::Requests, KeyCode::Char('y') | KeyCode::Enter) if incoming => {
                return change(ContactAction::Accept);
            }
            (Tab::Requests, KeyCode::Char('n' | 'x') | KeyCode::Delete) => {
                return change(ContactAction::Decline);
            }
            (Tab::Blocked, KeyCode::Char('x' | 'u') | KeyCode::Delete) => {
                return change(ContactAction::Unblock);
            }
            _ => {}
        }
        None
    }

    fn length(&self, book: &ContactBook) -> usize {
        match self.tab {
            Tab::Contacts => book.contacts.len(),
            Tab::Requests => book.requests.len(),
            Tab::Blocked => book.blocked.len(),
        }
    }

    /// Who is under the cursor, and whether that one asks.
    fn under_cursor(&self, book: &ContactBook) -> Option<(Profile, bool)> {
        let index = self.list.at(self.length(book))?;
        Some(match self.tab {
            Tab::Contacts => (book.contacts[index].clone(), false),
            Tab::Requests => (book.requests[index].profile.clone(), book.requests[index].is_incoming),
            Tab::Blocked => (book.blocked[index].clone(), false),
        })
    }

    /// A click.
    pub fn click(&mut self, at: Position, screen: Rect, book: &ContactBook) -> Click {
        if !matches!(self.mode, Mode::Browse) {
            return Click::Beside;
        }
        let length = self.length(book);
        self.list.click(at, list_area(self.popup().inner(screen)), (length, 1))
    }

    fn popup(&self) -> Popup<'static> {
        let keys: &[(&str, &str)] = match (&self.mode, self.tab) {
            (Mode::Find(_, ContactAction::Block), _) => &[("Enter", "block"), ("Esc", "back")],
            (Mode::Find(..), _) => &[("Enter", "ask"), ("Esc", "back")],
            (Mode::Confirm(..), _) => &[("y", "yes"), ("Esc", "no")],
            (_, Tab::Contacts) => &[
                ("Enter", "chat"),
                ("a", "add"),
                ("x", "remove"),
                ("b", "block"),
                ("Tab", "requests"),
                ("Esc", "close"),
            ],
            (_, Tab::Requests) => &[
                ("y", "accept"),
                ("n", "decline"),
                ("b", "block"),
                ("a", "ask"),
                ("Tab", "blocked"),
                ("Esc", "close"),
            ],
            (_, Tab::Blocked) => &[("u", "unblock"), ("b", "block"), ("Tab", "contacts"), ("Esc", "close")],
        };
        Popup { title: "People", keys, width: 62, height: 18 }
    }

    /// Draws the popup.
    pub fn draw(&self, view: ContactsView<'_>, theme: Theme, screen: Rect, frame: &mut Frame<'_>) {
        let inner = self.popup().draw(theme, screen, frame);
        if let Mode::Find(picker, _) = &self.mode {
            return picker.draw(theme, inner, frame);
        }
        let tabs = Rect { height: 1, ..inner }.intersection(inner);
        frame.render_widget(self.tab_line(view.book, theme), tabs);
        let area = list_area(inner);
        let Some(book) = view.book else {
            return frame.render_widget(Line::styled("Loading…", theme.quiet()), area);
        };
        let length = self.length(book);
        if length == 0 {
            for (row, text) in self.empty_text().lines().enumerate() {
                let y = area.y + u16::try_from(row).unwrap_or(0);
                frame.render_widget(
                    Line::styled(text, theme.quiet()),
                    Rect { y, height: 1, ..area }.intersection(area),
                );
            }
        }
        self.list.draw(length, theme, (area, frame), |index, room| match self.tab {
            Tab::Contacts => contact_line(&book.contacts[index], view.people, theme, room),
            Tab::Requests => request_line(&book.requests[index], view.clock, theme, room),
            Tab::Blocked => person_line(&book.blocked[index], theme, room),
        });
        let question = match &self.mode {
            Mode::Confirm(person, ContactAction::Block) => Some(format!("Block {}?", person.display_name)),
            Mode::Confirm(person, _) => Some(format!("Remove {} from your contacts?", person.display_name)),
            _ => None,
        };
        let bottom = question.map(|text| (text, theme.accent()));
        let bottom = bottom.or_else(|| self.problem.clone().map(|text| (text, theme.wrong())));
        if let Some((text, style)) = bottom {
            let place = Rect { y: inner.bottom().saturating_sub(1), height: 1, ..inner }.intersection(inner);
            frame.render_widget(Line::styled(truncate(&text, usize::from(inner.width)), style), place);
        }
    }

    fn tab_line(&self, book: Option<&ContactBook>, theme: Theme) -> Line<'static> {
        let counts =
            book.map_or((0, 0, 0), |book| (book.contacts.len(), book.requests.len(), book.blocked.len()));
        let tabs = [
            (Tab::Contacts, "Contacts", counts.0),
            (Tab::Requests, "Requests", counts.1),
            (Tab::Blocked, "Blocked", counts.2),
        ];
        let mut spans = Vec::new();
        for (tab, name, count) in tabs {
            let style = if tab == self.tab { theme.accent() } else { theme.quiet() };
            let mark = if tab == self.tab { "▌" } else { " " };
            spans.push(Span::styled(format!("{mark}{name} {count}   "), style));
        }
        Line::from(spans)
    }

    const fn empty_text(&self) -> &'static str {
        match self.tab {
            Tab::Contacts => {
                "No contacts yet. a asks somebody to be one.\n\nContacts see when you are there, if you let no one else."
            }
            Tab::Requests => "Nobody asks, and you asked nobody.\n\na asks somebody to be a contact.",
            Tab::Blocked => "You block nobody. b blocks somebody.",
        }
    }
}

/// Below the tabs and a blank line, above a line for questions and problems.
fn list_area(inner: Rect) -> Rect {
    Rect { y: inner.y + 2, height: inner.height.saturating_sub(4), ..inner }.intersection(inner)
}

fn contact_line(person: &Profile, people: &People, theme: Theme, room: usize) -> Line<'static> {
    let state =
        people.presence(person.id).map_or(loquat_proto::PresenceState::Offline, |presence| presence.state);
    let mut line = person_line(person, theme, room.saturating_sub(2));
    line.spans.insert(0, presence_dot(state, theme));
    line.spans.insert(0, Span::raw(" "));
    line
}

fn request_line(asked: &Asked, clock: &Clock, theme: Theme, room: usize) -> Line<'static> {
    let words = if asked.is_incoming { "asks you" } else { "you asked" };
    let tail = format!("  {words}, {}", clock.short(asked.at));
    let mut line = person_line(&asked.profile, theme, room.saturating_sub(tail.len()));
    line.push_span(Span::styled(tail, if asked.is_incoming { theme.waiting() } else { theme.quiet() }));
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{key, profile, type_text, user};

    fn book() -> ContactBook {
        let asked = |id, name: &str, is_incoming| Asked { profile: profile(id, name), is_incoming, at: 0 };
        ContactBook {
            contacts: vec![profile(2, "tomas")],
            requests: vec![asked(3, "ines", true), asked(4, "noor", false)],
            blocked: vec![profile(5, "eve")],
        }
    }

    #[test]
    fn each_tab_has_its_own_keys() {
        let book = book();
        let press = |popup: &mut Contacts, code| popup.key(key(code), 0, &book);
        let mut popup = Contacts::new(user(1), 0);
        assert_eq!(press(&mut popup, KeyCode::Enter), Some(Wish::Chat(user(2))));
        assert_eq!(press(&mut popup, KeyCode::Char('x')), None, "it asks first");
        assert_eq!(press(&mut popup, KeyCode::Char('y')), Some(Wish::Change(user(2), ContactAction::Remove)));
        press(&mut popup, KeyCode::Tab);
        assert_eq!(press(&mut popup, KeyCode::Char('y')), Some(Wish::Change(user(3), ContactAction::Accept)));
        press(&mut popup, KeyCode::Down);
        assert_eq!(press(&mut popup, KeyCode::Char('y')), None, "the own request cannot be accepted");
        assert_eq!(
            press(&mut popup, KeyCode::Char('n')),
            Some(Wish::Change(user(4), ContactAction::Decline))
        );
        press(&mut popup, KeyCode::Tab);
        assert_eq!(
            press(&mut popup, KeyCode::Char('u')),
            Some(Wish::Change(user(5), ContactAction::Unblock))
        );
        assert_eq!(press(&mut popup, KeyCode::Esc), Some(Wish::Close));
    }

    #[test]
    fn somebody_is_asked_by_name() {
        let book = ContactBook::default();
        let mut popup = Contacts::new(user(1), 0);
        popup.key(key(KeyCode::Char('a')), 0, &book);
        type_text("to", |key| assert_eq!(popup.key(key, 0, &book), None));
        popup.picker().unwrap().answer("to", Ok(vec![profile(2, "tomas")]));
        let asked = Wish::Change(user(2), ContactAction::Request);
        assert_eq!(popup.key(key(KeyCode::Enter), 0, &book), Some(asked));
    }
}
