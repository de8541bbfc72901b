//! A server process: started on its core, waited for, killed with its owner.

use std::{
    ffi::OsString,
    fs::{self, File},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use super::{http, loquat};
use crate::{error::BenchError, machine};

/// How long a server may take until `/readyz` answers 200.
const READY_LIMIT: Duration = Duration::from_secs(30);
/// Pause between two looks at a server that is starting; a bound on the error of start times.
const READY_POLL: Duration = Duration::from_micros(500);
/// Between two looks at what a server does of itself.
const IDLE_POLL: Duration = Duration::from_millis(300);
/// The share of a core below which it counts as idle, in so many looks one after the other: longer than workers pause.
const IDLE_SHARE: f64 = 0.03;
const IDLE_LOOKS: u32 = 4;
/// How long a server may be busy with itself.
const IDLE_LIMIT: Duration = Duration::from_secs(300);
/// How much of a failed server's output is shown.
const SHOWN_OUTPUT_BYTES: usize = 2000;

/// A running server. Dropping it kills the process.
pub(crate) struct ServerProcess {
    child: Child,
    started: Instant,
    output: PathBuf,
}

impl ServerProcess {
    /// Starts a server. Its output goes to a file in `directory`.
    pub(crate) fn spawn(
        binary: &Path,
        arguments: &[OsString],
        directory: &Path,
        core: Option<usize>,
    ) -> Result<Self, BenchError> {
        let output = directory.join("output.log");
        let file = File::create(&output)?;
        let mut command = Command::new(binary);
        command
            .args(arguments)
            .envs(loquat::ENVIRONMENT)
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file);
        // A child inherits the affinity of the thread that spawns it, so a short-lived thread pins it
        // without unsafe code between fork and exec.
        let spawned = thread::spawn(move || -> Result<(Child, Instant), BenchError> {
            if let Some(core) = core {
                machine::pin_thread(core)?;
            }
            let started = Instant::now();
            Ok((command.spawn()?, started))
        })
        .join()
        .map_err(|_| BenchError::Server("the thread that starts servers panicked".to_owned()))?;
        let (child, started) = spawned
            .map_err(|error| BenchError::Server(format!("{} did not start: {error}", binary.display())))?;
        Ok(Self { child, started, output })
    }

    /// Waits for the first 200 from `/readyz` and returns the time since the start.
    pub(crate) async fn wait_until_ready(&mut self, address: SocketAddr) -> Result<Duration, BenchError> {
        loop {
            if http::is_ready(address).await {
                return Ok(self.started.elapsed());
            }
            let ended = self.child.try_wait()?;
            if ended.is_some() || self.started.elapsed() > READY_LIMIT {
                let fate =
                    ended.map_or_else(|| "is not ready".to_owned(), |status| format!("ended with {status}"));
                return Err(BenchError::Server(format!("the server {fate}: {}", self.output_tail())));
            }
            tokio::time::sleep(READY_POLL).await;
        }
    }

    /// Waits until the server does nothing of itself any more.
    pub(crate) async fn wait_until_idle(&self) -> Result<(), BenchError> {
        let (start, mut quiet) = (Instant::now(), 0);
        let mut before = machine::process_cpu_time(self.pid())?;
        while quiet < IDLE_LOOKS {
            let looked = Instant::now();
            tokio::time::sleep(IDLE_POLL).await;
            let now = machine::process_cpu_time(self.pid())?;
            let busy = now.saturating_sub(before) > looked.elapsed().mul_f64(IDLE_SHARE);
            quiet = if busy { 0 } else { quiet + 1 };
            before = now;
            if start.elapsed() > IDLE_LIMIT {
                return Err(BenchError::Server(format!("the server is still busy after {IDLE_LIMIT:?}")));
            }
        }
        Ok(())
    }

    /// Id of the process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The end of what the server wrote, to explain a failed run.
    pub(crate) fn output_tail(&self) -> String {
        let output = fs::read(&self.output).unwrap_or_default();
        let start = output.len().saturating_sub(SHOWN_OUTPUT_BYTES);
        String::from_utf8_lossy(&output[start..]).into_owned()
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        // A process that is already gone needs no killing; either way it is reaped.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
