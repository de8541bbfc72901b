//! A NATS server of the test's own.

use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use loquat_bus::{NatsBus, NatsOptions};

/// A server on a port that the system gives. It ends with this value.
pub(crate) struct Server {
    port: u16,
    child: Child,
}

impl Server {
    pub(crate) fn start() -> Self {
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        let server = Self { port, child: run(port) };
        server.wait_until_ready();
        server
    }

    fn wait_until_ready(&self) {
        for _ in 0..400 {
            if TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
                return;
            }
            // Another process: there is nothing to await but its answer.
            std::thread::sleep(Duration::from_millis(25));
        }
        panic!("nats-server did not start");
    }

    pub(crate) fn options(&self) -> NatsOptions {
        NatsOptions { url: format!("nats://127.0.0.1:{}", self.port), epoch: 1, ..NatsOptions::default() }
    }

    pub(crate) async fn node(&self) -> NatsBus {
        NatsBus::connect(&self.options()).await.unwrap()
    }

    pub(crate) fn stop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) fn restart(&mut self) {
        self.child = run(self.port);
        self.wait_until_ready();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn run(port: u16) -> Child {
    let mut server = Command::new(program());
    server.args(["--addr", "127.0.0.1", "--port"]).arg(port.to_string());
    server.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("nats-server starts")
}

/// The one that `cargo xtask test` installs, or one on the search path.
fn program() -> PathBuf {
    let own = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target/tools/bin/nats-server");
    if own.is_file() {
        return own;
    }
    let search = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&search)
        .map(|folder| folder.join("nats-server"))
        .find(|program| program.is_file())
        .expect("nats-server is needed for this test: install it, or run `cargo xtask test`, which does")
}

/// Waits for what another task brings about.
pub(crate) async fn until(mut condition: impl FnMut() -> bool) {
    let wait = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), wait).await.expect("it never came about");
}
