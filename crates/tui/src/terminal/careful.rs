//! A backend that trusts no terminal with the width of an emoji.
//!
//! Terminals disagree about graphemes of several code points: one draws a flag as two narrow letters, another a skin
//! tone as a second emoji, a third a heart with a variation selector in one column. A frame that is drawn by its
//! differences then leaves halves of them behind. Here a row in which such a grapheme comes, goes or stays next to a
//! change is drawn again as a whole: each grapheme on cleared ground, each cell behind it at its own column.

use std::io::{self, Write};

use ratatui::backend::{Backend, ClearType, CrosstermBackend, WindowSize};
use ratatui::buffer::Cell;
use ratatui::layout::{Position, Size};

use crate::text::width::grapheme_columns;

/// See the module.
#[derive(Debug)]
pub struct CarefulBackend<W: Write> {
    inner: CrosstermBackend<W>,
    /// What stands on the screen, row by row.
    rows: Vec<Vec<Cell>>,
}

impl<W: Write> CarefulBackend<W> {
    /// A backend that writes there.
    pub const fn new(writer: W) -> Self {
        Self { inner: CrosstermBackend::new(writer), rows: Vec::new() }
    }

    /// Puts a cell on the remembered screen. Says whether the row needs care from now on.
    fn remember(&mut self, x: u16, y: u16, cell: &Cell) -> bool {
        let (x, y) = (usize::from(x), usize::from(y));
        if self.rows.len() <= y {
            self.rows.resize(y + 1, Vec::new());
        }
        let row = &mut self.rows[y];
        let end = x + grapheme_columns(cell.symbol()).max(1);
        if row.len() < end {
            row.resize(end, Cell::EMPTY);
        }
        // What a wide symbol covers is not drawn, and is empty when it goes.
        for covered in &mut row[x + 1..end] {
            let mut blank = cell.clone();
            blank.set_symbol(" ");
            *covered = blank;
        }
        let before = std::mem::replace(&mut row[x], cell.clone());
        is_fragile(&before) || row.iter().any(is_fragile)
    }

    /// Draws a whole row from what is remembered.
    fn draw_row(&mut self, y: u16) -> io::Result<()> {
        let Some(row) = self.rows.get(usize::from(y)) else { return Ok(()) };
        let mut run: Vec<(u16, u16, &Cell)> = Vec::new();
        let mut hidden = 0;
        for (x, cell) in (0_u16..).zip(row) {
            if hidden > 0 {
                hidden -= 1;
                continue;
            }
            hidden = grapheme_columns(cell.symbol()).saturating_sub(1);
            if is_fragile(cell) {
                // Each call of `draw` begins by going to its first cell.
                self.inner.draw(run.drain(..))?;
                let mut blank = cell.clone();
                blank.set_symbol(" ");
                let ground = (x..).take(hidden + 1).map(|x| (x, y, &blank));
                self.inner.draw(ground)?;
                self.inner.draw(std::iter::once((x, y, cell)))?;
            } else {
                run.push((x, y, cell));
            }
        }
        self.inner.draw(run.into_iter())
    }
}

/// Whether terminals disagree about the columns of this cell.
fn is_fragile(cell: &Cell) -> bool {
    let symbol = cell.symbol();
    symbol.len() > 1 && symbol.chars().nth(1).is_some()
}

impl<W: Write> Backend for CarefulBackend<W> {
    type Error = io::Error;

    fn draw<'a, I>(&mut self, content: I) -> io::Result<()>
    where
        I: Iterator<Item = (u16, u16, &'a Cell)>,
    {
        let content: Vec<(u16, u16, &Cell)> = content.collect();
        let mut careful = Vec::new();
        for (x, y, cell) in &content {
            if self.remember(*x, *y, cell) && careful.last() != Some(y) {
                careful.push(*y);
            }
        }
        let plain = content.into_iter().filter(|(_, y, _)| !careful.contains(y));
        self.inner.draw(plain)?;
        careful.iter().try_for_each(|y| self.draw_row(*y))
    }

    fn clear(&mut self) -> io::Result<()> {
        self.rows.clear();
        self.inner.clear()
    }

    fn clear_region(&mut self, clear_type: ClearType) -> io::Result<()> {
        // Frames are only ever cleared whole.
        self.rows.clear();
        self.inner.clear_region(clear_type)
    }

    fn hide_cursor(&mut self) -> io::Result<()> {
        self.inner.hide_cursor()
    }

    fn show_cursor(&mut self) -> io::Result<()> {
        self.inner.show_cursor()
    }

    fn get_cursor_position(&mut self) -> io::Result<Position> {
        self.inner.get_cursor_position()
    }

    fn set_cursor_position<P: Into<Position>>(&mut self, position: P) -> io::Result<()> {
        self.inner.set_cursor_position(position)
    }

    fn size(&self) -> io::Result<Size> {
        self.inner.size()
    }

    fn window_size(&mut self) -> io::Result<WindowSize> {
        self.inner.window_size()
    }

    fn flush(&mut self) -> io::Result<()> {
        Backend::flush(&mut self.inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use ratatui::layout::Rect;
    use ratatui::{Terminal, TerminalOptions, Viewport};

    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Written {
        /// What was written since the last call: text, and `@column` where the cursor goes.
        fn take(&self) -> String {
            let bytes = std::mem::take(&mut *self.0.lock().unwrap());
            let text = String::from_utf8(bytes).unwrap();
            let mut shown = String::new();
            for (index, part) in text.split("\u{1b}[").enumerate() {
                let end =
                    if index == 0 { 0 } else { part.find(|c: char| c.is_ascii_alphabetic()).unwrap() + 1 };
                let (sequence, rest) = part.split_at(end);
                if let Some(place) = sequence.strip_suffix('H') {
                    shown.push('@');
                    shown.push_str(place.split(';').nth(1).unwrap());
                    shown.push(':');
                }
                shown.push_str(rest);
            }
            shown
        }
    }

    fn frames(lines: &[&str]) -> Vec<String> {
        let written = Written::default();
        let viewport = Viewport::Fixed(Rect::new(0, 0, 8, 1));
        let backend = CarefulBackend::new(written.clone());
        let mut terminal = Terminal::with_options(backend, TerminalOptions { viewport }).unwrap();
        let mut shown = Vec::new();
        for line in lines {
            terminal.draw(|frame| frame.render_widget(*line, frame.area())).unwrap();
            shown.push(written.take());
        }
        shown
    }

    #[test]
    fn ordinary_rows_are_drawn_by_their_differences() {
        assert_eq!(frames(&["abc", "abd"])[1], "@3:d");
        assert_eq!(frames(&["日本", "日木"])[1], "@3:木");
    }

    #[test]
    fn a_fragile_grapheme_gets_cleared_ground_and_nothing_behind_it_is_left_to_it() {
        assert_eq!(frames(&["a🇯🇵b"]), ["@1:a@2:  @2:🇯🇵@4:b"]);
        assert_eq!(frames(&["👍🏽x", "👍🏽y"])[1], "@1:  @1:👍🏽@3:y");
    }

    #[test]
    fn when_it_goes_its_whole_row_is_drawn_once_more() {
        let shown = frames(&["a🇯🇵b", "ab c", "ad c"]);
        assert_eq!(shown[1], "@1:ab c", "the second half of the flag is overwritten");
        assert_eq!(shown[2], "@2:d");
    }
}
