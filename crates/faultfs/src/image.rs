//! The durable image: what a disk would hold if the power failed now.
//!
//! Knows files, bytes and names; must not know descriptors, control files or how it is called.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use crate::ranges::Ranges;

/// What a disk writes whole or not at all, in bytes.
const SECTOR: u64 = 512;
/// How much is compared or copied at a time, in bytes.
const CHUNK: usize = 64 * 1024;

/// Which file, whatever it is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct FileKey {
    device: u64,
    inode: u64,
}

/// The copy of a file in the image.
#[derive(Debug)]
struct Durable {
    file: File,
    /// Its name below the shadow directory: the old one while a rename is not durable.
    path: PathBuf,
}

#[derive(Debug)]
struct Tracked {
    /// Its name below the root.
    path: PathBuf,
    /// For reading what is to be made durable. Never closed while the file has a name: closing any
    /// descriptor of a file drops the process's POSIX locks on it, and with them SQLite's.
    live: File,
    /// `None` while not even the file's name is durable.
    durable: Option<Durable>,
    dirty: Ranges,
}

/// The seeded choices: splitmix64 (Steele, Lea, Flood 2014).
#[derive(Debug)]
struct Dice {
    state: u64,
    /// How many unsynced changes in a hundred reach the disk by themselves.
    spill: u8,
}

impl Dice {
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn percent(&mut self, percent: u8) -> bool {
        self.next() % 100 < u64::from(percent)
    }

    fn spills(&mut self) -> bool {
        self.percent(self.spill)
    }
}

/// The image of one directory.
#[derive(Debug)]
pub(crate) struct Image {
    root: PathBuf,
    shadow: PathBuf,
    files: HashMap<FileKey, Tracked>,
    dice: Dice,
}

/// Whether a file takes no part: SQLite rebuilds its shared-memory index after any crash.
pub(crate) fn is_excluded(path: &Path) -> bool {
    path.as_os_str().as_encoded_bytes().ends_with(b"-shm")
}

impl Image {
    /// An image in `shadow` of what lies below `root`.
    pub(crate) fn new(root: PathBuf, shadow: PathBuf, seed: u64, spill: u8) -> Self {
        Self { root, shadow, files: HashMap::new(), dice: Dice { state: seed, spill } }
    }

    /// Takes up the file behind `reachable`, a path that opens it, whose name below the root is `path`.
    pub(crate) fn adopt(&mut self, reachable: &Path, path: &Path) -> io::Result<FileKey> {
        let metadata = fs::metadata(reachable)?;
        let key = FileKey { device: metadata.dev(), inode: metadata.ino() };
        if let Some(tracked) = self.files.get_mut(&key) {
            path.clone_into(&mut tracked.path);
            return Ok(key);
        }
        let live = File::open(reachable)?;
        let taken = self.owner_of(path).is_some();
        let durable = if taken { None } else { self.open_durable(path)? };
        let mut dirty = Ranges::default();
        match &durable {
            Some(durable) => mark_differences(&live, &durable.file, &mut dirty)?,
            None => dirty.add(0, metadata.len()),
        }
        let fresh = durable.is_none();
        self.files.insert(key, Tracked { path: path.to_owned(), live, durable, dirty });
        if fresh && self.dice.spills() {
            self.settle_name(key)?;
        }
        Ok(key)
    }

