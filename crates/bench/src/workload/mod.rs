//! What is measured. Each workload turns one system into one [`Sample`]; the loop here interleaves the
//! systems, so that a slow minute of the machine meets all of them, and probes the disk before each.
//!
//! To add a workload: a letter in [`Workload`], a variant of [`Case`], a module that returns the values of one run,
//! and the title of its table in `report.rs`.

mod case;
mod groups;
mod growth;
mod history;
mod idle;
mod one_to_one;
mod presence;
mod reconnect;
mod start;

use std::{
    fmt,
    io::{self, Write},
    time::Duration,
};

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
    system::{Deployment, GrowingStore, Launcher, ServerProcess, System},
};

pub(crate) use self::case::{Case, Growth, Workload};

/// How long messages may take to complete after the last send.
const DRAIN_LIMIT: Duration = Duration::from_secs(20);

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
    /// Accounts of the store that grows.
    pub(crate) store_users: usize,
    /// Conversations of it that messages are written into.
    pub(crate) store_spread: u64,
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
    /// Runs all cases in all rounds on all systems. A case that fails has no figures; the others go on, and what went
    /// wrong is returned beside theirs.
    pub(crate) async fn run(&self, cases: &[Case]) -> Result<(Vec<Sample>, Vec<BenchError>), BenchError> {
        let Settings { systems, repeat, .. } = &self.settings;
        let runs: usize = cases.iter().map(|case| case.systems(systems).count() * repeat).sum();
        let overall = self.screen.add(ProgressBar::new(runs as u64));
        overall.set_style(style("{pos:>3}/{len} runs [{bar:30}] {elapsed_precise}, about {eta} left"));
        let (mut samples, mut failures) = (Vec::new(), Vec::new());
        // One for all cases that need it: writing a large one takes minutes.
        let mut store = None;
        for case in cases {
            match self.rounds(*case, (&mut store, &overall)).await {
                Ok(rounds) => samples.extend(rounds),
                Err(failure) => {
                    self.screen.suspend(|| writeln!(io::stderr(), "{failure}"))?;
                    failures.push(failure);
                }
            }
        }
        overall.finish_and_clear();
        Ok((samples, failures))
    }

    /// All rounds of a case on all systems.
    async fn rounds(
        &self,
        case: Case,
        (store, overall): (&mut Option<GrowingStore>, &ProgressBar),
    ) -> Result<Vec<Sample>, BenchError> {
        let mut samples = Vec::new();
        for round in 0..self.settings.repeat {
            for system in case.systems(&self.settings.systems) {
                samples.push(self.sample((case, system, round), store).await?);
                overall.inc(1);
            }
        }
        Ok(samples)
    }

    async fn sample(
        &self,
        (case, system, round): (Case, System, usize),
        store: &mut Option<GrowingStore>,
    ) -> Result<Sample, BenchError> {
        let fdatasync_us = machine::probe_fdatasync_us(&self.launcher.scratch)?;
        let progress = self.screen.add(ProgressBar::new(1));
        progress.set_style(style("{prefix} [{bar:30}] {msg}"));
        progress.set_prefix(format!("{case}, {}", system.title()));
        let outcome = self.values(case, system, (store, &progress)).await;
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

    async fn values(
        &self,
        case: Case,
        system: System,
        (store, progress): (&mut Option<GrowingStore>, &ProgressBar),
    ) -> Result<Values, BenchError> {
        match case {
            Case::Closed { pairs, window } => {
                one_to_one::closed(self, system, (pairs, window), progress).await
            }
            Case::Open { pairs, per_second } => {
                one_to_one::open(self, system, (pairs, per_second), progress).await
            }
            Case::Groups { groups, members, receipts } => {
                let (layout, writers) =
                    (Layout::Groups { count: groups, size: members }, self.settings.group_writers);
                let shape = groups::Shape { layout, writers, acks: receipts, receipts };
                groups::run(self, system, &shape, progress).await
            }
            Case::Channel { members, acks } => {
                let layout = Layout::Channel(members);
                let shape = groups::Shape { layout, writers: 1, acks, receipts: false };
                groups::run(self, system, &shape, progress).await
            }
            Case::Idle { sockets } => idle::run(self, system, sockets, progress).await,
            Case::Reconnect { sockets } => reconnect::run(self, sockets, progress).await,
            Case::History(extent) => history::run(self, self.store(store)?, extent, progress).await,
            Case::Presence { groups } => presence::run(self, groups, progress).await,
            Case::Grown(Growth::Conversations(extent) | Growth::Messages(extent)) => {
                growth::sends(self, self.store(store)?, extent, progress).await
            }
            Case::Grown(Growth::Members(layout)) => {
                growth::members(self, self.store(store)?, layout, progress).await
            }
            Case::Grown(Growth::Start(extent)) => {
                growth::start(self, self.store(store)?, extent, progress).await
            }
            Case::Start => start::run(self, system, progress).await,
        }
    }

    /// The store that grows, made when it is first needed.
    fn store<'s>(&self, store: &'s mut Option<GrowingStore>) -> Result<&'s mut GrowingStore, BenchError> {
        let made = match store.take() {
            Some(made) => made,
            None => {
                let Settings { store_users, store_spread, .. } = self.settings;
                GrowingStore::new(&self.launcher, store_users, store_spread)?
            }
        };
        Ok(store.insert(made))
    }

    fn plan<'a>(&self, deployment: &Deployment, progress: &'a ProgressBar) -> Plan<'a> {
        self.plan_of(&deployment.process, (self.settings.warm_up, self.settings.window), progress)
    }

    /// The plan of a run with a warm-up and a window of its own.
    fn plan_of<'a>(
        &self,
        process: &ServerProcess,
        (warm_up, window): (Duration, Duration),
        progress: &'a ProgressBar,
    ) -> Plan<'a> {
        Plan { warm_up, window, drain_limit: DRAIN_LIMIT, server_pid: process.pid(), progress }
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
