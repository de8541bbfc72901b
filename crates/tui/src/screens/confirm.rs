//! A question before something that cannot be taken back.

use crossterm::event::{KeyCode, KeyEvent};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::Paragraph;

use super::popup::Popup;
use crate::app::effect::Effect;
use crate::text::{width, wrap};
use crate::theme::Theme;

/// The state of the popup.
#[derive(Debug, Clone)]
pub struct Confirm {
    title: String,
    text: String,
    effect: Effect,
}

/// What the user said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Do it.
    Yes(Effect),
    /// Leave it.
    No,
}

impl Confirm {
    /// A question, and what is done on yes.
    #[must_use]
    pub fn new(title: &str, text: &str, effect: Effect) -> Self {
        Self { title: title.to_owned(), text: text.to_owned(), effect }
    }

    /// A key; others than yes and no are waited out.
    #[must_use]
    pub fn key(&self, key: KeyEvent) -> Option<Answer> {
        match key.code {
            KeyCode::Char('y' | 'Y') => Some(Answer::Yes(self.effect.clone())),
            KeyCode::Char('n' | 'N') | KeyCode::Esc => Some(Answer::No),
            _ => None,
        }
    }

    /// Draws the popup.
    pub fn draw(&self, theme: Theme, screen: Rect, frame: &mut Frame<'_>) {
        let popup = Popup { title: &self.title, keys: &[("y", "yes"), ("n", "no")], width: 48, height: 4 };
        let inner = popup.draw(theme, screen, frame);
        let rows = usize::from(inner.height);
        let mut lines: Vec<Line<'_>> =
            wrap::lines(&self.text, usize::from(inner.width)).take(rows).map(Line::from).collect();
        if lines.len() == rows
            && let Some(last) = lines.pop()
        {
            let text: String = last.spans.iter().map(|span| span.content.as_ref()).collect();
            lines.push(Line::from(width::truncate(&text, usize::from(inner.width))));
        }
        frame.render_widget(Paragraph::new(lines), inner);
    }
}
