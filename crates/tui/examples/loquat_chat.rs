//! `loquat chat`, `loquat send` and `loquat tail` without the rest of the `loquat` binary.
//!
//! `cargo run -p loquat-tui --example loquat_chat -- chat --server http://127.0.0.1:8080`

use std::io::Write as _;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use loquat_tui::cli::{ChatArgs, SendArgs, TailArgs};

#[derive(Debug, Parser)]
struct Command {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// The terminal client.
    Chat(ChatArgs),
    /// Send messages.
    Send(SendArgs),
    /// Print messages.
    Tail(TailArgs),
}

#[tokio::main]
async fn main() -> ExitCode {
    let (result, code) = match Command::parse().what {
        What::Chat(arguments) => match arguments.resolve() {
            Ok(options) => (loquat_tui::chat(options).await.map_err(|error| error.to_string()), 1),
            Err(error) => (Err(error.to_string()), 2),
        },
        What::Send(arguments) => match arguments.resolve() {
            Ok(options) => {
                let result = loquat_tui::send(options).await;
                let code = result.as_ref().err().map_or(0, loquat_tui::SendError::exit_code);
                (result.map_err(|error| error.to_string()), code)
            }
            Err(error) => (Err(error.to_string()), 2),
        },
        What::Tail(arguments) => match arguments.resolve() {
            Ok(options) => {
                let result = loquat_tui::tail(options).await;
                let code = result.as_ref().err().map_or(0, loquat_tui::TailError::exit_code);
                (result.map_err(|error| error.to_string()), code)
            }
            Err(error) => (Err(error.to_string()), 2),
        },
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(text) => {
            let _ = writeln!(std::io::stderr(), "loquat: {text}");
            ExitCode::from(code)
        }
    }
}
