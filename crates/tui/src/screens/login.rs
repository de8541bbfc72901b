//! Log in, or sign up.

use crossterm::event::{KeyCode, KeyEvent};
use loquat_proto::account::Secret;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::popup::{Field, Popup, draw_field};
use crate::app::effect::{Effect, Network};
use crate::editor::Editor;
use crate::keys::{edit_field, is_control};
use crate::text::wrap;
use crate::theme::Theme;

/// The state of the screen.
#[derive(Debug, Clone)]
pub struct Login {
    /// Where the server is.
    pub server: String,
    purpose: Purpose,
    fields: [Editor; 3],
    focus: usize,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    LogIn,
    SignUp,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    /// The stored session is being looked for.
    Starting,
    Editing,
    UnderWay,
    Failed(String),
}

const USERNAME: usize = 0;
const PASSWORD: usize = 1;
const NAME: usize = 2;

impl Login {
    /// The screen before it is known whether somebody is signed in on this device.
    #[must_use]
    pub fn new(server: &str) -> Self {
        Self {
            server: server.to_owned(),
            purpose: Purpose::LogIn,
            fields: [Editor::single_line(254), Editor::single_line(1024), Editor::single_line(256)],
            focus: USERNAME,
            state: State::Starting,
        }
    }

    /// Nobody is signed in: the user is asked. `sign_up` begins with making an account.
    pub fn ask(&mut self, username: &str, sign_up: bool) {
        self.fields[USERNAME].set(username);
        self.focus = if username.is_empty() { USERNAME } else { PASSWORD };
        self.purpose = if sign_up { Purpose::SignUp } else { Purpose::LogIn };
        self.state = State::Editing;
    }

    /// It did not work; why.
    pub fn failed(&mut self, reason: String) {
        self.fields[PASSWORD].take();
        self.focus = PASSWORD;
        self.state = State::Failed(reason);
    }

    /// Pasted text goes where typing goes.
    pub fn paste(&mut self, text: &str) {
        self.fields[self.focus].insert(text.trim());
    }

    /// A key; the answer is the sign-in to try.
    pub fn key(&mut self, key: KeyEvent) -> Option<Effect> {
        if matches!(self.state, State::Starting | State::UnderWay) {
            return None;
        }
        let last = self.last_field();
        match key.code {
            _ if is_control(key, 'n') => {
                self.purpose = if self.purpose == Purpose::LogIn { Purpose::SignUp } else { Purpose::LogIn };
                self.focus = self.focus.min(self.last_field());
                self.state = State::Editing;
            }
            KeyCode::Tab | KeyCode::Down => {
                self.focus = if self.focus == last { USERNAME } else { self.focus + 1 }
            }
            KeyCode::BackTab | KeyCode::Up => self.focus = self.focus.checked_sub(1).unwrap_or(last),
            KeyCode::Enter => return self.submit(),
            _ => {
                edit_field(&mut self.fields[self.focus], key);
            }
        }
        None
    }

    const fn last_field(&self) -> usize {
        match self.purpose {
            Purpose::LogIn => PASSWORD,
            Purpose::SignUp => NAME,
        }
    }

    fn submit(&mut self) -> Option<Effect> {
        let username = self.fields[USERNAME].text().trim().trim_start_matches('@').to_owned();
        let password = self.fields[PASSWORD].text().to_owned();
        if username.is_empty() {
            self.focus = USERNAME;
            return None;
        }
        if password.is_empty() {
            self.focus = PASSWORD;
            return None;
        }
        // Enter goes through the fields before it sends.
        if self.purpose == Purpose::SignUp && self.focus < NAME {
            self.focus = NAME;
            return None;
        }
        self.state = State::UnderWay;
        let password = Secret(password);
        Some(match self.purpose {
            Purpose::LogIn => Effect::Network(Network::LogIn { login: username, password }),
            Purpose::SignUp => {
                let name = self.fields[NAME].text().trim();
                let display_name = (!name.is_empty()).then(|| name.to_owned());
                Effect::Network(Network::SignUp { username, display_name, password })
            }
        })
    }

