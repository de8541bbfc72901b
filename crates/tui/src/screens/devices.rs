//! Where the user is signed in, and signing out elsewhere.

use crossterm::event::{KeyCode, KeyEvent};
use loquat_proto::{Device, DeviceId};
use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span};

use super::list::{Click, List};
use super::popup::Popup;
use crate::text::time::Clock;
use crate::text::width::{fit, truncate};
use crate::theme::Theme;

/// The state of the popup.
#[derive(Debug, Clone, Default)]
pub struct Devices {
    devices: Option<Result<Vec<Device>, String>>,
    list: List,
    asking: bool,
    problem: Option<String>,
}

/// What a key asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// Back.
    Close,
    /// Sign this one out.
    Revoke(DeviceId),
}

impl Devices {
    /// The answer to loading.
    pub fn set(&mut self, devices: Result<Vec<Device>, String>) {
        let devices = devices.map(|mut devices| {
            devices.sort_by_key(|device| (!device.current, std::cmp::Reverse(device.last_seen)));
            devices
        });
        self.devices = Some(devices);
    }

    /// What became of the last change.
    pub fn done(&mut self, result: Result<(), String>) {
        self.problem = result.err();
    }

    fn all(&self) -> &[Device] {
        match &self.devices {
            Some(Ok(devices)) => devices,
            _ => &[],
        }
    }

    fn under_cursor(&self) -> Option<&Device> {
        self.list.at(self.all().len()).map(|index| &self.all()[index])
    }

    /// A key.
    pub fn key(&mut self, key: KeyEvent) -> Option<Wish> {
        let asked = std::mem::take(&mut self.asking);
        match key.code {
            KeyCode::Esc if asked => {}
            KeyCode::Esc => return Some(Wish::Close),
            KeyCode::Char('y' | 'Y') if asked => {
                return self.under_cursor().map(|device| Wish::Revoke(device.id));
            }
            KeyCode::Char('x') | KeyCode::Delete => {
                self.problem = None;
                match self.under_cursor() {
                    Some(device) if device.current => {
                        self.problem = Some("This is where you are: log out instead (F4)".to_owned());
                    }
                    Some(_) => self.asking = true,
                    None => {}
                }
            }
            _ => {
                self.list.key(key, self.all().len());
            }
        }
        None
    }

    /// A click.
    pub fn click(&mut self, at: Position, screen: Rect) -> Click {
        let length = self.all().len();
        self.list.click(at, list_area(self.popup().inner(screen)), (length, 1))
    }

    fn popup(&self) -> Popup<'static> {
        let keys: &[(&str, &str)] = if self.asking {
            &[("y", "sign out"), ("Esc", "no")]
        } else {
            &[("x", "sign out"), ("↑↓", "choose"), ("Esc", "close")]
        };
        Popup { title: "Devices", keys, width: 64, height: 14 }
    }

    /// Draws the popup.
    pub fn draw(&self, clock: &Clock, theme: Theme, screen: Rect, frame: &mut Frame<'_>) {
        let inner = self.popup().draw(theme, screen, frame);
        let area = list_area(inner);
        match &self.devices {
            None => return frame.render_widget(Line::styled("Loading…", theme.quiet()), area),
            Some(Err(reason)) => {
                return frame.render_widget(Line::styled(reason.clone(), theme.wrong()), area);
            }
            Some(Ok(_)) => {}
        }
        self.list.draw(self.all().len(), theme, (area, frame), |index, room| {
            line(&self.all()[index], clock, theme, room)
        });
        let question = self.under_cursor().filter(|_| self.asking);
        let question = question.map(|device| (format!("Sign “{}” out?", device.name), theme.accent()));
        let bottom = question.or_else(|| self.problem.clone().map(|text| (text, theme.wrong())));
        if let Some((text, style)) = bottom {
            let place = Rect { y: inner.bottom().saturating_sub(1), height: 1, ..inner }.intersection(inner);
            frame.render_widget(Line::styled(truncate(&text, usize::from(inner.width)), style), place);
        }
    }
}

fn list_area(inner: Rect) -> Rect {
    Rect { height: inner.height.saturating_sub(2), ..inner }
}

fn line(device: &Device, clock: &Clock, theme: Theme, room: usize) -> Line<'static> {
    let name = if device.name.is_empty() { "unnamed" } else { &device.name };
    let seen = match (device.current, device.last_seen) {
        (true, _) => "this one".to_owned(),
        (false, Some(ts)) => format!("seen {}", clock.last_seen(ts)),
        (false, None) => format!("since {}", clock.short(device.created_at)),
    };
    let third = room.saturating_sub(3) / 3;
    let style = if device.current { theme.present() } else { theme.quiet() };
    Line::from(vec![
        Span::raw(" "),
        Span::raw(fit(name, third)),
        Span::raw(" "),
        Span::styled(fit(&device.platform, third), theme.quiet()),
        Span::raw(" "),
        Span::styled(truncate(&seen, third), style),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::key;

    #[test]
    fn another_device_is_signed_out_after_a_question_and_the_own_is_not() {
        let device = |id, current| Device {
            id: DeviceId::new(id).unwrap(),
            name: "Phone".to_owned(),
            platform: String::new(),
            created_at: 0,
            last_seen: None,
            current,
        };
        let mut popup = Devices::default();
        popup.set(Ok(vec![device(8, false), device(9, true)]));
        assert_eq!(popup.key(key(KeyCode::Char('x'))), None);
        assert!(popup.problem.is_some() && !popup.asking, "the own one comes first");
        popup.key(key(KeyCode::Down));
        assert_eq!(popup.key(key(KeyCode::Char('x'))), None);
        assert_eq!(popup.key(key(KeyCode::Char('y'))), Some(Wish::Revoke(DeviceId::new(8).unwrap())));
        assert_eq!(popup.key(key(KeyCode::Char('y'))), None);
        assert_eq!(popup.key(key(KeyCode::Esc)), Some(Wish::Close));
    }
}
