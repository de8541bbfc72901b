//! The conversation list.

use crossterm::event::{KeyCode, KeyEvent};
use loquat_client::view::{ConversationSummary, LastMessage};
use loquat_proto::{ConversationId, ConversationKind, PresenceState};
use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::conversation::items::tick;
use crate::app::layout::header_rows;
use crate::app::people::People;
use crate::editor::Editor;
use crate::keys::{edit_field, is_plain};
use crate::text::sanitise;
use crate::text::time::Clock;
use crate::text::width::{columns, fit, truncate};
use crate::theme::Theme;

/// Rows of one entry.
const ENTRY_ROWS: usize = 2;

/// The state of the list.
#[derive(Debug, Clone, Default)]
pub struct Chats {
    rows: Vec<ConversationSummary>,
    /// Whether the first list has come.
    pub loaded: bool,
    /// The entry under the cursor.
    pub cursor: Option<ConversationId>,
    /// What the entries are filtered by, while there is a filter.
    pub filter: Option<Editor>,
    /// Whether the archive is shown in place of the rest.
    pub archive: bool,
}

/// What the user wants of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// Open this one.
    Open(ConversationId),
    /// Pin or unpin it.
    TogglePinned(ConversationId),
    /// Mute or unmute it.
    ToggleMuted(ConversationId),
    /// Put it into the archive or take it out.
    ToggleArchived(ConversationId),
}

impl Chats {
    /// Takes the list as it is now; the cursor stays on its entry, or near it.
    pub fn set(&mut self, rows: Vec<ConversationSummary>) {
        let position = self.cursor_index();
        self.rows = rows;
        self.loaded = true;
        self.keep_cursor_near(position);
    }

    /// Every conversation, in the order of the list.
    #[must_use]
    pub fn all(&self) -> &[ConversationSummary] {
        &self.rows
    }

    /// One conversation.
    #[must_use]
    pub fn get(&self, id: ConversationId) -> Option<&ConversationSummary> {
        self.rows.iter().find(|row| row.id == id)
    }

    /// The entries that are shown, in order.
    #[must_use]
    pub fn shown(&self) -> Vec<&ConversationSummary> {
        let query =
            self.filter.as_ref().map(|filter| filter.text().trim().to_lowercase()).unwrap_or_default();
        self.rows
            .iter()
            .filter(|row| !query.is_empty() || row.archived == self.archive)
            .filter(|row| query.is_empty() || row.title.to_lowercase().contains(&query))
            .collect()
    }

    /// Unread messages, those of muted conversations and of the archive aside.
    #[must_use]
    pub fn unread(&self, now: i64) -> u64 {
        self.rows.iter().filter(|row| counts(row, now)).map(|row| row.unread).sum()
    }

    /// The same, one conversation aside.
    #[must_use]
    pub fn unread_elsewhere(&self, id: ConversationId, now: i64) -> u64 {
        let here = self.get(id).filter(|row| counts(row, now)).map_or(0, |row| row.unread);
        self.unread(now).saturating_sub(here)
    }

