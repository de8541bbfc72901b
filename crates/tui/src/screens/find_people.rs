//! New chat: find somebody and open the conversation with them.

use crossterm::event::KeyEvent;
use loquat_proto::{Timestamp, UserId};
use ratatui::Frame;
use ratatui::layout::Rect;

use super::picker::{Picked, Picker};
use super::popup::Popup;
use crate::theme::Theme;

/// The state of the popup.
#[derive(Debug, Clone)]
pub struct FindPeople {
    /// Who is looked for.
    pub picker: Picker,
    opening: bool,
}

impl FindPeople {
    /// A fresh one; the own user is not offered.
    #[must_use]
    pub fn new(me: UserId) -> Self {
        Self { picker: Picker::new(false, [me]), opening: false }
    }

    /// A key; the answer is who was chosen.
    pub fn key(&mut self, key: KeyEvent, now: Timestamp) -> Option<UserId> {
        if self.opening {
            return None;
        }
        match self.picker.key(key, now) {
            Picked::People(people) => {
                self.opening = true;
                people.first().map(|person| person.id)
            }
            Picked::Nothing => None,
        }
    }

    /// It could not be opened: another choice may be made.
    pub fn failed(&mut self) {
        self.opening = false;
    }

    /// Draws the popup.
    pub fn draw(&self, theme: Theme, screen: Rect, frame: &mut Frame<'_>) {
        let popup = Popup {
            title: "New chat",
            keys: &[("Enter", "open"), ("↑↓", "choose"), ("Esc", "close")],
            width: 52,
            height: 14,
        };
        let inner = popup.draw(theme, screen, frame);
        self.picker.draw(theme, inner, frame);
    }
}
