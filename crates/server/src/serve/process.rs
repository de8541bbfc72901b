//! Metrics of the process itself, read from `/proc/self` at each scrape.
//!
//! The names are those of every Prometheus client library, so that ready-made dashboards work.

use std::fmt;
use std::fs;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

/// Adds the metrics of the process and the build.
pub(super) fn register(registry: &mut Registry) {
    // A gauge, and not OpenMetrics' info type, which the older text format does not know.
    let build = Family::<Vec<(&'static str, &'static str)>, ConstGauge<u64>>::new_with_constructor(|| {
        ConstGauge::new(1)
    });
    drop(build.get_or_create(&vec![("version", env!("CARGO_PKG_VERSION"))]));
    registry.register("loquat_build_info", "The version that runs; always 1", build);
    registry.register_collector(Box::new(Process::starting_now()));
}

/// Reads the process's state when asked.
struct Process {
    started: Instant,
    started_at_seconds: f64,
}

impl Process {
    fn starting_now() -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { started: Instant::now(), started_at_seconds: since_epoch.as_secs_f64() }
    }
}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Process")
    }
}

impl Collector for Process {
    /// What the system does not tell is left out.
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let mut gauge = |name, help, value: Option<f64>| {
            let Some(value) = value else { return Ok(()) };
            let gauge = ConstGauge::new(value);
            gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)
        };
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        gauge("process_start_time_seconds", "When the process started", Some(self.started_at_seconds))?;
        gauge(
            "loquat_uptime_seconds",
            "How long the process runs",
            Some(self.started.elapsed().as_secs_f64()),
        )?;
        gauge("process_resident_memory_bytes", "Memory in use", kibibytes(&status, "VmRSS:"))?;
        gauge("process_virtual_memory_bytes", "Address space in use", kibibytes(&status, "VmSize:"))?;
        gauge("process_threads", "Threads", number(&status, "Threads:"))?;
        gauge("process_open_fds", "Open file descriptors", open_descriptors())?;
        gauge("process_max_fds", "File descriptors that may be open", most_descriptors())?;
        let Some(seconds) = cpu_seconds() else { return Ok(()) };
        let counter = ConstCounter::new(seconds);
        let descriptor = encoder.encode_descriptor(
            "process_cpu_seconds",
            "Processor time used",
            None,
            counter.metric_type(),
        )?;
        counter.encode(descriptor)
    }
}

fn number(status: &str, field: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    line.split_whitespace().next()?.parse().ok()
}

fn kibibytes(status: &str, field: &str) -> Option<f64> {
    number(status, field).map(|kibibytes| kibibytes * 1024.0)
}

fn open_descriptors() -> Option<f64> {
    // The reading itself holds one.
    let count = fs::read_dir("/proc/self/fd").ok()?.count().saturating_sub(1);
    u32::try_from(count).ok().map(f64::from)
}

fn most_descriptors() -> Option<f64> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    number(&limits, "Max open files")
}

/// User and system time: fields 14 and 15 of `proc_pid_stat(5)`, in clock ticks, of which Linux reports 100 a second
/// on every architecture.
fn cpu_seconds() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The name before it is in brackets and may hold anything.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_process_is_described() {
        let mut registry = Registry::default();
        register(&mut registry);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        let value = |name: &str| -> f64 {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            line.unwrap_or_else(|| panic!("{name} is missing from\n{text}")).parse().unwrap()
        };
        assert!(value("process_resident_memory_bytes") > 100_000.0);
        assert!(value("process_virtual_memory_bytes") >= value("process_resident_memory_bytes"));
        assert!(value("process_open_fds") >= 3.0 && value("process_open_fds") < value("process_max_fds"));
        assert!(value("process_threads") >= 1.0);
        assert!(value("process_start_time_seconds") > 1.7e9);
        assert!(value("process_cpu_seconds_total") >= 0.0);
        assert!(text.contains(&format!("loquat_build_info{{version=\"{}\"}} 1", env!("CARGO_PKG_VERSION"))));
    }
}
