//! What is measured. Each workload turns one system into one [`Sample`]; the loop here interleaves the
//! systems, so that a slow minute of the machine meets all of them, and probes the disk before each.
//!
//! To add a workload: a variant of [`Case`], a module that returns the values of one run, and the columns
//! of its table in [`Case::columns`].

pub(crate) mod groups;
pub(crate) mod idle;
pub(crate) mod one_to_one;
pub(crate) mod start;

use std::{
    fmt,
    io::{self, Write},
    time::Duration,
};

use clap::ValueEnum;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::{
    error::BenchError,
    generator::{
        body::NonceKind,
        run::{Acks, Measured, Plan},
    },
    layout::Layout,
    machine,
    report::{Metric, Sample},
    system::{Deployment, Launcher, System},
};

/// How long messages may take to complete after the last send.
const DRAIN_LIMIT: Duration = Duration::from_secs(20);

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
    /// Start, size and empty memory.
    #[value(name = "h")]
    Start,
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
    /// From the start of the process to the first 200.
    Start,
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
            Self::Start => Workload::Start,
        }
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
            Self::Start => formatter.write_str("start"),
        }
    }
}

/// How the workloads run.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Settings {
    /// Systems side by side, in this order in each round.
    pub(crate) systems: Vec<System>,
    /// Rounds; figures are medians over them.
    pub(crate) repeat: usize,
    /// Load before the measured window.
    pub(crate) warm_up: Duration,
    /// The measured window.
    pub(crate) window: Duration,
    /// Time between the last idle socket and the look at memory.
    pub(crate) settle: Duration,
    /// Starts that the start time is the median of, in each round.
    pub(crate) starts: usize,
    /// Writers in each group, each with `group_window` messages under way.
    pub(crate) group_writers: usize,
    /// Messages under way for each writer of a group.
    pub(crate) group_window: usize,
    /// How readers acknowledge where receipts are on.
    #[serde(serialize_with = "as_debug")]
    pub(crate) acks: Acks,
    /// How nonces are made.
    #[serde(serialize_with = "as_debug")]
    pub(crate) nonces: NonceKind,
}

fn as_debug<S: serde::Serializer>(value: &impl fmt::Debug, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&format!("{value:?}").to_lowercase())
}

/// Everything a workload needs.
pub(crate) struct Bench {
    /// Starts systems.
    pub(crate) launcher: Launcher,
    /// How to run.
    pub(crate) settings: Settings,
    /// Where progress is drawn.
    pub(crate) screen: MultiProgress,
    /// Whether to leave out the line that each run prints.
    pub(crate) tables_only: bool,
}

/// The values of one run, in the order of the columns.
pub(crate) type Values = Vec<(Metric, f64)>;

impl Bench {
    /// Runs all cases in all rounds on all systems.
    pub(crate) async fn run(&self, cases: &[Case]) -> Result<Vec<Sample>, BenchError> {
        let Settings { systems, repeat, .. } = &self.settings;
        let overall = self.screen.add(ProgressBar::new((cases.len() * repeat * systems.len()) as u64));
        overall.set_style(style("{pos:>3}/{len} runs [{bar:30}] {elapsed_precise}, about {eta} left"));
        let mut samples = Vec::new();
        for case in cases {
            for round in 0..*repeat {
                for system in systems {
                    samples.push(self.sample(*case, *system, round).await?);
                    overall.inc(1);
                }
            }
        }
        overall.finish_and_clear();
        Ok(samples)
    }

    async fn sample(&self, case: Case, system: System, round: usize) -> Result<Sample, BenchError> {
        let fdatasync_us = machine::probe_fdatasync_us(&self.launcher.scratch)?;
        let progress = self.screen.add(ProgressBar::new(1));
        progress.set_style(style("{prefix} [{bar:30}] {msg}"));
        progress.set_prefix(format!("{case}, {}", system.title()));
        let outcome = match case {
            Case::Closed { pairs, window } => {
                one_to_one::closed(self, system, (pairs, window), &progress).await
            }
            Case::Open { pairs, per_second } => {
                one_to_one::open(self, system, (pairs, per_second), &progress).await
            }
            Case::Groups { groups, members, receipts } => {
                let (layout, writers) =
                    (Layout::Groups { count: groups, size: members }, self.settings.group_writers);
                let shape = groups::Shape { layout, writers, acks: receipts, receipts };
                groups::run(self, system, &shape, &progress).await
            }
            Case::Channel { members, acks } => {
                let layout = Layout::Channel(members);
                let shape = groups::Shape { layout, writers: 1, acks, receipts: false };
                groups::run(self, system, &shape, &progress).await
            }
            Case::Idle { sockets } => idle::run(self, system, sockets, &progress).await,
            Case::Start => start::run(self, system, &progress).await,
        };
        progress.finish_and_clear();
        let values =
            outcome.map_err(|error| BenchError::Server(format!("{case}, {}: {error}", system.title())))?;
        let sample =
            Sample { workload: case.workload(), case: case.to_string(), system, round, fdatasync_us, values };
        if !self.tables_only {
            self.screen.suspend(|| writeln!(io::stderr(), "{sample}"))?;
        }
        Ok(sample)
    }
}

impl Bench {
    fn plan<'a>(&self, deployment: &Deployment, progress: &'a ProgressBar) -> Plan<'a> {
        Plan {
            warm_up: self.settings.warm_up,
            window: self.settings.window,
            drain_limit: DRAIN_LIMIT,
            server_pid: deployment.process.pid(),
            progress,
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    // A template that cannot be read is replaced by the library's own bar: only looks depend on it.
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// The figures that every loaded run has.
fn load_values(measured: &Measured, rate: (Metric, u64), cpu: (Metric, u64)) -> Values {
    let seconds = measured.elapsed.as_secs_f64();
    let mut values = vec![
        (rate.0, rate.1 as f64 / seconds),
        (cpu.0, measured.server_cpu.as_secs_f64() * 1e6 / cpu.1.max(1) as f64),
        (Metric::ServerLoad, 100.0 * measured.server_cpu.as_secs_f64() / seconds),
        (Metric::GeneratorLoad, 100.0 * measured.generator_cpu.as_secs_f64() / seconds),
    ];
    let latencies = [
        (&measured.answers_latency, 0.5, Metric::AckP50),
        (&measured.answers_latency, 0.99, Metric::AckP99),
        (&measured.answers_latency, 0.999, Metric::AckP999),
        (&measured.delivery_latency, 0.5, Metric::DeliveryP50),
        (&measured.delivery_latency, 0.99, Metric::DeliveryP99),
        (&measured.delivery_latency, 0.999, Metric::DeliveryP999),
    ];
    for (histogram, quantile, metric) in latencies {
        if let Some(microseconds) = histogram.quantile_us(quantile) {
            values.push((metric, microseconds / 1000.0));
        }
    }
    values
}
