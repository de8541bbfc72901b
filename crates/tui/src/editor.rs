//! A small text editor: the compose box and every input field.
//!
//! It edits by grapheme (an emoji family is one step of the cursor), knows visual lines for Up and Down, and is bounded:
//! what does not fit any more is refused whole, never cut in the middle.

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;

use crate::text::{width, wrap};

/// Where the cursor may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Motion {
    /// One grapheme to the left.
    Left,
    /// One grapheme to the right.
    Right,
    /// To the beginning of this or the previous word.
    WordLeft,
    /// To the end of this or the next word.
    WordRight,
    /// To the beginning of the line (line feeds, not wrapping, make lines).
    LineStart,
    /// To the end of the line.
    LineEnd,
    /// To the beginning of the text.
    Start,
    /// To the end of the text.
    End,
}

/// A text under edit, with a cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Editor {
    text: String,
    /// Byte index, always on a grapheme boundary.
    cursor: usize,
    limit: usize,
    multi_line: bool,
}

impl Editor {
    /// An empty editor for several lines, up to `limit` bytes.
    #[must_use]
    pub const fn multi_line(limit: usize) -> Self {
        Self { text: String::new(), cursor: 0, limit, multi_line: true }
    }

    /// An empty editor for one line, up to `limit` bytes.
    #[must_use]
    pub const fn single_line(limit: usize) -> Self {
        Self { text: String::new(), cursor: 0, limit, multi_line: false }
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The cursor, as a byte index into the text.
    #[must_use]
    pub const fn cursor(&self) -> usize {
        self.cursor
    }

    /// Whether there is no text.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// The most bytes it holds.
    #[must_use]
    pub const fn limit(&self) -> usize {
        self.limit
    }

    /// Replaces everything; the cursor goes to the end. A text over the limit leaves the editor empty.
    pub fn set(&mut self, text: &str) {
        self.text.clear();
        self.cursor = 0;
        self.insert(text);
    }

    /// Takes the text out and leaves the editor empty.
    pub fn take(&mut self) -> String {
        self.cursor = 0;
        std::mem::take(&mut self.text)
    }

    /// Inserts at the cursor. Control characters are left out, tabs become spaces, and line breaks become spaces in
    /// an editor of one line. Says whether it fitted; if not, nothing is inserted.
    pub fn insert(&mut self, text: &str) -> bool {
        let text = self.acceptable(text);
        if self.text.len() + text.len() > self.limit {
            return false;
        }
        self.text.insert_str(self.cursor, &text);
        self.cursor = self.boundary_at_or_after(self.cursor + text.len());
        true
    }

    /// Removes the grapheme before the cursor.
    pub fn backspace(&mut self) {
        self.delete(Motion::Left);
    }

    /// Removes what lies between the cursor and where the motion leads.
    pub fn delete(&mut self, motion: Motion) {
        let target = self.target(motion);
        let range = target.min(self.cursor)..target.max(self.cursor);
        self.cursor = range.start;
        self.text.replace_range(range, "");
        self.cursor = self.boundary_at_or_after(self.cursor);
    }

    /// Moves the cursor.
    pub fn go(&mut self, motion: Motion) {
        self.cursor = self.target(motion);
    }

    /// Moves one visual line up (`-1`) or down (`1`) in a box of this width. Says whether there was such a line.
    pub fn go_vertical(&mut self, lines: isize, columns: usize) -> bool {
        let layout = self.layout(columns);
        let Some(row) = layout.row.checked_add_signed(lines).filter(|row| *row < layout.lines.len()) else {
            return false;
        };
        let line = layout.lines[row].clone();
        let mut column = 0;
        self.cursor = line.end;
        for (position, grapheme) in self.text[line.clone()].grapheme_indices(true) {
            let wide = width::grapheme_columns(grapheme);
            if column + wide > layout.column {
                self.cursor = line.start + position;
                break;
            }
            column += wide;
        }
        // The end of a wrapped line is the beginning of the next one: stay on the line that was asked for.
        let wrapped = layout.lines.get(row + 1).is_some_and(|next| next.start == line.end);
        if wrapped && self.cursor == line.end && line.end > line.start {
            self.cursor = self.before(line.end);
        }
        true
    }

    /// The visual lines and the cursor's place among them, in a box of this width.
    #[must_use]
    pub fn layout(&self, columns: usize) -> Layout {
        let lines = wrap::ranges(&self.text, columns);
        let row = lines.iter().rposition(|line| line.start <= self.cursor).unwrap_or(0);
        let column = width::columns(&self.text[lines[row].start..self.cursor]);
        Layout { lines, row, column: column.min(columns.saturating_sub(1)) }
    }

    fn acceptable(&self, text: &str) -> String {
        let text = text.replace("\r\n", "\n").replace('\r', "\n").replace('\t', "    ");
        text.chars()
            .filter_map(|character| match character {
                '\n' if self.multi_line => Some('\n'),
                '\n' => Some(' '),
                _ if character.is_control() => None,
                _ => Some(character),
            })
            .collect()
    }

    fn target(&self, motion: Motion) -> usize {
        match motion {
            Motion::Left => self.before(self.cursor),
            Motion::Right => self.after(self.cursor),
            Motion::WordLeft => self.word_left(),
            Motion::WordRight => self.word_right(),
            Motion::LineStart => self.text[..self.cursor].rfind('\n').map_or(0, |at| at + 1),
            Motion::LineEnd => {
                self.text[self.cursor..].find('\n').map_or(self.text.len(), |at| self.cursor + at)
            }
            Motion::Start => 0,
            Motion::End => self.text.len(),
        }
    }

    fn before(&self, at: usize) -> usize {
        self.text[..at].grapheme_indices(true).next_back().map_or(0, |(position, _)| position)
    }

    fn after(&self, at: usize) -> usize {
        self.text[at..].graphemes(true).next().map_or(at, |grapheme| at + grapheme.len())
    }

    /// Inserted text may join with its neighbour to one grapheme (a mark behind a letter): the cursor goes behind it.
    fn boundary_at_or_after(&self, at: usize) -> usize {
        let mut boundaries = self.text.grapheme_indices(true).map(|(position, _)| position);
        boundaries.find(|position| *position >= at).unwrap_or(self.text.len())
    }

    fn word_left(&self) -> usize {
        let words = self.text[..self.cursor].split_word_bound_indices();
        words.rev().find(|(_, word)| is_word(word)).map_or(0, |(position, _)| position)
    }

    fn word_right(&self) -> usize {
        let mut words = self.text[self.cursor..].split_word_bound_indices();
        let word = words.find(|(_, word)| is_word(word));
        word.map_or(self.text.len(), |(position, word)| self.cursor + position + word.len())
    }
}

fn is_word(text: &str) -> bool {
    text.chars().any(|character| !character.is_whitespace() && !character.is_ascii_punctuation())
}

/// How an editor's text lies in a box.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// The visual lines, as byte ranges of the text.
    pub lines: Vec<Range<usize>>,
    /// The line that the cursor is on.
    pub row: usize,
    /// The cursor's column.
    pub column: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn editor(text: &str) -> Editor {
        let mut editor = Editor::multi_line(1000);
        assert!(editor.insert(text));
        editor
    }

