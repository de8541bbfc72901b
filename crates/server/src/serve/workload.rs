//! Metrics of the domain that are read when asked for, rather than counted as things happen.

use std::fmt;
use std::path::PathBuf;

use loquat_domain::App;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use rustix::fs::statvfs;

use crate::bus::NodeBus;
use crate::storage::Store;

/// Adds them to a registry.
pub(super) fn register((app, store, bus, data): (App, Store, NodeBus, PathBuf), registry: &mut Registry) {
    app.workers().metrics().register(registry);
    registry.register_collector(Box::new(Workload { app, store, bus, data }));
}

struct Workload {
    app: App,
    store: Store,
    bus: NodeBus,
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
        let conflicts = ConstCounter::new(stored.conflicts);
        metric("loquat_store_conflicts", "Appends that came across those of another node", &conflicts)?;
        let size = ConstGauge::new;
        if let Some((database, log)) = stored.sizes {
            metric("loquat_store_database_bytes", "Size of the database", &size(database))?;
            metric("loquat_store_log_bytes", "Size of the write-ahead log", &size(log))?;
        }
        if let Some((connected, dropped)) = self.bus.figures() {
            metric("loquat_bus_connected", "Whether the bus is connected", &gauge(connected.into()))?;
            for (name, help, count) in [
                ("loquat_bus_dropped_disconnected", "Signals that met no connection", dropped.disconnected),
                ("loquat_bus_dropped_outgoing", "Signals beyond what may wait to be sent", dropped.outgoing),
                ("loquat_bus_dropped_too_large", "Signals larger than the bus takes", dropped.too_large),
                ("loquat_bus_dropped_incoming", "Signals beyond what may wait to be taken", dropped.incoming),
                ("loquat_bus_dropped_unreadable", "Signals of another version", dropped.unreadable),
            ] {
                metric(name, help, &ConstCounter::new(count))?;
            }
        }
        let Ok(disk) = statvfs(&self.data) else { return Ok(()) };
        metric("loquat_disk_bytes", "Size of the data folder's disk", &size(disk.f_blocks * disk.f_frsize))?;
        metric(
            "loquat_disk_free_bytes",
            "Free space of the data folder's disk",
            &size(disk.f_bavail * disk.f_frsize),
        )
    }
}