    /// Own changes that wait for the server, everywhere.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.rows.iter().map(|row| row.queued).sum()
    }

    /// The entry before (`-1`) or after (`1`) this one.
    #[must_use]
    pub fn neighbour(&self, id: Option<ConversationId>, step: isize) -> Option<ConversationId> {
        let shown = self.shown();
        let index = id.and_then(|id| shown.iter().position(|row| row.id == id));
        let target = match index {
            Some(index) => index.checked_add_signed(step)?,
            None => 0,
        };
        shown.get(target).map(|row| row.id)
    }

    /// A key while the list has the focus.
    pub fn key(&mut self, key: KeyEvent) -> Option<Choice> {
        if self.filter.is_some() && self.filter_key(key) {
            return None;
        }
        match key.code {
            KeyCode::Up => self.step(-1),
            KeyCode::Down => self.step(1),
            KeyCode::Char('k') if is_plain(key) => self.step(-1),
            KeyCode::Char('j') if is_plain(key) => self.step(1),
            KeyCode::PageUp => self.step(-10),
            KeyCode::PageDown => self.step(10),
            KeyCode::Home => self.step(isize::MIN / 2),
            KeyCode::End => self.step(isize::MAX / 2),
            KeyCode::Char('/') if is_plain(key) => self.filter = Some(Editor::single_line(128)),
            KeyCode::Char('z') if is_plain(key) => {
                self.archive = !self.archive;
                self.keep_cursor_near(Some(0));
            }
            KeyCode::Esc => {
                self.filter = None;
                self.archive = false;
                self.keep_cursor_near(self.cursor_index());
            }
            KeyCode::Enter | KeyCode::Right => return self.open_cursor(),
            KeyCode::Char('p') if is_plain(key) => return self.cursor.map(Choice::TogglePinned),
            KeyCode::Char('m') if is_plain(key) => return self.cursor.map(Choice::ToggleMuted),
            KeyCode::Char('a') if is_plain(key) => return self.cursor.map(Choice::ToggleArchived),
            _ => {}
        }
        None
    }

    fn open_cursor(&mut self) -> Option<Choice> {
        self.filter = None;
        self.cursor.map(Choice::Open)
    }

    /// Typing goes to the filter; what moves the cursor or opens an entry does not.
    fn filter_key(&mut self, key: KeyEvent) -> bool {
        let moves = matches!(key.code, KeyCode::Up | KeyCode::Down | KeyCode::Enter | KeyCode::Esc);
        let Some(filter) = self.filter.as_mut().filter(|_| !moves) else { return false };
        edit_field(filter, key);
        self.keep_cursor_near(Some(0));
        true
    }

    /// Moves the cursor by entries, down where positive.
    pub fn step(&mut self, step: isize) {
        let shown = self.shown();
        let Some(last) = shown.len().checked_sub(1) else { return };
        let index = self.cursor_index().map_or(0, |index| index.saturating_add_signed(step)).min(last);
        self.cursor = Some(shown[index].id);
    }

    fn cursor_index(&self) -> Option<usize> {
        let cursor = self.cursor?;
        self.shown().iter().position(|row| row.id == cursor)
    }

    fn keep_cursor_near(&mut self, position: Option<usize>) {
        if self.cursor_index().is_some() {
            return;
        }
        let shown = self.shown();
        let near = position.unwrap_or(0).min(shown.len().saturating_sub(1));
        self.cursor = shown.get(near).map(|row| row.id);
    }
}

/// Whether unread messages of this conversation are counted in totals.
fn counts(row: &ConversationSummary, now: i64) -> bool {
    !row.archived && row.muted_until.is_none_or(|until| until <= now)
}

/// What the list is drawn with besides its state.
#[derive(Debug, Clone, Copy)]
pub struct ChatsView<'a> {
    /// The state.
    pub chats: &'a Chats,
    /// Names of who writes.
    pub people: &'a People,
    /// Now.
    pub clock: &'a Clock,
    /// Colours.
    pub theme: Theme,
    /// Whether keys go here.
    pub focused: bool,
    /// The conversation that is open.
    pub open: Option<ConversationId>,
}

/// Draws the list, its filter on top while there is one.
pub fn view(view: ChatsView<'_>, area: Rect, frame: &mut Frame<'_>) {
    let mut area = area;
    if let Some(filter) = &view.chats.filter {
        draw_filter(view, filter, Rect { height: area.height.min(1), ..area }, frame);
        area.y += 1;
        area.height = area.height.saturating_sub(1);
    }
    let shown = view.chats.shown();
    if shown.is_empty() {
        draw_empty(view, area, frame);
        return;
    }
    let fitting = (usize::from(area.height) / ENTRY_ROWS).max(1);
    let first = first_drawn(view.chats, view.open, fitting);
    for (row, summary) in shown.into_iter().skip(first).take(fitting).enumerate() {
        let y = area.y + u16::try_from(row * ENTRY_ROWS).unwrap_or(u16::MAX);
        let entry = Rect { y, height: 2, ..area }.intersection(area);
        draw_entry(view, summary, entry, frame);
    }
}

/// The first entry that is drawn where this many fit: the one under the cursor is in sight.
fn first_drawn(chats: &Chats, open: Option<ConversationId>, fitting: usize) -> usize {
    let shown = chats.shown();
    let cursor = shown.iter().position(|row| Some(row.id) == chats.cursor.or(open)).unwrap_or(0);
    (cursor + 1)
        .saturating_sub(fitting)
        .max(cursor.saturating_sub(fitting / 2).min(shown.len().saturating_sub(fitting)))
}

/// The place of the list under its heading.
#[must_use]
pub fn list_area(area: Rect) -> Rect {
    let top = header_rows(area.height).min(area.height);
    Rect { y: area.y + top, height: area.height - top, ..area }
}

