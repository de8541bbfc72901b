//! `loquat chat`, `send` and `tail`: the terminal client, run as this program.

use anyhow::{Context as _, Result};
use loquat_tui::cli::{ChatArgs, SendArgs, TailArgs};
use thiserror::Error;
use tokio::runtime::{Builder, Runtime};

use crate::MISUSE;

/// Threads of a client: one for the screen or the pipe, one for the network.
const THREADS: usize = 2;

/// A client's command failed, with an exit status that scripts rely on.
#[derive(Debug, Error)]
#[error("{message}")]
pub(crate) struct ClientError {
    /// What happened.
    message: String,
    /// The exit status.
    pub(crate) status: u8,
}

/// The terminal client.
pub(crate) fn chat(arguments: ChatArgs) -> Result<()> {
    let options = arguments.resolve().map_err(|error| failed(&error, MISUSE))?;
    runtime()?.block_on(loquat_tui::chat(options)).context("chat")
}

/// Sends, from the command line or a pipe.
pub(crate) fn send(arguments: SendArgs) -> Result<()> {
    let options = arguments.resolve().map_err(|error| failed(&error, MISUSE))?;
    let sent = runtime()?.block_on(loquat_tui::send(options));
    Ok(sent.map_err(|error| failed(&error, error.exit_code()))?)
}

/// Prints messages.
pub(crate) fn tail(arguments: TailArgs) -> Result<()> {
    let options = arguments.resolve().map_err(|error| failed(&error, MISUSE))?;
    let printed = runtime()?.block_on(loquat_tui::tail(options));
    Ok(printed.map_err(|error| failed(&error, error.exit_code()))?)
}

fn failed(error: &dyn std::error::Error, status: u8) -> ClientError {
    ClientError { message: error.to_string(), status }
}

fn runtime() -> Result<Runtime> {
    Builder::new_multi_thread().worker_threads(THREADS).enable_all().build().context("cannot start threads")
}
