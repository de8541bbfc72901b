//! What can go wrong in SQLite, and what it means for whom.

use std::path::PathBuf;

use rusqlite::ffi;
use thiserror::Error;

use crate::sql::error::SqlError;

/// Why a store cannot be opened, copied or restored.
#[derive(Debug, Error)]
pub enum OpenError {
    /// Another process serves this store.
    #[error("{} is in use by another process", .0.display())]
    InUse(PathBuf),
    /// There is something already where a copy should go.
    #[error("{} exists already", .0.display())]
    Exists(PathBuf),
    /// There is no store.
    #[error("there is no store at {}", .0.display())]
    Missing(PathBuf),
    /// The file is an SQLite database of something else, or no database at all.
    #[error("{} is not a store of Loquat", .0.display())]
    NotAStore(PathBuf),
    /// SQLite's integrity check found damage.
    #[error("{} is damaged: {findings}", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What the check said, its first lines.
        findings: String,
    },
    /// A setting of the connection did not take.
    #[error("SQLite refuses {setting}: it is {found}")]
    Setting {
        /// The pragma and its wanted value.
        setting: String,
        /// Its value.
        found: String,
    },
    /// The file was written by a newer version, or its migrations were tampered with.
    #[error("the schema does not fit this version: {0}")]
    Schema(String),
    /// The file system refuses.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// SQLite refuses.
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    /// What is stored cannot be read.
    #[error("{0}")]
    Unreadable(String),
}

impl From<SqlError> for OpenError {
    fn from(error: SqlError) -> Self {
        match error {
            SqlError::Sqlite(error) => Self::Sqlite(error),
            other => Self::Unreadable(other.to_string()),
        }
    }
}

/// Whether a sync of a file failed: the kernel may have dropped what was dirty and a second sync that succeeds
/// proves nothing (Rebello et al., "Can Applications Recover from fsync Failures?", USENIX ATC 2020). Nothing may be
/// acknowledged after it; the process stops and recovers from what the disk holds.
pub(super) fn is_sync_failure(error: &SqlError) -> bool {
    extended_code(error).is_some_and(is_sync_failure_code)
}

const fn is_sync_failure_code(code: i32) -> bool {
    matches!(code, ffi::SQLITE_IOERR_FSYNC | ffi::SQLITE_IOERR_DIR_FSYNC | ffi::SQLITE_IOERR_COMMIT_ATOMIC)
}

const fn extended_code(error: &SqlError) -> Option<i32> {
    match error {
        SqlError::Sqlite(rusqlite::Error::SqliteFailure(failure, _)) => Some(failure.extended_code),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use loquat_domain::ports::StoreError;

    use super::*;
    use crate::sql::error::{breaks_transaction, corrupt, store_error};

    fn failure(code: i32) -> SqlError {
        rusqlite::Error::SqliteFailure(ffi::Error::new(code), None).into()
    }

    #[test]
    fn failures_are_told_apart() {
        // (code, a failed sync, breaks the transaction, corrupt)
        for (code, sync, breaks, is_corrupt) in [
            (ffi::SQLITE_IOERR_FSYNC, true, true, false),
            (ffi::SQLITE_IOERR_DIR_FSYNC, true, true, false),
            (ffi::SQLITE_IOERR_WRITE, false, true, false),
            (ffi::SQLITE_FULL, false, true, false),
            (ffi::SQLITE_BUSY, false, true, false),
            (ffi::SQLITE_NOMEM, false, true, false),
            (ffi::SQLITE_CORRUPT, false, true, true),
            (ffi::SQLITE_CONSTRAINT_UNIQUE, false, false, true),
        ] {
            let error = failure(code);
            assert_eq!(is_sync_failure(&error), sync, "{error}");
            assert_eq!(breaks_transaction(&error), breaks, "{error}");
            assert_eq!(matches!(store_error(&error), StoreError::Corrupt(_)), is_corrupt, "{error}");
        }
        assert_eq!(store_error(&corrupt("no such role")), StoreError::Corrupt("no such role".into()));
    }
}
