//! Messages in a popup: what was found by its words, and what is pinned.

use crossterm::event::{KeyCode, KeyEvent};
use loquat_client::Found;
use loquat_proto::{ConversationId, Message as Content, Seq, Timestamp, UserId};
use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span};

use super::chats::Chats;
use super::list::{Click, List};
use super::popup::{Field, Popup, draw_field};
use crate::app::people::People;
use crate::editor::Editor;
use crate::keys::{Edited, edit_field, is_control};
use crate::text::sanitise;
use crate::text::time::Clock;
use crate::text::width::{columns, truncate};
use crate::theme::Theme;

/// The search starts this long after the last key, in milliseconds.
const SEARCH_DELAY: Timestamp = 120;

/// Rows of one message: who and when, and its text.
const ROWS: u16 = 2;

/// What a key asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// Back.
    Close,
    /// Show this message in its conversation.
    Show(ConversationId, Seq),
    /// Take this pin off.
    Unpin(ConversationId, Seq),
    /// Fetch the whole history of this conversation, to search in it.
    Fetch(ConversationId),
}

/// What the popups are drawn with besides their state.
#[derive(Debug, Clone, Copy)]
pub struct MessagesView<'a> {
    /// Titles.
    pub chats: &'a Chats,
    /// Names.
    pub people: &'a People,
    /// Times.
    pub clock: &'a Clock,
    /// The own user.
    pub me: UserId,
}

/// Searching.
#[derive(Debug, Clone)]
pub struct Search {
    query: Editor,
    /// The conversation to search in, and whether only it is searched.
    here: Option<ConversationId>,
    only_here: bool,
    due: Option<Timestamp>,
    /// What was searched for last, and found.
    found: Option<(String, Result<Vec<Found>, String>)>,
    list: List,
}

impl Search {
    /// In the open conversation, if there is one, or everywhere.
    #[must_use]
    pub fn new(here: Option<ConversationId>, only_here: bool) -> Self {
        let query = Editor::single_line(256);
        Self {
            query,
            here,
            only_here: only_here && here.is_some(),
            due: None,
            found: None,
            list: List::default(),
        }
    }

    /// Where it searches.
    #[must_use]
    pub fn scope(&self) -> Option<ConversationId> {
        self.here.filter(|_| self.only_here)
    }

    /// When [`Search::due`] has something.
    #[must_use]
    pub const fn deadline(&self) -> Option<Timestamp> {
        self.due
    }

    /// The search to start, once it is due.
    pub fn due(&mut self, now: Timestamp) -> Option<(String, Option<ConversationId>)> {
        self.due.take_if(|due| *due <= now).map(|_| (self.text(), self.scope()))
    }

    /// The answer; one that was overtaken is dropped.
    pub fn answer(&mut self, query: &str, scope: Option<ConversationId>, hits: Result<Vec<Found>, String>) {
        if query == self.text() && scope == self.scope() {
            self.found = Some((query.to_owned(), hits));
        }
    }

    /// Pasted text goes to the field.
    pub fn paste(&mut self, text: &str, now: Timestamp) {
        self.query.insert(text.trim());
        self.changed(now);
    }

    fn text(&self) -> String {
        self.query.text().trim().to_owned()
    }

    fn changed(&mut self, now: Timestamp) {
        self.list = List::default();
        self.due = Some(now + SEARCH_DELAY);
    }

    fn hits(&self) -> &[Found] {
        match &self.found {
            Some((_, Ok(hits))) => hits,
            _ => &[],
        }
    }

    /// A key at this moment.
    pub fn key(&mut self, key: KeyEvent, now: Timestamp) -> Option<Wish> {
        match key.code {
            KeyCode::Esc => return Some(Wish::Close),
            KeyCode::Tab | KeyCode::BackTab if self.here.is_some() => {
                self.only_here = !self.only_here;
                self.changed(now);
            }
            KeyCode::Enter => {
                let index = self.list.at(self.hits().len())?;
                let hit = &self.hits()[index];
                return Some(Wish::Show(hit.conversation, hit.seq));
            }
            _ if is_control(key, 'l') => {
                self.due = Some(now + SEARCH_DELAY);
                return self.here.map(Wish::Fetch);
            }
            _ if self.list.arrow(key, self.hits().len()) => {}
            _ => {
                if edit_field(&mut self.query, key) == Edited::Changed {
                    self.changed(now);
                }
            }
        }
        None
    }

