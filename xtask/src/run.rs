//! `cargo xtask run`: a chat service from a fresh clone.

use std::os::unix::process::CommandExt as _;

use anyhow::{Context as _, Result};

use crate::shell::Workspace;
use crate::{tools, web};

const LISTEN: &str = "127.0.0.1:8080";
const DATA: &str = "./data";

/// Builds the release binary and becomes `loquat serve`.
pub(crate) fn run(workspace: &Workspace, extra: &[String]) -> Result<bool> {
    tools::c_compiler(workspace)?;
    println!("Building Loquat (some minutes the first time)");
    if let Err(error) = web::build(workspace) {
        println!("The web client was not built; the service runs without it: {error:#}");
    }
    workspace.build_release(&["loquat-server"])?;
    let arguments = serve_arguments(extra);
    println!(
        "\nLoquat serves on http://{} with its data in {}",
        value(&arguments, "--listen").unwrap_or(LISTEN),
        value(&arguments, "--data").unwrap_or(DATA)
    );
    println!("Open it in a browser to chat, or chat from another terminal: target/release/loquat chat");
    println!("Stop it with Ctrl-C.\n");
    let error = workspace.command(workspace.release("loquat")).args(&arguments).exec();
    Err(error).context("cannot start the built loquat")
}

/// The defaults, each unless the caller gives the flag.
fn serve_arguments(extra: &[String]) -> Vec<String> {
    let mut arguments = vec!["serve".to_owned()];
    for (flag, default) in [("--listen", LISTEN), ("--data", DATA)] {
        if value(extra, flag).is_none() {
            arguments.extend([flag.to_owned(), default.to_owned()]);
        }
    }
    arguments.extend_from_slice(extra);
    arguments
}

/// The value of `--flag value` or `--flag=value`.
fn value<'a>(arguments: &'a [String], flag: &str) -> Option<&'a str> {
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        if argument == flag {
            return arguments.next().map(String::as_str);
        }
        if let Some(value) = argument.strip_prefix(flag).and_then(|rest| rest.strip_prefix('=')) {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_give_way_to_flags() {
        let cases: [(&[&str], &[&str]); 3] = [
            (&[], &["serve", "--listen", LISTEN, "--data", DATA]),
            (&["--listen", "[::1]:9"], &["serve", "--data", DATA, "--listen", "[::1]:9"]),
            (&["--data=/srv"], &["serve", "--listen", LISTEN, "--data=/srv"]),
        ];
        for (extra, expected) in cases {
            let extra: Vec<String> = extra.iter().map(|&argument| argument.to_owned()).collect();
            assert_eq!(serve_arguments(&extra), expected);
        }
    }
}
