//! Traces as a collector that others wrote takes them: rotel, an OpenTelemetry collector published as a wheel.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use crate::shell::Workspace;
use crate::smoke::{Service, free_address, get};
use crate::tools;

/// Long enough for a machine that builds beside it.
const LIMIT: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(50);

/// Starts the collector and the service, makes a request, and looks for it in what the collector received.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let program = match tools::rotel(workspace) {
        Ok(program) => program,
        Err(error) => {
            // The protocol is checked without it by `a_collector_receives_requests_by_the_ids_of_their_answers`.
            println!("no rotel ({error:#}): traces were checked by the tests' own collector only");
            return Ok(());
        }
    };
    let folder = workspace.target.join("collector");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    let (http, grpc, api) = (free_address()?, free_address()?, free_address()?);
    let log = folder.join("rotel.log");
    let mut collector = Command::new(program);
    collector.args(["start", "--exporter", "blackhole", "--debug-log", "traces"]);
    collector.args(["--debug-log-verbosity", "detailed", "--disable-batching"]);
    collector.args(["--otlp-http-endpoint", &http.to_string(), "--otlp-grpc-endpoint", &grpc.to_string()]);
    collector
        .stdin(Stdio::null())
        .stdout(File::create(&log)?)
        .stderr(File::create(folder.join("rotel.err"))?);
    let _collector = Collector(collector.spawn().context("cannot start rotel")?);
    wait("rotel listens", || std::net::TcpStream::connect(http).is_ok())?;

    let mut command = workspace.command(workspace.release("loquat"));
    command
        .args(["serve", "--listen", &api.to_string(), "--metrics-listen=", "--data"])
        .arg(folder.join("data"));
    command.env("LOQUAT_TRACES__ENDPOINT", format!("http://{http}"));
    let mut service = Service::spawn(&mut command)?;
    service.wait_until_ready(api)?;
    let refused = get(api, "/v1/me")?.body;
    let id = refused.split("\"request_id\":\"").nth(1).and_then(|rest| rest.split('"').next());
    let id = id.context("the problem has no request_id")?.to_owned();
    let status = service.stop(workspace)?;
    ensure!(status.success(), "the service ended with {status} after SIGTERM");
    wait("rotel has the request", || {
        let received: String = [log.clone(), folder.join("rotel.err")].iter().map(read).collect();
        received.contains(&id) && received.contains("/v1/me") && received.contains("loquat")
    })?;
    println!("rotel received the request {id}");
    fs::remove_dir_all(&folder)?;
    Ok(())
}

fn read(path: &PathBuf) -> String {
    fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

fn wait(what: &str, mut there: impl FnMut() -> bool) -> Result<()> {
    let deadline = Instant::now() + LIMIT;
    while !there() {
        ensure!(Instant::now() < deadline, "{what}: not within {LIMIT:?}");
        thread::sleep(PAUSE);
    }
    Ok(())
}

/// A process that does not outlive the check.
struct Collector(Child);

impl Drop for Collector {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
