//! `cargo xtask test`: everything that is tested, on the code and on the release binary.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};

use crate::acme;
use crate::collector;
use crate::contract;
use crate::fuzz;
use crate::programs;
use crate::shell::{Workspace, show};
use crate::smoke;
use crate::stages::{Counts, Report};
use crate::tools;
use crate::web;

/// How much of what grows without end is tested.
struct Figures {
    kill_cycles: &'static str,
    power_cycles: &'static str,
    /// `LOQUAT_SCHEDULES`: removal-race and ordering schedules.
    schedules: &'static str,
    /// Hostile inputs on a live server.
    hostile_inputs: &'static str,
    /// Minutes of mixed load with stable memory.
    soak_minutes: &'static str,
    /// Seconds for each fuzz target; in CI the tests of the same inputs on stable Rust do.
    fuzz_seconds: u64,
    /// Whether tests marked `#[ignore]` for their length run too.
    ignored: bool,
    /// Whether schemathesis holds the service against its published contract, and an ACME server gives it a certificate.
    contract: bool,
}

const CI: Figures = Figures {
    kill_cycles: "25",
    power_cycles: "10",
    schedules: "10000",
    hostile_inputs: "5000",
    soak_minutes: "0",
    fuzz_seconds: 0,
    ignored: false,
    contract: false,
};

const RELEASE: Figures = Figures {
    kill_cycles: "2000",
    power_cycles: "300",
    schedules: "1000000",
    hostile_inputs: "100000",
    soak_minutes: "60",
    fuzz_seconds: 3_600,
    ignored: true,
    contract: true,
};

/// Runs every stage, whatever fails, and closes with the counts.
pub(crate) fn run(workspace: &Workspace, full: bool) -> Result<bool> {
    let figures = if full { &RELEASE } else { &CI };
    let mut report = Report::default();
    report.stage("tools for test", || {
        tools::c_compiler(workspace)?;
        tools::promtool(workspace)?;
        tools::postgresql(workspace)?;
        tools::nats_server(workspace)?;
        Ok(Counts::default())
    });
    // First, so that the binaries that are built and tested carry it.
    let client = web::stages(workspace, &mut report);
    report.stage("workspace tests", || workspace_tests(workspace, figures));
    let built = report.stage("release build", || {
        workspace.build_release(&programs::TORTURE_PACKAGES).map(|()| Counts::default())
    });
    if built {
        report.stage("release binary serves", || smoke::run(workspace).map(|()| Counts::default()));
        if client {
            report.stage("web end to end", || web::end_to_end(workspace));
        }
        if figures.contract {
            report
                .stage("traces reach a collector", || collector::run(workspace).map(|()| Counts::default()));
            report.stage("certificates by ACME", || acme::run(workspace).map(|()| Counts::default()));
            report.stage("contract", || contract::run(workspace).map(|()| Counts::default()));
        }
        let arguments = [
            ("--cycles", figures.kill_cycles),
            ("--power-cycles", figures.power_cycles),
            ("--hostile-inputs", figures.hostile_inputs),
            ("--soak-minutes", figures.soak_minutes),
        ];
        let arguments: Vec<_> =
            arguments.iter().flat_map(|(name, value)| [*name, *value]).map(str::to_owned).collect();
        report.command("torture", &mut programs::torture_command(workspace, &arguments));
    }
    if figures.fuzz_seconds > 0 {
        report
            .stage("fuzzing", || fuzz::run(workspace, figures.fuzz_seconds, &[]).map(|()| Counts::default()));
    }
    Ok(report.finish())
}

fn workspace_tests(workspace: &Workspace, figures: &Figures) -> Result<Counts> {
    let mut command = workspace.cargo("test");
    command.args(["--workspace", "--no-fail-fast"]);
    command.env("LOQUAT_SCHEDULES", figures.schedules);
    if figures.ignored {
        command.args(["--", "--include-ignored"]);
    }
    count_tests(&mut command)
}

/// Runs cargo test, passing its words on and counting its results.
fn count_tests(command: &mut Command) -> Result<Counts> {
    let shown = show(command);
    let mut child =
        command.stdout(Stdio::piped()).spawn().with_context(|| format!("cannot start `{shown}`"))?;
    let mut counts = Counts::default();
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).split(b'\n') {
            let line = line?;
            let line = String::from_utf8_lossy(&line);
            println!("{line}");
            if let Some(result) = results(&line) {
                counts.passed += result.passed;
                counts.failed += result.failed;
            }
        }
    }
    let status = child.wait()?;
    // A failure without a failed test is a test that did not compile or died.
    anyhow::ensure!(status.success() || counts.failed > 0, "`{shown}` failed ({status})");
    Ok(counts)
}

/// The counts of a line such as `test result: ok. 12 passed; 0 failed; 1 ignored; …`.
fn results(line: &str) -> Option<Counts> {
    let words = line.strip_prefix("test result: ")?.split_once(". ")?.1;
    let count = |word: &str| {
        words
            .split("; ")
            .find_map(|part| part.strip_suffix(word))
            .and_then(|number| number.trim().parse().ok())
    };
    Some(Counts { passed: count("passed")?, failed: count("failed")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn result_lines_are_read_and_others_left() {
        let line = "test result: FAILED. 12 passed; 3 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s";
        let counts = results(line).expect("a result line");
        assert_eq!((counts.passed, counts.failed), (12, 3));
        for other in ["test result: ", "test a::b ... ok", "running 3 tests", "test result: ok. soon"] {
            assert!(results(other).is_none(), "{other}");
        }
    }

    #[test]
    fn a_command_that_fails_without_a_failed_test_is_an_error() {
        let run = |script: &str| count_tests(Command::new("sh").args(["-c", script]));
        let counts = run("echo 'test result: ok. 2 passed; 0 failed; 0 ignored'").expect("a good run");
        assert_eq!((counts.passed, counts.failed), (2, 0));
        let counts = run("echo 'test result: FAILED. 2 passed; 1 failed; 0 ignored'; exit 101")
            .expect("a counted run");
        assert_eq!((counts.passed, counts.failed), (2, 1));
        assert!(run("exit 101").is_err());
    }
}