    /// A click.
    pub fn click(&mut self, at: Position, screen: Rect) -> Click {
        let length = self.hits().len();
        self.list.click(at, below_field(self.popup().inner(screen)), (length, ROWS))
    }

    fn popup(&self) -> Popup<'static> {
        let keys: &[(&str, &str)] = match (self.here, self.only_here) {
            (None, _) => &[("Enter", "show"), ("↑↓", "choose"), ("Esc", "close")],
            (Some(_), true) => {
                &[("Enter", "show"), ("Tab", "everywhere"), ("Ctrl+L", "fetch all history"), ("Esc", "close")]
            }
            (Some(_), false) => &[("Enter", "show"), ("Tab", "this chat"), ("Esc", "close")],
        };
        let title = if self.only_here { "Search in this chat" } else { "Search all messages" };
        Popup { title, keys, width: 72, height: 24 }
    }

    /// Draws the popup.
    pub fn draw(&self, view: MessagesView<'_>, theme: Theme, screen: Rect, frame: &mut Frame<'_>) {
        let inner = self.popup().draw(theme, screen, frame);
        let first = Rect { height: 1, ..inner }.intersection(inner);
        draw_field(Field::of("Find", "words, or their beginnings", &self.query, true), theme, first, frame);
        let area = below_field(inner);
        let text = match &self.found {
            _ if self.text().is_empty() => Some("Searches what this device holds, online or not."),
            Some((_, Err(reason))) => Some(reason.as_str()),
            Some((query, Ok(hits))) if hits.is_empty() && *query == self.text() => {
                Some("Nothing on this device has these words.")
            }
            Some(_) => None,
            None => Some("searching…"),
        };
        if let Some(text) = text {
            return frame.render_widget(Line::styled(text.to_owned(), theme.quiet()), area);
        }
        let wanted: Vec<String> = self.text().split_whitespace().map(str::to_lowercase).collect();
        let hits = self.hits();
        draw_messages(&self.list, hits.len(), theme, (area, frame), |index, room| {
            let hit = &hits[index];
            let title = view.chats.get(hit.conversation).map_or("a chat", |row| row.title.as_str());
            let title = if self.only_here { None } else { Some(title) };
            let heading = heading((title, hit.sender, hit.ts), view, theme, room);
            (heading, Line::from(marked(&hit.text, &wanted, theme, room.saturating_sub(3))))
        });
    }
}

/// The pinned messages of a conversation.
#[derive(Debug, Clone)]
pub struct Pins {
    /// Which conversation.
    pub conversation: ConversationId,
    pins: Option<Result<Vec<Content>, String>>,
    list: List,
}

impl Pins {
    /// Those of this conversation, which are to be loaded.
    #[must_use]
    pub fn new(conversation: ConversationId) -> Self {
        Self { conversation, pins: None, list: List::default() }
    }

    /// The answer to loading.
    pub fn set(&mut self, pins: Result<Vec<Content>, String>) {
        self.pins = Some(pins);
    }

    fn all(&self) -> &[Content] {
        match &self.pins {
            Some(Ok(pins)) => pins,
            _ => &[],
        }
    }

    /// A key.
    pub fn key(&mut self, key: KeyEvent) -> Option<Wish> {
        let chosen = self.list.at(self.all().len()).map(|index| self.all()[index].seq);
        match key.code {
            KeyCode::Esc => Some(Wish::Close),
            KeyCode::Enter => chosen.map(|seq| Wish::Show(self.conversation, seq)),
            KeyCode::Char('x' | 'p') | KeyCode::Delete => {
                chosen.map(|seq| Wish::Unpin(self.conversation, seq))
            }
            _ => {
                self.list.key(key, self.all().len());
                None
            }
        }
    }

