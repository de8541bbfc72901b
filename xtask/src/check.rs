//! `cargo xtask check`: what a change must pass besides the tests.

use anyhow::Result;

use crate::shell::{self, Workspace};
use crate::stages::{Counts, Report};
use crate::tidy;
use crate::tools;

/// Quickest to fail first; every stage runs, so that one run tells everything.
pub(crate) fn run(workspace: &Workspace) -> Result<bool> {
    let mut report = Report::default();
    report.stage("tools for check", || {
        tools::c_compiler(workspace)?;
        tools::rust_components(workspace)?;
        tools::cargo_deny(workspace)?;
        Ok(Counts::default())
    });
    // `cargo fmt` takes no --locked: it resolves nothing.
    report.stage("cargo fmt", || {
        shell::succeed(workspace.command("cargo").args(["fmt", "--all", "--check"]))?;
        Ok(Counts::default())
    });
    report.stage("tidy", || {
        let findings = tidy::inspect(workspace)?;
        tidy::print(&findings);
        anyhow::ensure!(findings.is_empty(), "findings: {}", findings.len());
        Ok(Counts::default())
    });
    report.command("cargo deny", &mut deny(workspace));
    report.command(
        "cargo clippy",
        workspace.cargo("clippy").args(["--workspace", "--all-targets", "--", "-D", "warnings"]),
    );
    Ok(report.finish())
}

/// Licences, banned crates and sources. Advisories need the network for their database: a scheduled run does
/// `cargo deny check advisories`, so that a new advisory never turns an old commit red.
fn deny(workspace: &Workspace) -> std::process::Command {
    let mut command = workspace.command("cargo-deny");
    command.args(["--log-level", "warn", "--workspace"]);
    if shell::is_ci() {
        command.arg("--locked");
    }
    command.args(["check", "bans", "licenses", "sources"]);
    command
}
