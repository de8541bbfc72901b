//! Metrics of the domain that are read when asked for, rather than counted as things happen.

use std::fmt;

use loquat_domain::App;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

/// Adds them to a registry.
pub(super) fn register(app: App, registry: &mut Registry) {
    registry.register_collector(Box::new(Workload { app }));
}

struct Workload {
    app: App,
}

impl fmt::Debug for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Workload")
    }
}

impl Collector for Workload {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let mut metric = |name, help, metric: &dyn EncodeMetric| {
            metric.encode(encoder.encode_descriptor(name, help, None, metric.metric_type())?)
        };
        let gauge = |count: usize| ConstGauge::new(u64::try_from(count).unwrap_or(u64::MAX));
        let hashing = self.app.auth().hashing();
        let (computed, refused) = (ConstCounter::new(hashing.computed), ConstCounter::new(hashing.refused));
        metric(
            "loquat_sessions",
            "Live sessions, of sockets and long polls",
            &gauge(self.app.sessions().count()),
        )?;
        metric("loquat_password_hashes", "Password hashes computed", &computed)?;
        metric(
            "loquat_password_hashes_refused",
            "Password hashes refused because too many waited",
            &refused,
        )?;
        metric(
            "loquat_password_hashes_in_flight",
            "Password hashes computed or waited for",
            &gauge(hashing.in_flight),
        )
    }
}
