//! Who talks to whom in a run: the one description that the relay, the Loquat driver and the workloads share.

use std::{fmt, ops::Range, str::FromStr};

/// The members of every conversation of a run. Users and conversations are numbered from 0; each user
/// belongs to exactly one conversation, except in [`Layout::Users`], where nobody belongs to any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// Direct conversations; the even user writes, the odd one receives.
    Pairs(usize),
    /// Groups of equal size.
    Groups { count: usize, size: usize },
    /// One channel; the first user owns it and writes.
    Channel(usize),
    /// Users without conversations, for idle sockets.
    Users(usize),
}

impl Layout {
    /// How many users there are.
    pub(crate) fn users(self) -> usize {
        match self {
            Self::Pairs(pairs) => pairs * 2,
            Self::Groups { count, size } => count * size,
            Self::Channel(users) | Self::Users(users) => users,
        }
    }

    /// How many conversations there are.
    pub(crate) fn conversations(self) -> usize {
        match self {
            Self::Pairs(pairs) => pairs,
            Self::Groups { count, .. } => count,
            Self::Channel(_) => 1,
            Self::Users(_) => 0,
        }
    }

    /// The users of a conversation.
    pub(crate) fn members(self, conversation: usize) -> Range<usize> {
        let size = match self {
            Self::Pairs(_) => 2,
            Self::Groups { size, .. } | Self::Channel(size) => size,
            Self::Users(_) => return 0..0,
        };
        conversation * size..(conversation + 1) * size
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pairs(pairs) => write!(formatter, "pairs:{pairs}"),
            Self::Groups { count, size } => write!(formatter, "groups:{count}x{size}"),
            Self::Channel(size) => write!(formatter, "channel:{size}"),
            Self::Users(users) => write!(formatter, "users:{users}"),
        }
    }
}

/// Why a layout could not be read.
#[derive(Debug, thiserror::Error)]
#[error("expected pairs:P, groups:GxM, channel:M or users:N with positive numbers, got {0:?}")]
pub(crate) struct LayoutError(String);

impl FromStr for Layout {
    type Err = LayoutError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let positive = |number: &str| number.parse::<usize>().ok().filter(|number| *number > 0);
        let read = || match text.split_once(':')? {
            ("pairs", pairs) => Some(Self::Pairs(positive(pairs)?)),
            ("groups", groups) => {
                let (count, size) = groups.split_once('x')?;
                Some(Self::Groups { count: positive(count)?, size: positive(size)? })
            }
            ("channel", size) => Some(Self::Channel(positive(size)?)),
            ("users", users) => Some(Self::Users(positive(users)?)),
            _ => None,
        };
        read().ok_or_else(|| LayoutError(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layouts_read_what_they_print() {
        for text in ["pairs:100", "groups:10x100", "channel:5000", "users:15000"] {
            assert_eq!(text.parse::<Layout>().unwrap().to_string(), text);
        }
        for text in ["", "pairs", "pairs:0", "groups:10", "groups:x5", "channel:0", "rooms:3"] {
            assert!(text.parse::<Layout>().is_err(), "{text}");
        }
    }

    #[test]
    fn conversations_split_the_users() {
        let layout = Layout::Groups { count: 3, size: 4 };
        assert_eq!(layout.users(), 12);
        assert_eq!(
            (0..layout.conversations()).flat_map(|group| layout.members(group)).collect::<Vec<_>>(),
            (0..12).collect::<Vec<_>>()
        );
    }
}
