//! The compose box: what is being written, for what, and its draft.

use loquat_proto::{MessageBody, Profile, Seq, Timestamp};
use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Clear, Paragraph};

use super::list::List;
use super::picker::person_line;
use crate::editor::Editor;
use crate::text::width;
use crate::theme::Theme;

/// The server's default for `limits.text_bytes`.
const TEXT_BYTES: usize = 16_384;

/// The box grows with the text up to this many lines, then it scrolls.
const MOST_LINES: usize = 8;

/// A draft is kept this long after the last key, in milliseconds.
const DRAFT_DELAY: Timestamp = 800;

/// "Is writing" is said again after this long, in milliseconds: others drop it after 6 s.
const TYPING_INTERVAL: Timestamp = 3_000;

/// What is written before the text of the first line, in the other lines as many spaces.
const PROMPT: &str = "❯ ";

/// What the text is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Purpose {
    /// A message of its own.
    New,
    /// An answer.
    Reply {
        /// To which message.
        target: Seq,
        /// Who wrote that.
        name: String,
        /// What it says, on one line.
        text: String,
    },
    /// A new text for an own message.
    Edit {
        /// Which message.
        target: Seq,
        /// What was in the box before.
        kept: String,
    },
}

/// The state of the box.
#[derive(Debug, Clone)]
pub struct Compose {
    /// The text.
    pub editor: Editor,
    /// What it is for.
    pub purpose: Purpose,
    /// The names that fit the `@` that is being written.
    pub completion: Option<Completion>,
    /// When the draft is to be kept; `None` while it is.
    draft_due: Option<Timestamp>,
    /// When the others were last told that the user writes; `None` if they were told to stop, or nothing.
    typing_told: Option<Timestamp>,
}

/// Names that fit what was written behind an `@`.
#[derive(Debug, Clone)]
pub struct Completion {
    /// Bytes written of the name so far, the `@` not counted.
    pub written: usize,
    /// Those who fit, at least one.
    pub people: Vec<Profile>,
    /// The one under the cursor.
    pub list: List,
}

/// What became of a change of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TypingNews {
    /// Tell the others that the user writes.
    Began,
    /// Tell them that it has stopped.
    Stopped,
    /// They know.
    Same,
}

impl Compose {
    /// A box with this draft in it.
    #[must_use]
    pub fn new(draft: Option<&str>) -> Self {
        let mut editor = Editor::multi_line(TEXT_BYTES);
        editor.set(draft.unwrap_or_default());
        Self { editor, purpose: Purpose::New, completion: None, draft_due: None, typing_told: None }
    }

    /// Starts an answer to a message.
    pub fn reply(&mut self, target: Seq, name: String, text: String) {
        self.cancel();
        self.purpose = Purpose::Reply { target, name, text };
    }

    /// Starts the edit of an own message; what is in the box comes back afterwards.
    pub fn edit(&mut self, target: Seq, text: &str) {
        self.cancel();
        let kept = self.editor.take();
        self.editor.set(text);
        self.purpose = Purpose::Edit { target, kept };
    }

    /// Back to a message of its own. Says whether there was something to cancel.
    pub fn cancel(&mut self) -> bool {
        match std::mem::replace(&mut self.purpose, Purpose::New) {
            Purpose::New => false,
            Purpose::Reply { .. } => true,
            Purpose::Edit { kept, .. } => {
                self.editor.set(&kept);
                true
            }
        }
    }

    /// Takes out what is to be sent, with what it is for; `None` where there is nothing but space.
    pub fn submit(&mut self) -> Option<(Purpose, MessageBody)> {
        if self.editor.text().trim().is_empty() {
            return None;
        }
        let text = self.editor.take().trim_end().to_owned();
        let purpose = std::mem::replace(&mut self.purpose, Purpose::New);
        let mut body = MessageBody::text(text);
        match &purpose {
            Purpose::Edit { kept, .. } => {
                self.editor.set(kept);
                return Some((purpose, body));
            }
            Purpose::Reply { target, .. } => body.reply_to = Some(*target),
            Purpose::New => {}
        }
        self.draft_due = None;
        self.typing_told = None;
        Some((purpose, body))
    }

    /// The text changed at this moment.
    pub fn touched(&mut self, now: Timestamp) -> TypingNews {
        if matches!(self.purpose, Purpose::Edit { .. }) {
            return TypingNews::Same;
        }
        self.draft_due = Some(now + DRAFT_DELAY);
        match (self.editor.is_empty(), self.typing_told) {
            (true, Some(_)) => {
                self.typing_told = None;
                TypingNews::Stopped
            }
            (true, None) => TypingNews::Same,
            (false, Some(told)) if now - told < TYPING_INTERVAL => TypingNews::Same,
            (false, _) => {
                self.typing_told = Some(now);
                TypingNews::Began
            }
        }
    }

