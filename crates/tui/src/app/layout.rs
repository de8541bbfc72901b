//! Where everything is on the screen: from the size and what is open. Drawing and scrolling use the same.

use ratatui::layout::Rect;

use crate::app::{App, Focus};
use crate::screens::bars;

/// From this width on, list and conversation stand side by side.
const TWO_PANES: u16 = 80;

/// The places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// The line about the connection, while it is broken.
    pub banner: Option<Rect>,
    /// The conversation list, with its title.
    pub chats: Option<Rect>,
    /// The line between list and conversation.
    pub divider: Option<Rect>,
    /// The open conversation, or what stands in its place.
    pub conversation: Option<Panes>,
    /// The keys.
    pub footer: Rect,
}

/// The places of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Panes {
    /// Who it is with.
    pub header: Rect,
    /// The messages.
    pub messages: Rect,
    /// The box to write in, with the rule above it.
    pub compose: Rect,
}

impl Layout {
    /// The places for this state.
    #[must_use]
    pub fn of(app: &App) -> Self {
        let (width, height) = app.size;
        let screen = Rect { x: 0, y: 0, width, height };
        let footer = Rect { y: height.saturating_sub(1), height: height.min(1), ..screen };
        let banner = (height > 6 && bars::banner_text(app).is_some()).then_some(Rect { height: 1, ..screen });
        let top = banner.map_or(0, |banner| banner.height);
        let body = Rect { y: top, height: height.saturating_sub(top + footer.height), ..screen };

        if width >= TWO_PANES {
            let list_width = (width * 3 / 10).clamp(28, 38);
            let chats = Rect { width: list_width, ..body };
            let divider = Rect { x: list_width, width: 1, ..body };
            let rest = Rect { x: list_width + 1, width: width - list_width - 1, ..body };
            let conversation = Some(Panes::of(app, rest));
            return Self { banner, chats: Some(chats), divider: Some(divider), conversation, footer };
        }
        if app.open.is_some() && app.focus != Focus::Chats {
            return Self {
                banner,
                chats: None,
                divider: None,
                conversation: Some(Panes::of(app, body)),
                footer,
            };
        }
        Self { banner, chats: Some(body), divider: None, conversation: None, footer }
    }
}

impl Panes {
    fn of(app: &App, area: Rect) -> Self {
        let header_rows = header_rows(area.height);
        let rows = usize::from(area.height);
        let wanted = app.open.as_ref().map_or(0, |open| open.compose.rows(usize::from(area.width), rows));
        let compose_rows =
            u16::try_from(wanted).unwrap_or(u16::MAX).min(area.height.saturating_sub(header_rows));
        let header = Rect { height: header_rows.min(area.height), ..area };
        let compose = Rect { y: area.bottom() - compose_rows, height: compose_rows, ..area };
        let messages = Rect { y: header.bottom(), height: compose.y.saturating_sub(header.bottom()), ..area };
        Self { header, messages, compose }
    }
}

/// Rows of the headings in a body of this height: two and a rule, or one where there is no room.
#[must_use]
pub const fn header_rows(height: u16) -> u16 {
    if height < 10 { 1 } else { 3 }
}
