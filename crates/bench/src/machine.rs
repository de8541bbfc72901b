//! The machine under the run: its conditions, pinning, descriptors, CPU clocks and the disk of the moment.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::FileExt,
    path::Path,
    time::{Duration, Instant},
};

use nix::{
    sched::{CpuSet, sched_setaffinity},
    sys::resource::{Resource, getrlimit, setrlimit},
    time::{ClockId, clock_getcpuclockid, clock_gettime},
    unistd::Pid,
};
use rustix::{
    fs::{Advice, fadvise, statvfs},
    process::setpriority_process,
};
use serde::Serialize;

use crate::error::BenchError;

/// The core that servers are pinned to.
pub(crate) const SERVER_CORE: usize = 0;
/// The core that the generator is pinned to.
pub(crate) const GENERATOR_CORE: usize = 1;

/// Syncs that a probe of the disk takes its median from.
const PROBE_SYNCS: usize = 101;
/// Bytes that each of them writes: about a small batch of messages.
const PROBE_BYTES: usize = 4096;

/// The conditions of a run, printed above its figures.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Machine {
    /// Model name of the processor.
    pub(crate) processor: String,
    /// Cores that this process may use.
    pub(crate) cores: usize,
    /// Kernel release.
    pub(crate) kernel: String,
    /// Memory in MiB.
    pub(crate) memory_mib: u64,
    /// Type of the file system that the servers write to, as the kernel names it.
    pub(crate) file_system: String,
    /// How TCP limits its rate; BBR paces even on loopback and costs a few per cent.
    pub(crate) congestion_control: String,
    /// Whether servers and generator have a core each.
    pub(crate) pinned: bool,
}

impl Machine {
    /// Describes this machine and the file system under `scratch`.
    pub(crate) fn describe(scratch: &Path) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            processor: field("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown".to_owned()),
            cores,
            congestion_control: line("/proc/sys/net/ipv4/tcp_congestion_control"),
            kernel: line("/proc/sys/kernel/osrelease"),
            memory_mib: field("/proc/meminfo", "MemTotal").and_then(|text| kib(&text)).unwrap_or(0) / 1024,
            file_system: file_system(scratch).unwrap_or_else(|| "unknown".to_owned()),
            pinned: cores > GENERATOR_CORE,
        }
    }
}

/// A file of the kernel that holds one line.
fn line(path: &str) -> String {
    fs::read_to_string(path).map_or_else(|_| "unknown".to_owned(), |text| text.trim().to_owned())
}

/// The value after the first `name` and a colon in a file of the kernel.
fn field(path: impl AsRef<Path>, name: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    text.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name).then(|| value.trim().to_owned())
    })
}

fn kib(text: &str) -> Option<u64> {
    text.strip_suffix("kB")?.trim().parse().ok()
}

/// The type of the mount with the longest path that contains `path`.
fn file_system(path: &Path) -> Option<String> {
    let path = fs::canonicalize(path).ok()?;
    let mounts = fs::read_to_string("/proc/self/mounts").ok()?;
    let mount = mounts
        .lines()
        .filter_map(|line| {
            let mut fields = line.split(' ').skip(1);
            Some((fields.next()?, fields.next()?))
        })
        .filter(|(point, _)| path.starts_with(point))
        .max_by_key(|(point, _)| point.len())?;
    Some(mount.1.to_owned())
}

/// Pins the calling thread, and what it spawns from now on, to one core.
pub(crate) fn pin_thread(core: usize) -> Result<(), BenchError> {
    let system = |errno| BenchError::System { call: "sched_setaffinity", errno };
    let mut set = CpuSet::new();
    set.set(core).map_err(system)?;
    sched_setaffinity(Pid::from_raw(0), &set).map_err(system)
}

/// Raises the soft limit of open descriptors to the hard one and returns it. Children inherit it.
pub(crate) fn raise_descriptor_limit() -> Result<u64, BenchError> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)
        .map_err(|errno| BenchError::System { call: "getrlimit", errno })?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard)
        .map_err(|errno| BenchError::System { call: "setrlimit", errno })?;
    Ok(hard)
}

/// CPU time, user and kernel, that a whole process has used so far, ended threads included.
pub(crate) fn process_cpu_time(pid: u32) -> Result<Duration, BenchError> {
    let pid = i32::try_from(pid).map_err(|_| BenchError::Arguments(format!("{pid} is no process id")))?;
    let clock = clock_getcpuclockid(Pid::from_raw(pid))
        .map_err(|errno| BenchError::System { call: "clock_getcpuclockid", errno })?;
    cpu_time(clock)
}

