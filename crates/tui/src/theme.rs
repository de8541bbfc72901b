//! Colours and marks.
//!
//! Never colour alone: every meaning has a mark or a weight too. `NO_COLOR` (no-color.org) leaves the weights. The dark
//! and the light theme take colours of the fixed part of the 256 (their contrast is known); the terminal's own theme
//! takes the sixteen of its palette that are legible on both backgrounds, and is what there is where the background is
//! not known.

use loquat_proto::UserId;
use ratatui::style::{Color, Modifier, Style};
use serde::{Deserialize, Serialize};

/// Which colours the user wants.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum ThemeChoice {
    /// Dark or light as the terminal's background is; where it does not tell, as `terminal`.
    #[default]
    Auto,
    /// For dark backgrounds.
    Dark,
    /// For light backgrounds.
    Light,
    /// The sixteen colours of the terminal's palette.
    Terminal,
    /// No colours.
    None,
}

impl ThemeChoice {
    /// Every choice, in the order in which they follow each other.
    pub const ALL: [Self; 5] = [Self::Auto, Self::Dark, Self::Light, Self::Terminal, Self::None];

    /// The choice in words.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Auto => "as the terminal's background",
            Self::Dark => "dark",
            Self::Light => "light",
            Self::Terminal => "the terminal's own colours",
            Self::None => "no colours",
        }
    }

    /// The theme on a background that is dark, light or not known.
    #[must_use]
    pub const fn on(self, background: Option<Background>) -> Theme {
        let palette = match (self, background) {
            (Self::None, _) => return Theme { palette: None },
            (Self::Dark, _) | (Self::Auto, Some(Background::Dark)) => &DARK,
            (Self::Light, _) | (Self::Auto, Some(Background::Light)) => &LIGHT,
            (Self::Terminal, _) | (Self::Auto, None) => &TERMINAL,
        };
        Theme { palette: Some(palette) }
    }
}

/// What the terminal draws on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Background {
    /// Light text on it.
    Dark,
    /// Dark text on it.
    Light,
}

/// The colours of a theme.
#[derive(Debug, PartialEq, Eq)]
struct Palette {
    accent: Color,
    good: Color,
    waiting: Color,
    wrong: Color,
    /// `None`: the terminal's faint text.
    quiet: Option<Color>,
    /// The row under the cursor; `None`: reversed.
    cursor: Option<Color>,
    names: [Color; 6],
}

static TERMINAL: Palette = Palette {
    accent: Color::Cyan,
    good: Color::Green,
    waiting: Color::Yellow,
    wrong: Color::Red,
    quiet: None,
    cursor: None,
    names: [Color::Magenta, Color::Blue, Color::Red, Color::LightBlue, Color::LightMagenta, Color::LightRed],
};

static DARK: Palette = Palette {
    accent: Color::Indexed(80),
    good: Color::Indexed(114),
    waiting: Color::Indexed(221),
    wrong: Color::Indexed(203),
    quiet: Some(Color::Indexed(246)),
    cursor: Some(Color::Indexed(238)),
    names: [
        Color::Indexed(176),
        Color::Indexed(111),
        Color::Indexed(209),
        Color::Indexed(150),
        Color::Indexed(180),
        Color::Indexed(117),
    ],
};

static LIGHT: Palette = Palette {
    accent: Color::Indexed(24),
    good: Color::Indexed(22),
    waiting: Color::Indexed(94),
    wrong: Color::Indexed(124),
    quiet: Some(Color::Indexed(241)),
    cursor: Some(Color::Indexed(253)),
    names: [
        Color::Indexed(90),
        Color::Indexed(25),
        Color::Indexed(130),
        Color::Indexed(28),
        Color::Indexed(95),
        Color::Indexed(54),
    ],
};

/// How each kind of text is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Theme {
    /// `None`: no colours.
    palette: Option<&'static Palette>,
}

impl Theme {
    /// The terminal's own colours, or none.
    #[must_use]
    pub const fn new(colours: bool) -> Self {
        if colours { ThemeChoice::Terminal.on(None) } else { ThemeChoice::None.on(None) }
    }

    /// Text as it comes.
    #[must_use]
    pub const fn plain(self) -> Style {
        Style::new()
    }

