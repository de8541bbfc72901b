//! The storage ports on PostgreSQL, which many nodes may share.
//!
//! The statements are those of [`crate::sql`]. Here is how a server is [reached](session), by [threads](pool) with a
//! connection each; how [transactions](engine) are made and done again; and the hot paths, by arrays and sent
//! without waiting in between: [appends](append), [cursors](cursors).
//!
//! What keeps many writers apart, in one place:
//!
//! - Every append locks its conversation's row of `heads` and compares head and version: `seq` is given under that
//!   lock, on the primary. Whoever else decides by the state of a conversation takes the same lock first.
//! - An account log's position is given under the lock of its row of `account_heads`.
//! - Positions are numbers of transactions, and settled up to the oldest that is on its way
//!   ([`positions`](crate::sql::positions)): the order of a sequence would not be the order of commits.

mod append;
mod cursors;
mod engine;
mod error;
mod options;
mod pool;
mod round;
mod schema;
pub(crate) mod session;
mod tls;

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use loquat_domain::ports::{Random, StoreError};

pub use error::ConnectError;
pub use options::PostgresOptions;

use append::Appenders;
use options::Target;
use pool::Pool;
use schema::Identity;
use session::Session;

use crate::sql::context::WriteContext;
use crate::sql::driver::Connection;
use crate::sql::{Engine as _, Scope, Store, erase};

/// A store on PostgreSQL: a cheap handle, to be cloned. It implements every storage port.
///
/// Any number of processes may serve one database. When the last handle is dropped, or at
/// [`close`](Self::close), what waits is done and the threads end.
pub type PostgresStore = Store<Postgres>;

/// The engine of a [`PostgresStore`].
pub struct Postgres {
    epoch: u64,
    nonce_secret: [u8; 16],
    readers: Pool,
    writers: Pool,
    appenders: Appenders,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// What is so at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PostgresGauges {
    /// Calls that wait to be written or appended.
    pub writes_waiting: usize,
    /// Calls that wait to be read.
    pub reads_waiting: usize,
    /// Transactions of appends that were committed since the store was opened.
    pub append_commits: u64,
    /// Appends that found another head or version than they expected.
    pub conflicts: u64,
}

impl PostgresStore {
    /// Opens the store in this database, given by its URL; brings its schema up to date, finishes what was interrupted,
    /// and starts the threads. Blocks for as long as the server takes.
    ///
    /// # Errors
    /// See [`ConnectError`].
    pub fn open(url: &str, options: &PostgresOptions, random: &dyn Random) -> Result<Self, ConnectError> {
        let target = Arc::new(Target::new(url, options)?);
        // On a thread of its own: the caller's may be one that must not block on another runtime.
        let prepare = || prepare(&target, options, random);
        let identity = std::thread::scope(|scope| scope.spawn(prepare).join())
            .map_err(|_| ConnectError::Server("the opening of the store panicked".into()))??;
        let mut threads = Vec::new();
        let mut start = |name, size| -> Result<Pool, ConnectError> {
            let (pool, handles) = Pool::start(name, &target, size).map_err(ConnectError::Thread)?;
            threads.extend(handles);
            Ok(pool)
        };
        let readers = start("reader", (options.readers, options.reader_queue))?;
        let writers = start("writer", (options.writers, options.writer_queue))?;
        let (appenders, handles) =
            Appenders::start(&target, identity.nonce_secret, (options.appenders, options.append_queue))
                .map_err(ConnectError::Thread)?;
        threads.extend(handles);
        let engine = Postgres {
            epoch: identity.epoch,
            nonce_secret: identity.nonce_secret,
            readers,
            writers,
            appenders,
            threads: Mutex::new(threads),
        };
        Ok(Self { inner: Arc::new(engine) })
    }

    /// Whether writes are made durable: makes one.
    ///
    /// # Errors
    /// They are not; the text says why.
    pub async fn check(&self) -> Result<(), StoreError> {
        let probe = |context: &mut WriteContext<'_>| {
            context.statement("UPDATE store SET probes = probes + 1")?.execute([]).map(drop)
        };
        self.inner.write(Scope::Rows, 1, probe).await
    }

    /// What is so at this moment, for metrics.
    #[must_use]
    pub fn gauges(&self) -> PostgresGauges {
        PostgresGauges {
            writes_waiting: self.inner.writers.waiting() + self.inner.appenders.waiting(),
            reads_waiting: self.inner.readers.waiting(),
            append_commits: self.inner.appenders.commits(),
            conflicts: self.inner.appenders.conflicts(),
        }
    }

    /// Takes no more calls, does what waits and ends the threads. Blocks until that is done. Calls after it are
    /// answered `Unavailable`.
    pub fn close(&self) {
        self.inner.close();
    }
}

/// Whether a text can be the URL of a database.
///
/// # Errors
/// [`ConnectError::Url`]: it cannot.
pub fn check_url(url: &str) -> Result<(), ConnectError> {
    Target::new(url, &PostgresOptions::default()).map(drop)
}

/// Checks the server, brings the schema up to date, and finishes what was interrupted.
fn prepare(
    target: &Target,
    options: &PostgresOptions,
    random: &dyn Random,
) -> Result<Identity, ConnectError> {
    let mut session = Session::connect(target)?;
    schema::check_server(&session, options.require_standby)?;
    let identity = schema::migrate(&mut session, random)?;
    erase::resume(&Connection::Postgres(Box::new(session)))?;
    Ok(identity)
}

impl Postgres {
    fn close(&self) {
        self.readers.close();
        self.writers.close();
        self.appenders.close();
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            if thread.join().is_err() {
                tracing::error!("a thread of the store panicked");
            }
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.close();
    }
}
