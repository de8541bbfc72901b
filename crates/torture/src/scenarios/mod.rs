//! The faults of RELIABILITY.md, one scenario each, with its pass criteria as checks.

mod canary;
mod crash;
mod disk;
mod hostile;
mod soak;
mod sockets;
mod stop;

use std::time::Duration;

use futures_util::future::LocalBoxFuture;

use crate::arena::{Arena, Context, Findings, broken_rules};
use crate::failure::Outcome;
use crate::oracle::Rule;
use crate::report::Report;

/// How soon after a fault the service serves again.
pub(crate) const READY_LIMIT: Duration = Duration::from_secs(5);

/// A scenario, by name.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    /// How many steps its progress bar has.
    pub(crate) steps: fn(&Context) -> u64,
    pub(crate) run: fn(Context) -> LocalBoxFuture<'static, Outcome<Report>>,
}

/// The scenario that runs only when it is told how long, or named.
pub(crate) const SOAK: &str = "soak";

macro_rules! scenario {
    ($name:expr, $steps:expr, $run:path) => {
        Scenario { name: $name, steps: $steps, run: |context| Box::pin($run(context)) }
    };
}

/// Every scenario, in the order they run.
pub(crate) const ALL: &[Scenario] = &[
    scenario!("kill", |context| context.cycles, crash::kill),
    scenario!("power", |context| context.power_cycles, crash::power),
    scenario!("sync_error", |_| 2, disk::sync_error),
    scenario!("lying_disk", |_| 2, disk::lying_disk),
    scenario!("disk_full", |_| 4, disk::disk_full),
    scenario!("slow_disk", |_| 3, disk::slow_disk),
    scenario!("replay", |_| 50, stop::replay),
    scenario!("drain", |_| 2, stop::drain),
    scenario!("slow_consumer", |_| 4, sockets::slow_consumer),
    scenario!("half_open", |_| 45, sockets::half_open),
    scenario!("reconnect_storm", |_| 3, sockets::reconnect_storm),
    scenario!("hostile", |context| context.hostile_inputs, hostile::hostile),
    scenario!("canary", |_| 4, canary::canary),
    scenario!(SOAK, |context| 60 * context.soak_minutes, soak::soak),
];

/// What a series of verifications found.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    all: Findings,
    rounds: u64,
}

impl Tally {
    /// Verifies once more; false when a promise was broken.
    pub(crate) async fn verify(&mut self, arena: &mut Arena) -> Outcome<bool> {
        let findings = arena.verify().await?;
        let clean = findings.violations.is_empty();
        self.rounds += 1;
        self.all.violations.extend(findings.violations);
        self.all.oddities.extend(findings.oddities);
        self.all.requests += findings.requests;
        self.all.acknowledged += findings.acknowledged;
        self.all.events += findings.events;
        Ok(clean)
    }

    /// Notes every rule as a check.
    pub(crate) fn report(&self, report: &mut Report) {
        let broken = broken_rules(&self.all.violations);
        for rule in Rule::ALL {
            let of_rule = self.all.violations.iter().filter(|violation| violation.rule == rule);
            let count = of_rule.clone().count();
            let first = of_rule.map(|violation| violation.detail.as_str()).next().unwrap_or("");
            let detail = if count == 0 { String::new() } else { format!("{count} times; first: {first}") };
            report.check(rule.to_string(), !broken.contains(&rule), detail);
        }
        let oddities = &self.all.oddities;
        let first = oddities.first().map(String::as_str).unwrap_or("");
        let detail = if oddities.is_empty() { String::new() } else { format!("{}; {first}", oddities.len()) };
        report.check("no answer, push or cursor out of place", oddities.is_empty(), detail);
        let work = format!(
            "{} requests, {} acknowledged, {} events read, {} times",
            self.all.requests, self.all.acknowledged, self.all.events, self.rounds
        );
        report.check("there was something to judge", self.all.acknowledged > 0, work);
    }
}

/// Notes whether the service is ready again soon enough.
pub(crate) fn check_ready(report: &mut Report, slowest: Duration) {
    let detail = format!("{} ms", slowest.as_millis());
    report.check("serving again within 5 s", slowest <= READY_LIMIT, detail);
}

/// Notes whether the service panicked anywhere in a scenario.
pub(crate) fn check_for_panics(context: &Context, report: &mut Report) {
    let mut panics = Vec::new();
    for entry in std::fs::read_dir(&context.evidence).into_iter().flatten().flatten() {
        if !entry.file_name().to_string_lossy().starts_with(&report.scenario) {
            continue;
        }
        for name in ["stdout", "stderr"] {
            let log = std::fs::read(entry.path().join("logs").join(name)).unwrap_or_default();
            let log = String::from_utf8_lossy(&log).into_owned();
            panics.extend(log.lines().filter(|line| line.contains("panicked")).map(str::to_owned));
        }
    }
    let detail = panics.first().cloned().unwrap_or_default();
    report.check("no panic", panics.is_empty(), detail);
}