    /// The draft, if it is due by now: to be kept, `None` to be cleared. The text is not lost by asking.
    pub fn due_draft(&mut self, now: Timestamp) -> Option<Option<String>> {
        if self.draft_due.is_some_and(|due| due <= now) { self.unsaved_draft() } else { None }
    }

    /// The draft, if it was changed since it was last kept.
    pub fn unsaved_draft(&mut self) -> Option<Option<String>> {
        self.draft_due.take()?;
        let text = match &self.purpose {
            Purpose::Edit { kept, .. } => kept.as_str(),
            _ => self.editor.text(),
        };
        Some((!text.trim().is_empty()).then(|| text.to_owned()))
    }

    /// When [`Compose::due_draft`] has something to do.
    #[must_use]
    pub const fn deadline(&self) -> Option<Timestamp> {
        self.draft_due
    }

    /// Columns for text in a box this wide.
    #[must_use]
    pub fn text_columns(columns: usize) -> usize {
        // The prompt, and a column at the end for the cursor.
        columns.saturating_sub(width::columns(PROMPT) + 2).max(4)
    }

    /// Rows that the box wants in a pane of this size: the rule above, what the text is for, and the text.
    #[must_use]
    pub fn rows(&self, columns: usize, pane_rows: usize) -> usize {
        let lines = self.editor.layout(Self::text_columns(columns)).lines.len();
        let purpose = usize::from(self.purpose != Purpose::New);
        let most = MOST_LINES.min((pane_rows / 3).max(1));
        1 + purpose + lines.clamp(1, most)
    }
}

/// What the box is drawn with besides its state.
#[derive(Debug, Clone, Copy)]
pub struct ComposeView<'a> {
    /// The state.
    pub compose: &'a Compose,
    /// Colours.
    pub theme: Theme,
    /// Whether keys go here: the cursor is shown.
    pub focused: bool,
    /// Why nothing can be written, if that is so.
    pub silent: Option<&'static str>,
}

/// Names that are offered at once.
const MOST_OFFERED: u16 = 6;

/// Draws the names that fit, above the box.
pub fn completion(compose: &Compose, theme: Theme, area: Rect, frame: &mut Frame<'_>) {
    let Some(completion) = &compose.completion else { return };
    let count = u16::try_from(completion.people.len()).unwrap_or(MOST_OFFERED).min(MOST_OFFERED);
    let rows = count.min(area.y);
    let wide = area.width.saturating_sub(4).min(44);
    let place = Rect { x: area.x + 2, y: area.y - rows, width: wide, height: rows };
    frame.render_widget(Clear, place);
    completion.list.draw(completion.people.len(), theme, (place, frame), |index, room| {
        person_line(&completion.people[index], theme, room)
    });
    let rule = Rect { height: 1, ..area };
    let keys = [("Tab", "take"), ("↑↓", "choose"), ("Esc", "no")];
    let line = super::popup::key_line(&keys, theme, usize::from(wide));
    let line_wide = u16::try_from(line.width()).unwrap_or(wide).min(wide);
    frame.render_widget(line, Rect { x: area.x + 2, width: line_wide, ..rule });
}

/// Draws the box.
pub fn view(view: ComposeView<'_>, area: Rect, frame: &mut Frame<'_>) {
    let ComposeView { compose, theme, focused, silent } = view;
    let focused = focused && silent.is_none();
    let rule = Rect { height: 1, ..area };
    frame.render_widget(Line::styled("─".repeat(usize::from(area.width)), theme.quiet()), rule);
    let mut text_area = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
    if let Some(line) = purpose_line(compose, theme, usize::from(area.width)) {
        frame.render_widget(line, Rect { height: 1, ..text_area }.intersection(area));
        text_area.y += 1;
        text_area.height = text_area.height.saturating_sub(1);
    }
    if text_area.height == 0 {
        return;
    }
    let columns = Compose::text_columns(usize::from(area.width));
    let layout = compose.editor.layout(columns);
    let rows = usize::from(text_area.height);
    let first = (layout.row + 1).saturating_sub(rows);
    let prompt_style = if focused { theme.accent() } else { theme.quiet() };
    let lines: Vec<Line<'_>> = layout
        .lines
        .iter()
        .enumerate()
        .skip(first)
        .take(rows)
        .map(|(row, range)| {
            let prompt = if row == 0 { PROMPT } else { "  " };
            let text = &compose.editor.text()[range.clone()];
            let text = if let Some(reason) = silent {
                Span::styled(reason, theme.quiet())
            } else if compose.editor.is_empty() {
                Span::styled("Write a message", theme.quiet())
            } else {
                Span::raw(text)
            };
            Line::from(vec![Span::styled(format!(" {prompt}"), prompt_style), text])
        })
        .collect();
    frame.render_widget(Paragraph::new(lines), text_area);
    if focused {
        let indent = 1 + width::columns(PROMPT);
        let x = text_area.x + clamp_u16(indent + layout.column).min(text_area.width.saturating_sub(1));
        let y = text_area.y + clamp_u16(layout.row - first);
        frame.set_cursor_position(Position { x, y });
    }
}

