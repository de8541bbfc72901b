//! Tortures the real service and audits its promises with the oracle of RELIABILITY.md.
//!
//! Each scenario is a module of [`scenarios`]; it gets a [`arena::Context`], harms the service in its way, and
//! returns a [`report::Report`]. This program knows the protocol and not a line of the service's code. To add a
//! scenario: a function there, and a line in `scenarios::ALL`.

mod api;
mod arena;
mod dice;
mod event;
mod failure;
mod ledger;
mod oracle;
mod report;
mod request;
mod scenarios;
mod server;
mod socket;
mod worker;
mod world;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use clap::Parser;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::arena::Context;
use crate::report::Report;
use crate::scenarios::{ALL, SOAK, Scenario};

/// How long `soak` takes where it is named without a length.
const SOAK_MINUTES: u64 = 60;

/// Kills the service under load, drops its unsynced data, breaks its disk and its peers, and checks every promise.
#[derive(Debug, Parser)]
#[command(version)]
struct Options {
    /// The `loquat` binary to torture.
    #[arg(long)]
    loquat: PathBuf,
    /// The fault library, `libloquat_faultfs.so`.
    #[arg(long)]
    shim: PathBuf,
    /// How often to kill the service with -9, at failpoints and at random.
    #[arg(long, default_value_t = 25)]
    cycles: u64,
    /// How often to drop its unsynced data.
    #[arg(long, default_value_t = 10)]
    power_cycles: u64,
    /// How many hostile inputs to send.
    #[arg(long, default_value_t = 5_000)]
    hostile_inputs: u64,
    /// How many minutes of mixed load to watch the memory for; 0: not at all, unless the scenario is named.
    #[arg(long, default_value_t = 0)]
    soak_minutes: u64,
    /// Replays the choices of the run that printed it.
    #[arg(long)]
    seed: Option<u64>,
    /// Keeps the evidence of a run that passed, too.
    #[arg(long)]
    keep: bool,
    /// Only this scenario; may be given more than once.
    #[arg(long, value_name = "SCENARIO", value_parser = scenario_names())]
    only: Vec<String>,
}

impl Options {
    /// Whether a scenario is to run.
    fn chooses(&self, name: &str) -> bool {
        if self.only.is_empty() {
            name != SOAK || self.soak_minutes > 0
        } else {
            self.only.iter().any(|only| only == name)
        }
    }
}

fn scenario_names() -> clap::builder::PossibleValuesParser {
    ALL.iter().map(|scenario| scenario.name).collect::<Vec<_>>().into()
}

fn main() -> ExitCode {
    let options = Options::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(run(options)),
        Err(error) => Err(failure::Failure::Io { what: "starting".into(), source: error }),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            say(&format!("torture could not run: {why}"));
            ExitCode::from(2)
        }
    }
}

/// Writes a line for people to read.
fn say(line: &str) {
    // Nobody to tell where standard output is closed.
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

async fn run(options: Options) -> failure::Outcome<bool> {
    let canonical = |path: &PathBuf| {
        std::fs::canonicalize(path).map_err(failure::Failure::io(format!("looking for {}", path.display())))
    };
    let clock = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_nanos());
    let seed = options.seed.unwrap_or_else(|| u64::try_from(clock % 1_000_000_007).unwrap_or(1));
    let evidence = tempfile::Builder::new().prefix("loquat-torture-").tempdir();
    let evidence = evidence.map_err(failure::Failure::io("making the evidence directory"))?;
    let chosen: Vec<&Scenario> = ALL.iter().filter(|scenario| options.chooses(scenario.name)).collect();
    let mut context = Context {
        binary: canonical(&options.loquat)?,
        shim: canonical(&options.shim)?,
        evidence: evidence.path().to_owned(),
        seed,
        cycles: options.cycles,
        power_cycles: options.power_cycles,
        hostile_inputs: options.hostile_inputs,
        soak_minutes: if options.soak_minutes == 0 { SOAK_MINUTES } else { options.soak_minutes },
        progress: ProgressBar::hidden(),
    };
    say(&format!("seed {seed}"));
    let mut reports = Vec::new();
    for scenario in chosen {
        context.progress = progress_bar(scenario, &context);
        reports.push(run_one(scenario, &context).await);
        context.progress.finish_and_clear();
    }
    let passed = summarise(&reports, seed);
    if options.keep || !passed {
        say(&format!("evidence: {}", evidence.keep().display()));
    }
    Ok(passed)
}

fn progress_bar(scenario: &Scenario, context: &Context) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some((scenario.steps)(context)), ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template("{prefix:18} [{bar:30}] {pos}/{len} {elapsed} {msg}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.set_prefix(scenario.name);
    bar.tick();
    bar
}

async fn run_one(scenario: &Scenario, context: &Context) -> Report {
    let started = Instant::now();
    let mut report = match (scenario.run)(context.clone()).await {
        Ok(report) => report,
        Err(why) => {
            let mut report = Report::new(scenario.name);
            report.check("runs to its end", false, why.to_string());
            report
        }
    };
    scenarios::check_for_panics(context, &mut report);
    report.scenario = format!("{} ({:.1} s)", scenario.name, started.elapsed().as_secs_f64());
    say(report.table().trim_end());
    report
}

/// The last words; whether all passed.
fn summarise(reports: &[Report], seed: u64) -> bool {
    let passed = reports.iter().filter(|report| report.passed()).count();
    let failed = reports.len() - passed;
    let checks: usize = reports.iter().map(|report| report.checks.len()).sum();
    say(&format!("\nseed {seed}, {} scenarios, {checks} checks", reports.len()));
    for report in reports {
        for check in report.checks.iter().filter(|check| !check.passed) {
            say(&format!("FAIL  {}: {}: {}", report.scenario, check.what, check.detail));
        }
    }
    say(&format!("{passed} passed, {failed} failed"));
    failed == 0 && passed > 0
}
