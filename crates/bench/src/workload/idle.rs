//! Workload (c): what an authenticated socket costs while nothing happens.

use std::time::Instant;

use futures_util::{StreamExt, stream};
use indicatif::ProgressBar;
use tokio::task::JoinSet;

use super::{Bench, Values};
use crate::{
    error::BenchError, generator::socket::Socket, layout::Layout, machine, report::Metric, system::System,
};

/// Handshakes under way at once.
pub(super) const CONNECTING: usize = 64;
/// Descriptors that the generator and a server need beside their sockets.
const SPARE_DESCRIPTORS: u64 = 128;

/// Refuses more sockets than this process may have.
pub(super) fn check_descriptors(sockets: usize) -> Result<(), BenchError> {
    let descriptors = machine::raise_descriptor_limit()?;
    if sockets as u64 + SPARE_DESCRIPTORS > descriptors {
        return Err(BenchError::Arguments(format!("{sockets} sockets do not fit {descriptors} descriptors")));
    }
    Ok(())
}

/// Connects a socket for each of as many users, waits, and compares the server's resident memory. The
/// sockets answer pings meanwhile, and all must still be open at the end.
pub(super) async fn run(
    bench: &Bench,
    system: System,
    sockets: usize,
    progress: &ProgressBar,
) -> Result<Values, BenchError> {
    check_descriptors(sockets)?;
    let deployment = bench.launcher.deploy(system, Layout::Users(sockets)).await?;
    let before = machine::resident_kib(deployment.process.pid())?;
    progress.set_length(sockets as u64);
    progress.set_message("connecting");
    let start = Instant::now();
    let mut connected = stream::iter(&deployment.accounts)
        .map(|account| Socket::connect(deployment.address, account))
        .buffer_unordered(CONNECTING);
    let mut open = JoinSet::new();
    while let Some(socket) = connected.next().await {
        let mut socket = socket?;
        open.spawn_local(async move { socket.stay().await });
        progress.inc(1);
    }
    let seconds = start.elapsed().as_secs_f64();
    progress.set_message("settling");
    tokio::select! {
        () = tokio::time::sleep(bench.settings.settle) => {}
        Some(ended) = open.join_next() => {
            let error = ended.map_or_else(|error| error.to_string(), |error| error.to_string());
            return Err(BenchError::Audit(format!("an idle socket ended: {error}")));
        }
    }
    let after = machine::resident_kib(deployment.process.pid())?;
    Ok(vec![
        (Metric::KibPerSocket, after.saturating_sub(before) as f64 / sockets as f64),
        (Metric::MemoryBefore, before as f64 / 1024.0),
        (Metric::MemoryAfter, after as f64 / 1024.0),
        (Metric::ConnectsPerSecond, sockets as f64 / seconds),
    ])
}
