//! Draws the open conversation: who it is with, the messages, and where the reader stands.

use loquat_client::view::ConversationSummary;
use loquat_proto::{ConversationKind, PresenceState};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Clear, Paragraph};

use super::{Conversation, PaneSize};
use crate::app::people::People;
use crate::screens::chats::{presence_dot, typing_text};
use crate::text::time::Clock;
use crate::text::width::{columns, truncate};
use crate::theme::Theme;

/// Draws title and state of the conversation on two rows, with a rule below.
pub fn header(view: HeaderView<'_>, area: Rect, frame: &mut Frame<'_>) {
    let theme = view.theme;
    let wide = usize::from(area.width);
    let back = match view.unread_elsewhere {
        _ if !view.narrow => String::new(),
        0 => "‹ ".to_owned(),
        unread => format!("‹ {unread}  "),
    };
    let title = view.row.map_or("…", |row| row.title.as_str());
    let handle = view
        .row
        .and_then(|row| row.peer)
        .and_then(|peer| view.people.profile(peer))
        .filter(|profile| !profile.username.is_empty() && profile.username != profile.display_name)
        .map(|profile| format!("  @{}", profile.username))
        .unwrap_or_default();
    let title = truncate(title, wide.saturating_sub(2 + columns(&back) + columns(&handle)));
    let first = Line::from(vec![
        Span::styled(format!(" {back}"), theme.key()),
        Span::styled(title, theme.strong()),
        Span::styled(handle, theme.quiet()),
    ]);
    let mut second = vec![Span::raw(" ")];
    second.extend(state_spans(&view, wide.saturating_sub(2)));
    for (row, line) in [first, Line::from(second)].into_iter().enumerate() {
        let y = area.y + u16::try_from(row).unwrap_or(0);
        frame.render_widget(line, Rect { y, height: 1, ..area }.intersection(area));
    }
    let rule = Rect { y: area.y + 2, height: 1, ..area }.intersection(area);
    frame.render_widget(Line::styled("─".repeat(wide), theme.quiet()), rule);
}

/// What the header is drawn with.
#[derive(Debug, Clone, Copy)]
pub struct HeaderView<'a> {
    /// The conversation's line of the list; `None` while it has not come.
    pub row: Option<&'a ConversationSummary>,
    /// The open conversation.
    pub conversation: &'a Conversation,
    /// Names and presences.
    pub people: &'a People,
    /// Now.
    pub clock: &'a Clock,
    /// Colours.
    pub theme: Theme,
    /// Whether the list is hidden behind this pane.
    pub narrow: bool,
    /// Unread messages in the other conversations.
    pub unread_elsewhere: u64,
}

fn state_spans(view: &HeaderView<'_>, room: usize) -> Vec<Span<'static>> {
    let theme = view.theme;
    let Some(row) = view.row else { return vec![Span::styled("loading…", theme.quiet())] };
    if !row.typing.is_empty() {
        return vec![Span::styled(truncate(&typing_text(row, view.people), room), theme.present())];
    }
    if row.kind != ConversationKind::Direct {
        let noun = if row.member_count == 1 { "member" } else { "members" };
        let online =
            view.conversation.members().into_iter().filter(|member| view.people.is_online(*member)).count();
        let sort = if row.kind == ConversationKind::Channel { "channel · " } else { "" };
        let mut spans = vec![Span::styled(format!("{sort}{} {noun}", row.member_count), theme.quiet())];
        if online > 0 && row.kind == ConversationKind::Group {
            spans.push(Span::styled(" · ", theme.quiet()));
            // The own user counts, too.
            spans.push(Span::styled(format!("{} online", online + 1), theme.present()));
        }
        if let Some(whole) = &view.conversation.whole
            && !whole.description.is_empty()
        {
            let used: usize = spans.iter().map(Span::width).sum();
            let text = crate::text::sanitise::line(&whole.description);
            spans.push(Span::styled(
                truncate(&format!(" · {text}"), room.saturating_sub(used)),
                theme.quiet(),
            ));
        }
        return spans;
    }
    let known = view.people.presence_of_peer(row);
    let state = known.map_or(PresenceState::Offline, |presence| presence.state);
    let words = match (state, known.and_then(|presence| presence.last_seen)) {
        (PresenceState::Online, _) => "online".to_owned(),
        (PresenceState::Away, _) => "away".to_owned(),
        (PresenceState::Offline, Some(ts)) => format!("last seen {}", view.clock.last_seen(ts)),
        (PresenceState::Offline, None) if !view.people.is_connected() => {
            "waiting for the connection".to_owned()
        }
        (PresenceState::Offline, None) => "offline".to_owned(),
    };
    let style = if state == PresenceState::Online { theme.present() } else { theme.quiet() };
    vec![presence_dot(state, theme), Span::raw(" "), Span::styled(truncate(&words, room), style)]
}

/// Draws the messages; where there are fewer than fit, they stand at the bottom.
pub fn messages(conversation: &Conversation, size: &PaneSize<'_>, area: Rect, frame: &mut Frame<'_>) {
    let theme = size.theme;
    let pane = conversation.pane(size);
    let lines = pane.visible(&conversation.anchor);
    if lines.is_empty() {
        draw_empty(conversation, theme, area, frame);
        return;
    }
    let rows = u16::try_from(lines.len()).unwrap_or(area.height).min(area.height);
    let full = rows == area.height;
    let at = Rect { y: area.bottom() - rows, height: rows, ..area };
    frame.render_widget(Paragraph::new(lines), at);
    let loading =
        conversation.is_seeking() || conversation.timeline.as_ref().is_some_and(|timeline| timeline.loading);
    if loading && (!full || pane.shows_top(&conversation.anchor)) {
        let top = Rect { height: area.height.min(1), ..area };
        frame.render_widget(Clear, top);
        frame.render_widget(Line::styled("loading…", theme.quiet()).centered(), top);
    }
}

/// Draws, on the rule above the compose box, the way back to the newest line while the pane does not follow it.
pub fn jump(conversation: &Conversation, size: &PaneSize<'_>, rule: Rect, frame: &mut Frame<'_>) {
    if conversation.is_at_bottom() {
        return;
    }
    let label = match conversation.unread_below(size.me.id) {
        0 => " ↓ newest: Ctrl+End ".to_owned(),
        count => format!(" ↓ {count} new: Ctrl+End "),
    };
    let wide = u16::try_from(columns(&label)).unwrap_or(rule.width).min(rule.width);
    let at = Rect { x: rule.right().saturating_sub(wide + 1).max(rule.x), width: wide, ..rule };
    frame.render_widget(Clear, at);
    frame.render_widget(Line::styled(label, size.theme.unread().patch(size.theme.cursor_row())), at);
}

fn draw_empty(conversation: &Conversation, theme: Theme, area: Rect, frame: &mut Frame<'_>) {
    let text = match &conversation.timeline {
        None => "Loading…",
        Some(timeline) if timeline.loading => "Loading…",
        Some(_) => "No messages yet. Write the first one below.",
    };
    let middle = Rect { y: area.y + area.height / 2, height: 1, ..area }.intersection(area);
    frame.render_widget(Line::styled(text, theme.quiet()).centered(), middle);
}
