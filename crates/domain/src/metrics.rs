//! What the domain counts.

use loquat_proto::ErrorCode;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

/// Counters of the domain: no content, no user ever becomes a label.
#[derive(Debug)]
pub struct Metrics {
    events: Counter,
    conflicts: Counter,
    batches: Histogram,
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
        registry.register("loquat_mutations_refused", "Mutations refused by a lane", self.refusals.clone());
    }

    pub(crate) fn batch(&self, events: usize) {
        self.batches.observe(f64::from(u32::try_from(events).unwrap_or(u32::MAX)));
    }

    pub(crate) fn appended(&self, events: usize) {
        self.events.inc_by(events as u64);
    }

    pub(crate) fn conflict(&self) {
        self.conflicts.inc();
    }

    pub(crate) fn refused(&self, code: ErrorCode) {
        self.refusals.get_or_create(&RefusalLabels { code: Code(code) }).inc();
    }
}
