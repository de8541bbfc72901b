//! `loquat-bench`: the load generator, the relays it compares with, and the workloads.
//!
//! It knows Loquat from the outside only: the wire, the command line, `/proc`. It must not depend on the
//! crates of the server, so that it measures what a stranger would measure.
//!
//! The life of a figure: [`workload`] picks a case, [`system`] starts one of the three servers on core 0,
//! [`generator`] loads it from core 1 and audits every message, [`machine`] reads clocks and memory, and
//! [`report`] turns samples into medians, ratios and verdicts.

mod arguments;
mod error;
mod generator;
mod layout;
mod machine;
mod relay;
mod report;
mod scan;
mod system;
mod targets;
mod workload;

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::Parser;
use indicatif::MultiProgress;
use tokio::runtime::{Builder, LocalOptions};

use crate::{
    arguments::{Command, CommandLine, RunArguments},
    error::BenchError,
    machine::Machine,
    report::Report,
    system::Launcher,
    workload::Bench,
};

fn main() -> ExitCode {
    let line = CommandLine::parse();
    let outcome = match line.command {
        Some(Command::Relay(arguments)) => relay::run(&arguments),
        None => run(&line.run),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "loquat-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &RunArguments) -> Result<(), BenchError> {
    let scratch = arguments.scratch.clone().unwrap_or_else(std::env::temp_dir);
    let machine = Machine::describe(&scratch);
    machine::raise_descriptor_limit()?;
    if machine.pinned {
        machine::pin_thread(machine::GENERATOR_CORE)?;
    }
    let launcher = Launcher {
        loquat: arguments.loquat.clone(),
        scratch,
        core: machine.pinned.then_some(machine::SERVER_CORE),
    };
    let cases = arguments.cases().map_err(BenchError::Arguments)?;
    let settings = arguments.settings();
    for system in &settings.systems {
        launcher.binary(*system)?;
    }
    let screen = MultiProgress::new();
    let bench = Bench { launcher, settings, screen, tables_only: arguments.markdown };
    let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default())?;
    let (samples, failures) = runtime.block_on(bench.run(&cases))?;
    let report = Report::new(machine, bench.settings, samples);
    if let Some(path) = &arguments.json {
        report.write_json(path)?;
    }
    let mut output = io::stdout().lock();
    output.write_all(report.markdown().as_bytes())?;
    failures.into_iter().next().map_or(Ok(()), Err)
}
