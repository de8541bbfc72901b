//! What the machine gives: disk, file descriptors, memory.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use loquat_proto::Limits;
use rustix::fs::statvfs;

use super::Check;
use crate::admin::bytes;
use crate::serve::{descriptors_needed, hard_descriptor_limit};
use crate::settings::Settings;

/// Less free space than this is a problem: the next backup or checkpoint fails.
const SPACE_PROBLEM: u64 = 128 << 20;
/// Less free space than this, or than a tenth of the disk, is worth a warning.
const SPACE_WARNING: u64 = 1 << 30;
/// Syncs that are measured.
const SYNCS: usize = 16;
/// A median sync above this makes every message wait.
const SYNC_WARNING: Duration = Duration::from_millis(25);
/// Bytes written before each sync.
const BLOCK: [u8; 4096] = [0; 4096];

/// Space and speed below the data folder.
pub(super) fn disk(data: &Path) -> Vec<Check> {
    // Where the folder is not there yet, its disk is that of the nearest folder that is.
    let there = data.ancestors().find(|path| path.is_dir()).unwrap_or(Path::new("."));
    let there = if there.as_os_str().is_empty() { Path::new(".") } else { there };
    let mut checks = vec![space(there)];
    if data.is_dir() {
        checks.push(match syncs(data) {
            Ok(times) => latency(&times),
            Err(error) => Check::problem(
                "fsync",
                format!("the data folder cannot be written durably: {error}"),
                "look at the disk and its mount options (dmesg, mount)",
            ),
        });
    }
    checks
}

fn space(folder: &Path) -> Check {
    match statvfs(folder) {
        Ok(disk) => judge_space(
            disk.f_bavail * disk.f_frsize,
            disk.f_blocks * disk.f_frsize,
            (disk.f_favail, disk.f_files),
        ),
        Err(error) => Check::warning("disk space", format!("cannot be told: {error}"), "look at it with df"),
    }
}

fn judge_space(free: u64, total: u64, (free_inodes, inodes): (u64, u64)) -> Check {
    const NAME: &str = "disk space";
    let found = format!("{} of {} free", bytes(free), bytes(total));
    let advice = "make room or move the data folder to a larger disk: when it is full, sends are refused";
    if free < SPACE_PROBLEM {
        return Check::problem(NAME, found, advice);
    }
    if free < SPACE_WARNING || free < total / 10 {
        return Check::warning(NAME, found, advice);
    }
    // Some file systems have no fixed number of them and say 0.
    if inodes > 0 && free_inodes < 1_000 {
        return Check::warning(NAME, format!("{free_inodes} files may still be made"), "remove small files");
    }
    Check::ok(NAME, found)
}

/// How long syncs of a small write take, sorted.
fn syncs(data: &Path) -> io::Result<Vec<Duration>> {
    let path = data.join(format!(".doctor-{}", std::process::id()));
    let measured = File::create_new(&path).and_then(|mut file| {
        let mut times = Vec::with_capacity(SYNCS);
        for _ in 0..SYNCS {
            let started = Instant::now();
            file.write_all(&BLOCK)?;
            file.sync_data()?;
            times.push(started.elapsed());
        }
        times.sort();
        Ok(times)
    });
    // It may not have been made.
    let _ = fs::remove_file(&path);
    measured
}

fn latency(times: &[Duration]) -> Check {
    const NAME: &str = "fsync";
    let shown = |time: Option<&Duration>| time.map_or(0.0, |time| time.as_secs_f64() * 1_000.0);
    let median = times.get(times.len() / 2);
    let found = format!("median {:.1} ms, worst {:.1} ms", shown(median), shown(times.last()));
    if median.is_some_and(|median| *median > SYNC_WARNING) {
        return Check::warning(
            NAME,
            found,
            "every message waits for one: prefer a local SSD to a network or spinning disk, or one that is less busy",
        );
    }
    Check::ok(NAME, found)
}

/// Whether as many connections as the settings allow can be open. A service that runs has a limit of its own.
pub(super) fn descriptors(limits: &Limits, process: Option<u32>) -> Check {
    const NAME: &str = "descriptors";
    let needed = descriptors_needed(limits);
    let of_process = process.and_then(|pid| fs::read_to_string(format!("/proc/{pid}/limits")).ok());
    let hard = match &of_process {
        Some(text) => hard_limit(text),
        None => hard_descriptor_limit(),
    };
    match hard {
        Some(hard) if hard < needed => Check::warning(
            NAME,
            format!("{hard} files may be open, limits.connections = {} needs {needed}", limits.connections),
            "raise the hard limit (LimitNOFILE= of the systemd unit, or ulimit -Hn), or lower limits.connections",
        ),
        Some(hard) => Check::ok(NAME, format!("{hard} files may be open, {needed} are needed at most")),
        None => Check::ok(NAME, "any number of files may be open"),
    }
}

/// The hard limit in `/proc/…/limits`; `None`: unlimited.
fn hard_limit(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// Whether what the settings may take at once is there.
pub(super) fn memory(settings: &Settings) -> Check {
    const NAME: &str = "memory";
    let available = fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
        line.split_whitespace().next()?.parse::<u64>().ok()
    });
    let Some(available) = available.map(|kibibytes| kibibytes * 1024) else {
        return Check::ok(NAME, "cannot be told on this system");
    };
    let storage = &settings.storage;
    let caches =
        u64::from(storage.writer_cache_kib) + storage.readers as u64 * u64::from(storage.reader_cache_kib);
    let hashes = settings.auth.hash_concurrency as u64 * u64::from(settings.auth.argon2.memory_kib);
    let needed = (caches + hashes) * 1024;
    let found =
        format!("{} available; caches and password hashes take up to {}", bytes(available), bytes(needed));
    if needed > available / 2 {
        let advice =
            "lower auth.hash_concurrency, auth.argon2.memory_kib or the storage caches, or add memory";
        return Check::warning(NAME, found, advice);
    }
    Check::ok(NAME, found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Verdict;

    #[test]
    fn space_is_judged_by_what_is_left() {
        const GIB: u64 = 1 << 30;
        for (free, total, inodes, verdict) in [
            (50 * GIB, 100 * GIB, (9_999, 10_000), Verdict::Ok),
            (50 * GIB, 100 * GIB, (0, 0), Verdict::Ok),
            (50 * GIB, 100 * GIB, (10, 10_000), Verdict::Warning),
            (9 * GIB, 100 * GIB, (9_999, 10_000), Verdict::Warning),
            (GIB / 2, 2 * GIB, (9_999, 10_000), Verdict::Warning),
            (64 << 20, 100 * GIB, (9_999, 10_000), Verdict::Problem),
        ] {
            assert_eq!(judge_space(free, total, inodes).verdict, verdict, "{free} of {total}");
        }
    }

    #[test]
    fn slow_syncs_are_warned_of() {
        let times =
            |median| vec![Duration::from_millis(1), Duration::from_millis(median), Duration::from_millis(90)];
        assert_eq!(latency(&times(2)).verdict, Verdict::Ok);
        assert_eq!(latency(&times(60)).verdict, Verdict::Warning);
    }

    #[test]
    fn the_hard_limit_is_read() {
        let text = "Limit   Soft Limit  Hard Limit  Units\nMax open files            1024                 524288               files\n";
        assert_eq!(hard_limit(text), Some(524_288));
        assert_eq!(hard_limit("Max open files   1024   unlimited   files\n"), None);
    }

    #[test]
    fn a_folder_is_measured_and_left_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(syncs(folder.path()).unwrap().len(), SYNCS);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