/// CPU time that this process has used so far.
pub(crate) fn own_cpu_time() -> Result<Duration, BenchError> {
    cpu_time(ClockId::CLOCK_PROCESS_CPUTIME_ID)
}

fn cpu_time(clock: ClockId) -> Result<Duration, BenchError> {
    let time = clock_gettime(clock).map_err(|errno| BenchError::System { call: "clock_gettime", errno })?;
    Ok(Duration::from(time))
}

/// Has the calling thread give way to every other one that wants its core.
pub(crate) fn give_way() -> Result<(), BenchError> {
    // On Linux "this process" means the calling thread (setpriority(2), "C library/kernel differences").
    Ok(setpriority_process(None, 19).map_err(io::Error::from)?)
}

/// Bytes that may still be written to the file system of this directory.
pub(crate) fn free_bytes(directory: &Path) -> Result<u64, BenchError> {
    let file_system = statvfs(directory).map_err(io::Error::from)?;
    Ok(file_system.f_bavail.saturating_mul(file_system.f_frsize))
}

/// Has the kernel forget what it keeps of the files of this directory in memory.
pub(crate) fn forget_files(directory: &Path) -> Result<(), BenchError> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_file() {
            let file = File::open(path)?;
            // Only what stands on the disk can be forgotten.
            file.sync_all()?;
            fadvise(&file, 0, None, Advice::DontNeed).map_err(io::Error::from)?;
        }
    }
    Ok(())
}

/// Resident memory of a process in KiB, shared pages included.
pub(crate) fn resident_kib(pid: u32) -> Result<u64, BenchError> {
    field(format!("/proc/{pid}/smaps_rollup"), "Rss")
        .or_else(|| field(format!("/proc/{pid}/status"), "VmRSS"))
        .and_then(|text| kib(&text))
        .ok_or_else(|| BenchError::Server(format!("process {pid} reports no resident memory")))
}

/// Median time of a 4 KiB append with `fdatasync` in this directory, in microseconds: the disk of the moment.
pub(crate) fn probe_fdatasync_us(directory: &Path) -> Result<f64, BenchError> {
    let path = directory.join("fdatasync-probe");
    let file = File::create(&path)?;
    let block = [0x5au8; PROBE_BYTES];
    let mut times = Vec::with_capacity(PROBE_SYNCS);
    for index in 0..PROBE_SYNCS {
        let start = Instant::now();
        file.write_all_at(&block, (index * PROBE_BYTES) as u64)?;
        file.sync_data()?;
        times.push(start.elapsed().as_secs_f64() * 1e6);
    }
    fs::remove_file(&path)?;
    times.sort_by(f64::total_cmp);
    Ok(times[PROBE_SYNCS / 2])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_can_be_measured() {
        let pid = std::process::id();
        assert!(resident_kib(pid).unwrap() > 100);
        let before = process_cpu_time(pid).unwrap();
        let end = Instant::now() + Duration::from_millis(20);
        while Instant::now() < end {
            std::hint::spin_loop();
        }
        assert!(process_cpu_time(pid).unwrap() > before);
        assert!(own_cpu_time().unwrap() > before);
        assert!(raise_descriptor_limit().unwrap() > 0);
        // Its own thread, so that the other tests keep theirs.
        std::thread::spawn(|| give_way().unwrap()).join().unwrap();
    }

    #[test]
    fn the_probe_measures_and_leaves_nothing() {
        let directory = tempfile::tempdir().unwrap();
        assert!(probe_fdatasync_us(directory.path()).unwrap() > 0.0);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }

    #[test]
    fn files_can_be_forgotten_and_room_is_known() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("file"), [1; 8192]).unwrap();
        forget_files(directory.path()).unwrap();
        assert_eq!(fs::read(directory.path().join("file")).unwrap(), [1; 8192]);
        assert!(free_bytes(directory.path()).unwrap() > 0);
    }

    #[test]
    fn conditions_are_found() {
        let machine = Machine::describe(Path::new("/"));
        assert_ne!(machine.kernel, "unknown");
        assert_ne!(machine.file_system, "unknown");
        assert!(machine.memory_mib > 0 && machine.cores > 0);
    }
}
