//! The threads that read: each with a connection of its own, which cannot write. A read is one transaction, that is
//! one snapshot, and never waits for the writer.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use loquat_domain::ports::StoreError;
use tokio::sync::oneshot;

use super::error::OpenError;
use super::options::Options;
use super::pragmas::{self, Purpose};
use crate::queue::{Queue, Refused};
use crate::sql::driver::Connection;
use crate::sql::error::{Outcome, store_error};

type Job = Box<dyn FnOnce(&Connection) + Send>;

/// The part of a [`SqliteStore`](super::SqliteStore) that hands work to the readers.
pub(super) struct Readers {
    queue: Arc<Queue<Job>>,
}

impl Readers {
    /// Starts the threads.
    pub(super) fn start(path: &Path, options: &Options) -> Result<(Self, Vec<JoinHandle<()>>), OpenError> {
        let queue: Arc<Queue<Job>> = Arc::new(Queue::new(options.reader_queue));
        let mut handles = Vec::with_capacity(options.readers);
        for number in 0..options.readers.max(1) {
            let connection = Connection::from(pragmas::open(path, Purpose::Read, options.reader_cache_kib)?);
            let queue = queue.clone();
            let handle = std::thread::Builder::new()
                .name(format!("store-reader-{number}"))
                .spawn(move || {
                    while let Some(job) = queue.pop() {
                        // A panic is one reader's answer lost; its transaction was rolled back when it unwound.
                        if catch_unwind(AssertUnwindSafe(|| job(&connection))).is_err() {
                            tracing::error!("a read panicked");
                        }
                    }
                })
                .map_err(|source| OpenError::Io { path: path.to_owned(), source })?;
            handles.push(handle);
        }
        Ok((Self { queue }, handles))
    }

    /// Does the work in one snapshot.
    pub(super) async fn call<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Outcome<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (sender, receiver) = oneshot::channel();
        let job = Box::new(move |connection: &Connection| {
            // Nobody waits any more: a client that went away costs nothing.
            if sender.is_closed() {
                return;
            }
            let result = in_snapshot(connection, work).map_err(|error| store_error(&error));
            let _ = sender.send(result);
        });
        self.queue.push(job).map_err(|refused| match refused {
            Refused::Full => StoreError::Unavailable("the queue of reads is full".into()),
            Refused::Closed => StoreError::Unavailable("the store is closed".into()),
        })?;
        receiver.await.map_err(|_| StoreError::Unavailable("a read was not answered".into()))?
    }

    /// Calls that wait.
    pub(super) fn waiting(&self) -> usize {
        self.queue.waiting()
    }

    /// Takes no more work.
    pub(super) fn close(&self) {
        self.queue.close();
    }
}

fn in_snapshot<T>(connection: &Connection, work: impl FnOnce(&Connection) -> Outcome<T>) -> Outcome<T> {
    let transaction = Snapshot::begin(connection)?;
    let value = work(connection)?;
    drop(transaction);
    Ok(value)
}

/// A read transaction, ended when it is dropped.
struct Snapshot<'c>(&'c Connection);

impl<'c> Snapshot<'c> {
    fn begin(connection: &'c Connection) -> Outcome<Self> {
        connection.prepare_cached("BEGIN")?.execute([])?;
        Ok(Self(connection))
    }
}

impl Drop for Snapshot<'_> {
    fn drop(&mut self) {
        let ended = self.0.prepare_cached("COMMIT").and_then(|mut statement| statement.execute([]));
        if let Err(error) = ended {
            tracing::error!(%error, "a read transaction could not be ended");
        }
    }
}
