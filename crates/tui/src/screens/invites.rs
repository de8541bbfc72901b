//! Invitations to a conversation: making them, passing them on, taking them back.

use crossterm::event::{KeyCode, KeyEvent};
use loquat_proto::ConversationId;
use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span};

use super::info::span;
use super::list::{Click, List};
use super::popup::Popup;
use crate::app::effect::{Effect, Network, Terminal};
use crate::app::social::Invitation;
use crate::text::time::Clock;
use crate::text::width::truncate;
use crate::theme::Theme;

/// How often an invitation may be used.
const USES: [Option<u64>; 5] = [None, Some(1), Some(5), Some(25), Some(100)];

/// For how many seconds it is good.
const TIMES: [Option<u64>; 5] = [None, Some(3_600), Some(86_400), Some(7 * 86_400), Some(30 * 86_400)];

/// The state of the popup.
#[derive(Debug, Clone)]
pub struct Invites {
    /// To which conversation.
    pub conversation: ConversationId,
    invites: Option<Result<Vec<Invitation>, String>>,
    list: List,
    mode: Mode,
    problem: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Browse,
    /// Making one: which of the two lines is changed, and the choices.
    Make {
        on_time: bool,
        uses: usize,
        time: usize,
    },
    Revoke,
}

/// What a key asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// Back.
    Close,
    /// Ask this of the world.
    Do(Effect),
}

impl Invites {
    /// The invitations to this conversation, which are to be loaded.
    #[must_use]
    pub fn new(conversation: ConversationId) -> Self {
        Self { conversation, invites: None, list: List::default(), mode: Mode::Browse, problem: None }
    }

    /// The answer to loading.
    pub fn set(&mut self, invites: Result<Vec<Invitation>, String>) {
        self.invites = Some(invites);
    }

    /// What became of the last change.
    pub fn done(&mut self, result: Result<(), String>) {
        self.problem = result.err();
    }

    fn all(&self) -> &[Invitation] {
        match &self.invites {
            Some(Ok(invites)) => invites,
            _ => &[],
        }
    }

    fn under_cursor(&self) -> Option<&Invitation> {
        self.list.at(self.all().len()).map(|index| &self.all()[index])
    }

    /// A key.
    pub fn key(&mut self, key: KeyEvent) -> Option<Wish> {
        match std::mem::replace(&mut self.mode, Mode::Browse) {
            Mode::Make { on_time, uses, time } => self.make(key, (on_time, uses, time)),
            Mode::Revoke => match key.code {
                KeyCode::Char('y' | 'Y') => {
                    let code = self.under_cursor()?.code.clone();
                    let revoke = Network::RevokeInvite { conversation: self.conversation, code };
                    Some(Wish::Do(Effect::Network(revoke)))
                }
                _ => None,
            },
            Mode::Browse => self.browse(key),
        }
    }

    fn browse(&mut self, key: KeyEvent) -> Option<Wish> {
        self.problem = None;
        match key.code {
            KeyCode::Esc => return Some(Wish::Close),
            KeyCode::Char('n' | 'a') => self.mode = Mode::Make { on_time: false, uses: 0, time: 3 },
            KeyCode::Char('x') | KeyCode::Delete if self.under_cursor().is_some() => self.mode = Mode::Revoke,
            KeyCode::Char('c' | 'y') | KeyCode::Enter => {
                let url = self.under_cursor()?.url.clone();
                return Some(Wish::Do(Effect::Terminal(Terminal::Copy(url))));
            }
            KeyCode::Char('k') if self.all().is_empty() => {}
            _ => {
                self.list.key(key, self.all().len());
            }
        }
        None
    }

    fn make(&mut self, key: KeyEvent, (on_time, uses, time): (bool, usize, usize)) -> Option<Wish> {
        let turn = |index: usize, by: usize, of: usize| (index + by) % of;
        let mode = |on_time, uses, time| Mode::Make { on_time, uses, time };
        self.mode = match key.code {
            KeyCode::Esc => Mode::Browse,
            KeyCode::Up | KeyCode::Down | KeyCode::Tab | KeyCode::BackTab => mode(!on_time, uses, time),
            KeyCode::Right | KeyCode::Char(' ') if on_time => mode(on_time, uses, turn(time, 1, TIMES.len())),
            KeyCode::Right | KeyCode::Char(' ') => mode(on_time, turn(uses, 1, USES.len()), time),
            KeyCode::Left if on_time => mode(on_time, uses, turn(time, TIMES.len() - 1, TIMES.len())),
            KeyCode::Left => mode(on_time, turn(uses, USES.len() - 1, USES.len()), time),
            KeyCode::Enter => {
                let (max_uses, expires_in) = (USES[uses], TIMES[time]);
                let create = Network::CreateInvite { conversation: self.conversation, max_uses, expires_in };
                return Some(Wish::Do(Effect::Network(create)));
            }
            _ => mode(on_time, uses, time),
        };
        None
    }

    /// A click.
    pub fn click(&mut self, at: Position, screen: Rect) -> Click {
        if self.mode != Mode::Browse {
            return Click::Beside;
        }
        let length = self.all().len();
        let area = self.popup().inner(screen);
        self.list.click(at, Rect { height: area.height.saturating_sub(4), ..area }, (length, 1))
    }

