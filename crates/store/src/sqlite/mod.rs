//! The storage ports on embedded SQLite.
//!
//! One [writer](writer) thread with group commit, a few [readers](readers), a [checkpointer](checkpoint). The
//! statements are those of [`crate::sql`]; here is how a file is opened, served, looked at and copied.

mod backup;
mod checkpoint;
mod engine;
mod error;
mod examine;
mod observe;
mod options;
mod pragmas;
mod readers;
mod schema;
mod writer;

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use loquat_domain::ports::{Random, StoreError};

pub use backup::{Progress, backup, restore};
pub use error::OpenError;
pub use examine::{Examination, examine};
pub use observe::{begin_act, end_act, requeue_jobs};
pub use options::{FatalHandler, Options};

use checkpoint::CheckpointThread;
use pragmas::Purpose;
use readers::Readers;
use writer::{Writer, WriterParts};

use crate::sql::codec::Columns;
use crate::sql::context::WriteContext;
use crate::sql::driver::Connection;
use crate::sql::nonces::NonceIndex;
use crate::sql::positions::Positions;
use crate::sql::{Store, erase};

/// The embedded store: a cheap handle, to be cloned. It implements every storage port.
///
/// One process at a time serves a store. When the last handle is dropped, or at [`close`](Self::close), what waits is
/// written and the threads end.
pub type SqliteStore = Store<Sqlite>;

/// The engine of a [`SqliteStore`].
pub struct Sqlite {
    path: PathBuf,
    writer: Writer,
    readers: Readers,
    epoch: u64,
    threads: Mutex<Option<Threads>>,
}

/// What is so at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gauges {
    /// Calls that wait to be written.
    pub writes_waiting: usize,
    /// Calls that wait to be read.
    pub reads_waiting: usize,
    /// Transactions committed since the store was opened.
    pub commits: u64,
    /// Bytes of the database.
    pub database_bytes: u64,
    /// Bytes of the write-ahead log.
    pub log_bytes: u64,
}

struct Threads {
    readers: Vec<JoinHandle<()>>,
    /// What only the process that serves the store has.
    serving: Option<Serving>,
}

struct Serving {
    writer: JoinHandle<()>,
    checkpoint: CheckpointThread,
    /// Keeps other processes out.
    _lock: File,
}

impl SqliteStore {
    /// Opens the store in this file, which is created if it is not there, brings its schema up to date, finishes
    /// what was interrupted, and starts the threads. The directory must exist. Blocks for some milliseconds.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(path: &Path, options: &Options, random: &dyn Random) -> Result<Self, OpenError> {
        let lock = lock(path)?;
        create_private(path)?;
        let mut connection = pragmas::open(path, Purpose::Write, options.writer_cache_kib)
            .map_err(|error| not_a_store(error, path))?;
        schema::is_store(&connection, path)?;
        schema::migrate(&mut connection, random)?;
        if let Some(pages) = options.max_pages {
            connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))?;
        }
        sync_directory(path)?;
        let (checkpoints, checkpoint) = checkpoint::start(
            path.to_owned(),
            &mut connection,
            options.checkpoint_pages,
            options.fatal.clone(),
        )?;
        let connection = Connection::from(connection);
        let epoch = connection.query_row("SELECT epoch FROM store", [], |row| row.int(0))?;
        erase::resume(&connection)?;
        let positions = Positions::load(&connection)?;
        let nonces = NonceIndex::load(&connection, positions.last())?;
        let (readers, reader_threads) = Readers::start(path, options)?;
        let parts = WriterParts { connection, positions, nonces, checkpoints, fatal: options.fatal.clone() };
        let (writer, writer_thread) = writer::start(parts, options.writer_queue)
            .map_err(|source| OpenError::Io { path: path.to_owned(), source })?;
        let serving = Some(Serving { writer: writer_thread, checkpoint, _lock: lock });
        let threads = Threads { readers: reader_threads, serving };
        let inner =
            Sqlite { path: path.to_owned(), writer, readers, epoch, threads: Mutex::new(Some(threads)) };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Whether writes are made durable: makes one.
    ///
    /// # Errors
    /// They are not; the text says why.
    pub async fn check(&self) -> Result<(), StoreError> {
        let probe = |context: &mut WriteContext<'_>| {
            context.statement("UPDATE store SET probes = probes + 1")?.execute([]).map(drop)
        };
        self.inner.writer.call(probe).await
    }

    /// What is so at this moment, for metrics. Takes two short locks and asks the file system for two sizes.
    #[must_use]
    pub fn gauges(&self) -> Gauges {
        let size = |path: &Path| std::fs::metadata(path).map_or(0, |metadata| metadata.len());
        Gauges {
            writes_waiting: self.inner.writer.waiting(),
            reads_waiting: self.inner.readers.waiting(),
            commits: self.inner.writer.commits(),
            database_bytes: size(&self.inner.path),
            log_bytes: size(&beside(&self.inner.path, "-wal")),
        }
    }

    /// Takes no more calls, writes what waits, tidies the file and ends the threads. Blocks until that is done; the
    /// store can be opened again then. Calls after it are answered `Unavailable`.
    pub fn close(&self) {
        self.inner.close();
    }
}

impl Sqlite {
    fn close(&self) {
        self.writer.close();
        self.readers.close();
        let threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(threads) = threads else { return };
        // The readers first: the writer empties the log at its end, which no read may hold.
        for reader in threads.readers {
            if reader.join().is_err() {
                tracing::error!("a reader of the store panicked");
            }
        }
        let Some(serving) = threads.serving else { return };
        serving.checkpoint.end();
        if serving.writer.join().is_err() {
            tracing::error!("the writer of the store panicked");
        }
    }
}

impl Drop for Sqlite {
    fn drop(&mut self) {
        self.close();
    }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Takes the lock that says "this process serves the store". It stands on a file of its own, because closing any
/// descriptor of the database would drop SQLite's locks on it (POSIX advisory locks).
fn lock(path: &Path) -> Result<File, OpenError> {
    let name = beside(path, ".lock");
    let io = |source| OpenError::Io { path: name.clone(), source };
    let file = File::options().create(true).truncate(false).write(true).open(&name).map_err(io)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse(path.to_owned())),
        Err(TryLockError::Error(source)) => Err(io(source)),
    }
}

/// Makes an empty file that only its owner may read, unless there is a file; SQLite gives the files beside it the
/// same permissions.
fn create_private(path: &Path) -> Result<(), OpenError> {
    let mut options = File::options();
    options.create(true).truncate(false).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop).map_err(|source| OpenError::Io { path: path.to_owned(), source })
}

/// Makes the name of a new file durable.
fn sync_directory(path: &Path) -> Result<(), OpenError> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let io = |source| OpenError::Io { path: directory.to_owned(), source };
    File::open(directory).map_err(io)?.sync_all().map_err(io)
}

fn not_a_store(error: OpenError, path: &Path) -> OpenError {
    match error {
        OpenError::Sqlite(rusqlite::Error::SqliteFailure(failure, _))
            if failure.code == rusqlite::ErrorCode::NotADatabase =>
        {
            OpenError::NotAStore(path.to_owned())
        }
        other => other,
    }
}
