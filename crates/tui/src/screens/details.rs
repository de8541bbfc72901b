//! Who has a message, and who has read it: from everybody's cursors.

use loquat_client::view::Timeline;
use loquat_proto::{Seq, UserId};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::conversation::as_message;
use super::popup::Popup;
use crate::app::people::People;
use crate::text::time::Clock;
use crate::text::width::truncate;
use crate::theme::Theme;

/// The state of the popup.
#[derive(Debug, Clone, Copy)]
pub struct Details {
    /// The message.
    pub target: Seq,
}

/// What the popup is drawn with besides its state.
#[derive(Debug, Clone, Copy)]
pub struct DetailsView<'a> {
    /// The conversation's timeline.
    pub timeline: &'a Timeline,
    /// The own user, who is not listed.
    pub me: UserId,
    /// Names.
    pub people: &'a People,
    /// Times.
    pub clock: &'a Clock,
    /// Colours.
    pub theme: Theme,
}

impl Details {
    /// Draws the popup.
    pub fn draw(self, view: DetailsView<'_>, screen: Rect, frame: &mut Frame<'_>) {
        let popup = Popup { title: "Message", keys: &[("Esc", "close")], width: 44, height: 14 };
        let inner = popup.draw(view.theme, screen, frame);
        let lines: Vec<Line<'_>> =
            self.lines(&view, usize::from(inner.width)).into_iter().take(usize::from(inner.height)).collect();
        frame.render_widget(Paragraph::new(lines), inner);
    }

    fn lines(self, view: &DetailsView<'_>, room: usize) -> Vec<Line<'static>> {
        let theme = view.theme;
        let message = view
            .timeline
            .items
            .iter()
            .filter_map(as_message)
            .find(|message| message.seq() == Some(self.target));
        let Some(message) = message else {
            return vec![Line::styled("The message is no longer loaded.", theme.quiet())];
        };
        let moment =
            |ts| format!("{}, {}", view.clock.day_label(view.clock.day(ts)), view.clock.time_of_day(ts));
        let mut lines = vec![fact("Sent", &moment(message.message.ts), theme)];
        if let Some(edited) = message.message.edited_at {
            lines.push(fact("Edited", &moment(edited), theme));
        }
        lines.push(fact("Number", &self.target.to_string(), theme));
        let others = |user: &UserId| *user != message.message.sender && *user != view.me;
        let cursors: Vec<_> = view.timeline.cursors.iter().filter(|cursor| others(&cursor.user)).collect();
        let reached = |read: bool| -> Vec<UserId> {
            cursors
                .iter()
                .filter(|cursor| {
                    if read {
                        cursor.read >= self.target
                    } else {
                        cursor.delivered.max(cursor.read) >= self.target
                    }
                })
                .map(|cursor| cursor.user)
                .collect()
        };
        let (read, delivered) = (reached(true), reached(false));
        let only_delivered: Vec<UserId> = delivered.into_iter().filter(|user| !read.contains(user)).collect();
        for (label, users) in [("Read by", read), ("Delivered to", only_delivered)] {
            if users.is_empty() {
                continue;
            }
            lines.push(Line::default());
            lines.push(Line::styled(label, theme.strong()));
            lines.extend(
                users
                    .iter()
                    .map(|user| Line::from(truncate(&format!("  {}", view.people.name(*user)), room))),
            );
        }
        lines
    }
}

fn fact(label: &str, text: &str, theme: Theme) -> Line<'static> {
    Line::from(vec![Span::styled(format!("{label}  "), theme.quiet()), Span::raw(text.to_owned())])
}