    fn popup(&self) -> Popup<'static> {
        let keys: &[(&str, &str)] = match self.mode {
            Mode::Browse => &[("n", "new"), ("c", "copy the address"), ("x", "take back"), ("Esc", "close")],
            Mode::Make { .. } => &[("←→", "change"), ("Enter", "make it"), ("Esc", "back")],
            Mode::Revoke => &[("y", "take it back"), ("Esc", "no")],
        };
        Popup { title: "Invitations", keys, width: 64, height: 14 }
    }

    /// Draws the popup.
    pub fn draw(&self, clock: &Clock, theme: Theme, screen: Rect, frame: &mut Frame<'_>) {
        let inner = self.popup().draw(theme, screen, frame);
        let row = |offset: u16| Rect { y: inner.y + offset, height: 1, ..inner }.intersection(inner);
        if let Mode::Make { on_time, uses, time } = self.mode {
            let lines = [
                ("Good for", USES[uses].map_or("any number of people".to_owned(), people), !on_time),
                (
                    "Good until",
                    TIMES[time].map_or("taken back".to_owned(), |time| format!("{} from now", span(time))),
                    on_time,
                ),
            ];
            for (index, (label, value, chosen)) in lines.into_iter().enumerate() {
                let style = if chosen { theme.accent() } else { theme.plain() };
                let arrows = if chosen { ("‹ ", " ›") } else { ("  ", "") };
                let line = Line::from(vec![
                    Span::styled(format!("{label:<12}"), theme.quiet()),
                    Span::styled(format!("{}{value}{}", arrows.0, arrows.1), style),
                ]);
                frame.render_widget(line, row(u16::try_from(index).unwrap_or(0) + 1));
            }
            return;
        }
        let area = Rect { height: inner.height.saturating_sub(4), ..inner };
        match &self.invites {
            None => return frame.render_widget(Line::styled("Loading…", theme.quiet()), area),
            Some(Err(reason)) => {
                return frame.render_widget(Line::styled(reason.clone(), theme.wrong()), area);
            }
            Some(Ok(invites)) if invites.is_empty() => {
                let text = "No invitations. n makes one that you can pass on.";
                frame.render_widget(Line::styled(text, theme.quiet()), area);
            }
            Some(Ok(_)) => {}
        }
        self.list.draw(self.all().len(), theme, (area, frame), |index, room| {
            line(&self.all()[index], clock, theme, room)
        });
        self.draw_bottom(theme, inner, frame);
    }

    /// The whole address of the invitation under the cursor, a question or a problem.
    fn draw_bottom(&self, theme: Theme, inner: Rect, frame: &mut Frame<'_>) {
        let bottom = match (self.mode, &self.problem) {
            (Mode::Revoke, _) => Some(("Take this invitation back?".to_owned(), theme.accent())),
            (_, Some(problem)) => Some((problem.clone(), theme.wrong())),
            _ => self.under_cursor().map(|invite| (invite.url.clone(), theme.link())),
        };
        let Some((text, style)) = bottom else { return };
        let wide = usize::from(inner.width).max(1);
        let area = Rect { y: inner.bottom().saturating_sub(3), height: 3, ..inner }.intersection(inner);
        let lines: Vec<Line<'_>> = crate::text::wrap::lines(&text, wide)
            .take(usize::from(area.height))
            .map(|line| Line::styled(line.to_owned(), style))
            .collect();
        frame.render_widget(ratatui::widgets::Paragraph::new(lines), area);
    }
}

fn people(count: u64) -> String {
    if count == 1 { "one person".to_owned() } else { format!("{count} people") }
}

fn line(invite: &Invitation, clock: &Clock, theme: Theme, room: usize) -> Line<'static> {
    let used = match invite.max_uses {
        Some(most) => format!("{} of {most} used", invite.uses),
        None => format!("{} used", invite.uses),
    };
    let until = match invite.expires_at {
        Some(at) if at <= clock.now => "no longer good".to_owned(),
        Some(at) => format!("until {}, {}", clock.day(at).strftime("%-d %b"), clock.time_of_day(at)),
        None => "until taken back".to_owned(),
    };
    let tail = format!("  {used}, {until}");
    Line::from(vec![
        Span::raw(" "),
        Span::raw(truncate(&invite.code, room.saturating_sub(tail.len() + 1))),
        Span::styled(tail, theme.quiet()),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::key;

    #[test]
    fn an_invitation_is_made_copied_and_taken_back() {
        let conversation = ConversationId::new(71).unwrap();
        let mut popup = Invites::new(conversation);
        popup.set(Ok(vec![Invitation {
            code: "abc".to_owned(),
            url: "https://x/i/abc".to_owned(),
            uses: 0,
            max_uses: Some(1),
            expires_at: None,
        }]));
        let copy = Effect::Terminal(Terminal::Copy("https://x/i/abc".to_owned()));
        assert_eq!(popup.key(key(KeyCode::Char('c'))), Some(Wish::Do(copy)));
        popup.key(key(KeyCode::Char('n')));
        popup.key(key(KeyCode::Right));
        popup.key(key(KeyCode::Tab));
        popup.key(key(KeyCode::Left));
        let make = Network::CreateInvite { conversation, max_uses: Some(1), expires_in: Some(86_400) };
        assert_eq!(popup.key(key(KeyCode::Enter)), Some(Wish::Do(Effect::Network(make))));
        popup.key(key(KeyCode::Char('x')));
        let revoke = Network::RevokeInvite { conversation, code: "abc".to_owned() };
        assert_eq!(popup.key(key(KeyCode::Char('y'))), Some(Wish::Do(Effect::Network(revoke))));
    }
}
