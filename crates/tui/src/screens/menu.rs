//! A choice of one among a few: a value of a setting, what to do with a member, for how long to be quiet.

use crossterm::event::{KeyCode, KeyEvent};
use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span};

use super::list::{Click, List};
use super::popup::Popup;
use crate::app::command::Command;
use crate::app::effect::Effect;
use crate::text::width::{columns, truncate};
use crate::theme::Theme;

/// The state of the popup.
#[derive(Debug, Clone)]
pub struct Menu {
    title: String,
    items: Vec<Item>,
    list: List,
}

/// One of the choices.
#[derive(Debug, Clone)]
pub struct Item {
    /// What it says.
    pub label: String,
    /// Whether it is what is in force.
    pub current: bool,
    /// What follows.
    pub then: Then,
}

/// What follows a choice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Then {
    /// Ask this of the world.
    Do(Vec<Effect>),
    /// Ask first, under this title.
    AskFirst(&'static str, String, Box<Effect>),
    /// Do this command.
    Command(Command),
}

impl Item {
    /// A choice that asks something of the world.
    #[must_use]
    pub fn new(label: impl Into<String>, effect: Effect) -> Self {
        Self { label: label.into(), current: false, then: Then::Do(vec![effect]) }
    }

    /// The same, marked if it is what is in force.
    #[must_use]
    pub fn marked(self, current: bool) -> Self {
        Self { current, ..self }
    }
}

impl Menu {
    /// A menu with the cursor on what is in force.
    #[must_use]
    pub fn new(title: impl Into<String>, items: Vec<Item>) -> Self {
        let mut list = List::default();
        list.go(items.iter().position(|item| item.current).unwrap_or(0));
        Self { title: title.into(), items, list }
    }

    /// A key; the answer is what was chosen.
    pub fn key(&mut self, key: KeyEvent) -> Option<Then> {
        if key.code == KeyCode::Enter {
            return self.list.at(self.items.len()).map(|index| self.items[index].then.clone());
        }
        if let KeyCode::Char(digit @ '1'..='9') = key.code {
            let index = usize::from(u8::try_from(digit).unwrap_or(b'1') - b'1');
            return self.items.get(index).map(|item| item.then.clone());
        }
        self.list.key(key, self.items.len());
        None
    }

    /// A click.
    pub fn click(&mut self, at: Position, screen: Rect) -> Click {
        let area = self.popup().inner(screen);
        let click = self.list.click(at, area, (self.items.len(), 1));
        // One click is enough in a menu.
        if click == Click::Moved { Click::Again } else { click }
    }

    fn popup(&self) -> Popup<'_> {
        let widest = self.items.iter().map(|item| columns(&item.label)).max().unwrap_or(0);
        let wide = (widest + 6).max(columns(&self.title) + 4).clamp(36, 60);
        Popup {
            title: &self.title,
            keys: &[("Enter", "choose"), ("Esc", "back")],
            width: u16::try_from(wide).unwrap_or(40),
            height: u16::try_from(self.items.len()).unwrap_or(20).clamp(1, 20),
        }
    }

    /// Draws the popup.
    pub fn draw(&self, theme: Theme, screen: Rect, frame: &mut Frame<'_>) {
        let inner = self.popup().draw(theme, screen, frame);
        self.list.draw(self.items.len(), theme, (inner, frame), |index, room| {
            let item = &self.items[index];
            let mark = if item.current { "• " } else { "  " };
            Line::from(vec![
                Span::styled(mark, theme.accent()),
                Span::raw(truncate(&item.label, room.saturating_sub(2))),
            ])
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::effect::Network;
    use crate::testing::key;

    #[test]
    fn the_cursor_begins_with_what_is_in_force() {
        let item = |label: &str, effect, current| Item::new(label, Effect::Network(effect)).marked(current);
        let mut menu = Menu::new(
            "Choose",
            vec![item("one", Network::LogOut, false), item("two", Network::LoadDevices, true)],
        );
        let chosen = Then::Do(vec![Effect::Network(Network::LoadDevices)]);
        assert_eq!(menu.key(key(KeyCode::Enter)), Some(chosen));
        let chosen = Then::Do(vec![Effect::Network(Network::LogOut)]);
        assert_eq!(menu.key(key(KeyCode::Char('1'))), Some(chosen));
        assert_eq!(menu.key(key(KeyCode::Char('3'))), None);
    }
}