/// The entry that is drawn at this position.
#[must_use]
pub fn entry_at(
    chats: &Chats,
    (mut area, open): (Rect, Option<ConversationId>),
    at: Position,
) -> Option<ConversationId> {
    if chats.filter.is_some() {
        area.y += 1;
        area.height = area.height.saturating_sub(1);
    }
    if !area.contains(at) {
        return None;
    }
    let fitting = (usize::from(area.height) / ENTRY_ROWS).max(1);
    let row = usize::from(at.y - area.y) / ENTRY_ROWS;
    if row >= fitting {
        return None;
    }
    chats.shown().get(first_drawn(chats, open, fitting) + row).map(|row| row.id)
}

fn draw_filter(view: ChatsView<'_>, filter: &Editor, area: Rect, frame: &mut Frame<'_>) {
    let line =
        Line::from(vec![Span::styled(" / ", view.theme.accent()), Span::raw(filter.text().to_owned())]);
    frame.render_widget(line, area);
    if view.focused {
        let layout = filter.layout(usize::from(area.width.saturating_sub(4)));
        let x = area.x + 3 + u16::try_from(layout.column).unwrap_or(0);
        frame.set_cursor_position(Position { x: x.min(area.right().saturating_sub(1)), y: area.y });
    }
}

fn draw_empty(view: ChatsView<'_>, area: Rect, frame: &mut Frame<'_>) {
    let key = view.theme.key();
    let quiet = view.theme.quiet();
    let text = |text: &'static str| Line::styled(text, quiet);
    let lines = if view.chats.filter.is_some() {
        vec![text("  No conversation has that name."), text("  Esc shows all of them.")]
    } else if view.chats.archive {
        vec![text("  The archive is empty."), text("  Esc goes back.")]
    } else if !view.chats.loaded {
        vec![text("  Loading…")]
    } else {
        vec![
            Line::styled("  No conversations yet.", view.theme.plain()),
            Line::default(),
            Line::from(vec![Span::raw("  "), Span::styled("n", key), Span::styled("  find somebody", quiet)]),
            Line::from(vec![Span::raw("  "), Span::styled("g", key), Span::styled("  make a group", quiet)]),
            Line::from(vec![
                Span::raw("  "),
                Span::styled("c", key),
                Span::styled("  make a channel", quiet),
            ]),
            Line::from(vec![
                Span::raw("  "),
                Span::styled("i", key),
                Span::styled("  join by invitation", quiet),
            ]),
        ]
    };
    for (row, line) in lines.into_iter().enumerate() {
        let y = area.y + 1 + u16::try_from(row).unwrap_or(0);
        frame.render_widget(line, Rect { y, height: 1, ..area }.intersection(area));
    }
}

fn draw_entry(view: ChatsView<'_>, row: &ConversationSummary, area: Rect, frame: &mut Frame<'_>) {
    let wide = usize::from(area.width);
    let top = Rect { height: 1, ..area };
    let bottom = Rect { y: area.y + 1, height: 1, ..area }.intersection(area);
    frame.render_widget(title_line(view, row, wide), top);
    frame.render_widget(preview_line(view, row, wide), bottom);
    if view.focused && view.chats.cursor == Some(row.id) {
        frame.buffer_mut().set_style(area, view.theme.cursor_row());
    }
}

