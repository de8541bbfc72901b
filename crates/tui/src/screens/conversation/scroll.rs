//! Where in a timeline the pane looks.
//!
//! The pane hangs on its bottom line: either on the newest line, whatever comes, or on a line of an entry that is named
//! by its key. So nothing moves under the reader's eyes when older history is loaded above or new messages arrive
//! below. Entries are laid out from there upwards until the pane is full: the cost of a frame does not depend on how
//! much history is loaded.

use loquat_client::view::TimelineItem;
use ratatui::text::Line;

use super::items::{Context, Key, lines};

/// What stands on the bottom line of the pane.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Anchor {
    /// The newest line.
    #[default]
    Bottom,
    /// This line, counted from the top of this entry.
    Line {
        /// Which entry.
        key: Key,
        /// Which of its lines.
        line: usize,
    },
}

/// A line of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    index: usize,
    line: usize,
}

/// A timeline as it lies in a pane.
#[derive(Debug, Clone)]
pub struct Pane<'a> {
    /// The entries.
    pub items: &'a [TimelineItem],
    /// How they are drawn.
    pub context: Context<'a>,
    /// Rows of the pane.
    pub height: usize,
}

impl Pane<'_> {
    /// The lines to draw, at most as many as the pane has rows; fewer where there is not more history.
    #[must_use]
    pub fn visible(&self, anchor: &Anchor) -> Vec<Line<'static>> {
        let Some(place) = self.place(anchor) else { return Vec::new() };
        let mut block = self.entry(place.index);
        block.truncate(place.line + 1);
        let mut collected = vec![block];
        let mut rows = place.line + 1;
        for index in (0..place.index).rev() {
            if rows >= self.height {
                break;
            }
            let block = self.entry(index);
            rows += block.len();
            collected.push(block);
        }
        let mut all: Vec<Line<'static>> = collected.into_iter().rev().flatten().collect();
        if all.len() > self.height {
            all.drain(..all.len() - self.height);
        }
        all
    }

    /// The anchor this many lines further up (or down, where negative), no further than the first and last line.
    #[must_use]
    pub fn scrolled(&self, anchor: &Anchor, up: isize) -> Anchor {
        let Some(place) = self.place(anchor) else { return Anchor::Bottom };
        let moved =
            if up >= 0 { self.up(place, up.unsigned_abs()) } else { self.down(place, up.unsigned_abs()) };
        self.anchor_at(self.not_above_first_screen(moved))
    }

    /// The anchor at which the first line of history is on top.
    #[must_use]
    pub fn top(&self) -> Anchor {
        if self.items.is_empty() {
            return Anchor::Bottom;
        }
        self.anchor_at(self.not_above_first_screen(Place { index: 0, line: 0 }))
    }

    /// The anchor that shows this entry: the same where it is in sight, else with the entry at the nearer edge.
    #[must_use]
    pub fn showing(&self, anchor: &Anchor, key: &Key) -> Anchor {
        let (Some(place), Some(index)) = (self.place(anchor), self.index_of(key)) else {
            return anchor.clone();
        };
        let last_line = self.entry(index).len().saturating_sub(1);
        if (index, last_line) > (place.index, place.line) {
            return self.anchor_at(Place { index, line: last_line });
        }
        let first_visible = self.up(place, self.height.saturating_sub(1));
        if (index, 0) < (first_visible.index, first_visible.line) {
            return self.with_on_top(key);
        }
        anchor.clone()
    }

    /// The anchor at which this entry begins on the top row, as far as there is enough below it.
    #[must_use]
    pub fn with_on_top(&self, key: &Key) -> Anchor {
        match self.index_of(key) {
            Some(index) => self.anchor_at(self.down(Place { index, line: 0 }, self.height.saturating_sub(1))),
            None => Anchor::Bottom,
        }
    }

    /// Whether the first line of history is in sight.
    #[must_use]
    pub fn shows_top(&self, anchor: &Anchor) -> bool {
        self.visible(anchor).len() < self.height || *anchor == self.top()
    }

    /// The index of the entry on the bottom line; `None` in an empty timeline.
    #[must_use]
    pub fn last_visible(&self, anchor: &Anchor) -> Option<usize> {
        self.place(anchor).map(|place| place.index)
    }

    /// The entry on the row this far above the bottom line; `None` above the first line.
    #[must_use]
    pub fn entry_above_bottom(&self, anchor: &Anchor, rows: usize) -> Option<usize> {
        if rows >= self.visible(anchor).len() {
            return None;
        }
        self.place(anchor).map(|place| self.up(place, rows).index)
    }

    fn entry(&self, index: usize) -> Vec<Line<'static>> {
        lines(self.items, index, &self.context)
    }

    fn index_of(&self, key: &Key) -> Option<usize> {
        self.items.iter().rposition(|item| Key::of(item) == *key)
    }

    fn place(&self, anchor: &Anchor) -> Option<Place> {
        let last = self.items.len().checked_sub(1)?;
        let found = match anchor {
            Anchor::Bottom => None,
            Anchor::Line { key, line } => self.index_of(key).map(|index| (index, *line)),
        };
        let (index, line) = found.unwrap_or((last, usize::MAX));
        Some(Place { index, line: line.min(self.entry(index).len().saturating_sub(1)) })
    }

    fn anchor_at(&self, place: Place) -> Anchor {
        let is_last = place.index + 1 == self.items.len();
        if is_last && place.line + 1 >= self.entry(place.index).len() {
            return Anchor::Bottom;
        }
        Anchor::Line { key: Key::of(&self.items[place.index]), line: place.line }
    }

    fn up(&self, from: Place, mut rows: usize) -> Place {
        let mut place = from;
        while rows > place.line {
            let Some(index) = place.index.checked_sub(1) else { return Place { index: 0, line: 0 } };
            rows -= place.line + 1;
            place = Place { index, line: self.entry(index).len().saturating_sub(1) };
        }
        Place { line: place.line - rows, ..place }
    }

    fn down(&self, from: Place, mut rows: usize) -> Place {
        let mut place = from;
        loop {
            let last_line = self.entry(place.index).len().saturating_sub(1);
            let below = last_line.saturating_sub(place.line);
            if rows <= below {
                return Place { line: place.line + rows, ..place };
            }
            if place.index + 1 == self.items.len() {
                return Place { line: last_line, ..place };
            }
            rows -= below + 1;
            place = Place { index: place.index + 1, line: 0 };
        }
    }

    /// The pane never begins above the first line.
    fn not_above_first_screen(&self, place: Place) -> Place {
        let lowest = self.down(Place { index: 0, line: 0 }, self.height.saturating_sub(1));
        if (place.index, place.line) < (lowest.index, lowest.line) { lowest } else { place }
    }
}
