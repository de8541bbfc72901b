//! Opening a web address: shown whole first, with where it leads.

use crossterm::event::{KeyCode, KeyEvent};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::popup::Popup;
use crate::app::effect::{Effect, Terminal};
use crate::text::links::Link;
use crate::text::wrap;
use crate::theme::Theme;

/// The state of the popup. There is at least one address.
#[derive(Debug, Clone)]
pub struct Links {
    links: Vec<Link>,
    shown: usize,
}

/// What a key asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// Back.
    Close,
    /// Ask this of the world, and go back.
    Do(Effect),
}

impl Links {
    /// These addresses; `None` if there are none.
    #[must_use]
    pub fn new(links: Vec<Link>) -> Option<Self> {
        (!links.is_empty()).then_some(Self { links, shown: 0 })
    }

    fn link(&self) -> &Link {
        &self.links[self.shown.min(self.links.len() - 1)]
    }

    /// A key.
    pub fn key(&mut self, key: KeyEvent) -> Option<Wish> {
        let count = self.links.len();
        match key.code {
            KeyCode::Esc => return Some(Wish::Close),
            KeyCode::Enter => {
                let open = Terminal::OpenLink(self.link().url.clone());
                return Some(Wish::Do(Effect::Terminal(open)));
            }
            KeyCode::Char('c' | 'y') => {
                let copy = Terminal::Copy(self.link().url.clone());
                return Some(Wish::Do(Effect::Terminal(copy)));
            }
            KeyCode::Down | KeyCode::Right | KeyCode::Tab | KeyCode::Char('j') => {
                self.shown = (self.shown + 1) % count;
            }
            KeyCode::Up | KeyCode::Left | KeyCode::BackTab | KeyCode::Char('k') => {
                self.shown = (self.shown + count - 1) % count;
            }
            _ => {}
        }
        None
    }

    /// Draws the popup.
    pub fn draw(&self, theme: Theme, screen: Rect, frame: &mut Frame<'_>) {
        let link = self.link();
        let title = match self.links.len() {
            1 => "Open this address?".to_owned(),
            count => format!("Open this address? ({} of {count})", self.shown + 1),
        };
        let wide = screen.width.saturating_sub(8).clamp(16, 72);
        let url: Vec<&str> = wrap_anywhere(&link.url, usize::from(wide));
        let warning = link.warning.map(|text| wrap::lines(text, usize::from(wide)).collect::<Vec<_>>());
        let rows = url.len() + 2 + warning.as_ref().map_or(0, Vec::len);
        let keys: &[(&str, &str)] = if self.links.len() > 1 {
            &[("Enter", "open"), ("c", "copy"), ("↑↓", "others"), ("Esc", "no")]
        } else {
            &[("Enter", "open"), ("c", "copy"), ("Esc", "no")]
        };
        let popup =
            Popup { title: &title, keys, width: wide, height: u16::try_from(rows).unwrap_or(u16::MAX) };
        let inner = popup.draw(theme, screen, frame);
        let mut lines: Vec<Line<'_>> = vec![
            Line::from(vec![
                Span::styled("It leads to  ", theme.quiet()),
                Span::styled(link.host.clone(), theme.strong()),
            ]),
            Line::default(),
        ];
        lines.extend(warning.into_iter().flatten().map(|text| Line::styled(text.to_owned(), theme.wrong())));
        lines.extend(url.into_iter().map(|text| Line::styled(text.to_owned(), theme.link())));
        frame.render_widget(Paragraph::new(lines), inner);
    }
}

/// An address in pieces of this many columns: it has no spaces to break at, and one column a byte.
fn wrap_anywhere(text: &str, wide: usize) -> Vec<&str> {
    let wide = wide.max(1);
    (0..text.len())
        .step_by(wide)
        .filter_map(|start| text.get(start..(start + wide).min(text.len())))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::key;
    use crate::text::links::links;

    #[test]
    fn an_address_is_opened_or_copied_after_it_was_shown() {
        let text = "https://one.example and https://two.example/x";
        let mut popup = Links::new(links(text)).unwrap();
        popup.key(key(KeyCode::Down));
        let open = Effect::Terminal(Terminal::OpenLink("https://two.example/x".to_owned()));
        assert_eq!(popup.key(key(KeyCode::Enter)), Some(Wish::Do(open)));
        popup.key(key(KeyCode::Down));
        let copy = Effect::Terminal(Terminal::Copy("https://one.example".to_owned()));
        assert_eq!(popup.key(key(KeyCode::Char('c'))), Some(Wish::Do(copy)));
        assert!(Links::new(links("nothing")).is_none());
    }
}
