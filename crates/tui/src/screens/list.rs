//! A list with a cursor, as most popups have one.

use crossterm::event::{KeyCode, KeyEvent};
use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::text::Line;

use crate::keys::is_plain;
use crate::theme::Theme;

/// Rows that a page key moves.
const PAGE: usize = 10;

/// The cursor of a list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct List {
    cursor: usize,
}

/// What a click on a list did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Click {
    /// It was not on an entry.
    Beside,
    /// The cursor is on another entry now.
    Moved,
    /// It was on the entry under the cursor.
    Again,
}

impl List {
    /// The index under the cursor; `None` in an empty list.
    #[must_use]
    pub fn at(&self, length: usize) -> Option<usize> {
        Some(self.cursor.min(length.checked_sub(1)?))
    }

    /// Puts the cursor on an entry.
    pub const fn go(&mut self, index: usize) {
        self.cursor = index;
    }

    /// A key that moves, where letters are for typing. Says whether it was one.
    pub fn arrow(&mut self, key: KeyEvent, length: usize) -> bool {
        let last = length.saturating_sub(1);
        let now = self.cursor.min(last);
        self.cursor = match key.code {
            KeyCode::Up => now.saturating_sub(1),
            KeyCode::Down => (now + 1).min(last),
            KeyCode::PageUp => now.saturating_sub(PAGE),
            KeyCode::PageDown => (now + PAGE).min(last),
            _ => return false,
        };
        true
    }

    /// A key that moves, letters among them. Says whether it was one.
    pub fn key(&mut self, key: KeyEvent, length: usize) -> bool {
        let code = match key.code {
            KeyCode::Char('k') if is_plain(key) => KeyCode::Up,
            KeyCode::Char('j') if is_plain(key) => KeyCode::Down,
            KeyCode::Home => {
                self.cursor = 0;
                return true;
            }
            KeyCode::End => {
                self.cursor = length.saturating_sub(1);
                return true;
            }
            code => code,
        };
        self.arrow(KeyEvent { code, ..key }, length)
    }

    /// The first entry that is drawn where this many fit.
    #[must_use]
    pub const fn first(&self, fitting: usize) -> usize {
        (self.cursor + 1).saturating_sub(fitting)
    }

    /// A click into the list's place, in which every entry has this many rows.
    pub fn click(&mut self, at: Position, area: Rect, (length, rows): (usize, u16)) -> Click {
        if !area.contains(at) || length == 0 {
            return Click::Beside;
        }
        let rows = rows.max(1);
        let first = self.first(usize::from(area.height / rows).max(1));
        let index = first + usize::from((at.y - area.y) / rows);
        if index >= length {
            return Click::Beside;
        }
        let again = self.at(length) == Some(index);
        self.cursor = index;
        if again { Click::Again } else { Click::Moved }
    }

    /// Draws as many entries of one row as fit, the one under the cursor among them.
    pub fn draw<'a>(
        &self,
        length: usize,
        theme: Theme,
        (area, frame): (Rect, &mut Frame<'_>),
        line: impl Fn(usize, usize) -> Line<'a>,
    ) {
        let fitting = usize::from(area.height).max(1);
        let first = self.first(fitting);
        let under = self.at(length);
        for index in (first..length).take(fitting) {
            let y = area.y + u16::try_from(index - first).unwrap_or(u16::MAX);
            let place = Rect { y, height: 1, ..area }.intersection(area);
            frame.render_widget(line(index, usize::from(area.width)), place);
            if under == Some(index) {
                frame.buffer_mut().set_style(place, theme.cursor_row());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::key;

    #[test]
    fn the_cursor_stays_in_the_list() {
        let mut list = List::default();
        assert_eq!(list.at(0), None);
        for (code, length, at) in [
            (KeyCode::Up, 3, 0),
            (KeyCode::End, 3, 2),
            (KeyCode::Down, 3, 2),
            (KeyCode::Char('k'), 3, 1),
            (KeyCode::PageDown, 30, 11),
            (KeyCode::Up, 5, 3),
        ] {
            assert!(list.key(key(code), length));
            assert_eq!(list.at(length), Some(at), "{code:?}");
        }
        assert!(!list.arrow(key(KeyCode::Char('j')), 5), "letters are for typing");
    }

    #[test]
    fn a_click_chooses_and_a_second_one_opens() {
        let area = Rect { x: 2, y: 5, width: 10, height: 4 };
        let mut list = List::default();
        let click = |list: &mut List, y| list.click(Position { x: 3, y }, area, (3, 1));
        assert_eq!(click(&mut list, 6), Click::Moved);
        assert_eq!(click(&mut list, 6), Click::Again);
        assert_eq!(click(&mut list, 8), Click::Beside);
        assert_eq!(click(&mut list, 4), Click::Beside);
        assert_eq!(list.at(3), Some(1));
    }
}
