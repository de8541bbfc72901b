//! New group: its title, then its members.

use crossterm::event::{KeyCode, KeyEvent};
use loquat_proto::{Timestamp, UserId};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::picker::{Picked, Picker};
use super::popup::{Field, Popup, draw_field};
use crate::editor::Editor;
use crate::keys::edit_field;
use crate::theme::Theme;

/// Titles have up to 128 characters (`limits.title_chars`): this many bytes hold them in any script.
const TITLE_BYTES: usize = 512;

/// The state of the popup.
#[derive(Debug, Clone)]
pub struct NewGroup {
    title: Editor,
    /// Who is to be in it; asked once there is a title.
    pub picker: Picker,
    step: Step,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Title,
    Members,
    Creating,
}

/// What is to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The title.
    pub title: String,
    /// The other members.
    pub members: Vec<UserId>,
}

impl NewGroup {
    /// A fresh one; the own user is not offered.
    #[must_use]
    pub fn new(me: UserId) -> Self {
        Self { title: Editor::single_line(TITLE_BYTES), picker: Picker::new(true, [me]), step: Step::Title }
    }

    /// A key; the answer is the group to make, when all is known.
    pub fn key(&mut self, key: KeyEvent, now: Timestamp) -> Option<Plan> {
        match (self.step, key.code) {
            (Step::Creating, _) => None,
            (Step::Title, KeyCode::Enter | KeyCode::Tab | KeyCode::Down) => {
                if !self.title.text().trim().is_empty() {
                    self.step = Step::Members;
                }
                None
            }
            (Step::Title, _) => {
                edit_field(&mut self.title, key);
                None
            }
            (Step::Members, KeyCode::BackTab) => {
                self.step = Step::Title;
                None
            }
            (Step::Members, _) => match self.picker.key(key, now) {
                Picked::People(people) => {
                    self.step = Step::Creating;
                    let members = people.iter().map(|person| person.id).collect();
                    Some(Plan { title: self.title.text().trim().to_owned(), members })
                }
                Picked::Nothing => None,
            },
        }
    }

    /// Pasted text goes where typing goes.
    pub fn paste(&mut self, text: &str, now: Timestamp) {
        match self.step {
            Step::Title => {
                self.title.insert(text.trim());
            }
            Step::Members => self.picker.paste(text, now),
            Step::Creating => {}
        }
    }

    /// It could not be made: the members may be chosen again.
    pub fn failed(&mut self) {
        self.step = Step::Members;
    }

    /// Draws the popup.
    pub fn draw(&self, theme: Theme, screen: Rect, frame: &mut Frame<'_>) {
        let keys: &[(&str, &str)] = match (self.step, self.picker.chosen().is_empty()) {
            (Step::Title, _) => &[("Enter", "next"), ("Esc", "close")],
            (Step::Members, true) => &[("Enter", "add"), ("Shift+Tab", "title"), ("Esc", "close")],
            (Step::Members, false) => {
                &[("Enter", "add, or make the group"), ("⌫", "take back"), ("Esc", "close")]
            }
            (Step::Creating, _) => &[],
        };
        let inner = Popup { title: "New group", keys, width: 56, height: 15 }.draw(theme, screen, frame);
        let first = Rect { height: 1, ..inner }.intersection(inner);
        let field = Field::of("Title", "what the group is called", &self.title, self.step == Step::Title);
        draw_field(field, theme, first, frame);
        let rest =
            Rect { y: inner.y + 2, height: inner.height.saturating_sub(2), ..inner }.intersection(inner);
        match self.step {
            Step::Title => {
                frame.render_widget(Line::styled("Then you choose its members.", theme.quiet()), rest);
            }
            Step::Members => self.picker.draw(theme, rest, frame),
            Step::Creating => frame.render_widget(Line::styled("Making the group…", theme.quiet()), rest),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{key, profile, type_text, user};

    #[test]
    fn a_group_needs_a_title_and_members() {
        let mut group = NewGroup::new(user(1));
        assert_eq!(group.key(key(KeyCode::Enter), 0), None);
        assert_eq!(group.step, Step::Title);
        type_text("Harvest", |key| {
            group.key(key, 0);
        });
        group.key(key(KeyCode::Enter), 0);
        assert_eq!(group.key(key(KeyCode::Enter), 0), None);
        type_text("to", |key| {
            group.key(key, 0);
        });
        group.picker.answer("to", Ok(vec![profile(2, "tomas")]));
        assert_eq!(group.key(key(KeyCode::Enter), 0), None);
        let plan = Plan { title: "Harvest".to_owned(), members: vec![user(2)] };
        assert_eq!(group.key(key(KeyCode::Enter), 0), Some(plan));
    }
}
