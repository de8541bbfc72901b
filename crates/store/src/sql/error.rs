//! What can go wrong in a transaction, and what it means for whom.

use loquat_domain::ports::StoreError;
use rusqlite::{ErrorCode, ffi};
use thiserror::Error;

/// What a piece of work in a transaction comes to.
pub type Outcome<T> = Result<T, SqlError>;

/// Why it failed.
#[derive(Debug, Error)]
pub enum SqlError {
    /// SQLite refuses.
    #[error(transparent)]
    Sqlite(rusqlite::Error),
    /// PostgreSQL refuses, or cannot be reached.
    #[error("{}", postgres_text(.0))]
    Postgres(#[from] tokio_postgres::Error),
    /// The server did not answer in time, or not at all.
    #[error("{0}")]
    Unreachable(String),
    /// What is stored cannot have been written by this software.
    #[error("{0}")]
    Corrupt(String),
    /// There is no row where one was asked for.
    #[error("there is no such row")]
    NoRow,
}

impl From<rusqlite::Error> for SqlError {
    fn from(error: rusqlite::Error) -> Self {
        match error {
            rusqlite::Error::QueryReturnedNoRows => Self::NoRow,
            other => Self::Sqlite(other),
        }
    }
}

/// The message without its detail: a detail quotes values of rows.
fn postgres_text(error: &tokio_postgres::Error) -> String {
    error.as_db_error().map_or_else(
        || error.to_string(),
        |answer| format!("{} ({})", answer.message(), answer.code().code()),
    )
}

/// A stored value that this software cannot have written.
pub(crate) fn corrupt(what: impl Into<String>) -> SqlError {
    SqlError::Corrupt(what.into())
}

/// Whether the whole transaction cannot be trusted after this error: it came from the world, not from one job.
pub(crate) fn breaks_transaction(error: &SqlError) -> bool {
    match error {
        SqlError::Corrupt(_) | SqlError::NoRow => false,
        SqlError::Sqlite(error) => !matches!(
            error,
            rusqlite::Error::IntegralValueOutOfRange(..)
                | rusqlite::Error::InvalidColumnType(..)
                | rusqlite::Error::FromSqlConversionFailure(..)
                | rusqlite::Error::SqliteFailure(ffi::Error { code: ErrorCode::ConstraintViolation, .. }, _)
        ),
        SqlError::Postgres(_) | SqlError::Unreachable(_) => true,
    }
}

/// Whether a row holds what this software cannot have written, while the storage itself can be read.
pub(crate) const fn is_unreadable(error: &SqlError) -> bool {
    match error {
        SqlError::Corrupt(_) => true,
        SqlError::Sqlite(error) => matches!(
            error,
            rusqlite::Error::FromSqlConversionFailure(..)
                | rusqlite::Error::IntegralValueOutOfRange(..)
                | rusqlite::Error::InvalidColumnType(..)
        ),
        SqlError::Postgres(_) | SqlError::Unreachable(_) | SqlError::NoRow => false,
    }
}

/// The same in the words of the ports.
pub(crate) fn store_error(error: &SqlError) -> StoreError {
    use tokio_postgres::error::SqlState;
    let text = error.to_string();
    match error {
        SqlError::Corrupt(_) | SqlError::NoRow => StoreError::Corrupt(text),
        SqlError::Unreachable(_) => StoreError::Unavailable(text),
        SqlError::Sqlite(
            rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::IntegralValueOutOfRange(..)
            | rusqlite::Error::InvalidColumnType(..),
        ) => StoreError::Corrupt(text),
        SqlError::Sqlite(rusqlite::Error::SqliteFailure(failure, _)) => match failure.code {
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::ConstraintViolation => {
                StoreError::Corrupt(text)
            }
            _ => StoreError::Unavailable(text),
        },
        SqlError::Sqlite(_) => StoreError::Unavailable(text),
        SqlError::Postgres(error) => match error.code() {
            // Classes 22 (data), 23 (integrity), 42 (the statement itself), XX (damage).
            Some(code)
                if ["22", "23", "42", "XX"].contains(&code.code().get(..2).unwrap_or_default())
                    && *code != SqlState::INSUFFICIENT_PRIVILEGE =>
            {
                StoreError::Corrupt(text)
            }
            _ => StoreError::Unavailable(text),
        },
    }
}
