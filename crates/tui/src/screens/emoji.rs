//! Picking an emoji to react with.

use crossterm::event::{KeyCode, KeyEvent};
use loquat_proto::Seq;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::popup::Popup;
use crate::text::width::fit;
use crate::theme::Theme;

/// Emoji that people react with most, the first nine on digits. All are two columns wide in every terminal: none needs
/// a variation selector, on whose width terminals disagree.
const EMOJI: [&str; 40] = [
    "👍", "💚", "😂", "🎉", "😮", "😢", "🙏", "🔥", "👀", "👎", //
    "💯", "👏", "🙌", "💪", "🤝", "👌", "🤞", "👋", "🤔", "😊", //
    "😍", "🥰", "😅", "🤣", "😎", "😴", "🥳", "😱", "😡", "🤯", //
    "💔", "✅", "❌", "⭐", "🚀", "🌱", "🍀", "🍵", "🎂", "🐛",
];

/// Emoji in a row.
const COLUMNS: usize = 10;

/// The state of the popup.
#[derive(Debug, Clone)]
pub struct EmojiPicker {
    /// The message to react to.
    pub target: Seq,
    cursor: usize,
    /// What the user has put on the message already: picking it takes it off.
    own: Vec<String>,
}

/// What was picked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picked {
    /// The emoji.
    pub emoji: String,
    /// Put on, or taken off.
    pub on: bool,
}

impl EmojiPicker {
    /// A picker for a message that carries these reactions of the user.
    #[must_use]
    pub fn new(target: Seq, own: Vec<String>) -> Self {
        Self { target, cursor: 0, own }
    }

    /// A key.
    pub fn key(&mut self, key: KeyEvent) -> Option<Picked> {
        let last = EMOJI.len() - 1;
        match key.code {
            KeyCode::Left => self.cursor = self.cursor.saturating_sub(1),
            KeyCode::Right => self.cursor = (self.cursor + 1).min(last),
            KeyCode::Up => self.cursor = self.cursor.checked_sub(COLUMNS).unwrap_or(self.cursor),
            KeyCode::Down if self.cursor + COLUMNS <= last => self.cursor += COLUMNS,
            KeyCode::Enter => return Some(self.picked(self.cursor)),
            KeyCode::Char(digit @ '1'..='9') => {
                let index = digit.to_digit(10).and_then(|digit| usize::try_from(digit).ok())? - 1;
                return Some(self.picked(index));
            }
            _ => {}
        }
        None
    }

    fn picked(&self, index: usize) -> Picked {
        let emoji = EMOJI[index].to_owned();
        let on = !self.own.contains(&emoji);
        Picked { emoji, on }
    }

    /// Draws the popup.
    pub fn draw(&self, theme: Theme, screen: Rect, frame: &mut Frame<'_>) {
        let popup = Popup {
            title: "React",
            keys: &[("1-9", "quick"), ("Enter", "react"), ("Esc", "close")],
            width: 40,
            height: 5,
        };
        let inner = popup.draw(theme, screen, frame);
        let digits: String = (1..=9).map(|digit| format!(" {digit}  ")).collect();
        let first = Rect { height: 1, ..inner }.intersection(inner);
        frame.render_widget(Line::styled(digits, theme.quiet()), first);
        for (row, emoji) in EMOJI.chunks(COLUMNS).enumerate() {
            let spans: Vec<Span<'_>> = emoji
                .iter()
                .enumerate()
                .map(|(column, emoji)| {
                    let style = match row * COLUMNS + column == self.cursor {
                        true => theme.cursor_row(),
                        false if self.own.iter().any(|own| own == emoji) => theme.accent(),
                        false => theme.plain(),
                    };
                    Span::styled(format!(" {}", fit(emoji, 3)), style)
                })
                .collect();
            let y = inner.y + 1 + u16::try_from(row).unwrap_or(0);
            frame.render_widget(Line::from(spans), Rect { y, height: 1, ..inner }.intersection(inner));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::key;
    use crate::text::width::columns;

    #[test]
    fn every_emoji_is_two_columns_wide_and_fits_the_wire() {
        for emoji in EMOJI {
            assert_eq!(columns(emoji), 2, "{emoji}");
            assert!(!emoji.contains('\u{fe0f}'), "{emoji}");
            assert!(emoji.len() <= 64);
        }
    }

    #[test]
    fn picking_what_is_there_takes_it_off() {
        let mut picker = EmojiPicker::new(5, vec!["💚".to_owned()]);
        assert_eq!(picker.key(key(KeyCode::Char('2'))), Some(Picked { emoji: "💚".to_owned(), on: false }));
        assert_eq!(picker.key(key(KeyCode::Char('1'))), Some(Picked { emoji: "👍".to_owned(), on: true }));
    }

    #[test]
    fn the_cursor_stays_inside() {
        let mut picker = EmojiPicker::new(5, Vec::new());
        for code in [KeyCode::Up, KeyCode::Left] {
            assert_eq!(picker.key(key(code)), None);
            assert_eq!(picker.cursor, 0);
        }
        for _ in 0..100 {
            picker.key(key(KeyCode::Down));
            picker.key(key(KeyCode::Right));
        }
        assert_eq!(picker.cursor, EMOJI.len() - 1);
        assert!(picker.key(key(KeyCode::Enter)).is_some());
    }
}
