//! The workloads and their cases, by name.

use std::fmt;

use clap::ValueEnum;
use serde::Serialize;

use crate::{
    layout::Layout,
    system::{Extent, System},
};

/// A workload, by the letter that names it in reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Workload {
    /// Durable one-to-one messages; selects [`Workload::Paced`] too.
    #[value(name = "a")]
    OneToOne,
    /// Durable one-to-one messages at a fixed rate.
    #[value(skip)]
    Paced,
    /// Groups.
    #[value(name = "b")]
    Groups,
    /// One channel with a large audience.
    #[value(name = "b2")]
    Channel,
    /// Idle sockets.
    #[value(name = "c")]
    Idle,
    /// Everybody reconnects at once.
    #[value(name = "d")]
    Reconnect,
    /// Pages of history out of a large store.
    #[value(name = "e")]
    History,
    /// Presence.
    #[value(name = "g")]
    Presence,
    /// Start, size and empty memory.
    #[value(name = "h")]
    Start,
    /// What sends and starts cost as a store grows.
    #[value(name = "i")]
    Growth,
}

/// One row of figures: a workload with its parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Case {
    /// Pairs that keep a window of messages under way.
    Closed { pairs: usize, window: usize },
    /// Pairs that send at a fixed total rate.
    Open { pairs: usize, per_second: u32 },
    /// Groups whose first members write.
    Groups { groups: usize, members: usize, receipts: bool },
    /// A channel whose owner writes; readers acknowledge or not.
    Channel { members: usize, acks: bool },
    /// Sockets that only stay connected.
    Idle { sockets: usize },
    /// Sockets that drop, miss messages, and reconnect at once.
    Reconnect { sockets: usize },
    /// Pages out of a store of this extent.
    History(Extent),
    /// Groups whose members watch one another.
    Presence { groups: usize },
    /// Something of a store that grows.
    Grown(Growth),
    /// From the start of the process to the first 200.
    Start,
}

/// What grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Growth {
    /// Conversations: sends to a few of them.
    Conversations(Extent),
    /// Messages: sends to a few conversations.
    Messages(Extent),
    /// Members of one group or channel, which is sent to.
    Members(Layout),
    /// Messages: starts.
    Start(Extent),
}

impl Case {
    /// The workload it belongs to.
    pub(crate) fn workload(self) -> Workload {
        match self {
            Self::Closed { .. } => Workload::OneToOne,
            Self::Open { .. } => Workload::Paced,
            Self::Groups { .. } => Workload::Groups,
            Self::Channel { .. } => Workload::Channel,
            Self::Idle { .. } => Workload::Idle,
            Self::Reconnect { .. } => Workload::Reconnect,
            Self::History(_) => Workload::History,
            Self::Presence { .. } => Workload::Presence,
            Self::Grown(_) => Workload::Growth,
            Self::Start => Workload::Start,
        }
    }

    /// The systems of these that take part: a relay keeps neither messages nor presence.
    pub(crate) fn systems(self, chosen: &[System]) -> impl Iterator<Item = System> {
        let alone = matches!(
            self,
            Self::Reconnect { .. } | Self::History(_) | Self::Presence { .. } | Self::Grown(_)
        );
        chosen.iter().copied().filter(move |system| !alone || *system == System::Loquat)
    }
}

impl fmt::Display for Case {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed { pairs, window } => write!(formatter, "closed P={pairs} W={window}"),
            Self::Open { pairs, per_second } => write!(formatter, "open P={pairs} {per_second}/s"),
            Self::Groups { groups, members, receipts } => {
                let receipts = if *receipts { "on" } else { "off" };
                write!(formatter, "{groups} groups of {members}, receipts {receipts}")
            }
            Self::Channel { members, acks } => {
                let acks = if *acks { "on" } else { "off" };
                write!(formatter, "a channel of {members}, acks {acks}")
            }
            Self::Idle { sockets } => write!(formatter, "{sockets} sockets"),
            Self::Reconnect { sockets } => write!(formatter, "{sockets} sockets reconnect"),
            Self::History(Extent { messages, .. }) => {
                write!(formatter, "pages, {} messages", short(*messages))
            }
            Self::Presence { groups } => {
                write!(formatter, "{groups} groups of {} watch one another", super::presence::GROUP)
            }
            Self::Grown(Growth::Conversations(Extent { conversations, .. })) => {
                write!(formatter, "send, {} conversations", short(*conversations))
            }
            Self::Grown(Growth::Messages(Extent { messages, .. })) => {
                write!(formatter, "send, {} messages", short(*messages))
            }
            Self::Grown(Growth::Members(Layout::Groups { size, .. })) => {
                write!(formatter, "send, group of {}", short(*size as u64))
            }
            Self::Grown(Growth::Members(layout)) => {
                write!(formatter, "send, channel of {}", short(layout.users() as u64))
            }
            Self::Grown(Growth::Start(Extent { messages, .. })) => {
                write!(formatter, "start, {} messages", short(*messages))
            }
            Self::Start => formatter.write_str("start"),
        }
    }
}

/// A number as people write it: `1k`, `10M`.
fn short(number: u64) -> String {
    for (size, letter) in [(1_000_000, 'M'), (1_000, 'k')] {
        if number >= size && number.is_multiple_of(size) {
            return format!("{}{letter}", number / size);
        }
    }
    number.to_string()
}