    /// Draws the screen.
    pub fn draw(&self, theme: Theme, screen: Rect, frame: &mut Frame<'_>) {
        let (title, keys): (_, &[(&str, &str)]) = match self.purpose {
            Purpose::LogIn => {
                ("Log in to Loquat", &[("Enter", "log in"), ("Ctrl+N", "new account"), ("Ctrl+Q", "leave")])
            }
            Purpose::SignUp => {
                ("New Loquat account", &[("Enter", "sign up"), ("Ctrl+N", "log in"), ("Ctrl+Q", "leave")])
            }
        };
        let inner = Popup { title, keys, width: 52, height: 11 }.draw(theme, screen, frame);
        let row = |offset: u16| Rect { y: inner.y + offset, height: 1, ..inner }.intersection(inner);
        frame.render_widget(
            Line::from(vec![Span::styled("Server    ", theme.quiet()), Span::raw(self.server.clone())]),
            row(1),
        );
        if self.state == State::Starting {
            frame.render_widget(Line::styled("Starting…", theme.quiet()), row(3));
            return;
        }
        let asking = self.state != State::UnderWay;
        let (username_hint, password_hint) = match self.purpose {
            Purpose::LogIn => ("name, e-mail or phone", ""),
            Purpose::SignUp => ("3 to 32 of a-z 0-9 _ .", "8 characters or more"),
        };
        let fields = [
            ("Username", username_hint, USERNAME),
            ("Password", password_hint, PASSWORD),
            ("Name    ", "shown to others, if not the username", NAME),
        ];
        for (label, hint, index) in fields.into_iter().filter(|(_, _, index)| *index <= self.last_field()) {
            let mut field = Field::of(label, hint, &self.fields[index], asking && self.focus == index);
            field.masked = index == PASSWORD;
            draw_field(field, theme, row(3 + u16::try_from(index).unwrap_or(0)), frame);
        }
        let (text, style) = self.message(theme);
        for (offset, line) in wrap::lines(&text, usize::from(inner.width)).take(3).enumerate() {
            frame.render_widget(
                Line::styled(line.to_owned(), style),
                row(7 + u16::try_from(offset).unwrap_or(0)),
            );
        }
    }

    fn message(&self, theme: Theme) -> (String, Style) {
        match (&self.state, self.purpose) {
            (State::Failed(reason), _) => (reason.clone(), theme.wrong()),
            (State::UnderWay, Purpose::LogIn) => ("Logging in…".to_owned(), theme.quiet()),
            (State::UnderWay, Purpose::SignUp) => ("Making the account…".to_owned(), theme.quiet()),
            (_, Purpose::LogIn) => ("No account yet? Ctrl+N makes one.".to_owned(), theme.quiet()),
            (_, Purpose::SignUp) => ("Others find you by your username.".to_owned(), theme.quiet()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{control, key, type_text};

    fn asked(sign_up: bool) -> Login {
        let mut login = Login::new("http://127.0.0.1:8080");
        login.ask("", sign_up);
        login
    }

    #[test]
    fn logging_in_takes_name_and_password() {
        let mut login = asked(false);
        type_text("@mira", |key| assert_eq!(login.key(key), None));
        assert_eq!(login.key(key(KeyCode::Enter)), None, "the password is missing");
        type_text("correct horse", |key| assert_eq!(login.key(key), None));
        let effect = Effect::Network(Network::LogIn {
            login: "mira".to_owned(),
            password: Secret("correct horse".to_owned()),
        });
        assert_eq!(login.key(key(KeyCode::Enter)), Some(effect));
        assert_eq!(login.key(key(KeyCode::Enter)), None, "one try at a time");
    }

    #[test]
    fn signing_up_asks_for_a_name_too() {
        let mut login = asked(false);
        login.key(control('n'));
        type_text("mira", |key| assert_eq!(login.key(key), None));
        login.key(key(KeyCode::Tab));
        type_text("correct horse", |key| assert_eq!(login.key(key), None));
        assert_eq!(login.key(key(KeyCode::Enter)), None);
        type_text("Mira M.", |key| assert_eq!(login.key(key), None));
        let effect = Effect::Network(Network::SignUp {
            username: "mira".to_owned(),
            display_name: Some("Mira M.".to_owned()),
            password: Secret("correct horse".to_owned()),
        });
        assert_eq!(login.key(key(KeyCode::Enter)), Some(effect));
    }

    #[test]
    fn after_a_failure_the_password_is_asked_again() {
        let mut login = asked(false);
        type_text("mira", |key| assert_eq!(login.key(key), None));
        login.key(key(KeyCode::Tab));
        type_text("wrong", |key| assert_eq!(login.key(key), None));
        login.key(key(KeyCode::Enter));
        login.failed("wrong user or password".to_owned());
        assert_eq!(login.fields[USERNAME].text(), "mira");
        assert!(login.fields[PASSWORD].is_empty());
        assert_eq!(login.focus, PASSWORD);
    }
}
