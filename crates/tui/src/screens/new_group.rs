//! New group or channel: its title, then its members.

use crossterm::event::{KeyCode, KeyEvent};
use loquat_proto::{ConversationKind, Timestamp, UserId};
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
    kind: ConversationKind,
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
    /// Group or channel.
    pub kind: ConversationKind,
    /// The title.
    pub title: String,
    /// The other members.
    pub members: Vec<UserId>,
}

impl NewGroup {
    /// A fresh group; the own user is not offered as a member.
    #[must_use]
    pub fn group(me: UserId) -> Self {
        Self::new(ConversationKind::Group, me)
    }

    /// A fresh channel, which may begin without members: they come by invitation.
    #[must_use]
    pub fn channel(me: UserId) -> Self {
        Self::new(ConversationKind::Channel, me)
    }

    fn new(kind: ConversationKind, me: UserId) -> Self {
        let (title, picker) = (Editor::single_line(TITLE_BYTES), Picker::new(true, [me]));
        Self { kind, title, picker, step: Step::Title }
    }

    fn plan(&mut self, members: Vec<UserId>) -> Plan {
        self.step = Step::Creating;
        Plan { kind: self.kind, title: self.title.text().trim().to_owned(), members }
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
            (Step::Members, KeyCode::Enter)
                if self.kind == ConversationKind::Channel && self.picker.is_idle() =>
            {
                Some(self.plan(Vec::new()))
            }
            (Step::Members, _) => match self.picker.key(key, now) {
                Picked::People(people) => {
                    let members = people.iter().map(|person| person.id).collect();
                    Some(self.plan(members))
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
            (Step::Members, true) if self.kind == ConversationKind::Channel => {
                &[("Enter", "add, or make it alone"), ("Shift+Tab", "title"), ("Esc", "close")]
            }
            (Step::Members, true) => &[("Enter", "add"), ("Shift+Tab", "title"), ("Esc", "close")],
            (Step::Members, false) => &[("Enter", "add, or make it"), ("⌫", "take back"), ("Esc", "close")],
            (Step::Creating, _) => &[],
        };
        let is_channel = self.kind == ConversationKind::Channel;
        let title = if is_channel { "New channel" } else { "New group" };
        let inner = Popup { title, keys, width: 56, height: 15 }.draw(theme, screen, frame);
        let first = Rect { height: 1, ..inner }.intersection(inner);
        let field = Field::of("Title", "what it is called", &self.title, self.step == Step::Title);
        draw_field(field, theme, first, frame);
        let rest =
            Rect { y: inner.y + 2, height: inner.height.saturating_sub(2), ..inner }.intersection(inner);
        match self.step {
            Step::Title => {
                let text = if is_channel {
                    "You and its admins write, everybody else reads."
                } else {
                    "Then you choose its members, who all write."
                };
                frame.render_widget(Line::styled(text, theme.quiet()), rest);
            }
            Step::Members => self.picker.draw(theme, rest, frame),
            Step::Creating => frame.render_widget(Line::styled("Making it…", theme.quiet()), rest),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{key, profile, type_text, user};

    #[test]
    fn a_group_needs_a_title_and_members() {
        let mut group = NewGroup::group(user(1));
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
        let kind = ConversationKind::Group;
        let plan = Plan { kind, title: "Harvest".to_owned(), members: vec![user(2)] };
        assert_eq!(group.key(key(KeyCode::Enter), 0), Some(plan));
    }

    #[test]
    fn a_channel_may_begin_alone() {
        let mut channel = NewGroup::channel(user(1));
        type_text("News", |key| {
            channel.key(key, 0);
        });
        channel.key(key(KeyCode::Enter), 0);
        let plan = Plan { kind: ConversationKind::Channel, title: "News".to_owned(), members: Vec::new() };
        assert_eq!(channel.key(key(KeyCode::Enter), 0), Some(plan));
    }
}