fn purpose_line(compose: &Compose, theme: Theme, columns: usize) -> Option<Line<'static>> {
    let hint = "Esc cancels ";
    let room = columns.saturating_sub(width::columns(hint) + 3);
    let text = match &compose.purpose {
        Purpose::New => return None,
        Purpose::Reply { name, text, .. } => format!("↩ Reply to {name}: {text}"),
        Purpose::Edit { .. } => "✎ Edit your message".to_owned(),
    };
    let text = width::fit(&text, room);
    Some(Line::from(vec![
        Span::raw(" "),
        Span::styled(text, theme.accent()),
        Span::raw("  "),
        Span::styled(hint, theme.quiet()),
    ]))
}

fn clamp_u16(value: usize) -> u16 {
    u16::try_from(value).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edit_gives_the_draft_back() {
        let mut compose = Compose::new(Some("half a thought"));
        compose.edit(7, "old text");
        assert_eq!(compose.editor.text(), "old text");
        assert!(compose.cancel());
        assert_eq!(compose.editor.text(), "half a thought");

        compose.edit(7, "old text");
        compose.editor.set("new text");
        let (purpose, body) = compose.submit().unwrap();
        assert!(matches!(purpose, Purpose::Edit { target: 7, .. }));
        assert_eq!((body.text.as_str(), body.reply_to), ("new text", None));
        assert_eq!(compose.editor.text(), "half a thought");
    }

    #[test]
    fn a_reply_names_its_target_once() {
        let mut compose = Compose::new(None);
        compose.reply(3, "ines".to_owned(), "when?".to_owned());
        compose.editor.set("at noon\n\n");
        let (_, body) = compose.submit().unwrap();
        assert_eq!((body.text.as_str(), body.reply_to), ("at noon", Some(3)));
        assert_eq!(compose.purpose, Purpose::New);
    }

    #[test]
    fn space_alone_is_not_sent() {
        let mut compose = Compose::new(Some(" \n "));
        assert!(compose.submit().is_none());
    }

    #[test]
    fn typing_is_told_sparingly() {
        let mut compose = Compose::new(None);
        compose.editor.set("h");
        assert_eq!(compose.touched(0), TypingNews::Began);
        assert_eq!(compose.touched(100), TypingNews::Same);
        assert_eq!(compose.touched(TYPING_INTERVAL), TypingNews::Began);
        compose.editor.set("");
        assert_eq!(compose.touched(TYPING_INTERVAL + 1), TypingNews::Stopped);
        assert_eq!(compose.touched(TYPING_INTERVAL + 2), TypingNews::Same);
    }

    #[test]
    fn drafts_are_kept_after_a_pause() {
        let mut compose = Compose::new(None);
        compose.editor.set("hello");
        compose.touched(1_000);
        assert_eq!(compose.due_draft(1_000 + DRAFT_DELAY - 1), None);
        assert_eq!(compose.due_draft(1_000 + DRAFT_DELAY), Some(Some("hello".to_owned())));
        assert_eq!(compose.unsaved_draft(), None);
        compose.editor.set("");
        compose.touched(5_000);
        assert_eq!(compose.unsaved_draft(), Some(None));
    }

    #[test]
    fn the_box_grows_to_a_limit() {
        let mut compose = Compose::new(None);
        assert_eq!(compose.rows(40, 30), 2);
        compose.editor.set("a\nb\nc");
        assert_eq!(compose.rows(40, 30), 4);
        compose.editor.set(&"x\n".repeat(50));
        assert_eq!(compose.rows(40, 30), 1 + MOST_LINES);
        assert_eq!(compose.rows(40, 9), 1 + 3);
    }
}
