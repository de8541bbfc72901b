//! The service under test as a process: started, watched, killed.

use std::fs::OpenOptions;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tokio::process::{Child, Command};

use crate::api::{Address, Api, Call};
use crate::failure::{Failure, Outcome};

/// How long a start is watched before it counts as failed.
const START_LIMIT: Duration = Duration::from_secs(60);

/// Where the shim is, and what it is to do.
#[derive(Debug, Clone)]
pub(crate) struct Shim {
    pub(crate) library: PathBuf,
    pub(crate) seed: u64,
    /// Percent of unsynced changes that reach the disk by themselves.
    pub(crate) spill: u64,
}

/// The files of one service: its data, the durable image of it, the faults in force, and its logs.
#[derive(Debug, Clone)]
pub(crate) struct Files {
    directory: PathBuf,
}

impl Files {
    /// Files below a new directory.
    pub(crate) fn create(directory: PathBuf) -> Outcome<Self> {
        for name in ["data", "image", "logs", "ledgers"] {
            std::fs::create_dir_all(directory.join(name)).map_err(Failure::io("creating directories"))?;
        }
        Ok(Self { directory })
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    pub(crate) fn image(&self) -> PathBuf {
        self.directory.join("image")
    }

    fn control(&self) -> PathBuf {
        self.directory.join("control")
    }

    /// Puts disk faults in force; none for an empty text. The shim's documentation has the words.
    pub(crate) fn inject(&self, faults: &str) -> Outcome<()> {
        let fresh = self.directory.join("control.new");
        std::fs::write(&fresh, faults).map_err(Failure::io("writing the faults"))?;
        std::fs::rename(&fresh, self.control()).map_err(Failure::io("putting the faults in force"))
    }

    /// How many injected faults have struck.
    pub(crate) fn faults_struck(&self) -> usize {
        let fired = self.directory.join("control.fired");
        std::fs::read_to_string(fired).map_or(0, |text| text.lines().count())
    }

    /// Puts the durable image in place of the data: what a power loss leaves.
    pub(crate) fn lose_power(&self) -> Outcome<()> {
        std::fs::remove_dir_all(self.data()).map_err(Failure::io("dropping the page cache"))?;
        copy_directory(&self.image(), &self.data())
    }

    /// What SQLite says of every database in a copy of the data; `ok` where all is well.
    pub(crate) fn integrity(&self) -> Outcome<String> {
        let copy = tempfile::tempdir_in(&self.directory).map_err(Failure::io("making a directory"))?;
        copy_directory(&self.data(), &copy.path().join("data"))?;
        let mut databases = Vec::new();
        find_databases(&copy.path().join("data"), &mut databases)?;
        for database in &databases {
            let connection = rusqlite::Connection::open(database)?;
            let verdict: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
            if verdict != "ok" {
                return Ok(format!("{}: {verdict}", database.display()));
            }
        }
        Ok(if databases.is_empty() { "there is no database".into() } else { "ok".into() })
    }

    /// Everything the service wrote to its outputs.
    pub(crate) fn logs(&self) -> Outcome<String> {
        let read = |name| std::fs::read(self.directory.join("logs").join(name));
        let output = read("stdout").map_err(Failure::io("reading the logs"))?;
        let errors = read("stderr").map_err(Failure::io("reading the logs"))?;
        Ok(format!("{}{}", String::from_utf8_lossy(&output), String::from_utf8_lossy(&errors)))
    }

    fn log(&self, name: &str) -> Outcome<Stdio> {
        let path = self.directory.join("logs").join(name);
        let file = OpenOptions::new().append(true).create(true).open(path);
        Ok(Stdio::from(file.map_err(Failure::io("opening a log"))?))
    }
}

/// Copies a directory and all below it. SQLite's shared-memory files are left out: it rebuilds them.
pub(crate) fn copy_directory(from: &Path, to: &Path) -> Outcome<()> {
    std::fs::create_dir_all(to).map_err(Failure::io("copying"))?;
    for entry in std::fs::read_dir(from).map_err(Failure::io("copying"))? {
        let entry = entry.map_err(Failure::io("copying"))?;
        let target = to.join(entry.file_name());
        let kind = entry.file_type().map_err(Failure::io("copying"))?;
        if kind.is_dir() {
            copy_directory(&entry.path(), &target)?;
        } else if kind.is_file() && !entry.file_name().as_encoded_bytes().ends_with(b"-shm") {
            std::fs::copy(entry.path(), target).map_err(Failure::io("copying"))?;
        }
    }
    Ok(())
}

fn find_databases(directory: &Path, found: &mut Vec<PathBuf>) -> Outcome<()> {
    for entry in std::fs::read_dir(directory).map_err(Failure::io("looking for databases"))? {
        let path = entry.map_err(Failure::io("looking for databases"))?.path();
        if path.is_dir() {
            find_databases(&path, found)?;
        } else if path.extension().is_some_and(|extension| extension == "db" || extension == "sqlite") {
            found.push(path);
        }
    }
    Ok(())
}

/// How a service is started.
#[derive(Debug, Clone)]
pub(crate) struct Launch {
    pub(crate) binary: PathBuf,
    pub(crate) files: Files,
    pub(crate) shim: Option<Shim>,
    /// Where the service aborts itself: `name:n`, at the nth passage.
    pub(crate) failpoint: Option<String>,
    /// Further settings, as environment variables.
    pub(crate) settings: Vec<(String, String)>,
}

impl Launch {
    fn command(&self, port: u16) -> Outcome<Command> {
        let mut command = Command::new(&self.binary);
        command
            .args(["serve", "--listen", &format!("127.0.0.1:{port}"), "--data"])
            .arg(self.files.data())
            .stdin(Stdio::null())
            .stdout(self.files.log("stdout")?)
            .stderr(self.files.log("stderr")?)
            .kill_on_drop(true);
        for limit in ["SENDS_PER_SECOND", "REQUESTS_PER_SECOND", "SIGNUPS_PER_HOUR", "LOGINS_PER_MINUTE"] {
            command.env(format!("LOQUAT_LIMITS__{limit}"), "0");
        }
        // Sessions that outlast the run, cheap password hashes, and no port that another run may hold.
        command
            .env("LOQUAT_AUTH__ACCESS_TOKEN_SECONDS", "604800")
            .env("LOQUAT_AUTH__ARGON2__MEMORY_KIB", "64")
            .env("LOQUAT_AUTH__ARGON2__ITERATIONS", "1")
            .env("LOQUAT_METRICS__LISTEN", "");
        for (name, value) in &self.settings {
            command.env(name, value);
        }
        if let Some(failpoint) = &self.failpoint {
            command.env("LOQUAT_FAILPOINT", failpoint);
        }
        if let Some(shim) = &self.shim {
            command
                .env("LD_PRELOAD", &shim.library)
                .env("LOQUAT_FAULTFS_ROOT", self.files.data())
                .env("LOQUAT_FAULTFS_SHADOW", self.files.image())
                .env("LOQUAT_FAULTFS_CONTROL", self.files.control())
                .env("LOQUAT_FAULTFS_SEED", shim.seed.to_string())
                .env("LOQUAT_FAULTFS_SPILL", shim.spill.to_string());
        }
        Ok(command)
    }
}

/// A running service.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    process: u32,
}

