//! `cargo xtask tidy`: the house rules that a machine can check.
//!
//! [`rules`] is the table of who may depend on whom, [`graph`] holds the workspace against it; [`source`]
//! reads one Rust file as tokens, [`sizes`] judges what it found; [`words`] and [`manifests`] look at text.
//! A rule is a function that returns findings; add yours to [`inspect`].

mod files;
mod graph;
mod manifests;
mod rules;
mod sizes;
mod source;
mod words;

use std::fmt;
use std::path::PathBuf;

use anyhow::Result;

use crate::shell::Workspace;

/// One breach of a rule: where, what, and the way out.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    /// Relative to the root of the workspace.
    path: PathBuf,
    /// Counted from 1; `None` where the whole file is meant.
    line: Option<usize>,
    problem: String,
    remedy: &'static str,
}

impl Finding {
    fn new(path: impl Into<PathBuf>, line: Option<usize>, problem: String, remedy: &'static str) -> Self {
        Self { path: path.into(), line, problem, remedy }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{}:{}: {}; {}",
            self.path.display(),
            self.line.unwrap_or(1),
            self.problem,
            self.remedy
        )
    }
}

/// Prints the findings; `true` when there are none.
pub(crate) fn run(workspace: &Workspace) -> Result<bool> {
    let findings = inspect(workspace)?;
    print(&findings);
    println!("tidy: findings: {}", findings.len());
    Ok(findings.is_empty())
}

/// One line a finding.
pub(crate) fn print(findings: &[Finding]) {
    for finding in findings {
        println!("{finding}");
    }
}

/// All rules on the whole workspace, in order of path and line.
pub(crate) fn inspect(workspace: &Workspace) -> Result<Vec<Finding>> {
    let files = files::read(&workspace.root)?;
    let mut findings = graph::inspect(workspace);
    findings.extend(manifests::inspect(&files));
    findings.extend(sizes::inspect(&files));
    findings.extend(words::inspect(&files));
    findings.sort();
    Ok(findings)
}
