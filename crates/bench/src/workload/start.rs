//! Workload (h): how soon an empty server serves, and how big it is.

use std::{fs, time::Duration};

use indicatif::ProgressBar;

use super::{Bench, Values};
use crate::{
    error::BenchError,
    machine,
    report::Metric,
    system::{System, free_address},
};

/// Time that a ready server has before its memory is read.
const REST: Duration = Duration::from_secs(2);

/// Starts the process over and over with an empty directory, from its creation to the first 200 on
/// `/readyz`; the executable is in the page cache.
pub(super) async fn run(bench: &Bench, system: System, progress: &ProgressBar) -> Result<Values, BenchError> {
    let starts = bench.settings.starts.max(1);
    progress.set_length(starts as u64);
    let mut times = Vec::with_capacity(starts);
    let mut memory = Vec::new();
    for index in 0..starts {
        let address = free_address()?;
        let (mut process, directory) = bench.launcher.start_empty(system, address)?;
        times.push(process.wait_until_ready(address).await?.as_secs_f64() * 1000.0);
        if index == 0 {
            tokio::time::sleep(REST).await;
            memory.push(machine::resident_kib(process.pid())? as f64 / 1024.0);
        }
        drop(process);
        directory.close()?;
        progress.inc(1);
    }
    times.sort_by(f64::total_cmp);
    let binary = fs::metadata(bench.launcher.binary(system)?)?.len();
    let mut values = vec![(Metric::ReadyMs, times[starts / 2]), (Metric::BinaryMb, binary as f64 / 1e6)];
    values.extend(memory.into_iter().map(|mib| (Metric::MemoryAfter, mib)));
    Ok(values)
}