impl Server {
    /// Starts a service on a free port and waits until it is ready; also says how long that took.
    pub(crate) async fn start(launch: &Launch, address: &Address) -> Outcome<(Self, Duration)> {
        let port = free_port()?;
        address.set_port(port);
        let started = Instant::now();
        let child = launch.command(port)?.spawn().map_err(Failure::io("starting the service"))?;
        let process = child.id().ok_or(Failure::Timeout("starting the service"))?;
        let mut server = Self { child, process };
        let mut api = Api::new(address.clone());
        while started.elapsed() < START_LIMIT {
            if let Ok(reply) = api.call(Call::get("/readyz")).await
                && reply.status == 200
            {
                return Ok((server, started.elapsed()));
            }
            if let Some(status) = server.status()? {
                return Err(Failure::EndedAtStart(status));
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Err(Failure::Timeout("the start of the service"))
    }

    /// How the process ended, if it has.
    pub(crate) fn status(&mut self) -> Outcome<Option<ExitStatus>> {
        self.child.try_wait().map_err(Failure::io("watching the service"))
    }

    /// Waits for the process to end by itself; `None` where it does not in time.
    pub(crate) async fn wait(&mut self, limit: Duration) -> Outcome<Option<ExitStatus>> {
        match tokio::time::timeout(limit, self.child.wait()).await {
            Ok(status) => Ok(Some(status.map_err(Failure::io("waiting for the service"))?)),
            Err(_) => Ok(None),
        }
    }

    /// Kills it with -9.
    pub(crate) async fn kill(mut self) -> Outcome<()> {
        self.child.kill().await.map_err(Failure::io("killing the service"))
    }

    /// Asks it to stop.
    pub(crate) async fn terminate(&self) -> Outcome<()> {
        let sent = Command::new("kill").args(["-TERM", &self.process.to_string()]).status().await;
        sent.map_err(Failure::io("sending SIGTERM"))?;
        Ok(())
    }

    /// Resident memory, in KiB.
    pub(crate) fn resident_kib(&self) -> Outcome<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process));
        let status = status.map_err(Failure::io("reading the memory of the service"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
        number.ok_or_else(|| Failure::unexpected("no VmRSS"))
    }

    /// Open descriptors.
    pub(crate) fn descriptors(&self) -> Outcome<usize> {
        let listed = std::fs::read_dir(format!("/proc/{}/fd", self.process));
        Ok(listed.map_err(Failure::io("reading the descriptors of the service"))?.count())
    }
}

/// A port that nobody listens on at this moment.
pub(crate) fn free_port() -> Outcome<u16> {
    let listener = TcpListener::bind("127.0.0.1:0").map_err(Failure::io("finding a port"))?;
    Ok(listener.local_addr().map_err(Failure::io("finding a port"))?.port())
}
