//! Copies: a backup of a store that may be in use, and a store made from a backup.
//!
//! Both copy page by page (SQLite's online backup) from one snapshot, beside the destination under another name;
//! verify the copy; sync it; and give it its name last, so that there is never half a file under that name.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use loquat_domain::ports::Random;
use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::error::OpenError;
use super::pragmas::{self, Purpose};
use super::{beside, create_private, schema, sync_directory};

/// Pages copied between two reports: 4 MiB.
const STEP: i32 = 1024;
/// Page cache of the source's connection: it reads every page once.
const CACHE_KIB: u32 = 1024;

/// How far a copy is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Pages copied.
    pub copied: u64,
    /// Pages in all.
    pub total: u64,
}

/// Copies the store in `source`, which this or another process may serve meanwhile, to the new file `destination`.
/// The copy has everything that was acknowledged before the call. While it runs, the write-ahead log of the source
/// cannot shrink. Blocks.
///
/// # Errors
/// See [`OpenError`]; nothing is left under the name of the destination.
pub fn backup(
    source: &Path,
    destination: &Path,
    progress: &mut dyn FnMut(Progress),
) -> Result<(), OpenError> {
    copy(source, destination, progress, |_| Ok(()))
}

/// Makes a store from a backup. It gets a new epoch, so that sync tokens of before fail closed. Blocks.
///
/// # Errors
/// [`OpenError::Exists`]: there is a store already. [`OpenError::Damaged`]: the backup is not whole. Others: see
/// [`OpenError`]. Nothing is left under the name of the destination.
pub fn restore(
    source: &Path,
    destination: &Path,
    random: &dyn Random,
    progress: &mut dyn FnMut(Progress),
) -> Result<(), OpenError> {
    copy(source, destination, progress, |connection| schema::renew_epoch(connection, random))
}

fn copy(
    source: &Path,
    destination: &Path,
    progress: &mut dyn FnMut(Progress),
    prepare: impl FnOnce(&Connection) -> Result<(), OpenError>,
) -> Result<(), OpenError> {
    // A log beside a file that is not there would be taken for the log of the copy.
    for taken in [destination.to_owned(), beside(destination, "-wal")] {
        if taken.exists() {
            return Err(OpenError::Exists(taken));
        }
    }
    if !source.exists() {
        return Err(OpenError::Missing(source.to_owned()));
    }
    let partial = Partial::create(destination)?;
    copy_pages(source, &partial.path, progress)?;
    let connection = Connection::open_with_flags(&partial.path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    // One file, without a log beside it.
    connection.pragma_update_and_check(None, "journal_mode", "delete", |_| Ok(()))?;
    verify(&connection, source)?;
    prepare(&connection)?;
    connection.close().map_err(|(_, error)| error)?;
    partial.publish(destination)
}

fn copy_pages(source: &Path, partial: &Path, progress: &mut dyn FnMut(Progress)) -> Result<(), OpenError> {
    let from =
        pragmas::open(source, Purpose::Read, CACHE_KIB).map_err(|error| super::not_a_store(error, source))?;
    if !schema::is_store(&from, source)? {
        return Err(OpenError::NotAStore(source.to_owned()));
    }
    let mut to = Connection::open_with_flags(partial, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    // Held over all steps: else every commit meanwhile would have the copy begin anew.
    from.execute_batch("BEGIN")?;
    from.query_row("SELECT id FROM store", [], |_| Ok(()))?;
    let backup = Backup::new(&from, &mut to)?;
    loop {
        let step = backup.step(STEP)?;
        let now = backup.progress();
        let pages = |count: i32| u64::try_from(count).unwrap_or(0);
        let total = pages(now.pagecount);
        progress(Progress { copied: total - pages(now.remaining).min(total), total });
        match step {
            StepResult::Done => break,
            StepResult::More => {}
            // Nobody else knows the copy, and a snapshot of the source is held.
            _ => std::thread::yield_now(),
        }
    }
    drop(backup);
    to.close().map_err(|(_, error)| error)?;
    Ok(())
}

fn verify(connection: &Connection, source: &Path) -> Result<(), OpenError> {
    let damaged = |findings: String| OpenError::Damaged { path: source.to_owned(), findings };
    let check = || -> rusqlite::Result<Vec<String>> {
        let mut findings: Vec<String> = connection
            .prepare("PRAGMA integrity_check(10)")?
            .query_map([], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        findings.retain(|finding| finding != "ok");
        Ok(findings)
    };
    match check() {
        Ok(findings) if findings.is_empty() => Ok(()),
        Ok(findings) => Err(damaged(findings.join("; "))),
        Err(rusqlite::Error::SqliteFailure(failure, text)) if failure.code == ErrorCode::DatabaseCorrupt => {
            Err(damaged(text.unwrap_or_else(|| failure.to_string())))
        }
        Err(error) => Err(error.into()),
    }
}

/// The copy under its other name; it is taken away again unless it is published.
struct Partial {
    path: PathBuf,
    published: bool,
}

impl Partial {
    fn create(destination: &Path) -> Result<Self, OpenError> {
        let path = beside(destination, ".partial");
        let partial = Self { path, published: false };
        // One that an interrupted copy left.
        partial.remove();
        create_private(&partial.path)?;
        Ok(partial)
    }

    fn publish(mut self, destination: &Path) -> Result<(), OpenError> {
        let io = |source| OpenError::Io { path: destination.to_owned(), source };
        File::open(&self.path).and_then(|file| file.sync_all()).map_err(io)?;
        if destination.exists() {
            return Err(OpenError::Exists(destination.to_owned()));
        }
        fs::rename(&self.path, destination).map_err(io)?;
        self.published = true;
        sync_directory(destination)
    }

    fn remove(&self) {
        for suffix in ["", "-wal", "-shm", "-journal"] {
            // Mostly not there.
            let _ = fs::remove_file(beside(&self.path, suffix));
        }
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if !self.published {
            self.remove();
        }
    }
}
