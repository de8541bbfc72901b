//! The `loquat` binary: settings, wiring, commands, shutdown.
//!
//! `cli` is the command line, `settings` what can be chosen, `serve` the service, `client` the terminal client;
//! `backup`, `restore` and `seed` are commands of their own. Rules of chat live in `loquat-domain`, never here: this crate knows every other one so
//! that they need not know one another. To add a command: a variant in `cli`, a module with a `run`, a line below.

mod backup;
mod cli;
mod client;
mod logging;
mod progress;
mod restore;
mod seed;
mod serve;
mod settings;
mod storage;
mod system;

use std::io::{self, Write as _};
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser as _;
use cli::{AdminCommand, Cli, Command};
use client::ClientError;
use settings::SettingsError;

/// Exit status of a command that was asked for something wrong, as clap has it for flags.
const MISUSE: u8 = 2;

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Where even standard error is closed, the exit status says it.
            let _ = writeln!(io::stderr(), "error: {error:#}");
            status(&error)
        }
    }
}

fn status(error: &anyhow::Error) -> ExitCode {
    match error.downcast_ref::<ClientError>() {
        Some(error) => ExitCode::from(error.status),
        None if error.is::<SettingsError>() => ExitCode::from(MISUSE),
        None => ExitCode::FAILURE,
    }
}

fn run(command: Command) -> Result<()> {
    match command {
        Command::Serve(arguments) => serve::run(&arguments),
        Command::Backup(arguments) => backup::run(&arguments),
        Command::Restore(arguments) => restore::run(&arguments),
        Command::Admin(AdminCommand::Seed(arguments)) => seed::run(&arguments),
        Command::Chat(arguments) => client::chat(arguments),
        Command::Send(arguments) => client::send(arguments),
        Command::Tail(arguments) => client::tail(arguments),
        Command::Settings => Ok(settings::reference::print(&mut io::stdout().lock())?),
    }
}
