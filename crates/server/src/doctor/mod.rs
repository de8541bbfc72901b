//! `loquat doctor`: whether a service can run here, or runs well, and what to do if not.
//!
//! Each check looks at one thing and comes to a [`Verdict`]. None changes anything, but for a file of some KiB in the
//! data folder that measures its disk. To add a check: a function in the module of its subject, and its line in [`examine`].

mod certificate;
mod data;
mod machine;
mod network;
mod policy;

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Result;
use serde::Serialize;

use crate::admin::{self, plain};
use crate::cli::DoctorArgs;
use crate::settings;

/// Exit status where everything works but something is worth changing.
const WARNED: u8 = 3;

/// How good it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verdict {
    /// As it should be.
    Ok,
    /// It works, and could be better or end soon.
    Warning,
    /// It does not work, or must not be left so.
    Problem,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Check {
    /// Its stable name.
    name: &'static str,
    verdict: Verdict,
    /// What was found.
    found: String,
    /// What to do; nothing where all is well.
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<String>,
}

impl Check {
    fn ok(name: &'static str, found: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::Ok, found: found.into(), advice: None }
    }

    fn warning(name: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::Warning, found: found.into(), advice: Some(advice.into()) }
    }

    fn problem(name: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::Problem, found: found.into(), advice: Some(advice.into()) }
    }
}

/// Everything that was checked.
#[derive(Debug, Serialize)]
struct Report {
    verdict: Verdict,
    /// Whether a service runs on the data folder.
    running: bool,
    checks: Vec<Check>,
}

/// Examines and prints. The exit status is 0 where all is well, 3 for warnings, 1 for problems.
pub(crate) fn run(arguments: &DoctorArgs) -> Result<ExitCode> {
    let report = examine(arguments);
    let mut out = io::stdout().lock();
    if arguments.json {
        writeln!(out, "{:#}", serde_json::to_value(&report)?)?;
    } else {
        print(&mut out, &report)?;
    }
    out.flush()?;
    Ok(match report.verdict {
        Verdict::Ok => ExitCode::SUCCESS,
        Verdict::Warning => ExitCode::from(WARNED),
        Verdict::Problem => ExitCode::FAILURE,
    })
}

fn examine(arguments: &DoctorArgs) -> Report {
    let mut checks = Vec::new();
    let mut running = false;
    match settings::load(&arguments.serve.sources()) {
        Err(error) => checks.push(Check::problem(
            "settings",
            error.to_string(),
            "correct it; `loquat config` shows what is in force; nothing else was checked",
        )),
        Ok(loaded) => {
            let settings = &loaded.settings;
            let service = admin::running(&settings.data);
            running = matches!(service, Ok(Some(_)));
            let process = match &service {
                Ok(Some(connection)) => Some(connection.greeting().pid),
                _ => None,
            };
            checks.push(policy::settings(&loaded));
            checks.extend(policy::all(settings));
            checks.extend(certificate::certificate(settings));
            let folder = data::folder(&settings.data);
            let usable = folder.verdict != Verdict::Problem;
            checks.push(folder);
            if usable {
                checks.extend(machine::disk(&settings.data));
                checks.extend(data::store(settings, arguments.full));
            }
            checks.push(machine::descriptors(&settings.limits, process));
            checks.push(machine::memory(settings));
            checks.push(network::service(service));
            checks.extend(network::addresses(&loaded, running));
        }
    }
    let verdict = checks.iter().map(|check| check.verdict).max().unwrap_or(Verdict::Ok);
    Report { verdict, running, checks }
}

fn print(out: &mut impl Write, report: &Report) -> Result<()> {
    for check in &report.checks {
        let mark = match check.verdict {
            Verdict::Ok => "ok      ",
            Verdict::Warning => "warning ",
            Verdict::Problem => "PROBLEM ",
        };
        writeln!(out, "{mark} {:12} {}", check.name, plain(&check.found))?;
        if let Some(advice) = &check.advice {
            writeln!(out, "         {:12} → {}", "", plain(advice))?;
        }
    }
    let count = |verdict| report.checks.iter().filter(|check| check.verdict == verdict).count();
    let summary = match (count(Verdict::Problem), count(Verdict::Warning)) {
        (0, 0) => "all is well".to_owned(),
        (problems, warnings) => format!("problems: {problems}, warnings: {warnings}"),
    };
    writeln!(out, "\n{} checks: {summary}", report.checks.len())?;
    Ok(())
}
