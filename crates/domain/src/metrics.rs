//! What the domain counts.

use std::time::Duration;

use loquat_proto::ErrorCode;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

/// Upper bounds of the time of an append, in seconds: from a fast disk to one that is in trouble.
const APPEND_BUCKETS: [f64; 12] =
    [0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0];

/// Counters of the domain: no content, no user ever becomes a label.
#[derive(Debug)]
pub struct Metrics {
    events: Counter,
    conflicts: Counter,
    batches: Histogram,
    append_seconds: Histogram,
    waiting: Gauge,
    refusals: Family<RefusalLabels, Counter>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RefusalLabels {
    code: Code,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Code(ErrorCode);

impl EncodeLabelValue for Code {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), std::fmt::Error> {
        self.0.as_str().encode(encoder)
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            events: Counter::default(),
            conflicts: Counter::default(),
            batches: Histogram::new(exponential_buckets(1.0, 4.0, 7)),
            append_seconds: Histogram::new(APPEND_BUCKETS),
            waiting: Gauge::default(),
            refusals: Family::default(),
        }
    }
}

impl Metrics {
    /// Adds the metrics to a registry.
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "loquat_events_appended",
            "Events appended to conversation logs",
            self.events.clone(),
        );
        registry.register(
            "loquat_append_conflicts",
            "Appends decided again after a conflict",
            self.conflicts.clone(),
        );
        registry.register(
            "loquat_append_batch_events",
            "Events in one append of a lane",
            self.batches.clone(),
        );
        registry.register(
            "loquat_append_duration_seconds",
            "Time of one append of a lane until it is durable",
            self.append_seconds.clone(),
        );
        registry.register("loquat_lane_waiting", "Changes that wait in lanes", self.waiting.clone());
        registry.register("loquat_mutations_refused", "Mutations refused by a lane", self.refusals.clone());
    }

    pub(crate) fn batch(&self, events: usize) {
        self.batches.observe(f64::from(u32::try_from(events).unwrap_or(u32::MAX)));
    }

    pub(crate) fn appended(&self, events: usize) {
        self.events.inc_by(events as u64);
    }

    pub(crate) fn append_took(&self, time: Duration) {
        self.append_seconds.observe(time.as_secs_f64());
    }

    /// So many more changes wait in a lane, or fewer.
    pub(crate) fn waiting_changed(&self, by: i64) {
        self.waiting.inc_by(by);
    }

    pub(crate) fn conflict(&self) {
        self.conflicts.inc();
    }

    pub(crate) fn refused(&self, code: ErrorCode) {
        self.refusals.get_or_create(&RefusalLabels { code: Code(code) }).inc();
    }
}
