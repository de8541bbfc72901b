//! `cargo xtask web`: the web client, built into `web/dist`, where the build of the server finds it.
//!
//! Node.js builds it, from the lock file alone. The engine is compiled to WebAssembly by [`wasm`]. Where there is no
//! Node.js, Debian's package is installed.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::shell::{self, Workspace};
use crate::stages::{Counts, Report};
use crate::{tools, types, wasm};

/// Builds the web client.
pub(crate) fn build(workspace: &Workspace) -> Result<()> {
    let engine = wasm::web_engine(workspace)?;
    types::run(workspace, shell::is_ci())?;
    packages(workspace)?;
    shell::succeed(npm(workspace, &["run", "build"])?.env("LOQUAT_ENGINE", engine))
}

/// Builds it and a release binary with it inside, and runs every test of it.
pub(crate) fn test(workspace: &Workspace) -> Result<bool> {
    let mut report = Report::default();
    if stages(workspace, &mut report) {
        let served = report.stage("release build", || {
            workspace.build_release(&["loquat-server"]).map(|()| Counts::default())
        });
        if served {
            report.stage("web end to end", || end_to_end(workspace));
        }
    }
    Ok(report.finish())
}

/// Builds the engine and the client, and runs the tests that need no server. Whether the client was built.
pub(crate) fn stages(workspace: &Workspace, report: &mut Report) -> bool {
    report.stage("engine for the browser", || wasm::web_engine(workspace).map(|_engine| Counts::default()));
    let built = report.stage("web client", || build(workspace).map(|()| Counts::default()));
    if built {
        report.stage("web types", || check(workspace).map(|()| Counts::default()));
        report.stage("web unit tests", || unit_tests(workspace));
    }
    built
}

/// The types of scripts and components.
fn check(workspace: &Workspace) -> Result<()> {
    shell::succeed(&mut npm(workspace, &["run", "check"])?)
}

/// The unit tests.
fn unit_tests(workspace: &Workspace) -> Result<Counts> {
    count(workspace, "test")
}

/// The end-to-end suite in Chromium against the release binary, which an earlier stage has built.
pub(crate) fn end_to_end(workspace: &Workspace) -> Result<Counts> {
    tools::chromium(workspace)?;
    count(workspace, "e2e")
}

/// Runs tests and reads their numbers from the report that they write.
fn count(workspace: &Workspace, script: &str) -> Result<Counts> {
    #[derive(serde::Deserialize)]
    struct Results {
        #[serde(rename = "numPassedTests")]
        passed: u64,
        #[serde(rename = "numFailedTests")]
        failed: u64,
    }
    let report = workspace.target.join(format!("web-{script}.json"));
    // The report of an earlier run must not stand for one that did not come to its end.
    let _ = fs::remove_file(&report);
    let mut command = npm(workspace, &["run", script])?;
    command.env("LOQUAT_BINARY", workspace.release("loquat")).env("LOQUAT_TEST_REPORT", &report);
    if let Some(chromium) = workspace.which("chromium") {
        command.env("LOQUAT_CHROMIUM", chromium);
    }
    println!("$ {}", shell::show(&command));
    let status = command.status().context("cannot start npm")?;
    let results = fs::read(&report).context("the tests came to no end")?;
    let Results { passed, failed } = serde_json::from_slice(&results)?;
    anyhow::ensure!(status.success() || failed > 0, "the tests failed ({status})");
    Ok(Counts { passed, failed })
}

/// The node packages of the lock file, unless they are there.
fn packages(workspace: &Workspace) -> Result<()> {
    let lock = fs::read(web(workspace).join("package-lock.json")).context("web/package-lock.json")?;
    let stamp = web(workspace).join("node_modules/.loquat-lock");
    if fs::read(&stamp).is_ok_and(|installed| installed == lock) {
        return Ok(());
    }
    shell::succeed(&mut npm(workspace, &["ci", "--no-audit", "--no-fund"])?)?;
    fs::write(stamp, lock)?;
    Ok(())
}

fn npm(workspace: &Workspace, arguments: &[&str]) -> Result<Command> {
    let mut command = workspace.command(tools::npm(workspace)?);
    command.current_dir(web(workspace)).args(arguments);
    Ok(command)
}

fn web(workspace: &Workspace) -> PathBuf {
    workspace.root.join("web")
}
