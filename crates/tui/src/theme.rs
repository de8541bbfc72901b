//! Colours and marks.
//!
//! Only the sixteen colours of the terminal's own palette, so that the client looks right on dark and light
//! backgrounds alike, and never colour alone: every meaning has a mark or a weight too. `NO_COLOR` (no-color.org)
//! leaves the weights.

use loquat_proto::UserId;
use ratatui::style::{Color, Modifier, Style};

/// Colours that names may have: those which are legible on both backgrounds in the usual palettes.
const NAMES: [Color; 6] =
    [Color::Magenta, Color::Blue, Color::Red, Color::LightBlue, Color::LightMagenta, Color::LightRed];

/// How each kind of text is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Theme {
    colours: bool,
}

impl Theme {
    /// With or without colours.
    #[must_use]
    pub const fn new(colours: bool) -> Self {
        Self { colours }
    }

    /// As the environment asks for: a non-empty `NO_COLOR` switches colours off.
    #[must_use]
    pub fn from_environment() -> Self {
        Self::new(std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()))
    }

    /// Text as it comes.
    #[must_use]
    pub const fn plain(self) -> Style {
        Style::new()
    }

    /// What matters less.
    #[must_use]
    pub const fn quiet(self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    /// What matters more.
    #[must_use]
    pub const fn strong(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// What is chosen or asks for attention.
    #[must_use]
    pub const fn accent(self) -> Style {
        self.coloured(Color::Cyan).add_modifier(Modifier::BOLD)
    }

    /// Keys in the footer and the help.
    #[must_use]
    pub const fn key(self) -> Style {
        self.coloured(Color::Cyan)
    }

    /// The row under the cursor of a list that has the focus.
    #[must_use]
    pub const fn cursor_row(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    /// Unread counts and the divider of unread messages.
    #[must_use]
    pub const fn unread(self) -> Style {
        self.coloured(Color::Cyan).add_modifier(Modifier::BOLD)
    }

    /// Somebody is there, or is writing.
    #[must_use]
    pub const fn present(self) -> Style {
        self.coloured(Color::Green)
    }

    /// Connected but idle, and what waits.
    #[must_use]
    pub const fn waiting(self) -> Style {
        self.coloured(Color::Yellow)
    }

    /// What went wrong.
    #[must_use]
    pub const fn wrong(self) -> Style {
        self.coloured(Color::Red).add_modifier(Modifier::BOLD)
    }

    /// The ticks of a message that was read.
    #[must_use]
    pub const fn read(self) -> Style {
        if self.colours { Style::new().fg(Color::Cyan) } else { Style::new().add_modifier(Modifier::BOLD) }
    }

    /// The own name.
    #[must_use]
    pub const fn own_name(self) -> Style {
        self.coloured(Color::Green).add_modifier(Modifier::BOLD)
    }

    /// The banner above everything.
    #[must_use]
    pub const fn banner(self) -> Style {
        self.coloured(Color::Yellow).add_modifier(Modifier::REVERSED)
    }

    /// Another user's name: always the same colour for the same user.
    #[must_use]
    pub fn name(self, user: UserId) -> Style {
        // Ids are random: any digits of them spread well.
        let index = usize::try_from(user.get() % NAMES.len() as u64).unwrap_or(0);
        self.coloured(NAMES[index]).add_modifier(Modifier::BOLD)
    }

    const fn coloured(self, colour: Color) -> Style {
        if self.colours { Style::new().fg(colour) } else { Style::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_colours_there_are_none() {
        let theme = Theme::new(false);
        let user = UserId::new(12).unwrap();
        for style in
            [theme.accent(), theme.unread(), theme.wrong(), theme.read(), theme.banner(), theme.name(user)]
        {
            assert_eq!((style.fg, style.bg), (None, None));
            assert!(!style.add_modifier.is_empty(), "a meaning without colour needs a weight");
        }
    }

    #[test]
    fn a_user_keeps_a_colour() {
        let theme = Theme::new(true);
        let user = UserId::new(12).unwrap();
        assert_eq!(theme.name(user), theme.name(user));
    }
}
