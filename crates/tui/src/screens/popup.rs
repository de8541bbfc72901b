//! The frame of everything that opens above the rest.

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, BorderType, Clear, Padding};

use crate::text::width;
use crate::theme::Theme;

/// A popup's words and size.
#[derive(Debug, Clone, Copy)]
pub struct Popup<'a> {
    /// What it is.
    pub title: &'a str,
    /// The keys that matter in it: pairs of key and meaning.
    pub keys: &'a [(&'a str, &'a str)],
    /// Columns wanted for the content.
    pub width: u16,
    /// Rows wanted for the content.
    pub height: u16,
}

impl Popup<'_> {
    /// The place of the popup, its frame included.
    #[must_use]
    pub fn area(&self, screen: Rect) -> Rect {
        let wide = self.width.saturating_add(4).min(screen.width);
        let high = self.height.saturating_add(2).min(screen.height);
        Rect {
            x: screen.x + (screen.width - wide) / 2,
            y: screen.y + (screen.height - high) / 3,
            width: wide,
            height: high,
        }
    }

    /// The place of the content.
    #[must_use]
    pub fn inner(&self, screen: Rect) -> Rect {
        Block::bordered().padding(Padding::horizontal(1)).inner(self.area(screen))
    }

    /// Clears the place and draws the frame; what is left inside is for the content.
    pub fn draw(self, theme: Theme, screen: Rect, frame: &mut Frame<'_>) -> Rect {
        let area = self.area(screen);
        let wide = area.width;
        free_left_edge(area, frame.buffer_mut());
        frame.render_widget(Clear, area);
        let title = width::truncate(self.title, usize::from(wide.saturating_sub(6)));
        let block = Block::bordered()
            .border_type(BorderType::Rounded)
            .border_style(theme.quiet())
            .padding(Padding::horizontal(1))
            .title_top(Line::styled(format!(" {title} "), theme.accent()))
            .title_bottom(key_line(self.keys, theme, usize::from(wide.saturating_sub(4))).right_aligned());
        let inner = block.inner(area);
        frame.render_widget(block, area);
        inner
    }
}

/// A wide character that stands half behind the popup's edge would be drawn over it: it goes.
fn free_left_edge(area: Rect, buffer: &mut Buffer) {
    let Some(x) = area.x.checked_sub(1) else { return };
    for y in area.y..area.bottom() {
        if let Some(cell) = buffer.cell_mut((x, y))
            && width::columns(cell.symbol()) > 1
        {
            cell.set_symbol(" ");
        }
    }
}

/// Keys and their meanings on one line, as many as fit; the last one, which leads to the others, always.
#[must_use]
pub fn key_line(keys: &[(&str, &str)], theme: Theme, room: usize) -> Line<'static> {
    let wide = |(key, meaning): &(&str, &str)| width::columns(key) + width::columns(meaning) + 3;
    let Some((last, others)) = keys.split_last() else { return Line::default() };
    let mut left = room.saturating_sub(wide(last));
    let fitting = others.iter().take_while(|pair| {
        let fits = wide(pair) <= left;
        left = left.saturating_sub(wide(pair));
        fits
    });
    let mut spans = Vec::new();
    for (key, meaning) in fitting.chain(std::iter::once(last)) {
        spans.push(Span::styled(format!(" {key}"), theme.key()));
        spans.push(Span::styled(format!(" {meaning} "), theme.quiet()));
    }
    Line::from(spans)
}

/// Draws a field for one line of text, with a label before it and the cursor in it where it has the focus.
pub fn draw_field(field: Field<'_>, theme: Theme, area: Rect, frame: &mut Frame<'_>) {
    let label_wide = width::columns(field.label);
    let room = usize::from(area.width).saturating_sub(label_wide + 2).max(1);
    let shown = if field.masked {
        "•".repeat(field.text.chars().count().min(room.saturating_sub(1)))
    } else {
        tail(field.text, room.saturating_sub(1))
    };
    let cursor = if field.masked { width::columns(&shown) } else { field.column.min(width::columns(&shown)) };
    let label_style = if field.focused { theme.accent() } else { theme.quiet() };
    let text = if field.text.is_empty() {
        Span::styled(width::truncate(field.hint, room), theme.quiet())
    } else {
        Span::raw(shown)
    };
    frame
        .render_widget(Line::from(vec![Span::styled(format!("{}  ", field.label), label_style), text]), area);
    if field.focused && area.height > 0 {
        let x = area.x + u16::try_from(label_wide + 2 + cursor).unwrap_or(0);
        frame.set_cursor_position((x.min(area.right().saturating_sub(1)), area.y));
    }
}

/// A field for one line of text.
#[derive(Debug, Clone, Copy)]
pub struct Field<'a> {
    /// What stands before it.
    pub label: &'a str,
    /// What is in it.
    pub text: &'a str,
    /// What stands in it while it is empty.
    pub hint: &'a str,
    /// The column of the cursor in the text.
    pub column: usize,
    /// Whether keys go there.
    pub focused: bool,
    /// Whether it is a password: dots stand for the text.
    pub masked: bool,
}

impl<'a> Field<'a> {
    /// A field for this editor.
    #[must_use]
    pub fn of(label: &'a str, hint: &'a str, editor: &'a crate::editor::Editor, focused: bool) -> Self {
        let column = width::columns(&editor.text()[..editor.cursor()]);
        Self { label, text: editor.text(), hint, column, focused, masked: false }
    }
}

/// The end of a text that fits into `limit` columns.
fn tail(text: &str, limit: usize) -> String {
    use unicode_segmentation::UnicodeSegmentation;
    let mut used = 0;
    let mut start = text.len();
    for (position, grapheme) in text.grapheme_indices(true).rev() {
        used += width::grapheme_columns(grapheme);
        if used > limit {
            break;
        }
        start = position;
    }
    text[start..].to_owned()
}
