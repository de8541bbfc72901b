//! A sheet of facts and settings: labels with values, some of which lead further or can be written anew in place.

use crossterm::event::{KeyCode, KeyEvent};
use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span};

use super::list::{Click, List};
use super::popup::{Field, draw_field};
use crate::editor::Editor;
use crate::keys::edit_field;
use crate::text::sanitise;
use crate::text::width::{columns, fit, truncate};
use crate::theme::Theme;

/// One line of a sheet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row<A> {
    /// What it is.
    pub label: &'static str,
    /// How it is.
    pub value: String,
    /// What Enter does with it.
    pub kind: Kind<A>,
}

/// What Enter does with a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind<A> {
    /// Nothing: a fact.
    Fact,
    /// It leads to this.
    Action(A),
    /// The value is written anew in place, in at most so many bytes.
    Text(A, usize),
}

/// The state: the cursor, and the value that is being written.
#[derive(Debug, Clone, Default)]
pub struct Sheet {
    list: List,
    editing: Option<Editor>,
}

/// What a key did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told<A> {
    /// Nothing to act on.
    Nothing,
    /// The user goes back.
    Close,
    /// This line was chosen.
    Chosen(A),
    /// This value was written.
    Written(A, String),
}

impl Sheet {
    /// Whether a value is being written.
    #[must_use]
    pub const fn is_editing(&self) -> bool {
        self.editing.is_some()
    }

    /// A key on these lines.
    pub fn key<A: Clone>(&mut self, key: KeyEvent, rows: &[Row<A>]) -> Told<A> {
        let Some(row) = self.list.at(rows.len()).map(|index| &rows[index]) else {
            return if key.code == KeyCode::Esc { Told::Close } else { Told::Nothing };
        };
        if let Some(editor) = &mut self.editing {
            match (key.code, &row.kind) {
                (KeyCode::Esc, _) => self.editing = None,
                (KeyCode::Enter, Kind::Text(action, _)) => {
                    let text = editor.text().trim().to_owned();
                    self.editing = None;
                    if text != row.value {
                        return Told::Written(action.clone(), text);
                    }
                }
                _ => {
                    edit_field(editor, key);
                }
            }
            return Told::Nothing;
        }
        match (key.code, &row.kind) {
            (KeyCode::Esc, _) => return Told::Close,
            (KeyCode::Enter | KeyCode::Right | KeyCode::Char(' '), Kind::Action(action)) => {
                return Told::Chosen(action.clone());
            }
            (KeyCode::Enter | KeyCode::Right | KeyCode::Char(' '), Kind::Text(_, limit)) => {
                let mut editor = Editor::single_line(*limit);
                editor.set(&row.value);
                self.editing = Some(editor);
            }
            _ => {
                self.list.key(key, rows.len());
            }
        }
        Told::Nothing
    }

    /// Pasted text goes to the value that is being written.
    pub fn paste(&mut self, text: &str) {
        if let Some(editor) = &mut self.editing {
            editor.insert(text.trim());
        }
    }

    /// A click on the place of the lines.
    pub fn click(&mut self, at: Position, area: Rect, length: usize) -> Click {
        if self.is_editing() { Click::Beside } else { self.list.click(at, area, (length, 1)) }
    }

    /// Draws the lines.
    pub fn draw<A>(&self, rows: &[Row<A>], theme: Theme, area: Rect, frame: &mut Frame<'_>) {
        let label_columns = rows.iter().map(|row| columns(row.label)).max().unwrap_or(0);
        self.list.draw(rows.len(), theme, (area, frame), |index, room| {
            let row = &rows[index];
            let style = if matches!(row.kind, Kind::Fact) { theme.quiet() } else { theme.plain() };
            let more = if matches!(row.kind, Kind::Action(_)) { " ›" } else { "" };
            let value = sanitise::line(&row.value);
            let value = truncate(&value, room.saturating_sub(label_columns + 5));
            Line::from(vec![
                Span::styled(format!(" {}  ", fit(row.label, label_columns)), theme.quiet()),
                Span::styled(value, style),
                Span::styled(more, theme.quiet()),
            ])
        });
        let Some((editor, index)) = self.editing.as_ref().zip(self.list.at(rows.len())) else { return };
        let first = self.list.first(usize::from(area.height).max(1));
        let y = area.y + u16::try_from(index.saturating_sub(first)).unwrap_or(0);
        let place = Rect { y, height: 1, ..area }.intersection(area);
        frame.render_widget(ratatui::widgets::Clear, place);
        let label = format!(" {}", fit(rows[index].label, label_columns));
        draw_field(Field::of(&label, "", editor, true), theme, place, frame);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{key, type_text};

    fn rows() -> Vec<Row<u8>> {
        vec![
            Row { label: "Fact", value: "so".to_owned(), kind: Kind::Fact },
            Row { label: "Name", value: "old".to_owned(), kind: Kind::Text(1, 64) },
            Row { label: "More", value: String::new(), kind: Kind::Action(2) },
        ]
    }

    #[test]
    fn values_are_written_in_place() {
        let (mut sheet, rows) = (Sheet::default(), rows());
        assert_eq!(sheet.key(key(KeyCode::Enter), &rows), Told::Nothing);
        sheet.key(key(KeyCode::Down), &rows);
        sheet.key(key(KeyCode::Enter), &rows);
        type_text(" name", |key| assert_eq!(sheet.key(key, &rows), Told::Nothing));
        assert_eq!(sheet.key(key(KeyCode::Enter), &rows), Told::Written(1, "old name".to_owned()));
        sheet.key(key(KeyCode::Enter), &rows);
        assert_eq!(sheet.key(key(KeyCode::Enter), &rows), Told::Nothing, "nothing changed");
        sheet.key(key(KeyCode::Down), &rows);
        assert_eq!(sheet.key(key(KeyCode::Enter), &rows), Told::Chosen(2));
        assert_eq!(sheet.key(key(KeyCode::Esc), &rows), Told::Close);
    }
}
