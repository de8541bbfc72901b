//! Using an invitation: its code or address, what it leads to, and joining.

use crossterm::event::{KeyCode, KeyEvent};
use loquat_proto::ConversationKind;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::popup::{Field, Popup, draw_field};
use crate::app::effect::Network;
use crate::app::social::Preview;
use crate::editor::Editor;
use crate::keys::edit_field;
use crate::text::wrap;
use crate::theme::Theme;

/// The state of the popup.
#[derive(Debug, Clone)]
pub struct Join {
    code: Editor,
    step: Step,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Asking,
    Looking,
    Shown(Preview),
    Joining,
    Failed(String),
}

impl Join {
    /// With an empty field.
    #[must_use]
    pub fn new() -> Self {
        Self { code: Editor::single_line(512), step: Step::Asking }
    }

    /// A key; the answer is what to ask of the server.
    pub fn key(&mut self, key: KeyEvent) -> Option<Network> {
        let code = code_of(self.code.text());
        match (&self.step, key.code) {
            (Step::Looking | Step::Joining, _) => None,
            (Step::Shown(_), KeyCode::Enter) => {
                self.step = Step::Joining;
                Some(Network::Join(code))
            }
            (_, KeyCode::Enter) if !code.is_empty() => {
                self.step = Step::Looking;
                Some(Network::PreviewInvite(code))
            }
            (_, KeyCode::Enter) => None,
            _ => {
                edit_field(&mut self.code, key);
                self.step = Step::Asking;
                None
            }
        }
    }

    /// Pasted text goes to the field.
    pub fn paste(&mut self, text: &str) {
        if !matches!(self.step, Step::Looking | Step::Joining) {
            self.code.insert(text.trim());
            self.step = Step::Asking;
        }
    }

    /// What the invitation leads to.
    pub fn previewed(&mut self, code: &str, preview: Result<Preview, String>) {
        if self.step == Step::Looking && code == code_of(self.code.text()) {
            self.step = preview.map_or_else(Step::Failed, Step::Shown);
        }
    }

    /// It could not be used.
    pub fn failed(&mut self, reason: String) {
        self.step = Step::Failed(reason);
    }

    /// Draws the popup.
    pub fn draw(&self, theme: Theme, screen: Rect, frame: &mut Frame<'_>) {
        let keys: &[(&str, &str)] = match self.step {
            Step::Shown(_) => &[("Enter", "join"), ("Esc", "close")],
            _ => &[("Enter", "look"), ("Esc", "close")],
        };
        let inner =
            Popup { title: "Join by invitation", keys, width: 56, height: 6 }.draw(theme, screen, frame);
        let row = |offset: u16| Rect { y: inner.y + offset, height: 1, ..inner }.intersection(inner);
        let asking = !matches!(self.step, Step::Looking | Step::Joining);
        draw_field(Field::of("Code", "or the whole address", &self.code, asking), theme, row(1), frame);
        let (text, style) = match &self.step {
            Step::Asking => ("Somebody gave you a code or an address.".to_owned(), theme.quiet()),
            Step::Looking => ("Looking where it leads…".to_owned(), theme.quiet()),
            Step::Joining => ("Joining…".to_owned(), theme.quiet()),
            Step::Failed(reason) => (reason.clone(), theme.wrong()),
            Step::Shown(preview) => {
                let kind = match preview.kind {
                    ConversationKind::Channel => "channel",
                    _ => "group",
                };
                let noun = if preview.member_count == 1 { "member" } else { "members" };
                let text = format!("The {kind} “{}”, {} {noun}.", preview.title, preview.member_count);
                (text, theme.strong())
            }
        };
        for (offset, line) in wrap::lines(&text, usize::from(inner.width)).take(3).enumerate() {
            frame.render_widget(
                Line::styled(line.to_owned(), style),
                row(3 + u16::try_from(offset).unwrap_or(0)),
            );
        }
    }
}

impl Default for Join {
    fn default() -> Self {
        Self::new()
    }
}

/// The code in what was typed: the last part of an address, or all of it.
fn code_of(text: &str) -> String {
    let text = text.trim();
    let path = text.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/');
    path.rsplit('/').next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{key, type_text};

    #[test]
    fn an_address_or_its_code_is_looked_at_before_it_is_used() {
        for typed in ["AbC123", "https://chat.example/invite/AbC123/", " https://chat.example/i/AbC123?x=1 "]
        {
            let mut join = Join::new();
            type_text(typed, |key| assert_eq!(join.key(key), None));
            assert_eq!(join.key(key(KeyCode::Enter)), Some(Network::PreviewInvite("AbC123".to_owned())));
            assert_eq!(join.key(key(KeyCode::Enter)), None, "one at a time");
            let preview =
                Preview { title: "Harvest".to_owned(), kind: ConversationKind::Group, member_count: 3 };
            join.previewed("AbC123", Ok(preview));
            assert_eq!(join.key(key(KeyCode::Enter)), Some(Network::Join("AbC123".to_owned())));
        }
    }
}
