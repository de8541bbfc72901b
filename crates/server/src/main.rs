//! The `loquat` binary: settings, wiring, commands, shutdown.
//!
//! `cli` is the command line, `settings` what can be chosen, `serve` the service, `client` the terminal client;
//! `admin` looks after it; `backup`, `restore`, `seed` and `seed_messages` are commands of their own. Rules of chat live in `loquat-domain`, never here: this crate knows every other one so
//! that they need not know one another. To add a command: a variant in `cli`, a module with a `run`, a line below.

mod admin;
mod admin_export;
mod admin_jobs;
mod backup;
mod bus;
mod cli;
mod client;
mod config;
mod doctor;
mod logging;
mod progress;
mod record;
mod restore;
mod seed;
mod seed_messages;
mod serve;
mod settings;
mod site;
mod storage;
mod system;
mod top;
#[cfg(feature = "otlp")]
mod traces;

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
        Ok(status) => status,
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

fn run_admin(command: AdminCommand) -> Result<()> {
    match command {
        AdminCommand::Seed(arguments) => seed::run(&arguments),
        AdminCommand::SeedMessages(arguments) => seed_messages::run(&arguments),
        AdminCommand::Users(command) => admin::users(command),
        AdminCommand::Conversations(command) => admin::conversations(command),
        AdminCommand::Devices(command) => admin::devices(command),
        AdminCommand::Stats(common) => admin::stats(&common),
        AdminCommand::Audit(arguments) => admin::audit(&arguments),
        AdminCommand::Jobs(command) => admin_jobs::run(&command),
        AdminCommand::Export(arguments) => admin_export::export(&arguments),
        AdminCommand::VerifyExport(arguments) => admin_export::verify_export(&arguments),
    }
}

fn run(command: Command) -> Result<ExitCode> {
    let done = match command {
        Command::Serve(arguments) => serve::run(&arguments),
        Command::Top(arguments) => top::run(&arguments),
        Command::Backup(arguments) => backup::run(&arguments),
        Command::Restore(arguments) => restore::run(&arguments),
        Command::Admin(command) => run_admin(command),
        Command::Chat(arguments) => client::chat(arguments),
        Command::Send(arguments) => client::send(arguments),
        Command::Tail(arguments) => client::tail(arguments),
        Command::Config(arguments) => config::run(&arguments),
        Command::Doctor(arguments) => return doctor::run(&arguments),
    };
    done.map(|()| ExitCode::SUCCESS)
}
