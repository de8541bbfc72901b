//! The release binary as a person starts it: no configuration, an empty folder, and a clean end.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

use crate::shell::Workspace;

/// Long enough for a machine that builds beside it.
const LIMIT: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(20);

/// Starts the service, waits until it is ready, checks its metrics with promtool, and stops it.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let data = workspace.target.join("smoke-data");
    if data.exists() {
        std::fs::remove_dir_all(&data)?;
    }
    let (api, metrics) = (free_address()?, free_address()?);
    let mut command = workspace.command(workspace.release("loquat"));
    command.args(["serve", "--listen", &api.to_string(), "--data"]).arg(&data);
    command.env("LOQUAT_METRICS__LISTEN", metrics.to_string());
    let mut service = Service(command.spawn().context("cannot start the built loquat")?);
    service.wait_until_ready(api)?;
    println!("ready on {api}");
    check_metrics(workspace, &get(metrics, "/metrics")?.body)?;
    let status = service.stop(workspace)?;
    ensure!(status.success(), "the service ended with {status} after SIGTERM");
    std::fs::remove_dir_all(&data)?;
    Ok(())
}

/// A process that does not outlive the check.
pub(crate) struct Service(Child);

impl Service {
    /// Starts the built service on an empty folder with these settings and waits until it is ready.
    pub(crate) fn start(
        workspace: &Workspace,
        data: &Path,
        settings: &[(&str, &str)],
    ) -> Result<(Self, SocketAddr)> {
        let address = free_address()?;
        let mut command = workspace.command(workspace.release("loquat"));
        command.args(["serve", "--listen", &address.to_string(), "--data"]).arg(data);
        command.env("LOQUAT_METRICS__LISTEN", "").envs(settings.iter().copied());
        let mut service = Self::spawn(&mut command)?;
        service.wait_until_ready(address)?;
        Ok((service, address))
    }

    /// Starts it as it is told to.
    pub(crate) fn spawn(command: &mut Command) -> Result<Self> {
        command.spawn().map(Self).context("cannot start the built loquat")
    }

    /// Waits until `/readyz` says so.
    pub(crate) fn wait_until_ready(&mut self, api: SocketAddr) -> Result<()> {
        let deadline = Instant::now() + LIMIT;
        loop {
            if let Some(status) = self.0.try_wait()? {
                bail!("the service ended before it was ready: {status}");
            }
            if get(api, "/readyz").is_ok_and(|answer| answer.status == 200) {
                return Ok(());
            }
            ensure!(Instant::now() < deadline, "the service was not ready after {LIMIT:?}");
            thread::sleep(PAUSE);
        }
    }

    /// Asks it to stop and waits for the end.
    pub(crate) fn stop(&mut self, workspace: &Workspace) -> Result<ExitStatus> {
        crate::shell::succeed(workspace.command("kill").args(["-TERM", &self.0.id().to_string()]))?;
        let deadline = Instant::now() + LIMIT;
        loop {
            if let Some(status) = self.0.try_wait()? {
                return Ok(status);
            }
            ensure!(Instant::now() < deadline, "the service still ran {LIMIT:?} after SIGTERM");
            thread::sleep(PAUSE);
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // Fails where it has ended already, as it should have.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// `promtool check metrics`, which finds what breaks Prometheus's rules for names, types and help.
fn check_metrics(workspace: &Workspace, metrics: &str) -> Result<()> {
    ensure!(!metrics.is_empty(), "/metrics is empty");
    let mut command: Command = workspace.command("promtool");
    let mut child =
        command.args(["check", "metrics"]).stdin(Stdio::piped()).spawn().context("no promtool")?;
    let mut input = child.stdin.take().context("promtool has no standard input")?;
    input.write_all(metrics.as_bytes())?;
    drop(input);
    let status = child.wait()?;
    ensure!(status.success(), "promtool finds fault with /metrics ({status})");
    Ok(())
}

/// An address of this machine that nobody listens on.
pub(crate) fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

/// An answer in HTTP.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// Posts JSON, as [`get`] gets.
pub(crate) fn post(address: SocketAddr, path: &str, body: &str) -> Result<Answer> {
    let head = format!("POST {path} HTTP/1.0\r\nHost: {address}\r\nContent-Type: application/json");
    ask(address, path, &format!("{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len()))
}

/// HTTP/1.0, where an answer ends with its connection: enough for a check that carries no HTTP client.
pub(crate) fn get(address: SocketAddr, path: &str) -> Result<Answer> {
    ask(address, path, &format!("GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n"))
}

/// The same, signed in.
pub(crate) fn get_as(address: SocketAddr, path: &str, token: &str) -> Result<Answer> {
    let head = format!("GET {path} HTTP/1.0\r\nHost: {address}\r\nAuthorization: Bearer {token}");
    ask(address, path, &format!("{head}\r\n\r\n"))
}

fn ask(address: SocketAddr, path: &str, request: &str) -> Result<Answer> {
    let mut stream = TcpStream::connect_timeout(&address, LIMIT)?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.write_all(request.as_bytes())?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    parse(&text).with_context(|| format!("{path} did not answer in HTTP"))
}

fn parse(text: &str) -> Option<Answer> {
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()?;
    Some(Answer { status, body: body.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read() {
        let answer =
            parse("HTTP/1.0 503 Service Unavailable\r\nContent-Length: 2\r\n\r\nno").expect("an answer");
        assert_eq!((answer.status, &*answer.body), (503, "no"));
        assert!(parse("SSH-2.0").is_none());
    }

    #[test]
    fn a_service_that_ends_at_once_is_not_waited_for() {
        let child = Command::new("false").spawn().expect("false starts");
        let address = free_address().expect("an address");
        assert!(Service(child).wait_until_ready(address).is_err());
    }
}
