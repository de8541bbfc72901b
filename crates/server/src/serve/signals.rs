//! Signals: the first asks for a clean end, the second for an end at once.

use anyhow::{Context as _, Result};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::{info, warn};

/// Exit status of a process that was told twice.
const IMPATIENT: i32 = 1;

/// SIGTERM and SIGINT.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Takes the signals over from now on.
    pub(super) fn listen() -> Result<Self> {
        let listen = |kind| signal(kind).context("cannot listen for signals");
        Ok(Self { terminate: listen(SignalKind::terminate())?, interrupt: listen(SignalKind::interrupt())? })
    }

    /// Returns at the first signal; a second one, whenever it comes, ends the process at once.
    pub(super) async fn first(mut self) {
        let name = self.next().await;
        info!(signal = name, "stopping; a second signal ends at once");
        tokio::spawn(async move {
            let name = self.next().await;
            warn!(signal = name, "ended at once");
            std::process::exit(IMPATIENT);
        });
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
