//! The command line.

use std::{path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand};

use crate::{
    generator::{body::NonceKind, run::Acks},
    layout::Layout,
    relay::RelayArguments,
    system::{Extent, System},
    workload::{Case, Growth, Settings, Workload},
};

/// Loads Loquat, a bare WebSocket relay, and the relay with a synced log side by side, and prints figures.
#[derive(Debug, Parser)]
#[command(name = "loquat-bench", version, args_conflicts_with_subcommands = true)]
pub(crate) struct CommandLine {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) run: RunArguments,
}

/// What else the binary can be.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve as the relay, without a load. The workloads start it by themselves.
    Relay(RelayArguments),
}

/// Arguments of a run.
#[derive(Args, Debug)]
pub(crate) struct RunArguments {
    /// The loquat binary; without it only the relays run.
    #[arg(long, value_name = "PATH")]
    pub(crate) loquat: Option<PathBuf>,
    /// Short windows and one round: for trying, not for figures.
    #[arg(long)]
    pub(crate) quick: bool,
    /// Workloads: a one-to-one, b groups, b2 a channel, c idle sockets, d reconnecting at once, e history, g presence,
    /// h start, i growth. On the relays, which keep nothing, d, e, g and i do not run.
    #[arg(long, value_delimiter = ',', default_value = "a,b,b2,c,d,e,g,h,i")]
    pub(crate) only: Vec<Workload>,
    /// Systems, in the order of each round. Loquat needs --loquat.
    #[arg(long, value_delimiter = ',')]
    pub(crate) systems: Vec<System>,
    /// Seconds of each measured window [default: 10, quick 2].
    #[arg(long)]
    seconds: Option<f64>,
    /// Rounds; figures are medians over them [default: 3, quick 1].
    #[arg(long)]
    repeat: Option<usize>,
    /// Pairs of workload a.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    pairs: u32,
    /// Windows of workload a, messages under way for each pair.
    #[arg(long, value_delimiter = ',', default_value = "1,16", value_parser = clap::value_parser!(u32).range(1..))]
    window: Vec<u32>,
    /// Open-loop rates of workload a, messages a second over all pairs; an empty text leaves them out.
    #[arg(long, default_value = "100,1000")]
    rates: String,
    /// Groups of workload b, as GxM.
    #[arg(long, default_value = "10x100")]
    groups: String,
    /// Writers in each group.
    #[arg(long, default_value_t = 4)]
    group_writers: usize,
    /// Messages under way for each writer of a group.
    #[arg(long, default_value_t = 1)]
    group_window: usize,
    /// Members of workload b2, all online [default: 5000; quick 500].
    #[arg(long, value_parser = clap::value_parser!(u32).range(2..))]
    channel_members: Option<u32>,
    /// Socket counts of workload c [default: 1000,5000,15000; quick 1000].
    #[arg(long, value_delimiter = ',')]
    sockets: Vec<usize>,
    /// Sockets of workload d [default: 15000; quick 500].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    storm_sockets: Option<u32>,
    /// Online users of workload g, rounded down to groups of 51 [default: 1000,10000; quick 150].
    #[arg(long, value_delimiter = ',', value_parser = clap::value_parser!(u32).range(102..))]
    online: Vec<u32>,
    /// Conversations of the store that grows, ascending [default: 1000,10000,100000,1000000; quick 1000,10000].
    #[arg(long, value_delimiter = ',', value_parser = clap::value_parser!(u32).range(200..))]
    store_conversations: Vec<u32>,
    /// Messages of the store that grows, ascending [default: 1000000,10000000 (about 5 GB); quick 100000].
    #[arg(long, value_delimiter = ',', value_parser = clap::value_parser!(u32).range(20_000..))]
    store_messages: Vec<u32>,
    /// Members of workload i: groups up to 100, channels from 100 on [default: 10,100,1000,10000; quick 10,100].
    #[arg(long, value_delimiter = ',', value_parser = clap::value_parser!(u32).range(3..))]
    store_members: Vec<u32>,
    /// How readers acknowledge.
    #[arg(long, value_enum, default_value = "each")]
    acks: Acks,
    /// How nonces are made.
    #[arg(long, value_enum, default_value = "random")]
    nonces: NonceKind,
    /// Directory for the servers' data: its disk is what is measured [default: the temporary directory].
    #[arg(long, value_name = "DIR")]
    pub(crate) scratch: Option<PathBuf>,
    /// Print the tables only, without a line for each run on the standard error.
    #[arg(long)]
    pub(crate) markdown: bool,
    /// Write all samples and medians to this file.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
}

