//! Going somewhere by a few letters: to a conversation, or to a command.

use crossterm::event::{KeyCode, KeyEvent};
use loquat_client::view::ConversationSummary;
use loquat_proto::{ConversationId, ConversationKind};
use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span};

use super::list::{Click, List};
use super::popup::{Field, Popup, draw_field};
use crate::app::command::{self, Command};
use crate::editor::Editor;
use crate::keys::{Edited, edit_field};
use crate::text::width::{columns, fit, truncate};
use crate::theme::Theme;

/// The state of the popup.
#[derive(Debug, Clone)]
pub struct Switcher {
    query: Editor,
    list: List,
    commands_only: bool,
}

/// What can be gone to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Goal {
    /// Open this conversation.
    Chat(ConversationId),
    /// Do this command.
    Command(Command),
}

/// What the popup chooses among.
#[derive(Debug, Clone, Copy)]
pub struct Choices<'a> {
    /// The conversations, in the order of the list.
    pub chats: &'a [ConversationSummary],
    /// What sort of conversation is open.
    pub open: Option<ConversationKind>,
}

/// An entry.
struct Entry<'a> {
    goal: Goal,
    mark: &'static str,
    name: &'a str,
    right: String,
}

impl Switcher {
    /// Conversations first, then commands; or commands alone.
    #[must_use]
    pub fn new(commands_only: bool) -> Self {
        Self { query: Editor::single_line(128), list: List::default(), commands_only }
    }

    /// A key; the answer is where to go.
    pub fn key(&mut self, key: KeyEvent, choices: Choices<'_>) -> Option<Goal> {
        let entries = self.entries(choices);
        match key.code {
            KeyCode::Enter => return self.list.at(entries.len()).map(|index| entries[index].goal),
            _ if self.list.arrow(key, entries.len()) => {}
            _ => {
                if edit_field(&mut self.query, key) == Edited::Changed {
                    self.list.go(0);
                }
            }
        }
        None
    }

    /// Pasted text goes to the field.
    pub fn paste(&mut self, text: &str) {
        self.query.insert(text.trim());
        self.list.go(0);
    }

    /// A click: one is enough.
    pub fn click(&mut self, at: Position, screen: Rect, choices: Choices<'_>) -> Click {
        let length = self.entries(choices).len();
        let click = self.list.click(at, list_area(self.popup().inner(screen)), (length, 1));
        if click == Click::Moved { Click::Again } else { click }
    }

    fn entries<'a>(&self, choices: Choices<'a>) -> Vec<Entry<'a>> {
        let query = self.query.text().trim().to_lowercase();
        let mut chats: Vec<(u8, Entry<'a>)> = choices
            .chats
            .iter()
            .filter(|_| !self.commands_only)
            .filter_map(|row| {
                let rank = rank(&row.title, &query)?;
                let mark = match row.kind {
                    ConversationKind::Direct => "@",
                    ConversationKind::Group => "#",
                    ConversationKind::Channel => "»",
                };
                let right = if row.unread > 0 { row.unread.to_string() } else { String::new() };
                Some((rank, Entry { goal: Goal::Chat(row.id), mark, name: &row.title, right }))
            })
            .collect();
        // The order of the list stands among those that fit equally well.
        chats.sort_by_key(|(rank, _)| *rank);
        let commands = command::ALL
            .iter()
            .filter(|_| self.commands_only || !query.is_empty())
            .filter(|listed| listed.needs.are_met(choices.open))
            .filter(|listed| rank(listed.name, &query).is_some_and(|rank| rank < 3))
            .map(|listed| Entry {
                goal: Goal::Command(listed.command),
                mark: "›",
                name: listed.name,
                right: listed.key.to_owned(),
            });
        chats.into_iter().map(|(_, entry)| entry).chain(commands).collect()
    }

    fn popup(&self) -> Popup<'static> {
        let title = if self.commands_only { "Commands" } else { "Go to" };
        Popup {
            title, keys: &[("Enter", "go"), ("↑↓", "choose"), ("Esc", "close")], width: 56, height: 20
        }
    }

    /// Draws the popup.
    pub fn draw(&self, choices: Choices<'_>, theme: Theme, screen: Rect, frame: &mut Frame<'_>) {
        let inner = self.popup().draw(theme, screen, frame);
        let hint = if self.commands_only { "a command" } else { "a chat or a command" };
        let first = Rect { height: 1, ..inner }.intersection(inner);
        draw_field(Field::of("Find", hint, &self.query, true), theme, first, frame);
        let entries = self.entries(choices);
        let area = list_area(inner);
        if entries.is_empty() {
            return frame.render_widget(Line::styled("Nothing has that name.", theme.quiet()), area);
        }
        self.list.draw(entries.len(), theme, (area, frame), |index, room| {
            let entry = &entries[index];
            let name_room = room.saturating_sub(columns(&entry.right) + 5);
            Line::from(vec![
                Span::styled(format!(" {} ", entry.mark), theme.quiet()),
                Span::raw(fit(&truncate(entry.name, name_room), name_room)),
                Span::styled(format!(" {} ", entry.right), theme.key()),
            ])
        });
    }
}

fn list_area(inner: Rect) -> Rect {
    Rect { y: inner.y + 2, height: inner.height.saturating_sub(2), ..inner }.intersection(inner)
}

/// How well a name fits: 0 it begins so, 1 a word of it does, 2 it is somewhere in it, 3 its letters are, in order.
fn rank(name: &str, query: &str) -> Option<u8> {
    let name = name.to_lowercase();
    if name.starts_with(query) {
        return Some(0);
    }
    if name.split(|character: char| !character.is_alphanumeric()).any(|word| word.starts_with(query)) {
        return Some(1);
    }
    if name.contains(query) {
        return Some(2);
    }
    let mut letters = name.chars();
    query.chars().all(|wanted| letters.any(|letter| letter == wanted)).then_some(3)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{key, type_text};

    #[test]
    fn names_are_ranked() {
        for (name, query, expected) in [
            ("Harvest", "", Some(0)),
            ("Harvest", "har", Some(0)),
            ("The Harvest", "har", Some(1)),
            ("Harvest", "vest", Some(2)),
            ("Harvest", "hvt", Some(3)),
            ("Harvest", "tvh", None),
        ] {
            assert_eq!(rank(name, query), expected, "{query:?} in {name:?}");
        }
    }

    #[test]
    fn commands_need_what_they_act_on() {
        let go = |open, query: &str| {
            let mut switcher = Switcher::new(true);
            let choices = Choices { chats: &[], open };
            type_text(query, |key| assert_eq!(switcher.key(key, choices), None));
            switcher.key(key(KeyCode::Enter), choices)
        };
        let members = Some(Goal::Command(Command::Members));
        assert_eq!(go(Some(ConversationKind::Group), "members"), members);
        assert_eq!(go(Some(ConversationKind::Direct), "members"), None);
        assert_eq!(go(None, "log out"), Some(Goal::Command(Command::LogOut)));
    }
}
