//! Stages of a long command: a header and a time each, a table and one closing line at the end.

use std::time::{Duration, Instant};

use anyhow::Result;

use crate::shell::show;

/// What a stage counted besides itself.
#[derive(Clone, Copy, Default)]
pub(crate) struct Counts {
    /// Tests that passed.
    pub(crate) passed: u64,
    /// Tests that failed.
    pub(crate) failed: u64,
}

/// The stages run so far.
#[derive(Default)]
pub(crate) struct Report {
    rows: Vec<Row>,
}

struct Row {
    name: String,
    time: Duration,
    counts: Counts,
    error: Option<String>,
}

impl Report {
    /// Runs one stage. A failure is told, kept and counted; the stages after it still run.
    pub(crate) fn stage(&mut self, name: &str, work: impl FnOnce() -> Result<Counts>) -> bool {
        println!("\n=== {name} ===");
        let start = Instant::now();
        let result = work();
        let time = start.elapsed();
        let row = match result {
            Ok(counts) if counts.failed == 0 => Row { name: name.to_owned(), time, counts, error: None },
            Ok(counts) => {
                let error = Some(format!("failed tests: {}", counts.failed));
                Row { name: name.to_owned(), time, counts, error }
            }
            Err(error) => Row {
                name: name.to_owned(),
                time,
                counts: Counts::default(),
                error: Some(format!("{error:#}")),
            },
        };
        match &row.error {
            None => println!("=== {name}: passed in {} ===", seconds(time)),
            Some(error) => println!("=== {name}: FAILED in {}: {error} ===", seconds(time)),
        }
        let passed = row.error.is_none();
        self.rows.push(row);
        passed
    }

    /// A stage that is one command.
    pub(crate) fn command(&mut self, name: &str, command: &mut std::process::Command) -> bool {
        self.stage(name, || {
            println!("$ {}", show(command));
            crate::shell::succeed(command).map(|()| Counts::default())
        })
    }

    /// Prints the table and, as the last line, the number of tests and stages that passed and failed.
    pub(crate) fn finish(self) -> bool {
        let width = self.rows.iter().map(|row| row.name.len()).max().unwrap_or(0);
        println!();
        for row in &self.rows {
            let verdict = if row.error.is_none() { "passed" } else { "FAILED" };
            let tests = match row.counts.passed + row.counts.failed {
                0 => String::new(),
                total => format!("  {total} tests"),
            };
            println!("{:width$}  {verdict}  {:>8}{tests}", row.name, seconds(row.time));
        }
        for row in self.rows.iter().filter(|row| row.error.is_some()) {
            println!("{} failed: {}", row.name, row.error.as_deref().unwrap_or_default());
        }
        let total = self.total();
        println!("\n{} passed, {} failed", total.passed, total.failed);
        total.failed == 0
    }

    /// Each stage counts as one beside the tests it ran.
    fn total(&self) -> Counts {
        self.rows.iter().fold(Counts::default(), |sum, row| Counts {
            passed: sum.passed + row.counts.passed + u64::from(row.error.is_none()),
            failed: sum.failed + row.counts.failed + u64::from(row.error.is_some()),
        })
    }
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_and_their_tests_are_counted_and_a_failure_does_not_stop_the_next() {
        let mut report = Report::default();
        assert!(report.stage("good", || Ok(Counts { passed: 7, failed: 0 })));
        assert!(!report.stage("some fail", || Ok(Counts { passed: 3, failed: 2 })));
        assert!(!report.stage("breaks", || anyhow::bail!("no compiler")));
        assert!(report.stage("after", || Ok(Counts::default())));
        let total = report.total();
        assert_eq!((total.passed, total.failed), (12, 4));
        assert!(!report.finish());
    }
}
