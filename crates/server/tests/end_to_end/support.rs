//! The real binary, started in a folder of its own, and HTTP by hand to talk to it.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

/// Longer than anything takes here, also beside a build.
const PATIENCE: Duration = Duration::from_secs(60);

/// The password of accounts made here; it must never be seen in a log.
pub const PASSWORD: &str = "canary-6f1c0b5e4d";

/// The binary with nothing of this process's environment that it reads.
pub fn loquat() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_loquat"));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("LOQUAT_")) {
        command.env_remove(name);
    }
    command.env("LOQUAT_METRICS__LISTEN", "").stdin(Stdio::null());
    // Hashing at full cost is not what these tests are about.
    command.env("LOQUAT_AUTH__ARGON2__MEMORY_KIB", "8").env("LOQUAT_AUTH__ARGON2__ITERATIONS", "1");
    command
}

/// Runs a command to its end.
pub fn run(arguments: &[&str]) -> Output {
    loquat().args(arguments).output().expect("the binary starts")
}

/// What a command wrote to standard error.
pub fn complaint(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A folder for data and logs that goes with the test.
pub struct Place {
    folder: TempDir,
}

impl Place {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary folder") }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn data(&self) -> String {
        self.text("data")
    }

    pub fn text(&self, name: &str) -> String {
        self.path(name).to_str().expect("temporary folders have plain names").to_owned()
    }

    /// Starts the service on this folder's data and waits until it serves.
    pub fn serve(&self) -> Service {
        self.serve_with(|_| {})
    }

    /// The same with more flags or variables.
    pub fn serve_with(&self, change: impl FnOnce(&mut Command)) -> Service {
        let log = self.path("log");
        let file = fs::File::options().create(true).append(true).open(&log).expect("a log");
        let mut command = loquat();
        command.args(["serve", "--listen", "127.0.0.1:0", "--log-format", "json", "--data", &self.data()]);
        command.stdout(Stdio::piped()).stderr(file);
        change(&mut command);
        Service::start(command, log)
    }
}

/// A running service. Dropping it kills the process.
pub struct Service {
    child: Child,
    out: BufReader<ChildStdout>,
    address: SocketAddr,
    log: PathBuf,
    /// Hung up at the end, which calls the watchdog off.
    _alive: mpsc::Sender<()>,
}

impl Service {
    fn start(mut command: Command, log: PathBuf) -> Self {
        let mut child = command.spawn().expect("the binary starts");
        let alive = watch(&child);
        let mut out = BufReader::new(child.stdout.take().expect("piped"));
        let mut line = String::new();
        out.read_line(&mut line).expect("a line");
        let address = line.trim().strip_prefix("loquat serves on ").and_then(|url| url.split_once("://"));
        let address = address.and_then(|(_, address)| address.parse().ok());
        let Some(address) = address else {
            panic!("it does not serve: {line:?}; {}", fs::read_to_string(&log).unwrap_or_default());
        };
        Self { child, out, address, log, _alive: alive }
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(pid(&self.child), signal).expect("the process runs");
    }

    /// Waits for the end. Nothing but the first line is ever on standard output.
    pub fn wait(mut self) -> ExitStatus {
        let mut rest = String::new();
        self.out.read_to_string(&mut rest).expect("text");
        assert_eq!(rest, "", "standard output is for one line");
        self.child.wait().expect("the process ends")
    }

    pub fn stop(self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.wait()
    }

    pub fn kill(self) {
        self.signal(Signal::KILL);
        self.wait();
    }

    /// The log so far.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).expect("a log")
    }

    /// Waits for a log line with this message.
    pub fn await_log(&self, message: &str) -> Value {
        loop {
            if let Some(line) = self
                .log()
                .lines()
                .rev()
                .filter_map(|line| serde_json::from_str(line).ok())
                .find(|line: &Value| line["message"] == message)
            {
                return line;
            }
            // The log is a file, of whose growth nobody tells; the watchdog ends a vain wait.
            thread::sleep(Duration::from_millis(5));
        }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream
    }

    pub fn get(&self, path: &str) -> Answer {
        self.call("GET", path, None)
    }

    pub fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        self.authorised_call(method, path, (body, None))
    }

    pub fn authorised_call(
        &self,
        method: &str,
        path: &str,
        (body, token): (Option<&Value>, Option<&str>),
    ) -> Answer {
        let body = body.map(Value::to_string).unwrap_or_default();
        let token = token.map(|token| format!("authorization: Bearer {token}\r\n")).unwrap_or_default();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: loquat\r\nconnection: close\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n{token}\r\n",
            body.len()
        );
        exchange(self.connect(), &format!("{head}{body}"))
    }

    /// Makes an account and answers its session.
    pub fn sign_up(&self, username: &str) -> Value {
        let request = serde_json::json!({ "username": username, "password": PASSWORD });
        let answer = self.call("POST", "/v1/auth/signup", Some(&request));
        assert_eq!(answer.status, 201, "{}", answer.body);
        answer.json()
    }

    pub fn log_in(&self, username: &str, password: &str) -> Answer {
        let request = serde_json::json!({ "login": username, "password": password });
        self.call("POST", "/v1/auth/login", Some(&request))
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It has ended already, where the test went well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Kills the process if it lives longer than the test's patience, so that a failing test ends.
fn watch(child: &Child) -> mpsc::Sender<()> {
    let (alive, hung_up) = mpsc::channel();
    let pid = pid(child);
    thread::spawn(move || {
        if hung_up.recv_timeout(PATIENCE) == Err(mpsc::RecvTimeoutError::Timeout) {
            let _ = kill_process(pid, Signal::KILL);
        }
    });
    alive
}

fn pid(child: &Child) -> Pid {
    Pid::from_raw(child.id().try_into().expect("a small number")).expect("not 0")
}

/// An HTTP answer.
pub struct Answer {
    pub status: u16,
    pub body: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

/// Sends a request that ends its connection, and reads the answer to the connection's end.
pub fn exchange(mut stream: TcpStream, request: &str) -> Answer {
    stream.write_all(request.as_bytes()).expect("a request");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("an answer");
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    Answer { status: status.unwrap_or_else(|| panic!("no answer: {text:?}")), body: body.to_owned() }
}

/// Scrapes a metrics listener.
pub fn scrape(address: &str) -> Answer {
    let stream = TcpStream::connect(address).expect("the metrics listener");
    exchange(stream, "GET /metrics HTTP/1.1\r\nhost: loquat\r\nconnection: close\r\n\r\n")
}

/// The names in a folder, sorted.
pub fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    let mut names: Vec<_> =
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}