    /// A click.
    pub fn click(&mut self, at: Position, screen: Rect) -> Click {
        let length = self.all().len();
        self.list.click(at, popup_of_pins().inner(screen), (length, ROWS))
    }

    /// Draws the popup.
    pub fn draw(&self, view: MessagesView<'_>, theme: Theme, screen: Rect, frame: &mut Frame<'_>) {
        let area = popup_of_pins().draw(theme, screen, frame);
        let text = match &self.pins {
            None => Some("Loading…"),
            Some(Err(reason)) => Some(reason.as_str()),
            Some(Ok(pins)) if pins.is_empty() => {
                Some("Nothing is pinned. Choose a message (Tab) and press p.")
            }
            Some(Ok(_)) => None,
        };
        if let Some(text) = text {
            return frame.render_widget(Line::styled(text.to_owned(), theme.quiet()), area);
        }
        let pins = self.all();
        draw_messages(&self.list, pins.len(), theme, (area, frame), |index, room| {
            let pin = &pins[index];
            let text = pin.text.as_deref().unwrap_or("message deleted");
            let heading = heading((None, pin.sender, pin.ts), view, theme, room);
            (heading, Line::raw(format!("   {}", truncate(text, room.saturating_sub(3)))))
        });
    }
}

const fn popup_of_pins() -> Popup<'static> {
    let keys = &[("Enter", "show"), ("x", "unpin"), ("Esc", "close")];
    Popup { title: "Pinned messages", keys, width: 66, height: 16 }
}

fn below_field(inner: Rect) -> Rect {
    Rect { y: inner.y + 2, height: inner.height.saturating_sub(2), ..inner }.intersection(inner)
}

/// Draws messages of two rows each, the one under the cursor among them.
fn draw_messages<'a>(
    list: &List,
    length: usize,
    theme: Theme,
    (area, frame): (Rect, &mut Frame<'_>),
    lines: impl Fn(usize, usize) -> (Line<'a>, Line<'a>),
) {
    let fitting = usize::from(area.height / ROWS).max(1);
    let first = list.first(fitting);
    for index in (first..length).take(fitting) {
        let y = area.y + u16::try_from(index - first).unwrap_or(u16::MAX).saturating_mul(ROWS);
        let place = Rect { y, height: ROWS, ..area }.intersection(area);
        let (heading, text) = lines(index, usize::from(area.width));
        frame.render_widget(heading, Rect { height: 1, ..place }.intersection(area));
        frame.render_widget(text, Rect { y: y + 1, height: 1, ..area }.intersection(area));
        if list.at(length) == Some(index) {
            frame.buffer_mut().set_style(place, theme.cursor_row());
        }
    }
}

fn heading(
    (title, sender, ts): (Option<&str>, UserId, Timestamp),
    view: MessagesView<'_>,
    theme: Theme,
    room: usize,
) -> Line<'static> {
    let (name, style) = if sender == view.me {
        ("You".to_owned(), theme.own_name())
    } else {
        (sanitise::line(&view.people.name(sender)), theme.name(sender))
    };
    let when = format!("{}, {}", view.clock.day_label(view.clock.day(ts)), view.clock.time_of_day(ts));
    let place = title.map(|title| format!("  in {title}")).unwrap_or_default();
    let rest = room.saturating_sub(columns(&when) + 4);
    let name = truncate(&name, rest / 2);
    let place = truncate(&place, rest.saturating_sub(columns(&name)));
    Line::from(vec![
        Span::styled(format!(" {name}"), style),
        Span::styled(place, theme.quiet()),
        Span::styled(format!("  {when}"), theme.quiet()),
    ])
}