    fn open_durable(&self, path: &Path) -> io::Result<Option<Durable>> {
        match OpenOptions::new().read(true).write(true).open(self.shadow.join(path)) {
            Ok(file) => Ok(Some(Durable { file, path: path.to_owned() })),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The file whose durable copy stands under `path`.
    fn owner_of(&self, path: &Path) -> Option<FileKey> {
        let owns = |tracked: &Tracked| tracked.durable.as_ref().is_some_and(|durable| durable.path == path);
        self.files.iter().find(|(_, tracked)| owns(tracked)).map(|(&key, _)| key)
    }

    /// Bytes `start..end` were written.
    pub(crate) fn wrote(&mut self, key: FileKey, start: u64, end: u64) -> io::Result<()> {
        let Some(tracked) = self.files.get_mut(&key) else { return Ok(()) };
        tracked.dirty.add(start, end);
        let Some(durable) = &tracked.durable else { return Ok(()) };
        if self.dice.spills() {
            spill(&mut self.dice, (&tracked.live, &durable.file), (start, end))?;
        }
        if self.dice.spills() && durable.file.metadata()?.len() < end {
            durable.file.set_len(end)?;
        }
        Ok(())
    }

    /// The file was cut, or extended with zeros, to `length` bytes.
    pub(crate) fn truncated(&mut self, key: FileKey, length: u64) -> io::Result<()> {
        let Some(tracked) = self.files.get_mut(&key) else { return Ok(()) };
        let Some(durable) = &tracked.durable else { return Ok(()) };
        tracked.dirty.add(length, durable.file.metadata()?.len());
        if self.dice.spills() {
            durable.file.set_len(length)?;
        }
        Ok(())
    }

    /// The file was synced: all of it is durable, its own creation included.
    pub(crate) fn synced(&mut self, key: FileKey) -> io::Result<()> {
        let Some(tracked) = self.files.get(&key) else { return Ok(()) };
        if tracked.durable.is_none() {
            self.settle_name(key)?;
        }
        let Some(Tracked { live, durable: Some(durable), dirty, .. }) = self.files.get_mut(&key) else {
            return Ok(());
        };
        for (start, end) in dirty.take() {
            copy(live, &durable.file, start, end)?;
        }
        durable.file.set_len(live.metadata()?.len())
    }

    /// The sync failed: part of what was dirty may have reached the disk, and all of it is now forgotten.
    pub(crate) fn sync_failed(&mut self, key: FileKey) -> io::Result<()> {
        let Some(tracked) = self.files.get_mut(&key) else { return Ok(()) };
        for range in tracked.dirty.take() {
            if let Some(durable) = &tracked.durable
                && self.dice.spills()
            {
                spill(&mut self.dice, (&tracked.live, &durable.file), range)?;
            }
        }
        Ok(())
    }

    /// The directory `path` was synced: the names in it are durable, the contents behind new ones are not.
    pub(crate) fn directory_synced(&mut self, path: &Path) -> io::Result<()> {
        let within = |name: &Path| name.parent() == Some(path);
        let concerns = |tracked: &Tracked| {
            within(&tracked.path) || tracked.durable.as_ref().is_some_and(|durable| within(&durable.path))
        };
        let concerned: Vec<FileKey> =
            self.files.iter().filter(|(_, tracked)| concerns(tracked)).map(|(&key, _)| key).collect();
        for key in concerned {
            self.settle_name(key)?;
        }
        for name in file_names(&self.shadow.join(path))? {
            if !self.root.join(path).join(&name).exists() {
                fs::remove_file(self.shadow.join(path).join(&name))?;
            }
        }
        for name in file_names(&self.root.join(path))? {
            let durable = self.shadow.join(path).join(&name);
            if !durable.exists() && !is_excluded(&durable) {
                create(&durable)?;
            }
        }
        Ok(())
    }

    /// The name `path` was removed.
    pub(crate) fn unlinked(&mut self, path: &Path) -> io::Result<()> {
        let durable = match self.forget(path) {
            Some(tracked) => tracked.durable.map(|durable| durable.path),
            None => self.owner_of(path).is_none().then(|| path.to_owned()),
        };
        if let Some(durable) = durable
            && self.dice.spills()
        {
            remove_if_present(&self.shadow.join(durable))?;
        }
        Ok(())
    }

    /// The file called `from` is now called `to`, in place of what was called so.
    pub(crate) fn renamed(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let reachable = self.root.join(to);
        if reachable.is_dir() {
            return Err(io::Error::other("renamed directories are not modelled"));
        }
        self.forget(to);
        if self.find(from).is_none() {
            self.adopt(&reachable, from)?;
        }
        let Some(key) = self.find(from) else { return Ok(()) };
        if let Some(tracked) = self.files.get_mut(&key) {
            to.clone_into(&mut tracked.path);
        }
        if self.dice.spills() {
            self.settle_name(key)?;
        }
        Ok(())
    }

    fn find(&self, path: &Path) -> Option<FileKey> {
        self.files.iter().find(|(_, tracked)| tracked.path == path).map(|(&key, _)| key)
    }

    fn forget(&mut self, path: &Path) -> Option<Tracked> {
        self.find(path).and_then(|key| self.files.remove(&key))
    }

    /// Makes the present name of a file durable, with whatever content is.
    fn settle_name(&mut self, key: FileKey) -> io::Result<()> {
        let Some(tracked) = self.files.get(&key) else { return Ok(()) };
        let path = tracked.path.clone();
        if tracked.durable.as_ref().is_some_and(|durable| durable.path == path) {
            return Ok(());
        }
        // The name may still stand for another file that was itself renamed away before.
        if let Some(owner) = self.owner_of(&path) {
            self.settle_name(owner)?;
        }
        let target = self.shadow.join(&path);
        let Some(tracked) = self.files.get_mut(&key) else { return Ok(()) };
        match &mut tracked.durable {
            Some(durable) => {
                fs::rename(self.shadow.join(&durable.path), &target)?;
                durable.path = path;
            }
            None => tracked.durable = Some(Durable { file: create(&target)?, path }),
        }
        Ok(())
    }
}

/// Copies some sectors of a range, or all, as a disk that writes back early would.
fn spill(dice: &mut Dice, (live, durable): (&File, &File), (start, end): (u64, u64)) -> io::Result<()> {
    if dice.percent(50) {
        return copy(live, durable, start, end);
    }
    for sector in start / SECTOR..end.div_ceil(SECTOR) {
        if dice.percent(50) {
            copy(live, durable, sector * SECTOR, (sector + 1) * SECTOR)?;
        }
    }
    Ok(())
}

/// Copies `start..end`, or as much of it as there is.
fn copy(live: &File, durable: &File, start: u64, end: u64) -> io::Result<()> {
    let mut buffer = [0; CHUNK];
    let mut at = start;
    while at < end {
        let wanted = usize::try_from(end - at).unwrap_or(CHUNK).min(CHUNK);
        let read = live.read_at(&mut buffer[..wanted], at)?;
        if read == 0 {
            break;
        }
        durable.write_all_at(&buffer[..read], at)?;
        at += read as u64;
    }
    Ok(())
}

/// Marks every sector in which the two files differ.
fn mark_differences(live: &File, durable: &File, dirty: &mut Ranges) -> io::Result<()> {
    let (mut left, mut right) = ([0; SECTOR as usize * 64], [0; SECTOR as usize * 64]);
    let mut at = 0;
    loop {
        let (left_read, right_read) = (fill(live, &mut left, at)?, fill(durable, &mut right, at)?);
        if left_read == 0 && right_read == 0 {
            return Ok(());
        }
        let sectors =
            left[..left_read].chunks(SECTOR as usize).zip(right[..right_read].chunks(SECTOR as usize));
        for (index, (live_sector, durable_sector)) in sectors.enumerate() {
            if live_sector != durable_sector {
                let start = at + index as u64 * SECTOR;
                dirty.add(start, start + SECTOR);
            }
        }
        let (shorter, longer) = (left_read.min(right_read) as u64, left_read.max(right_read) as u64);
        dirty.add(at + shorter, at + longer);
        at += longer;
    }
}

/// Reads until the buffer is full or the file ends.
fn fill(file: &File, buffer: &mut [u8], start: u64) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        let read = file.read_at(&mut buffer[filled..], start + filled as u64)?;
        if read == 0 {
            break;
        }
        filled += read;
    }
    Ok(filled)
}

/// The names of the plain files in a directory; none where it does not exist.
fn file_names(directory: &Path) -> io::Result<Vec<std::ffi::OsString>> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            names.push(entry.file_name());
        }
    }
    Ok(names)
}

/// An empty file in the image, and the directories above it.
fn create(path: &Path) -> io::Result<File> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    OpenOptions::new().read(true).write(true).create(true).truncate(true).open(path)
}

fn remove_if_present(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
#[path = "image_tests.rs"]
mod tests;
