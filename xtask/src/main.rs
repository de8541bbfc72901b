//! The developer commands of Loquat, run as `cargo xtask <command>`.
//!
//! Each command is a module; [`shell`] runs programs, [`tools`] installs what a command needs and
//! [`stages`] times and counts what a command does. Nothing here is shipped, nothing here knows the
//! product's code: commands build the workspace with cargo and drive its binaries.
//!
//! To add a command: a variant of [`Command`], a module with a `run` function, a line in
//! `CONTRIBUTING.md`. Keep the dependency list short, because every developer compiles this first.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line program talks on its terminal"
)]

mod acme;
mod api;
mod check;
mod collector;
mod contract;
mod fuzz;
mod programs;
mod run;
mod shell;
mod smoke;
mod stages;
mod test;
mod tidy;
mod tools;
mod types;
mod wasm;
mod web;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::shell::Workspace;

/// The developer commands of Loquat.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build the release binary and serve on http://127.0.0.1:8080 with data in ./data
    Run {
        /// Arguments for `loquat serve`; `--listen` and `--data` replace the defaults
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "SERVE ARGUMENTS")]
        serve: Vec<String>,
    },
    /// Install what the tests need and run all of them, on the code and on the release binary
    Test {
        /// The figures of a release in place of those of CI; takes hours
        #[arg(long)]
        full: bool,
    },
    /// Format, lints, house rules, licences and banned crates
    Check,
    /// Let the release binary order its certificate from an ACME server on this machine
    Acme,
    /// Write what the code says about the interface to docs/openapi.json and docs/asyncapi.json
    Api,
    /// Hold the release binary against the OpenAPI document that it serves, by schemathesis
    Contract,
    /// Let an OpenTelemetry collector that others wrote take the traces of the release binary
    Traces,
    /// The house rules alone: dependency direction, sizes, nesting, docs
    Tidy,
    /// Compile the client engine for the browser (wasm32-unknown-unknown)
    Wasm {
        /// Whose Rust compiles it
        #[arg(long, value_enum, default_value_t)]
        toolchain: wasm::Toolchain,
    },
    /// Build the web client into web/dist, where the build of the server finds it
    Web {
        /// Then run its tests: types, units, and end to end in Chromium on the release binary
        #[arg(long)]
        test: bool,
    },
    /// Write the TypeScript of the wire and the engine's views from the Rust types
    Types {
        /// Only say whether the file is current
        #[arg(long)]
        check: bool,
    },
    /// Measure Loquat beside a bare relay and a bare log; see docs/benchmarks.md
    Bench {
        /// Workloads by their letter, then options of `loquat-bench` (`-- --help` lists them)
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "BENCH ARGUMENTS")]
        arguments: Vec<String>,
    },
    /// Run the fuzz targets, each for a while; a failing input is kept in target/fuzz/artifacts
    Fuzz {
        /// How long each target runs
        #[arg(long, default_value_t = 60)]
        seconds: u64,
        /// Targets by name; all by default
        targets: Vec<String>,
    },
    /// Kill the server and drop its unsynced data under load, and check that nothing is lost
    Torture {
        /// Arguments for `loquat-torture`: --cycles N, --power-cycles N, --seed S
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "TORTURE ARGUMENTS")]
        arguments: Vec<String>,
    },
}

fn main() -> ExitCode {
    match dispatch(Arguments::parse().command) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs one command; `false` when it ran and found failures that it has already told of.
fn dispatch(command: Command) -> anyhow::Result<bool> {
    let workspace = Workspace::find()?;
    match command {
        Command::Run { serve } => run::run(&workspace, &serve),
        Command::Test { full } => test::run(&workspace, full),
        Command::Check => check::run(&workspace),
        Command::Acme => {
            workspace.build_release(&["loquat-server"])?;
            acme::run(&workspace).map(|()| true)
        }
        Command::Api => api::run(&workspace).map(|()| true),
        Command::Contract => {
            workspace.build_release(&["loquat-server"])?;
            contract::run(&workspace).map(|()| true)
        }
        Command::Traces => {
            workspace.build_release(&["loquat-server"])?;
            collector::run(&workspace).map(|()| true)
        }
        Command::Tidy => tidy::run(&workspace),
        Command::Wasm { toolchain } => wasm::run(&workspace, toolchain).map(|()| true),
        Command::Web { test: false } => web::build(&workspace).map(|()| true),
        Command::Web { test: true } => web::test(&workspace),
        Command::Types { check } => types::run(&workspace, check).map(|()| true),
        Command::Bench { arguments } => programs::bench(&workspace, &arguments),
        Command::Fuzz { seconds, targets } => fuzz::run(&workspace, seconds, &targets).map(|()| true),
        Command::Torture { arguments } => programs::torture(&workspace, &arguments).map(|()| true),
    }
}
