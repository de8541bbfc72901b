//! Finding people: a field to type in, the people found, and those chosen. Part of "new chat", "new group" and "add".

use std::collections::HashSet;

use crossterm::event::{KeyCode, KeyEvent};
use loquat_proto::{Profile, Timestamp, UserId};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::popup::{Field, draw_field};
use crate::editor::Editor;
use crate::keys::{Edited, edit_field};
use crate::text::width::{columns, truncate};
use crate::theme::Theme;

/// The search starts this long after the last key, in milliseconds.
const SEARCH_DELAY: Timestamp = 150;

/// Where the search stands.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Search {
    Idle,
    Due(Timestamp),
    UnderWay,
    Failed(String),
}

/// The state of the picker.
#[derive(Debug, Clone)]
pub struct Picker {
    query: Editor,
    found: Vec<Profile>,
    search: Search,
    cursor: usize,
    many: bool,
    chosen: Vec<Profile>,
    hidden: HashSet<UserId>,
}

/// What a key did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Picked {
    /// Nothing to act on.
    Nothing,
    /// These people were chosen: exactly one in a picker for one.
    People(Vec<Profile>),
}

impl Picker {
    /// A picker for one person, or for many; those in `hidden` are not offered.
    #[must_use]
    pub fn new(many: bool, hidden: impl IntoIterator<Item = UserId>) -> Self {
        Self {
            query: Editor::single_line(128),
            found: Vec::new(),
            search: Search::Idle,
            cursor: 0,
            many,
            chosen: Vec::new(),
            hidden: hidden.into_iter().collect(),
        }
    }

    /// A key at this moment. Enter picks; in a picker for many, Enter on somebody marks and on an empty field is done.
    pub fn key(&mut self, key: KeyEvent, now: Timestamp) -> Picked {
        match key.code {
            KeyCode::Up => self.cursor = self.cursor.saturating_sub(1),
            KeyCode::Down => self.cursor = (self.cursor + 1).min(self.offered().len().saturating_sub(1)),
            KeyCode::Enter => return self.enter(),
            KeyCode::Backspace if self.query.is_empty() => {
                self.chosen.pop();
            }
            _ => {
                if edit_field(&mut self.query, key) == Edited::Changed {
                    self.query_changed(now);
                }
            }
        }
        Picked::Nothing
    }

    /// Pasted text goes to the field.
    pub fn paste(&mut self, text: &str, now: Timestamp) {
        if self.query.insert(text.trim()) {
            self.query_changed(now);
        }
    }

