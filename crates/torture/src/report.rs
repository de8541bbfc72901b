//! What was checked, and how it came out.

use std::fmt::Write;
use std::time::Duration;

/// One check.
#[derive(Debug, Clone)]
pub(crate) struct Check {
    pub(crate) what: String,
    pub(crate) passed: bool,
    pub(crate) detail: String,
}

/// The checks of one scenario.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) scenario: String,
    pub(crate) checks: Vec<Check>,
}

impl Report {
    /// An empty report.
    pub(crate) fn new(scenario: &str) -> Self {
        Self { scenario: scenario.to_owned(), checks: Vec::new() }
    }

    /// Notes a check.
    pub(crate) fn check(&mut self, what: impl Into<String>, passed: bool, detail: impl Into<String>) {
        self.checks.push(Check { what: what.into(), passed, detail: detail.into() });
    }

    /// Whether all passed, and there was something to pass.
    pub(crate) fn passed(&self) -> bool {
        !self.checks.is_empty() && self.checks.iter().all(|check| check.passed)
    }

    /// The checks as a table.
    pub(crate) fn table(&self) -> String {
        let mut table = format!("\n{}\n", self.scenario);
        for check in &self.checks {
            let mark = if check.passed { "pass" } else { "FAIL" };
            // Writing to a string cannot fail.
            let _ = writeln!(table, "  {mark}  {:<52} {}", check.what, check.detail);
        }
        table
    }
}

/// The value below which `percent` of them lie.
pub(crate) fn percentile(values: &[Duration], percent: usize) -> Duration {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    let index = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
    sorted.get(index).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{Report, percentile};
    use std::time::Duration;

    #[test]
    fn nothing_checked_is_not_a_pass() {
        let mut report = Report::new("x");
        assert!(!report.passed());
        report.check("a", true, "");
        assert!(report.passed());
        report.check("b", false, "why");
        assert!(!report.passed());
        assert!(report.table().contains("FAIL  b"));
    }

    #[test]
    fn percentiles() {
        let values: Vec<Duration> = (1..=100).rev().map(Duration::from_millis).collect();
        assert_eq!(percentile(&values, 50), Duration::from_millis(51));
        assert_eq!(percentile(&values, 99), Duration::from_millis(100));
        assert_eq!(percentile(&[], 99), Duration::ZERO);
    }
}
