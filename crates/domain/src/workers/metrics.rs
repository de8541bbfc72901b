//! What workers count.

use loquat_proto::Timestamp;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::ports::{JobCount, JobState};

/// What a turn may come to.
const OUTCOMES: [&str; 5] = ["done", "again", "failed", "buried", "lost"];

/// Counters and gauges of workers.
#[derive(Debug, Clone, Default)]
pub struct WorkerMetrics {
    turns: Family<TurnLabels, Counter>,
    jobs: Family<JobLabels, Gauge>,
    /// Whole seconds.
    overdue: Gauge,
    lag: Family<WorkerLabels, Gauge>,
    erased: Counter,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TurnLabels {
    kind: String,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct JobLabels {
    kind: String,
    state: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WorkerLabels {
    worker: &'static str,
}

impl WorkerMetrics {
    /// Adds the metrics to a registry.
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "loquat_job_turns",
            "Turns of jobs, by kind and outcome (done, again, failed, buried, lost)",
            self.turns.clone(),
        );
        registry.register(
            "loquat_jobs",
            "Jobs, by kind and state (waiting, running, dead)",
            self.jobs.clone(),
        );
        registry.register(
            "loquat_jobs_overdue_seconds",
            "How long the job that waits longest has been due",
            self.overdue.clone(),
        );
        registry.register(
            "loquat_worker_lag_positions",
            "Positions of the log that a worker has not tailed yet",
            self.lag.clone(),
        );
        registry.register(
            "loquat_retention_sweeps_erased",
            "Sweeps that erased messages which had outlived their retention",
            self.erased.clone(),
        );
    }

    /// Shows zero for what has not happened yet, so that its first time is an increase.
    pub(super) fn announce(&self, kinds: &[&'static str], workers: &[&'static str]) {
        for kind in kinds {
            for outcome in OUTCOMES {
                drop(self.turns.get_or_create(&TurnLabels { kind: (*kind).to_owned(), outcome }));
            }
        }
        for worker in workers {
            drop(self.lag.get_or_create(&WorkerLabels { worker }));
        }
        self.counts(kinds, &[], 0);
    }

    pub(super) fn turn(&self, kind: &str, outcome: &'static str) {
        self.turns.get_or_create(&TurnLabels { kind: kind.to_owned(), outcome }).inc();
    }

    pub(super) fn erased(&self) {
        self.erased.inc();
    }

    pub(super) fn lag(&self, worker: &'static str, positions: u64) {
        let positions = i64::try_from(positions).unwrap_or(i64::MAX);
        self.lag.get_or_create(&WorkerLabels { worker }).set(positions);
    }

    /// Shows these counts, and zero where there were some before.
    pub(super) fn counts(&self, kinds: &[&'static str], counts: &[JobCount], now: Timestamp) {
        for kind in kinds {
            for state in JobState::ALL {
                let found = counts.iter().find(|count| count.kind == *kind && count.state == state);
                let count = found.map_or(0, |found| i64::try_from(found.count).unwrap_or(i64::MAX));
                let labels = JobLabels { kind: (*kind).to_owned(), state: state.as_str() };
                self.jobs.get_or_create(&labels).set(count);
            }
        }
        let waiting = counts.iter().filter(|count| count.state == JobState::Waiting);
        let earliest = waiting.map(|count| count.earliest).min();
        self.overdue.set(earliest.map_or(0, |earliest| now.saturating_sub(earliest).max(0) / 1000));
    }
}