    /// Whether nothing was typed and nobody chosen.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.query.is_empty() && self.chosen.is_empty()
    }

    /// Those who were chosen so far.
    #[must_use]
    pub fn chosen(&self) -> &[Profile] {
        &self.chosen
    }

    /// The search to start, once it is due.
    pub fn due_search(&mut self, now: Timestamp) -> Option<String> {
        match self.search {
            Search::Due(due) if due <= now => {
                self.search = Search::UnderWay;
                Some(self.query_text())
            }
            _ => None,
        }
    }

    /// When [`Picker::due_search`] has something.
    #[must_use]
    pub const fn deadline(&self) -> Option<Timestamp> {
        match self.search {
            Search::Due(due) => Some(due),
            _ => None,
        }
    }

    /// The answer to a search; one that was overtaken by another query is dropped.
    pub fn answer(&mut self, query: &str, people: Result<Vec<Profile>, String>) {
        if query != self.query_text() {
            return;
        }
        match people {
            Ok(people) => {
                self.found = people;
                self.search = Search::Idle;
            }
            Err(reason) => {
                self.found.clear();
                self.search = Search::Failed(reason);
            }
        }
        self.cursor = 0;
    }

    fn query_text(&self) -> String {
        self.query.text().trim().trim_start_matches('@').to_owned()
    }

    fn query_changed(&mut self, now: Timestamp) {
        self.cursor = 0;
        if self.query_text().is_empty() {
            self.found.clear();
            self.search = Search::Idle;
        } else {
            self.search = Search::Due(now + SEARCH_DELAY);
        }
    }

    fn enter(&mut self) -> Picked {
        let person = self.offered().get(self.cursor).map(|person| (*person).clone());
        match (person, self.many) {
            (Some(person), false) => Picked::People(vec![person]),
            (Some(person), true) => {
                self.chosen.push(person);
                self.query.take();
                self.found.clear();
                self.cursor = 0;
                Picked::Nothing
            }
            (None, true) if self.query.is_empty() && !self.chosen.is_empty() => {
                Picked::People(std::mem::take(&mut self.chosen))
            }
            (None, _) => Picked::Nothing,
        }
    }

    fn offered(&self) -> Vec<&Profile> {
        let chosen = |person: &Profile| self.chosen.iter().any(|other| other.id == person.id);
        self.found
            .iter()
            .filter(|person| !person.deleted && !self.hidden.contains(&person.id) && !chosen(person))
            .collect()
    }

    /// Draws the picker.
    pub fn draw(&self, theme: Theme, area: Rect, frame: &mut Frame<'_>) {
        let row = |offset: u16| Rect { y: area.y + offset, height: 1, ..area }.intersection(area);
        draw_field(Field::of("Find", "a username or a name", &self.query, true), theme, row(0), frame);
        let mut at = 1;
        if !self.chosen.is_empty() {
            let names: Vec<&str> = self.chosen.iter().map(|person| person.display_name.as_str()).collect();
            let names = truncate(&names.join(", "), usize::from(area.width).saturating_sub(6));
            frame.render_widget(
                Line::from(vec![Span::styled("With  ", theme.quiet()), Span::styled(names, theme.strong())]),
                row(at),
            );
            at += 1;
        }
        at += 1;
        let offered = self.offered();
        if offered.is_empty() {
            frame.render_widget(Line::styled(self.empty_text(), theme.quiet()), row(at));
            return;
        }
        let fitting = usize::from(area.height.saturating_sub(at)).max(1);
        let first = (self.cursor + 1).saturating_sub(fitting);
        for (index, person) in offered.iter().enumerate().skip(first).take(fitting) {
            let place = row(at + u16::try_from(index - first).unwrap_or(u16::MAX));
            frame.render_widget(person_line(person, theme, usize::from(area.width)), place);
            if index == self.cursor {
                frame.buffer_mut().set_style(place, theme.cursor_row());
            }
        }
    }

    fn empty_text(&self) -> String {
        match &self.search {
            Search::Failed(reason) => reason.clone(),
            Search::Due(_) | Search::UnderWay => "searching…".to_owned(),
            Search::Idle if !self.query_text().is_empty() => "Nobody has that name.".to_owned(),
            Search::Idle if self.many && !self.chosen.is_empty() => {
                "Enter to go on, or type to add more.".to_owned()
            }
            Search::Idle => "Type the beginning of a name.".to_owned(),
        }
    }
}

/// A person on one line: display name and username.
#[must_use]
pub fn person_line(person: &Profile, theme: Theme, room: usize) -> Line<'static> {
    let handle = if person.username.is_empty() { String::new() } else { format!("@{}", person.username) };
    let name = truncate(&person.display_name, room.saturating_sub(columns(&handle) + 3));
    Line::from(vec![
        Span::raw(" "),
        Span::raw(name),
        Span::raw("  "),
        Span::styled(truncate(&handle, room.saturating_sub(4)), theme.quiet()),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{key, profile, type_text, user};

    #[test]
    fn a_search_waits_for_a_pause_and_stale_answers_are_dropped() {
        let mut picker = Picker::new(false, []);
        type_text("to", |key| {
            picker.key(key, 1_000);
        });
        assert_eq!(picker.due_search(1_000 + SEARCH_DELAY - 1), None);
        assert_eq!(picker.due_search(1_000 + SEARCH_DELAY), Some("to".to_owned()));
        assert_eq!(picker.due_search(5_000), None);
        picker.answer("t", Ok(vec![profile(9, "theo")]));
        assert!(picker.offered().is_empty());
        picker.answer("to", Ok(vec![profile(2, "tomas")]));
        assert_eq!(picker.key(key(KeyCode::Enter), 6_000), Picked::People(vec![profile(2, "tomas")]));
    }

    #[test]
    fn many_are_marked_one_by_one() {
        let mut picker = Picker::new(true, [user(4)]);
        for (query, id, name) in [("to", 2, "tomas"), ("in", 3, "ines")] {
            type_text(query, |key| {
                picker.key(key, 0);
            });
            picker.answer(query, Ok(vec![profile(id, name), profile(4, "already.there")]));
            assert_eq!(picker.key(key(KeyCode::Enter), 0), Picked::Nothing);
        }
        let people = vec![profile(2, "tomas"), profile(3, "ines")];
        assert_eq!(picker.chosen(), people);
        assert_eq!(picker.key(key(KeyCode::Enter), 0), Picked::People(people));
    }

    #[test]
    fn backspace_in_an_empty_field_takes_the_last_one_back() {
        let mut picker = Picker::new(true, []);
        type_text("to", |key| {
            picker.key(key, 0);
        });
        picker.answer("to", Ok(vec![profile(2, "tomas")]));
        picker.key(key(KeyCode::Enter), 0);
        picker.key(key(KeyCode::Backspace), 0);
        assert!(picker.chosen().is_empty());
    }
}