impl RunArguments {
    /// The settings of the run.
    pub(crate) fn settings(&self) -> Settings {
        let quick = |quick: u64, full: u64| if self.quick { quick } else { full };
        let default_systems = if self.loquat.is_some() {
            vec![System::Relay, System::Log, System::Loquat]
        } else {
            vec![System::Relay, System::Log]
        };
        Settings {
            systems: if self.systems.is_empty() { default_systems } else { self.systems.clone() },
            repeat: self.repeat.unwrap_or(quick(1, 3) as usize).max(1),
            warm_up: Duration::from_millis(quick(500, 2000)),
            window: Duration::from_secs_f64(
                self.seconds.unwrap_or(if self.quick { 2.0 } else { 10.0 }).clamp(0.1, 3600.0),
            ),
            settle: Duration::from_secs(quick(2, 20)),
            starts: quick(3, 11) as usize,
            group_writers: self.group_writers.max(1),
            group_window: self.group_window.max(1),
            store_users: self.store().users(),
            store_spread: self.store().spread(),
            acks: self.acks,
            nonces: self.nonces,
        }
    }

    /// The cases to run, in order.
    pub(crate) fn cases(&self) -> Result<Vec<Case>, String> {
        let pairs = self.pairs as usize;
        let mut cases = Vec::new();
        for workload in &self.only {
            match workload {
                Workload::OneToOne | Workload::Paced => {
                    cases.extend(
                        self.window.iter().map(|window| Case::Closed { pairs, window: *window as usize }),
                    );
                    for rate in self.rates.split(',').filter(|rate| !rate.is_empty()) {
                        let per_second = rate.trim().parse().ok().filter(|rate| *rate > 0);
                        let per_second = per_second
                            .ok_or_else(|| format!("--rates: {rate:?} is not a positive number"))?;
                        cases.push(Case::Open { pairs, per_second });
                    }
                }
                Workload::Groups => {
                    let (groups, members) = self.groups()?;
                    cases.extend([true, false].map(|receipts| Case::Groups { groups, members, receipts }));
                }
                Workload::Channel => {
                    let default = if self.quick { 500 } else { 5_000 };
                    let members = self.channel_members.unwrap_or(default) as usize;
                    cases.extend([true, false].map(|acks| Case::Channel { members, acks }));
                }
                Workload::Idle => {
                    let counts: &[usize] = match (self.sockets.as_slice(), self.quick) {
                        ([], true) => &[1000],
                        ([], false) => &[1000, 5000, 15000],
                        (counts, _) => counts,
                    };
                    cases.extend(counts.iter().map(|sockets| Case::Idle { sockets: *sockets }));
                }
                Workload::Reconnect => {
                    let default = if self.quick { 500 } else { 15_000 };
                    let sockets = self.storm_sockets.unwrap_or(default) as usize;
                    cases.push(Case::Reconnect { sockets });
                }
                Workload::Presence => {
                    let online = or(&self.online, if self.quick { &[150] } else { &[1_000, 10_000] });
                    cases
                        .extend(online.iter().map(|online| Case::Presence { groups: *online as usize / 51 }));
                }
                Workload::Start => cases.push(Case::Start),
                Workload::History | Workload::Growth => {}
            }
        }
        let asked = |workload| self.only.contains(&workload);
        self.store().cases(asked(Workload::History), asked(Workload::Growth), &mut cases);
        Ok(cases)
    }

    fn store(&self) -> StoreSizes<'_> {
        let sizes = |chosen, quick: &'static [u32], full: &'static [u32]| {
            or(chosen, if self.quick { quick } else { full })
        };
        StoreSizes {
            conversations: sizes(
                &self.store_conversations,
                &[1_000, 10_000],
                &[1_000, 10_000, 100_000, 1_000_000],
            ),
            messages: sizes(&self.store_messages, &[100_000], &[1_000_000, 10_000_000]),
            members: sizes(&self.store_members, &[10, 100], &[10, 100, 1_000, 10_000]),
        }
    }

    fn groups(&self) -> Result<(usize, usize), String> {
        let read = || {
            let (groups, members) = self.groups.split_once('x')?;
            let (groups, members) = (groups.parse().ok()?, members.parse().ok()?);
            (groups > 0 && members > self.group_writers).then_some((groups, members))
        };
        read().ok_or_else(|| format!("--groups: {:?} is not GxM with more members than writers", self.groups))
    }
}

fn or<'a>(chosen: &'a [u32], default: &'static [u32]) -> &'a [u32] {
    if chosen.is_empty() { default } else { chosen }
}