    #[test]
    fn the_cursor_steps_over_whole_graphemes() {
        for grapheme in ["a", "é", "e\u{301}", "👨‍👩‍👧‍👦", "🇯🇵", "日", "👍🏽", "ש\u{5b8}"]
        {
            let mut editor = editor(grapheme);
            editor.go(Motion::Left);
            assert_eq!(editor.cursor(), 0, "{grapheme:?}");
            editor.go(Motion::Right);
            assert_eq!(editor.cursor(), grapheme.len(), "{grapheme:?}");
            editor.backspace();
            assert!(editor.is_empty(), "{grapheme:?}");
        }
    }

    #[test]
    fn a_mark_typed_after_its_letter_joins_it() {
        let mut editor = editor("ex");
        editor.go(Motion::Left);
        assert!(editor.insert("\u{301}"));
        assert_eq!(editor.cursor(), "e\u{301}".len());
        editor.backspace();
        assert_eq!(editor.text(), "x");
    }

    #[test]
    fn words_and_lines_are_deleted() {
        for (motion, left) in [
            (Motion::WordLeft, "one two\nthree "),
            (Motion::LineStart, "one two\n"),
            (Motion::Start, ""),
            (Motion::Left, "one two\nthree fou"),
        ] {
            let mut editor = editor("one two\nthree four");
            editor.delete(motion);
            assert_eq!(editor.text(), left, "{motion:?}");
        }
        let mut editor = editor("one two\nthree");
        editor.go(Motion::Start);
        editor.delete(Motion::WordRight);
        assert_eq!(editor.text(), " two\nthree");
        editor.delete(Motion::LineEnd);
        assert_eq!(editor.text(), "\nthree");
    }

    #[test]
    fn up_and_down_follow_visual_lines_and_keep_the_column() {
        let mut editor = editor("abcdef ghijkl\nmn");
        assert_eq!(editor.layout(8).lines.len(), 3);
        editor.go(Motion::Start);
        for _ in 0..4 {
            editor.go(Motion::Right);
        }
        assert!(editor.go_vertical(1, 8));
        assert_eq!(editor.layout(8), Layout { lines: vec![0..7, 7..13, 14..16], row: 1, column: 4 });
        assert!(editor.go_vertical(1, 8));
        assert_eq!(editor.cursor(), 16);
        assert!(!editor.go_vertical(1, 8));
        assert!(editor.go_vertical(-1, 8));
        assert_eq!(editor.layout(8).row, 1);
    }

    #[test]
    fn what_does_not_fit_is_refused_whole() {
        let mut editor = Editor::single_line(4);
        assert!(editor.insert("日"));
        assert!(!editor.insert("本"));
        assert_eq!(editor.text(), "日");
    }

    #[test]
    fn control_characters_of_a_paste_are_left_out() {
        let mut editor = Editor::single_line(100);
        assert!(editor.insert("a\u{1b}[31m\r\nb\tc\u{7f}"));
        assert_eq!(editor.text(), "a[31m b    c");
    }
}
