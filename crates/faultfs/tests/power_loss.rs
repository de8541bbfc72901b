//! Plain files under the shim: what survives a kill and the loss of the page cache.
#![allow(missing_docs)]

mod support;

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use support::{Disk, acknowledge};

fn root() -> Option<PathBuf> {
    std::env::var_os("LOQUAT_FAULTFS_ROOT").map(PathBuf::from)
}

fn wait_for_the_kill() -> ! {
    loop {
        std::thread::park();
    }
}

/// Writes three files: never synced, synced, synced and then changed.
#[test]
#[ignore = "a worker, run under the shim by the tests"]
fn worker_writes() {
    let Some(root) = root() else { return };
    let mut unsynced = File::create(root.join("unsynced")).expect("creates");
    unsynced.write_all(&[1; 8192]).expect("writes");
    let mut synced = File::create(root.join("synced")).expect("creates");
    synced.write_all(&[2; 8192]).expect("writes");
    synced.sync_data().expect("syncs");
    let changed = File::create(root.join("changed")).expect("creates");
    changed.write_all_at(&[3; 8192], 0).expect("writes");
    // Through another descriptor, and one duplicated: the file is one.
    let other = File::open(root.join("changed")).expect("opens");
    other.try_clone().expect("duplicates").sync_all().expect("syncs");
    changed.write_all_at(&[4; 8192], 0).expect("writes");
    fs::create_dir(root.join("below")).expect("creates");
    fs::copy(root.join("synced"), root.join("below/copied")).expect("copies");
    File::open(root.join("below/copied")).expect("opens").sync_all().expect("syncs");
    acknowledge(1);
    wait_for_the_kill();
}

#[test]
fn unsynced_data_is_gone_and_synced_data_stands() {
    let disk = Disk::new(0);
    disk.start("worker_writes", &[]).kill_after(1);
    let cached = fs::read(disk.root().join("unsynced")).expect("kill -9 alone loses nothing");
    assert_eq!(cached, [1; 8192]);
    disk.lose_power();
    assert!(!disk.root().join("unsynced").exists(), "no sync, no file");
    assert_eq!(fs::read(disk.root().join("synced")).expect("stands"), [2; 8192]);
    assert_eq!(fs::read(disk.root().join("changed")).expect("stands"), [3; 8192]);
    assert_eq!(fs::read(disk.root().join("below/copied")).expect("stands"), [2; 8192]);
}

#[test]
fn unsynced_data_may_survive_in_part() {
    let mut outcomes = std::collections::BTreeSet::new();
    for seed in 0..40 {
        let mut disk = Disk::new(50);
        disk.seed = seed;
        disk.start("worker_writes", &[]).kill_after(1);
        disk.lose_power();
        assert_eq!(fs::read(disk.root().join("synced")).expect("stands"), [2; 8192]);
        let changed = fs::read(disk.root().join("changed")).expect("stands");
        assert_eq!(changed.len(), 8192);
        assert!(changed.chunks(512).all(|sector| sector == [3; 512] || sector == [4; 512]));
        outcomes.insert(match changed.iter().filter(|byte| **byte == 4).count() {
            0 => "old",
            8192 => "new",
            _ => "torn",
        });
    }
    assert_eq!(outcomes.into_iter().collect::<Vec<_>>(), ["new", "old", "torn"]);
}

/// Renames over a file with and without syncing the directory, and removes another.
#[test]
#[ignore = "a worker, run under the shim by the tests"]
fn worker_renames() {
    let Some(root) = root() else { return };
    for name in ["with", "without", "removed"] {
        fs::write(root.join(name), "old").expect("writes");
        File::open(root.join(name)).expect("opens").sync_all().expect("syncs");
    }
    for name in ["with", "without"] {
        fs::write(root.join("temporary"), "new").expect("writes");
        File::open(root.join("temporary")).expect("opens").sync_all().expect("syncs");
        fs::rename(root.join("temporary"), root.join(name)).expect("renames");
        if name == "with" {
            File::open(&root).expect("opens").sync_all().expect("syncs the directory");
        }
    }
    fs::remove_file(root.join("removed")).expect("removes");
    acknowledge(1);
    wait_for_the_kill();
}

#[test]
fn names_need_a_synced_directory() {
    let disk = Disk::new(0);
    disk.start("worker_renames", &[]).kill_after(1);
    disk.lose_power();
    assert_eq!(fs::read_to_string(disk.root().join("with")).expect("stands"), "new");
    assert_eq!(fs::read_to_string(disk.root().join("without")).expect("stands"), "old");
    assert_eq!(fs::read_to_string(disk.root().join("removed")).expect("stands"), "old");
}

/// Meets the faults of the control file.
#[test]
#[ignore = "a worker, run under the shim by the tests"]
fn worker_meets_faults() {
    let Some(root) = root() else { return };
    let mut file = File::create(root.join("file")).expect("creates");
    file.write_all(b"a").expect("the first write succeeds");
    let full = file.write_all(b"b").expect_err("the disk is full");
    assert_eq!(full.kind(), ErrorKind::StorageFull);
    file.write_all(b"c").expect("the third write succeeds");
    let failed = file.sync_all().expect_err("the sync fails");
    assert_eq!(failed.raw_os_error(), Some(libc::EIO));
    let started = std::time::Instant::now();
    file.sync_all().expect("the second sync succeeds");
    assert!(started.elapsed().as_millis() >= 50, "and takes its time");
    fs::write(std::env::temp_dir().join("loquat-faultfs-elsewhere"), "x")
        .expect("other places have no faults");
}

#[test]
fn faults_strike_as_told() {
    let disk = Disk::new(0);
    disk.inject(
        "write_error=ENOSPC\nwrite_skip=1\nwrite_count=1\nsync_error=EIO\nsync_count=1\nsync_delay_ms=50",
    );
    assert!(disk.start("worker_meets_faults", &[]).finish());
    assert_eq!(disk.fired(), 2);
    disk.lose_power();
    let survived = fs::read(disk.root().join("file")).expect("the name is durable");
    assert!(!survived.starts_with(b"a"), "what a failed sync dropped, a later one does not bring back");
}

/// Maps a file so that its writes would escape the shim.
#[test]
#[ignore = "a worker, run under the shim by the tests"]
#[allow(unsafe_code, reason = "mapping memory is what the test is about")]
fn worker_maps() {
    use std::os::fd::AsRawFd;
    let Some(root) = root() else { return };
    let name = std::env::var("NAME").expect("is set");
    let file = File::options().read(true).write(true).create(true).truncate(true).open(root.join(name));
    let file = file.expect("opens");
    file.set_len(4096).expect("extends");
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    // SAFETY: the mapping is never used.
    let mapped =
        unsafe { libc::mmap(std::ptr::null_mut(), 4096, protection, libc::MAP_SHARED, file.as_raw_fd(), 0) };
    assert_ne!(mapped, libc::MAP_FAILED);
}

#[test]
fn shared_writable_maps_are_refused_but_for_the_index() {
    let disk = Disk::new(0);
    assert!(disk.start("worker_maps", &[("NAME", "database-shm")]).finish());
    assert!(!disk.start("worker_maps", &[("NAME", "database")]).finish());
}
