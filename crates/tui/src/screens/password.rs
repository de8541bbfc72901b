//! Changing the own password, and giving it once more before the account is erased.

use crossterm::event::{KeyCode, KeyEvent};
use loquat_proto::account::Secret;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::popup::{Field, Popup, draw_field};
use crate::app::effect::{Effect, Network};
use crate::editor::Editor;
use crate::keys::edit_field;
use crate::text::wrap;
use crate::theme::Theme;

/// Passwords have up to 256 characters.
const BYTES: usize = 1_024;

/// The shortest password that the server takes, in characters.
const SHORTEST: usize = 8;

/// What the password is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A new one.
    Change,
    /// To erase the account.
    Delete,
}

/// The state of the popup.
#[derive(Debug, Clone)]
pub struct Password {
    purpose: Purpose,
    fields: Vec<Editor>,
    focus: usize,
    problem: Option<String>,
    under_way: bool,
}

impl Password {
    /// With empty fields.
    #[must_use]
    pub fn new(purpose: Purpose) -> Self {
        let count = if purpose == Purpose::Change { 3 } else { 1 };
        let fields = (0..count).map(|_| Editor::single_line(BYTES)).collect();
        Self { purpose, fields, focus: 0, problem: None, under_way: false }
    }

    /// A key; the answer is what to ask of the server.
    pub fn key(&mut self, key: KeyEvent) -> Option<Effect> {
        if self.under_way {
            return None;
        }
        let last = self.fields.len() - 1;
        match key.code {
            KeyCode::Tab | KeyCode::Down => self.focus = (self.focus + 1) % (last + 1),
            KeyCode::BackTab | KeyCode::Up => self.focus = self.focus.checked_sub(1).unwrap_or(last),
            KeyCode::Enter if self.focus < last => self.focus += 1,
            KeyCode::Enter => return self.submit(),
            _ => {
                edit_field(&mut self.fields[self.focus], key);
            }
        }
        None
    }

    /// Pasted text goes where typing goes.
    pub fn paste(&mut self, text: &str) {
        self.fields[self.focus].insert(text.trim());
    }

    /// It did not work; why.
    pub fn failed(&mut self, reason: String) {
        self.fields[0].take();
        self.focus = 0;
        self.under_way = false;
        self.problem = Some(reason);
    }

    fn submit(&mut self) -> Option<Effect> {
        let text = |index: usize| self.fields.get(index).map(Editor::text).unwrap_or_default();
        let current = Secret(text(0).to_owned());
        let problem = match self.purpose {
            _ if text(0).is_empty() => Some((0, "The password of now is missing.")),
            Purpose::Delete => None,
            Purpose::Change if text(1).chars().count() < SHORTEST => {
                Some((1, "The new password has fewer than 8 characters."))
            }
            Purpose::Change if text(1) != text(2) => Some((2, "The new password was written in two ways.")),
            Purpose::Change => None,
        };
        if let Some((focus, problem)) = problem {
            self.focus = focus;
            self.problem = Some(problem.to_owned());
            return None;
        }
        let effect = match self.purpose {
            Purpose::Change => Network::ChangePassword { current, new: Secret(text(1).to_owned()) },
            Purpose::Delete => Network::DeleteAccount(current),
        };
        self.problem = None;
        self.under_way = true;
        Some(Effect::Network(effect))
    }

    /// Draws the popup.
    pub fn draw(&self, theme: Theme, screen: Rect, frame: &mut Frame<'_>) {
        let (title, labels, hint): (_, &[&str], _) = match self.purpose {
            Purpose::Change => (
                "Change the password",
                &["Now     ", "New     ", "Repeated"],
                "Your other devices are signed out.",
            ),
            Purpose::Delete => (
                "Delete the account",
                &["Password"],
                "Everything you wrote is erased, everywhere. Your name is free after 30 days. There is no way back.",
            ),
        };
        let popup = Popup { title, keys: &[("Enter", "go on"), ("Esc", "back")], width: 50, height: 8 };
        let inner = popup.draw(theme, screen, frame);
        let row = |offset: usize| {
            let y = inner.y + u16::try_from(offset).unwrap_or(u16::MAX);
            Rect { y, height: 1, ..inner }.intersection(inner)
        };
        for (index, (label, editor)) in labels.iter().zip(&self.fields).enumerate() {
            let mut field = Field::of(label, "", editor, !self.under_way && index == self.focus);
            field.masked = true;
            draw_field(field, theme, row(index + 1), frame);
        }
        let (text, style) = match &self.problem {
            _ if self.under_way => ("One moment…", theme.quiet()),
            Some(problem) => (problem.as_str(), theme.wrong()),
            None => (hint, theme.quiet()),
        };
        for (offset, line) in wrap::lines(text, usize::from(inner.width)).take(3).enumerate() {
            frame.render_widget(Line::styled(line.to_owned(), style), row(labels.len() + 2 + offset));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{key, type_text};

    fn written(texts: [&str; 3]) -> (Password, Option<Effect>) {
        let mut password = Password::new(Purpose::Change);
        let mut effect = None;
        for text in texts {
            type_text(text, |key| assert_eq!(password.key(key), None));
            effect = password.key(key(KeyCode::Enter));
        }
        (password, effect)
    }

    #[test]
    fn a_new_password_is_written_twice() {
        let (_, effect) = written(["correct horse", "battery staple", "battery staple"]);
        let (current, new) = (Secret("correct horse".to_owned()), Secret("battery staple".to_owned()));
        assert_eq!(effect, Some(Effect::Network(Network::ChangePassword { current, new })));
        for (texts, focus) in [
            (["correct horse", "battery staple", "battery"], 2),
            (["correct horse", "short", "short"], 1),
            (["", "battery staple", "battery staple"], 0),
        ] {
            let (password, effect) = written(texts);
            assert_eq!((effect, password.focus), (None, focus));
            assert!(password.problem.is_some());
        }
    }
}