/// A text with the words that were searched for marked, begun shortly before the first of them.
fn marked(text: &str, wanted: &[String], theme: Theme, room: usize) -> Vec<Span<'static>> {
    let mut places: Vec<(usize, usize)> = Vec::new();
    for (start, _) in text.char_indices() {
        let begins_word = text[..start].chars().next_back().is_none_or(|before| !before.is_alphanumeric());
        let length = |word: &String| same_beginning(&text[start..], word);
        let free = places.last().is_none_or(|(_, end)| start >= *end);
        if free && let Some(length) = wanted.iter().filter_map(length).max() {
            let is_spaced =
                text[start..].chars().next().is_some_and(char::is_alphanumeric) && !text.is_ascii();
            if begins_word || is_spaced {
                places.push((start, start + length));
            }
        }
    }
    let mut begin = 0;
    if let Some((first, _)) = places.first().filter(|(first, _)| columns(&text[..*first]) > room / 2) {
        let before = text[..*first].char_indices().rev().nth(room / 4);
        begin = before.map_or(0, |(at, _)| at);
    }
    let mut spans = vec![Span::raw(if begin > 0 { "  …" } else { "   " })];
    let mut left = room;
    let mut at = begin;
    let push = |spans: &mut Vec<Span<'static>>, part: &str, style, left: &mut usize| {
        let part = truncate(part, *left);
        *left = left.saturating_sub(columns(&part));
        spans.push(Span::styled(part, style));
    };
    for (start, end) in places.into_iter().filter(|(start, _)| *start >= begin) {
        push(&mut spans, &text[at..start], theme.plain(), &mut left);
        push(&mut spans, &text[start..end], theme.hit(), &mut left);
        at = end;
    }
    push(&mut spans, &text[at..], theme.plain(), &mut left);
    spans
}

/// The length of what of the text is this word, whatever the case; `None` if it begins otherwise.
fn same_beginning(text: &str, word: &str) -> Option<usize> {
    let mut wanted = word.chars();
    let mut next = wanted.next();
    for (at, character) in text.char_indices() {
        for lower in character.to_lowercase() {
            match next {
                None => return Some(at),
                Some(expected) if expected == lower => next = wanted.next(),
                Some(_) => return None,
            }
        }
    }
    next.is_none().then_some(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{key, type_text};

    #[test]
    fn what_was_searched_for_is_marked() {
        for (text, wanted, expected) in [
            ("The Ladder is here", vec!["lad"], vec!["Lad"]),
            ("bladder", vec!["lad"], vec![]),
            ("日本語", vec!["本"], vec!["本"]),
            ("ÄPFEL und äpfel", vec!["äp"], vec!["ÄP", "äp"]),
        ] {
            let wanted: Vec<String> = wanted.into_iter().map(str::to_owned).collect();
            let theme = Theme::new(true);
            let spans = marked(text, &wanted, theme, 40);
            let hits: Vec<&str> = spans
                .iter()
                .filter(|span| span.style == theme.hit())
                .map(|span| span.content.as_ref())
                .collect();
            assert_eq!(hits, expected, "{text:?}");
        }
    }

    #[test]
    fn a_search_waits_for_a_pause_and_stale_answers_are_dropped() {
        let here = ConversationId::new(71).unwrap();
        let mut search = Search::new(Some(here), true);
        type_text("lad", |key| assert_eq!(search.key(key, 1_000), None));
        assert_eq!(search.due(1_000), None);
        assert_eq!(search.due(1_000 + SEARCH_DELAY), Some(("lad".to_owned(), Some(here))));
        assert_eq!(search.due(9_000), None);
        let (sender, text) = (UserId::new(2).unwrap(), "the ladder".to_owned());
        let hit = Found { conversation: here, seq: 9, ts: 0, sender, text };
        search.answer("la", Some(here), Ok(vec![hit.clone()]));
        assert_eq!(search.key(key(KeyCode::Enter), 0), None);
        search.answer("lad", Some(here), Ok(vec![hit]));
        assert_eq!(search.key(key(KeyCode::Enter), 0), Some(Wish::Show(here, 9)));
        search.key(key(KeyCode::Tab), 2_000);
        assert_eq!(search.due(9_000), Some(("lad".to_owned(), None)), "everywhere");
    }
}