/// How the store grows that several workloads share.
struct StoreSizes<'a> {
    conversations: &'a [u32],
    messages: &'a [u32],
    members: &'a [u32],
}

impl StoreSizes<'_> {
    /// Members of a group at most.
    const GROUP: u32 = 100;
    /// Conversations that messages are written into, at most.
    const SPREAD: u64 = 10_000;

    /// Accounts that have so many pairs and can be so many members, 10,000 for the sizes of a whole run.
    fn users(&self) -> usize {
        let conversations = self.conversations.iter().max().copied().unwrap_or(0).max(self.spread() as u32);
        let paired = 2 * (f64::from(conversations).sqrt().ceil() as usize) + 2;
        let members = self.members.iter().max().copied().unwrap_or(0) as usize;
        paired.max(members).max(400)
    }

    /// So few that each has some pages even where the store is smallest.
    fn spread(&self) -> u64 {
        let fewest = self.messages.iter().min().copied().unwrap_or(0);
        (u64::from(fewest) / 100).clamp(200, Self::SPREAD)
    }

    /// The cases that share the store, in an order in which it only grows.
    fn cases(&self, history: bool, growth: bool, cases: &mut Vec<Case>) {
        let grown = |growth| Case::Grown(growth);
        let mut conversations = self.spread();
        if growth {
            for count in self.conversations {
                let extent = Extent { conversations: u64::from(*count), messages: 0 };
                cases.push(grown(Growth::Conversations(extent)));
                conversations = conversations.max(extent.conversations);
            }
        }
        for messages in self.messages {
            let extent = Extent { conversations, messages: u64::from(*messages) };
            cases.extend(growth.then(|| grown(Growth::Messages(extent))));
            if Some(messages) == self.messages.last() {
                // Right behind a load, in the middle of which the server was killed.
                cases.extend(growth.then(|| grown(Growth::Start(extent))));
            }
            cases.extend(history.then_some(Case::History(extent)));
        }
        if growth {
            let groups = self.members.iter().filter(|members| **members <= Self::GROUP);
            let groups = groups.map(|members| Layout::Groups { count: 1, size: *members as usize });
            let channels = self.members.iter().filter(|members| **members >= Self::GROUP);
            let channels = channels.map(|members| Layout::Channel(*members as usize));
            cases.extend(groups.chain(channels).map(|layout| grown(Growth::Members(layout))));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cases(arguments: &[&str]) -> Result<Vec<String>, String> {
        let line =
            CommandLine::try_parse_from(std::iter::once("loquat-bench").chain(arguments.iter().copied()));
        Ok(line.unwrap().run.cases()?.iter().map(Case::to_string).collect())
    }

    #[test]
    fn the_default_is_every_workload_of_the_targets() {
        let all = cases(&[]).unwrap();
        assert_eq!(all.len(), 29);
        for case in [
            "closed P=100 W=16",
            "open P=100 1000/s",
            "10 groups of 100, receipts off",
            "a channel of 5000, acks on",
            "15000 sockets",
            "15000 sockets reconnect",
            "196 groups of 51 watch one another",
            "send, 1M conversations",
            "pages, 10M messages",
            "start, 10M messages",
            "send, channel of 10k",
            "start",
        ] {
            assert!(all.iter().any(|known| known == case), "{case} is missing of {all:?}");
        }
    }

    #[test]
    fn the_store_only_grows() {
        let both = ["--only", "i,e", "--store-messages", "20000,30000", "--store-members", "10,100,200"];
        assert_eq!(
            cases(&[&both[..], &["--store-conversations", "300"]].concat()).unwrap(),
            [
                "send, 300 conversations",
                "send, 20k messages",
                "pages, 20k messages",
                "send, 30k messages",
                "start, 30k messages",
                "pages, 30k messages",
                "send, group of 10",
                "send, group of 100",
                "send, channel of 100",
                "send, channel of 200",
            ]
        );
        assert_eq!(cases(&["--only", "e", "--quick"]).unwrap(), ["pages, 100k messages"]);
    }

    #[test]
    fn selections_are_honoured_and_mistakes_named() {
        assert_eq!(
            cases(&["--only", "a", "--window", "4", "--rates", "", "--pairs", "7"]).unwrap(),
            ["closed P=7 W=4"]
        );
        assert_eq!(cases(&["--only", "c", "--quick"]).unwrap(), ["1000 sockets"]);
        assert!(cases(&["--rates", "ten"]).unwrap_err().contains("--rates"));
        assert!(cases(&["--groups", "10x3"]).unwrap_err().contains("--groups"));
    }
}