    /// What matters less.
    #[must_use]
    pub const fn quiet(self) -> Style {
        match self.palette {
            Some(Palette { quiet: Some(colour), .. }) => Style::new().fg(*colour),
            _ => Style::new().add_modifier(Modifier::DIM),
        }
    }

    /// What matters more.
    #[must_use]
    pub const fn strong(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// What is chosen or asks for attention.
    #[must_use]
    pub const fn accent(self) -> Style {
        self.key().add_modifier(Modifier::BOLD)
    }

    /// Keys in the footer and the help.
    #[must_use]
    pub const fn key(self) -> Style {
        match self.palette {
            Some(palette) => Style::new().fg(palette.accent),
            None => Style::new(),
        }
    }

    /// The row under the cursor of a list that has the focus.
    #[must_use]
    pub const fn cursor_row(self) -> Style {
        match self.palette {
            Some(Palette { cursor: Some(colour), .. }) => {
                Style::new().bg(*colour).add_modifier(Modifier::BOLD)
            }
            _ => Style::new().add_modifier(Modifier::REVERSED),
        }
    }

    /// Unread counts and the divider of unread messages.
    #[must_use]
    pub const fn unread(self) -> Style {
        self.accent()
    }

    /// Somebody is there, or is writing.
    #[must_use]
    pub const fn present(self) -> Style {
        match self.palette {
            Some(palette) => Style::new().fg(palette.good),
            None => Style::new(),
        }
    }

    /// Connected but idle, and what waits.
    #[must_use]
    pub const fn waiting(self) -> Style {
        match self.palette {
            Some(palette) => Style::new().fg(palette.waiting),
            None => Style::new(),
        }
    }

    /// What went wrong.
    #[must_use]
    pub const fn wrong(self) -> Style {
        let style = match self.palette {
            Some(palette) => Style::new().fg(palette.wrong),
            None => Style::new(),
        };
        style.add_modifier(Modifier::BOLD)
    }

    /// The ticks of a message that was read.
    #[must_use]
    pub const fn read(self) -> Style {
        match self.palette {
            Some(palette) => Style::new().fg(palette.accent),
            None => Style::new().add_modifier(Modifier::BOLD),
        }
    }

    /// The own name.
    #[must_use]
    pub const fn own_name(self) -> Style {
        self.present().add_modifier(Modifier::BOLD)
    }

    /// The banner above everything.
    #[must_use]
    pub const fn banner(self) -> Style {
        self.waiting().add_modifier(Modifier::REVERSED)
    }

    /// Another user's name: always the same colour for the same user.
    #[must_use]
    pub fn name(self, user: UserId) -> Style {
        // Ids are random: any digits of them spread well.
        let style = match self.palette {
            Some(palette) => {
                let index = usize::try_from(user.get() % palette.names.len() as u64).unwrap_or(0);
                Style::new().fg(palette.names[index])
            }
            None => Style::new(),
        };
        style.add_modifier(Modifier::BOLD)
    }

    /// What was searched for, in what was found.
    #[must_use]
    pub const fn hit(self) -> Style {
        self.key().add_modifier(Modifier::BOLD).add_modifier(Modifier::UNDERLINED)
    }

    /// An address that can be opened.
    #[must_use]
    pub const fn link(self) -> Style {
        self.key().add_modifier(Modifier::UNDERLINED)
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
    fn the_background_chooses_between_dark_and_light() {
        let dark = ThemeChoice::Dark.on(None);
        let light = ThemeChoice::Light.on(None);
        assert_ne!(dark, light);
        assert_eq!(ThemeChoice::Auto.on(Some(Background::Dark)), dark);
        assert_eq!(ThemeChoice::Auto.on(Some(Background::Light)), light);
        assert_eq!(ThemeChoice::Auto.on(None), Theme::new(true));
        assert_eq!(ThemeChoice::Light.on(Some(Background::Dark)), light);
    }

    #[test]
    fn a_user_keeps_a_colour() {
        let theme = Theme::new(true);
        let user = UserId::new(12).unwrap();
        assert_eq!(theme.name(user), theme.name(user));
    }
}
