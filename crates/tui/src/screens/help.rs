//! Every key, by place.

use crossterm::event::{KeyCode, KeyEvent};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::popup::Popup;
use crate::text::width::fit;
use crate::theme::Theme;

/// Keys and meanings under a heading.
struct Section {
    heading: &'static str,
    keys: &'static [(&'static str, &'static str)],
}

const SECTIONS: [Section; 6] = [
    Section {
        heading: "Everywhere",
        keys: &[
            ("F1", "this help (? outside of text)"),
            ("F2", "every command, by name"),
            ("Ctrl+P", "go to a chat or a command"),
            ("Tab", "chats, compose, messages"),
            ("Ctrl+N", "new chat"),
            ("Ctrl+G  F7", "new group, new channel"),
            ("F8", "join by invitation"),
            ("Ctrl+O", "contacts, requests, blocks"),
            ("Ctrl+S", "search all messages"),
            ("Ctrl+F", "find a chat by name"),
            ("Alt+U", "the next unread chat"),
            ("Alt+↑ Alt+↓", "the chat above, below"),
            ("F4", "profile, privacy, settings"),
            ("Ctrl+R", "try the connection now"),
            ("Ctrl+Z", "suspend"),
            ("Ctrl+Q Ctrl+C", "leave; nothing is lost"),
        ],
    },
    Section {
        heading: "The open chat",
        keys: &[
            ("F3", "about it, and its settings"),
            ("Ctrl+T", "members and roles"),
            ("F5", "search in it"),
            ("F6", "pinned messages"),
            ("F9", "invitations"),
        ],
    },
    Section {
        heading: "Chats",
        keys: &[
            ("↑ ↓  Enter", "choose, open"),
            ("n  g  c", "new chat, group, channel"),
            ("i  o  s", "join, people, settings"),
            ("/", "find by name"),
            ("p  m", "keep on top, mute"),
            ("a  z", "archive, show the archive"),
            ("Ctrl+L", "log out"),
            ("q", "leave"),
        ],
    },
    Section {
        heading: "Compose",
        keys: &[
            ("Enter", "send"),
            ("Alt+Enter", "new line (also Ctrl+J)"),
            ("@", "names: Tab takes one"),
            ("↑", "edit the last message (box empty)"),
            ("PgUp PgDn", "scroll"),
            ("Ctrl+End", "to the newest message"),
            ("Ctrl+W Ctrl+U", "delete a word, the line"),
            ("Esc", "cancel a reply or an edit, or back"),
        ],
    },
    Section {
        heading: "Messages",
        keys: &[
            ("↑ ↓", "choose"),
            ("Enter  r", "reply"),
            ("+", "react"),
            ("e  d", "edit, delete"),
            ("c  o", "copy, open an address in it"),
            ("p", "pin, unpin"),
            ("w", "write to its sender alone"),
            ("i", "who has read it"),
            ("t", "try again what was not sent"),
            ("Esc", "back to compose"),
        ],
    },
    Section {
        heading: "Marks and mouse",
        keys: &[
            ("◷ ✓ ✓✓", "waits, sent, delivered"),
            ("✓✓ coloured", "read"),
            ("!", "not sent"),
            ("● ◐ ○", "online, away, offline"),
            ("# »", "a group, a channel"),
            ("◆", "kept on top; pinned"),
            ("click", "open, choose; again: its address"),
            ("Shift + mouse", "select text as ever"),
        ],
    },
];

/// Columns of the keys.
const KEY_COLUMNS: usize = 15;

/// The state of the popup.
#[derive(Debug, Clone, Copy, Default)]
pub struct Help {
    first_row: usize,
}

impl Help {
    /// A key; says whether to close.
    pub fn key(&mut self, key: KeyEvent) -> bool {
        match key.code {
            KeyCode::Up | KeyCode::Char('k') => self.first_row = self.first_row.saturating_sub(1),
            KeyCode::Down | KeyCode::Char('j') => self.first_row += 1,
            KeyCode::PageUp => self.first_row = self.first_row.saturating_sub(10),
            KeyCode::PageDown => self.first_row += 10,
            KeyCode::Home => self.first_row = 0,
            _ => return true,
        }
        // No further than the last line; a larger pane shows more and scrolls less.
        self.first_row = self.first_row.min(lines(Theme::new(false)).len().saturating_sub(1));
        false
    }

    /// Draws the popup: in two columns where there is room, else one that scrolls.
    pub fn draw(self, theme: Theme, screen: Rect, frame: &mut Frame<'_>) {
        let all = lines(theme);
        let split = best_split(&all);
        let rows = split.max(all.len() - split);
        let two_columns = screen.width >= 112 && usize::from(screen.height) >= rows + 2;
        let (wide, rows) = if two_columns { (106, rows) } else { (56, all.len()) };
        let popup = Popup {
            title: "Keys",
            keys: &[("↑↓", "scroll"), ("Esc", "close")],
            width: wide,
            height: u16::try_from(rows).unwrap_or(u16::MAX),
        };
        let inner = popup.draw(theme, screen, frame);
        if two_columns {
            let half = Rect { width: inner.width / 2 - 1, ..inner };
            let (left, right) = all.split_at(split);
            frame.render_widget(Paragraph::new(left.to_vec()), half);
            let right_half = Rect { x: inner.x + inner.width / 2, width: inner.width.div_ceil(2), ..inner };
            frame.render_widget(Paragraph::new(right.to_vec()), right_half);
        } else {
            let height = usize::from(inner.height);
            let first = self.first_row.min(all.len().saturating_sub(height));
            frame.render_widget(Paragraph::new(all[first..].to_vec()), inner);
        }
    }
}

/// Where the second column begins: with the section that makes the longer column shortest.
fn best_split(all: &[Line<'_>]) -> usize {
    let begins = all.iter().enumerate().filter(|(_, line)| line.spans.is_empty()).map(|(index, _)| index + 1);
    begins.min_by_key(|begin| (*begin).max(all.len() - begin)).unwrap_or(all.len())
}

fn lines(theme: Theme) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    for section in &SECTIONS {
        if !lines.is_empty() {
            lines.push(Line::default());
        }
        lines.push(Line::styled(section.heading, theme.strong()));
        lines.extend(section.keys.iter().map(|(key, meaning)| {
            Line::from(vec![
                Span::raw(" "),
                Span::styled(fit(key, KEY_COLUMNS), theme.key()),
                Span::styled(*meaning, theme.plain()),
            ])
        }));
    }
    lines
}
