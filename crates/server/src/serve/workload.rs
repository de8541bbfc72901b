//! Metrics of the domain that are read when asked for, rather than counted as things happen.

use std::fmt;
use std::path::PathBuf;

use loquat_domain::App;
use loquat_store::SqliteStore;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use rustix::fs::statvfs;

/// Adds them to a registry.
pub(super) fn register((app, store, data): (App, SqliteStore, PathBuf), registry: &mut Registry) {
    app.workers().metrics().register(registry);
    registry.register_collector(Box::new(Workload { app, store, data }));
}

struct Workload {
    app: App,
    store: SqliteStore,
    data: PathBuf,
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
        )?;
        let stored = self.store.gauges();
        let commits = ConstCounter::new(stored.commits);
        metric("loquat_store_commits", "Transactions committed by the storage", &commits)?;
        metric(
            "loquat_store_writes_waiting",
            "Calls that wait to be written",
            &gauge(stored.writes_waiting),
        )?;
        metric("loquat_store_reads_waiting", "Calls that wait to be read", &gauge(stored.reads_waiting))?;
        let size = ConstGauge::new;
        metric("loquat_store_database_bytes", "Size of the database", &size(stored.database_bytes))?;
        metric("loquat_store_log_bytes", "Size of the write-ahead log", &size(stored.log_bytes))?;
        let Ok(disk) = statvfs(&self.data) else { return Ok(()) };
        metric("loquat_disk_bytes", "Size of the data folder's disk", &size(disk.f_blocks * disk.f_frsize))?;
        metric(
            "loquat_disk_free_bytes",
            "Free space of the data folder's disk",
            &size(disk.f_bavail * disk.f_frsize),
        )
    }
}
