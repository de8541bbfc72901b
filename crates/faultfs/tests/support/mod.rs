//! Runs parts of this test program under the shim, kills them and puts the durable image in place.
#![allow(dead_code, reason = "each test program uses its own part of this")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A directory under test and its durable image.
pub(crate) struct Disk {
    directory: tempfile::TempDir,
    pub(crate) spill: u8,
    pub(crate) seed: u64,
}

impl Disk {
    pub(crate) fn new(spill: u8) -> Self {
        let disk = Self { directory: tempfile::tempdir().expect("a directory"), spill, seed: 1 };
        fs::create_dir(disk.root()).expect("the root");
        disk
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.directory.path().join("root")
    }

    pub(crate) fn shadow(&self) -> PathBuf {
        self.directory.path().join("shadow")
    }

    /// Puts the faults in force.
    pub(crate) fn inject(&self, faults: &str) {
        let temporary = self.directory.path().join("control.new");
        fs::write(&temporary, faults).expect("writes");
        fs::rename(temporary, self.directory.path().join("control")).expect("renames");
    }

    /// How often an injected fault struck.
    pub(crate) fn fired(&self) -> usize {
        fs::read_to_string(self.directory.path().join("control.fired")).map_or(0, |text| text.lines().count())
    }

    /// Starts the ignored test `worker` of this program under the shim.
    pub(crate) fn start(&self, worker: &str, settings: &[(&str, &str)]) -> Worker {
        let child = Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", worker, "--ignored", "--nocapture", "--test-threads=1"])
            .env("LD_PRELOAD", shim())
            .env("LOQUAT_FAULTFS_ROOT", self.root())
            .env("LOQUAT_FAULTFS_SHADOW", self.shadow())
            .env("LOQUAT_FAULTFS_CONTROL", self.directory.path().join("control"))
            .env("LOQUAT_FAULTFS_SEED", self.seed.to_string())
            .env("LOQUAT_FAULTFS_SPILL", self.spill.to_string())
            .envs(settings.iter().copied())
            .stdout(Stdio::piped())
            .spawn()
            .expect("starts");
        Worker { child }
    }

    /// Puts what survives in place of the directory.
    pub(crate) fn lose_power(&self) {
        fs::remove_dir_all(self.root()).expect("removes");
        copy_directory(&self.shadow(), &self.root());
    }

    /// A copy of the directory, to be looked at without touching it.
    pub(crate) fn copy(&self) -> tempfile::TempDir {
        let copy = tempfile::tempdir().expect("a directory");
        copy_directory(&self.root(), &copy.path().join("copy"));
        copy
    }
}

fn copy_directory(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("creates");
    for entry in fs::read_dir(from).expect("lists") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            copy_directory(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("copies");
        }
    }
}

/// The library, which cargo puts beside the test programs or one level above.
fn shim() -> PathBuf {
    let program = std::env::current_exe().expect("this program");
    program
        .ancestors()
        .skip(1)
        .take(2)
        .map(|directory| directory.join("libloquat_faultfs.so"))
        .find(|library| library.exists())
        .expect("cargo builds the library before its tests")
}

/// A part of this program running under the shim.
pub(crate) struct Worker {
    child: Child,
}

impl Worker {
    /// Reads lines `ack N` until `enough` were seen, kills the worker, and returns every N it had written.
    pub(crate) fn kill_after(mut self, enough: usize) -> Vec<i64> {
        let lines = BufReader::new(self.child.stdout.take().expect("piped")).lines();
        let mut acknowledged = Vec::new();
        for line in lines {
            let line = line.expect("UTF-8");
            // The test runner leaves its own words before the first.
            let Some((_, number)) = line.rsplit_once("ack ") else { continue };
            acknowledged.push(number.parse().expect("a number"));
            if acknowledged.len() == enough {
                self.child.kill().expect("is killed");
            }
        }
        let status = self.child.wait().expect("ends");
        assert!(acknowledged.len() >= enough, "the worker ended early: {status}");
        acknowledged
    }

    /// Waits for the end and returns whether it was a good one.
    pub(crate) fn finish(mut self) -> bool {
        let lines = BufReader::new(self.child.stdout.take().expect("piped")).lines();
        lines.for_each(drop);
        self.child.wait().expect("ends").success()
    }
}

/// Says that `number` is done, so that the parent may rely on it.
pub(crate) fn acknowledge(number: i64) {
    use std::io::Write;
    let mut output = std::io::stdout().lock();
    output.write_all(format!("ack {number}\n").as_bytes()).expect("writes");
    output.flush().expect("flushes");
}
