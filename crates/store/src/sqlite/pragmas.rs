//! Opening connections: every one with the same settings, each of them read back.
//!
//! - `journal_mode = WAL`, `synchronous = FULL`: a commit returns after its frames are synced. (`NORMAL` may lose a
//!   commit when the power fails.)
//! - `secure_delete = ON`: what is erased is overwritten. Measured on the hot path: no difference.
//! - `wal_autocheckpoint = 0`: the [checkpointer](super::checkpoint) does it, beside the writer.
//! - `mmap_size = 0`: a read error stays an error instead of a SIGBUS; measured, maps gain nothing here.
//! - Caches are small and fixed, the kernel's page cache does the rest.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::error::OpenError;

/// Marks the file as a store of Loquat (`PRAGMA application_id`): "LQTS".
pub(super) const APPLICATION_ID: i64 = 0x4c51_5453;

/// How long a connection waits for a lock that another process holds (a backup, an administrator).
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// The one that writes.
    Write,
    /// One of those that read; SQLite refuses writes on it.
    Read,
    /// Moves the write-ahead log into the database.
    Checkpoint,
}

/// Opens the database for a purpose; it is created only to write.
pub(super) fn open(path: &Path, purpose: Purpose, cache_kib: u32) -> Result<Connection, OpenError> {
    // One thread at a time uses a connection, so SQLite needs no mutex of its own.
    let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    if purpose == Purpose::Write {
        flags |= OpenFlags::SQLITE_OPEN_CREATE;
    }
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(if purpose == Purpose::Checkpoint { 0 } else { 128 });
    let cache = format!("-{cache_kib}");
    let query_only = if purpose == Purpose::Read { "1" } else { "0" };
    for (name, value) in [
        ("journal_mode", "wal"),
        ("synchronous", "2"),
        ("secure_delete", "1"),
        ("foreign_keys", "1"),
        ("wal_autocheckpoint", "0"),
        ("mmap_size", "0"),
        ("temp_store", "2"),
        ("cache_size", &cache),
        ("query_only", query_only),
    ] {
        set(&connection, name, value)?;
    }
    Ok(connection)
}

/// Sets a pragma and reads it back: SQLite ignores what it does not know or cannot do.
fn set(connection: &Connection, name: &str, value: &str) -> Result<(), OpenError> {
    connection.execute_batch(&format!("PRAGMA {name} = {value}"))?;
    let found = connection.pragma_query_value(None, name, |row| {
        let value = row.get_ref(0)?;
        Ok(value.as_str().map_or_else(|_| value.as_i64().unwrap_or_default().to_string(), str::to_owned))
    })?;
    if found == value {
        Ok(())
    } else {
        Err(OpenError::Setting { setting: format!("{name} = {value}"), found })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readers_cannot_write() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.db");
        let writer = open(&path, Purpose::Write, 1024).unwrap();
        writer.execute_batch("CREATE TABLE t (a INTEGER)").unwrap();
        let reader = open(&path, Purpose::Read, 1024).unwrap();
        assert!(reader.execute_batch("INSERT INTO t VALUES (1)").is_err());
        assert!(open(&directory.path().join("b.db"), Purpose::Read, 1024).is_err());
    }

    #[test]
    fn a_setting_that_does_not_take_is_an_error() {
        let memory = Connection::open_in_memory().unwrap();
        let refused = set(&memory, "journal_mode", "wal");
        assert!(matches!(refused, Err(OpenError::Setting { found, .. }) if found == "memory"));
    }
}
