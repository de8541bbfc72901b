//! The one error of all storage ports.

use thiserror::Error;

/// Why storage could not do it. Nothing was changed, unless the call says otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum StoreError {
    /// Not now: the disk is full, the queue of writes is full, the database is away. Retry later.
    #[error("storage is not available: {0}")]
    Unavailable(String),
    /// What is stored breaks an invariant of this software. Retrying does not help.
    #[error("storage is corrupt: {0}")]
    Corrupt(String),
}
