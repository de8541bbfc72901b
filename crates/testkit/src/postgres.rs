//! A PostgreSQL server of a test's own, on a port that the system gives, below a temporary directory.
//!
//! Every failure to do so is a panic: there is nothing to test then.

use std::io::Write as _;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use tempfile::TempDir;

/// Why nothing goes on after a failure.
const NEEDED: &str = "a test that needs a server ends without one";

/// The user that the server runs as where the tests run as root, which PostgreSQL refuses: Debian's `nobody`.
const NOBODY: u32 = 65534;

/// A running server. It ends with the process, however that ends: its shell waits for a pipe to close.
pub struct PostgresServer {
    directory: PathBuf,
    port: u16,
    programs: PathBuf,
    child: Mutex<Child>,
}

impl PostgresServer {
    /// Starts a server with these settings (`name=value`) besides the usual ones.
    ///
    /// # Panics
    /// PostgreSQL is not installed, or does not start.
    #[must_use]
    pub fn start(settings: &[&str]) -> Self {
        Self::start_beside(&[], settings)
    }

    /// Starts a server that speaks TLS, with this certificate and key in PEM.
    ///
    /// # Panics
    /// PostgreSQL is not installed, or does not start.
    #[must_use]
    pub fn start_with_certificate(certificate: &str, key: &str) -> Self {
        let files = [("server.pem", certificate), ("server.key", key)];
        Self::start_beside(&files, &["ssl=on", "ssl_cert_file=../server.pem", "ssl_key_file=../server.key"])
    }

    fn start_beside(files: &[(&str, &str)], settings: &[&str]) -> Self {
        // In memory, if there is room: the tests promise nothing to a disk.
        let shared_memory = Path::new("/dev/shm");
        let place = if shared_memory.is_dir() { shared_memory.to_owned() } else { std::env::temp_dir() };
        let directory = TempDir::with_prefix_in("loquat-pg", place).expect(NEEDED).keep();
        let programs = programs();
        let port = TcpListener::bind(("127.0.0.1", 0)).expect(NEEDED).local_addr().expect(NEEDED).port();
        let data = directory.join("data");
        let root = is_root();
        if root {
            chown(&directory, Some(NOBODY), Some(NOBODY)).expect(NEEDED);
        }
        let mut initdb = Command::new(programs.join("initdb"));
        initdb.args([
            "--username",
            "loquat",
            "--auth",
            "trust",
            "--encoding",
            "UTF8",
            "--locale",
            "C",
            "--no-sync",
        ]);
        initdb.arg("--pgdata").arg(&data).current_dir(&directory).stdout(Stdio::null());
        if root {
            initdb.uid(NOBODY).gid(NOBODY);
        }
        assert!(initdb.status().expect(NEEDED).success(), "initdb failed");
        for (name, content) in files {
            let path = directory.join(name);
            std::fs::write(&path, content).expect(NEEDED);
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect(NEEDED);
            if root {
                chown(&path, Some(NOBODY), Some(NOBODY)).expect(NEEDED);
            }
        }
        let server =
            Self { child: Mutex::new(run(&programs, &directory, port, settings)), directory, port, programs };
        server.wait_until_ready();
        server
    }

    fn wait_until_ready(&self) {
        for _ in 0..600 {
            let mut ask = Command::new(self.programs.join("pg_isready"));
            ask.args(["--quiet", "--host", "127.0.0.1", "--port"]).arg(self.port.to_string());
            if ask.status().expect(NEEDED).success() {
                return;
            }
            // Another process: there is nothing to await but its answer.
            std::thread::sleep(Duration::from_millis(25));
        }
        panic!(
            "PostgreSQL did not start: {}",
            std::fs::read_to_string(self.directory.join("log")).expect(NEEDED)
        );
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The URL of a database.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        format!("postgres://loquat@127.0.0.1:{}/{database}", self.port)
    }

    /// Makes a database, empty, as the operator guide says.
    ///
    /// # Panics
    /// There is one of this name.
    pub fn create(&self, database: &str) {
        self.psql(
            "postgres",
            &format!("CREATE DATABASE {database} TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'"),
        );
    }

    /// Has statements done by `psql`: its answer.
    ///
    /// # Panics
    /// PostgreSQL refuses one of them.
    pub fn psql(&self, database: &str, sql: &str) -> String {
        let mut psql = Command::new(self.programs.join("psql"));
        psql.args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set", "ON_ERROR_STOP=1"]);
        psql.arg("--dbname").arg(self.url(database)).args(["--command", sql]);
        let answer = psql.output().expect(NEEDED);
        assert!(answer.status.success(), "{sql}: {}", String::from_utf8_lossy(&answer.stderr));
        String::from_utf8(answer.stdout).expect(NEEDED).trim().to_owned()
    }

    /// Kills the server as a power failure would, and starts it again.
    ///
    /// # Panics
    /// It does not start.
    pub fn crash_and_restart(&self, settings: &[&str]) {
        let mut child = self.child.lock().expect(NEEDED);
        stop(&mut child, "crash");
        *child = run(&self.programs, &self.directory, self.port, settings);
        drop(child);
        self.wait_until_ready();
    }

    /// Stops the server and removes what it wrote. It cannot be used after that.
    ///
    /// # Panics
    /// It was stopped before.
    pub fn end(&self) {
        stop(&mut self.child.lock().expect(NEEDED), "end");
    }
}

/// The server under a shell that stops it when the pipe says so, or closes.
fn run(programs: &Path, directory: &Path, port: u16, settings: &[&str]) -> Child {
    let script = r#"
        "$0" "$@" >>log 2>&1 &
        server=$!
        read -r word
        case "$word" in
            crash) kill -QUIT $server; wait $server ;;
            end | "") kill -INT $server; wait $server; cd /; rm -rf "$DIRECTORY" ;;
        esac
    "#;
    let mut shell = Command::new("sh");
    shell.args(["-c", script]).arg(programs.join("postgres"));
    shell.arg("-D").arg(directory.join("data")).arg("-k").arg(directory);
    let port = format!("port={port}");
    for setting in [
        &port,
        "listen_addresses=127.0.0.1",
        "max_connections=200",
        "shared_buffers=32MB",
        // A worker of it would hold back what is settled, and with it positions.
        "autovacuum=off",
        "max_wal_size=256MB",
    ]
    .iter()
    .chain(settings)
    {
        shell.arg("-c").arg(setting);
    }
    shell.env("DIRECTORY", directory).current_dir(directory).stdin(Stdio::piped());
    if is_root() {
        shell.uid(NOBODY).gid(NOBODY);
    }
    // A group of its own: an interrupt at the terminal is not for the server.
    shell.process_group(0).spawn().expect(NEEDED)
}

fn stop(child: &mut Child, word: &str) {
    let mut pipe = child.stdin.take().expect(NEEDED);
    writeln!(pipe, "{word}").expect(NEEDED);
    drop(pipe);
    child.wait().expect(NEEDED);
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().expect(NEEDED);
    id.stdout == b"0\n"
}

/// Where the programs are: Debian keeps them off the search path, one folder a version.
fn programs() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let number = |path: &Path| path.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok());
    let newest = versions.map(|version| version.path()).max_by_key(|path| number(path));
    let found = newest.map(|version| version.join("bin")).filter(|bin| bin.join("initdb").is_file());
    if let Some(found) = found {
        return found;
    }
    let search = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&search)
        .find(|folder| folder.join("initdb").is_file() && folder.join("postgres").is_file())
        .expect("PostgreSQL is needed for this test: install it, or run `cargo xtask test`, which does")
}
