//! Why there is no store on a server.

use thiserror::Error;

use crate::sql::error::SqlError;

/// Why a store on PostgreSQL cannot be opened.
#[derive(Debug, Error)]
pub enum ConnectError {
    /// The URL is none. The text says what is wrong and does not quote it.
    #[error("the URL of the database is wrong: {0}")]
    Url(String),
    /// The server cannot be reached, or refuses.
    #[error("PostgreSQL: {0}")]
    Server(String),
    /// The server or the database is set up so that the service would not keep its promises. The text says what to do.
    #[error("{0}")]
    Unfit(String),
    /// The database was written by a newer version, or holds something else.
    #[error("the schema does not fit this version: {0}")]
    Schema(String),
    /// A thread cannot be started.
    #[error("a thread cannot be started: {0}")]
    Thread(std::io::Error),
}

impl From<SqlError> for ConnectError {
    fn from(error: SqlError) -> Self {
        Self::Server(error.to_string())
    }
}