fn title_line(view: ChatsView<'_>, row: &ConversationSummary, wide: usize) -> Line<'static> {
    let theme = view.theme;
    let is_open = view.open == Some(row.id);
    let bar = if is_open { Span::styled("▌", theme.accent()) } else { Span::raw(" ") };
    let time = row.last.as_ref().map_or(row.last_activity, |last| last.ts);
    let time = view.clock.short(time);
    let mut marks = String::new();
    if row.pinned {
        marks.push_str("◆ ");
    }
    if row.muted_until.is_some_and(|until| until > view.clock.now) {
        marks.push_str("muted ");
    }
    let right = format!("{marks}{time} ");
    let room = wide.saturating_sub(3 + columns(&right) + 1);
    let style = if row.unread > 0 || is_open { theme.strong() } else { theme.plain() };
    Line::from(vec![
        bar,
        presence_mark(view, row),
        Span::raw(" "),
        Span::styled(fit(&row.title, room), style),
        Span::raw(" "),
        Span::styled(right, theme.quiet()),
    ])
}

fn presence_mark(view: ChatsView<'_>, row: &ConversationSummary) -> Span<'static> {
    let theme = view.theme;
    match (row.kind, row.peer) {
        (ConversationKind::Direct, Some(_)) => {
            let known = view.people.presence_of_peer(row);
            presence_dot(known.map_or(PresenceState::Offline, |presence| presence.state), theme)
        }
        (ConversationKind::Direct, None) => Span::raw(" "),
        (ConversationKind::Group, _) => Span::styled("#", theme.quiet()),
        (ConversationKind::Channel, _) => Span::styled("»", theme.quiet()),
    }
}

/// The mark of a presence: filled, half or hollow, so that it needs no colour.
#[must_use]
pub fn presence_dot(state: PresenceState, theme: Theme) -> Span<'static> {
    match state {
        PresenceState::Online => Span::styled("●", theme.present()),
        PresenceState::Away => Span::styled("◐", theme.waiting()),
        PresenceState::Offline => Span::styled("○", theme.quiet()),
    }
}

fn preview_line(view: ChatsView<'_>, row: &ConversationSummary, wide: usize) -> Line<'static> {
    let theme = view.theme;
    let bar = if view.open == Some(row.id) { Span::styled("▌", theme.accent()) } else { Span::raw(" ") };
    let badge = badge(row);
    let room = wide.saturating_sub(3 + columns(&badge) + 2);
    let mut spans = vec![bar, Span::raw("  ")];
    spans.extend(preview(view, row, room));
    let used: usize = spans.iter().map(Span::width).sum();
    spans.push(Span::raw(" ".repeat((wide.saturating_sub(columns(&badge) + 1)).saturating_sub(used))));
    spans.push(Span::styled(badge, badge_style(row, view.clock.now, theme)));
    spans.push(Span::raw(" "));
    Line::from(spans)
}

fn badge(row: &ConversationSummary) -> String {
    let failed = if row.failed > 0 { "!" } else { "" };
    let mention = if row.mentions > 0 { "@ " } else { "" };
    match row.unread {
        0 => failed.to_owned(),
        1..=999 => format!("{failed}{mention}{}", row.unread),
        _ => format!("{failed}{mention}999+"),
    }
}

fn badge_style(row: &ConversationSummary, now: i64, theme: Theme) -> Style {
    if row.failed > 0 {
        theme.wrong()
    } else if row.mentions == 0 && row.muted_until.is_some_and(|until| until > now) {
        theme.quiet()
    } else {
        theme.unread()
    }
}

/// What an entry says about its conversation: who writes, a draft, or the last message.
fn preview(view: ChatsView<'_>, row: &ConversationSummary, room: usize) -> Vec<Span<'static>> {
    let theme = view.theme;
    if !row.typing.is_empty() {
        let text = typing_text(row, view.people);
        return vec![Span::styled(truncate(&text, room), theme.present())];
    }
    if let Some(draft) = row.draft.as_ref().filter(|_| view.open != Some(row.id)) {
        let label = "Draft: ";
        let text = truncate(&sanitise::line(draft), room.saturating_sub(label.len()));
        return vec![Span::styled(label, theme.waiting()), Span::styled(text, theme.quiet())];
    }
    let Some(last) = &row.last else {
        return vec![Span::styled(truncate("no messages yet", room), theme.quiet())];
    };
    last_message((row, last), view.people, theme, room)
}

fn last_message(
    (row, last): (&ConversationSummary, &LastMessage),
    people: &People,
    theme: Theme,
    room: usize,
) -> Vec<Span<'static>> {
    let mut spans = Vec::new();
    let mut room = room;
    if let Some(status) = &last.status {
        let tick = tick(status, false, theme);
        room = room.saturating_sub(tick.width() + 1);
        spans.push(tick);
        spans.push(Span::raw(" "));
    }
    let hidden = people.blocked().contains(&last.sender);
    let text = if hidden {
        "message of somebody you block"
    } else {
        last.text.as_deref().unwrap_or("message deleted")
    };
    let text = match (&last.status, &last.sender_name) {
        (None, Some(name)) if row.kind != ConversationKind::Direct => format!("{name}: {text}"),
        _ => text.to_owned(),
    };
    spans.push(Span::styled(truncate(&text, room), theme.quiet()));
    spans
}

/// Who writes, in words.
#[must_use]
pub fn typing_text(row: &ConversationSummary, people: &People) -> String {
    match (row.kind, row.typing.as_slice()) {
        (ConversationKind::Direct, _) => "typing…".to_owned(),
        (_, [one]) => format!("{} is typing…", people.name(*one)),
        (_, [one, two]) => format!("{} and {} are typing…", people.name(*one), people.name(*two)),
        (_, many) => format!("{} people are typing…", many.len()),
    }
}
