//! The image as a disk: what is durable when.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::{FileKey, Image};

struct Disk {
    _directory: tempfile::TempDir,
    image: Image,
}

impl Disk {
    fn new(spill: u8) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let (root, shadow) = (directory.path().join("root"), directory.path().join("shadow"));
        fs::create_dir(&root).expect("the root");
        fs::create_dir(&shadow).expect("the shadow");
        Self { image: Image::new(root, shadow, 7, spill), _directory: directory }
    }

    fn write(&mut self, name: &str, at: u64, bytes: &[u8]) -> FileKey {
        let path = self.image.root.join(name);
        let file = File::options().create(true).truncate(false).write(true).open(&path).expect("opens");
        let key = self.image.adopt(&path, Path::new(name)).expect("is taken up");
        file.write_all_at(bytes, at).expect("writes");
        self.image.wrote(key, at, at + bytes.len() as u64).expect("is noted");
        key
    }

    fn durable(&self, name: &str) -> Option<Vec<u8>> {
        fs::read(self.image.shadow.join(name)).ok()
    }

    fn rename(&mut self, from: &str, to: &str) {
        fs::rename(self.image.root.join(from), self.image.root.join(to)).expect("renames");
        self.image.renamed(Path::new(from), Path::new(to)).expect("is noted");
    }

    fn unlink(&mut self, name: &str) {
        fs::remove_file(self.image.root.join(name)).expect("unlinks");
        self.image.unlinked(Path::new(name)).expect("is noted");
    }

    fn sync_directory(&mut self) {
        self.image.directory_synced(Path::new("")).expect("syncs");
    }

    /// The same directory and image, seen by another process.
    fn restart(&mut self) {
        self.image = Image::new(self.image.root.clone(), self.image.shadow.clone(), 8, self.image.dice.spill);
    }
}

#[test]
fn only_what_was_synced_is_durable() {
    let mut disk = Disk::new(0);
    let key = disk.write("file", 0, b"first");
    assert_eq!(disk.durable("file"), None);
    disk.image.synced(key).expect("syncs");
    assert_eq!(disk.durable("file").as_deref(), Some(&b"first"[..]));
    disk.write("file", 0, b"second");
    assert_eq!(disk.durable("file").as_deref(), Some(&b"first"[..]));
}

#[test]
fn a_cut_file_keeps_its_old_end_until_synced() {
    let mut disk = Disk::new(0);
    let key = disk.write("file", 0, &[1; 2000]);
    disk.image.synced(key).expect("syncs");
    let live = File::options().write(true).open(disk.image.root.join("file")).expect("opens");
    live.set_len(100).expect("cuts");
    disk.image.truncated(key, 100).expect("is noted");
    assert_eq!(disk.durable("file").map(|bytes| bytes.len()), Some(2000));
    disk.write("file", 1500, &[2; 10]);
    disk.image.synced(key).expect("syncs");
    let mut expected = vec![1; 100];
    expected.resize(1500, 0);
    expected.resize(1510, 2);
    assert_eq!(disk.durable("file"), Some(expected), "the hole is zeros, not what stood there before");
}

#[test]
fn a_failed_sync_forgets() {
    let mut disk = Disk::new(0);
    let key = disk.write("file", 0, b"old");
    disk.image.synced(key).expect("syncs");
    disk.write("file", 0, b"new");
    disk.image.sync_failed(key).expect("fails as told");
    disk.image.synced(key).expect("syncs");
    assert_eq!(disk.durable("file").as_deref(), Some(&b"old"[..]), "a later success proves nothing");
}

#[test]
fn what_a_killed_process_never_synced_is_still_not_durable() {
    let mut disk = Disk::new(0);
    let key = disk.write("file", 0, &[1; 4096]);
    disk.image.synced(key).expect("syncs");
    disk.write("file", 1024, &[2; 512]);
    disk.restart();
    assert_eq!(disk.durable("file"), Some(vec![1; 4096]));
    let key = disk.write("file", 4096, &[3; 1]);
    disk.image.synced(key).expect("syncs");
    let mut expected = vec![1; 4096];
    expected[1024..1536].fill(2);
    expected.push(3);
    assert_eq!(disk.durable("file"), Some(expected), "one sync makes all of the file durable");
}

#[test]
fn names_follow_the_directory() {
    let mut disk = Disk::new(0);
    let key = disk.write("final", 0, b"old");
    disk.image.synced(key).expect("syncs");
    let key = disk.write("temporary", 0, b"new");
    disk.image.synced(key).expect("syncs");
    disk.rename("temporary", "final");
    assert_eq!(disk.durable("final").as_deref(), Some(&b"old"[..]));
    // The next round starts before the rename is durable.
    let key = disk.write("temporary", 0, b"newer");
    disk.image.synced(key).expect("syncs");
    assert_eq!(disk.durable("final").as_deref(), Some(&b"new"[..]));
    disk.sync_directory();
    assert_eq!(disk.durable("temporary").as_deref(), Some(&b"newer"[..]));
    disk.unlink("temporary");
    assert!(disk.durable("temporary").is_some());
    disk.sync_directory();
    assert_eq!(disk.durable("temporary"), None);
    assert_eq!(disk.durable("final").as_deref(), Some(&b"new"[..]));
}

#[test]
fn a_renamed_file_that_was_never_synced_may_be_empty() {
    let mut disk = Disk::new(0);
    disk.write("temporary", 0, b"content");
    disk.rename("temporary", "final");
    disk.sync_directory();
    assert_eq!(disk.durable("final").as_deref(), Some(&b""[..]));
}

#[test]
fn unsynced_writes_tear_between_sectors() {
    let mut disk = Disk::new(25);
    let key = disk.write("file", 0, &[1; 64 * 512]);
    disk.image.synced(key).expect("syncs");
    let (mut kept, mut torn, mut whole) = (0, 0, 0);
    for round in 0..200 {
        let version = 2 + u8::try_from(round % 100).expect("small");
        disk.write("file", 0, &[version; 64 * 512]);
        let durable = disk.durable("file").expect("stands");
        for sector in durable.chunks(512) {
            assert!(sector.iter().all(|byte| *byte == sector[0]), "a sector is never torn");
        }
        match durable.chunks(512).filter(|sector| sector[0] == version).count() {
            0 => kept += 1,
            64 => whole += 1,
            _ => torn += 1,
        }
    }
    assert!(kept > 100 && torn > 5 && whole > 5, "kept {kept}, torn {torn}, whole {whole}");
}
