//! A store that another process may serve meanwhile, for whoever looks after it.
//!
//! Readers wait for nobody in WAL mode, so all reads work as ever. Of writes, those alone are offered that touch nothing
//! which the serving process keeps in memory: jobs are rows whose claims are compared and set in the database, and the record of operators' acts is
//! only ever added to.

use std::path::Path;
use std::sync::{Arc, Mutex};

use super::error::OpenError;
use super::pragmas::{self, Purpose};
use super::readers::Readers;
use super::writer::Writer;
use super::{Options, Sqlite, SqliteStore, Threads, not_a_store, schema};
use crate::sql::codec::Columns;
use crate::sql::driver::Connection;
use crate::sql::{audit, outbox};
use loquat_domain::ports::NewAct;
use loquat_proto::Timestamp;

/// Page cache of a connection that writes a few rows.
const CACHE_KIB: u32 = 256;

impl SqliteStore {
    /// Opens the store in this file to read it, whether or not another process serves it. Writes through the handle are
    /// answered `Unavailable`. Blocks for some milliseconds.
    ///
    /// # Errors
    /// [`OpenError::Missing`]: there is no such file. [`OpenError::Schema`]: it is of another version of Loquat.
    /// Others: see [`OpenError`].
    pub fn observe(path: &Path, options: &Options) -> Result<Self, OpenError> {
        let connection = open(path, Purpose::Read)?;
        let last_pos = connection.query_row("SELECT reserved_pos FROM store", [], |row| row.int(0))?;
        let epoch = connection.query_row("SELECT epoch FROM store", [], |row| row.int(0))?;
        let (readers, reader_threads) = Readers::start(path, options)?;
        let threads = Threads { readers: reader_threads, serving: None };
        let inner = Sqlite {
            path: path.to_owned(),
            writer: Writer::closed(last_pos),
            readers,
            epoch,
            threads: Mutex::new(Some(threads)),
        };
        Ok(Self { inner: Arc::new(inner) })
    }
}

/// Gives dead jobs all their tries again, from now on, in a store that another process may serve; returns those that
/// were dead. Blocks, for up to 10 s while the other process writes.
///
/// # Errors
/// As [`SqliteStore::observe`].
pub fn requeue_jobs(path: &Path, jobs: &[u64], now: Timestamp) -> Result<Vec<u64>, OpenError> {
    let connection = open(path, Purpose::Checkpoint)?;
    // One that is left open by an error is rolled back with its connection.
    connection.execute_batch("BEGIN IMMEDIATE")?;
    let mut requeued = Vec::new();
    for job in jobs {
        if outbox::requeue(&connection, *job, now)? {
            requeued.push(*job);
        }
    }
    connection.execute_batch("COMMIT")?;
    Ok(requeued)
}

/// Puts an act of an operator on record, before it is done, in a store that another process may serve; its number.
/// Blocks, as [`requeue_jobs`].
///
/// # Errors
/// As [`SqliteStore::observe`]: then the act must not be done.
pub fn begin_act(path: &Path, act: &NewAct) -> Result<u64, OpenError> {
    Ok(audit::begin(&open(path, Purpose::Checkpoint)?, act)?)
}

/// Puts on record how an act ended. Blocks, as [`requeue_jobs`].
///
/// # Errors
/// As [`SqliteStore::observe`].
pub fn end_act(path: &Path, act: u64, outcome: &str, now: Timestamp) -> Result<(), OpenError> {
    Ok(audit::end(&open(path, Purpose::Checkpoint)?, act, outcome, now)?)
}

fn open(path: &Path, purpose: Purpose) -> Result<Connection, OpenError> {
    if !path.exists() {
        return Err(OpenError::Missing(path.to_owned()));
    }
    let connection = pragmas::open(path, purpose, CACHE_KIB).map_err(|error| not_a_store(error, path))?;
    if !schema::is_store(&connection, path)? {
        return Err(OpenError::NotAStore(path.to_owned()));
    }
    schema::require_current(&connection)?;
    Ok(connection.into())
}
