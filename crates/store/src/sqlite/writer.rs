//! The one thread that writes.
//!
//! It owns the write connection. Jobs wait in a bounded queue; the thread takes all that waits (up to a bound), runs
//! them in one transaction and answers them after the commit: *group commit*, one sync of the disk for everybody.
//!
//! - A job runs in its own savepoint, so that its failure costs no neighbour; only appends do without
//!   ([`Isolation::Direct`]): they refuse before they write.
//! - An error of the world (disk full, a failed write) rolls the batch back: every job of it is answered
//!   [`StoreError::Unavailable`], and the thread goes on.
//! - A failed sync ends the process without an answer: see [`is_sync_failure`].
//! - What is too long for one transaction goes on in slices, one in a batch ([`Slices`]).

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;

use loquat_domain::failpoint;
use loquat_domain::ports::StoreError;
use tokio::sync::oneshot;

use super::checkpoint::Checkpoints;
use super::error::is_sync_failure;
use super::options::FatalHandler;
use crate::queue::{Queue, Refused};
use crate::sql::context::{Slices, WriteContext};
use crate::sql::driver::Connection;
use crate::sql::error::{Outcome, SqlError, breaks_transaction, store_error};
use crate::sql::nonces::NonceIndex;
use crate::sql::positions::Positions;

/// So much work goes into one transaction, counted in events or the like.
const MAX_WEIGHT: usize = 8192;

/// Whether a job's failure can be undone alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Isolation {
    /// The job runs in a savepoint.
    Savepoint,
    /// The job refuses before it writes, or not at all; an error in it undoes the batch.
    Direct,
}

/// Told whether what it waits for was committed.
type Answer = Box<dyn FnOnce(Result<(), StoreError>) + Send>;
type Job = Box<dyn FnOnce(&mut WriteContext<'_>) -> JobEnd + Send>;

enum JobEnd {
    /// To be answered after the commit.
    Answer(Answer),
    /// There is more to do, in a later transaction.
    Continue(Job),
    /// The transaction is to be rolled back.
    Broken(SqlError, Answer),
}

struct Queued {
    weight: usize,
    job: Job,
}

/// The part of a [`SqliteStore`](super::SqliteStore) that hands work to the writer.
pub(super) struct Writer {
    queue: Arc<Queue<Queued>>,
    committed_pos: Arc<AtomicU64>,
    commits: Arc<AtomicU64>,
}

impl Writer {
    /// One that takes no work, as of this position.
    pub(super) fn closed(last_pos: u64) -> Self {
        let queue = Arc::new(Queue::new(1));
        queue.close();
        Self { queue, committed_pos: Arc::new(AtomicU64::new(last_pos)), commits: Arc::default() }
    }

    /// The position of the newest committed change. What is read after asking has all changes up to it.
    pub(super) fn committed_pos(&self) -> u64 {
        self.committed_pos.load(Ordering::Acquire)
    }

    /// Calls that wait.
    pub(super) fn waiting(&self) -> usize {
        self.queue.waiting()
    }

    /// Transactions committed so far.
    pub(super) fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    /// Does the work in a transaction of the writer; it is durable when this returns `Ok`.
    pub(super) async fn call<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut WriteContext<'_>) -> Outcome<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.submit(Isolation::Savepoint, 1, work).await
    }

    /// The same with its isolation and weight.
    pub(super) async fn submit<T: Send + 'static>(
        &self,
        isolation: Isolation,
        weight: usize,
        work: impl FnOnce(&mut WriteContext<'_>) -> Outcome<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (sender, receiver) = oneshot::channel();
        let job = Box::new(move |context: &mut WriteContext<'_>| {
            // Whoever asked may have gone meanwhile: an answer that nobody takes is dropped.
            match isolated(context, isolation, work) {
                Ok(value) => JobEnd::Answer(Box::new(move |committed| {
                    let _ = sender.send(committed.map(|()| value));
                })),
                Err(failure) => failure.end(move |told| drop(sender.send(Err(told)))),
            }
        });
        self.push(weight, job)?;
        receiver.await.map_err(|_| given_up())?
    }

    /// Does the first part in a transaction, then the slices, one in a later transaction each, with other work in
    /// between; answers after the last. The first part leaves a row in `unfinished`, by which a start goes on.
    pub(super) async fn call_in_slices<T: Send + 'static>(
        &self,
        first: impl FnOnce(&mut WriteContext<'_>) -> Outcome<(T, Slices)> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (sender, receiver) = oneshot::channel();
        let job = Box::new(move |context: &mut WriteContext<'_>| {
            match isolated(context, Isolation::Savepoint, first) {
                Ok((value, slices)) => {
                    let answer = move |done: Result<(), StoreError>| drop(sender.send(done.map(|()| value)));
                    JobEnd::Continue(slice_job(slices, Box::new(answer)))
                }
                Err(failure) => failure.end(move |told| drop(sender.send(Err(told)))),
            }
        });
        self.push(1, job)?;
        receiver.await.map_err(|_| given_up())?
    }

    fn push(&self, weight: usize, job: Job) -> Result<(), StoreError> {
        self.queue.push(Queued { weight, job }).map_err(|refused| match refused {
            Refused::Full => StoreError::Unavailable("the queue of writes is full".into()),
            Refused::Closed => stopped(),
        })
    }

    /// Takes no more work; what waits is still done.
    pub(super) fn close(&self) {
        self.queue.close();
    }
}

fn stopped() -> StoreError {
    StoreError::Unavailable("the store is closed".into())
}

fn given_up() -> StoreError {
    StoreError::Unavailable("the write was given up".into())
}

fn slice_job(mut slices: Slices, answer: Answer) -> Job {
    let slice = move |context: &mut WriteContext<'_>| {
        isolated(context, Isolation::Savepoint, |context| slices(context.connection))
            .map(|done| (done, slices))
    };
    Box::new(move |context| match slice(context) {
        Ok((true, _)) => JobEnd::Answer(answer),
        Ok((false, slices)) => JobEnd::Continue(slice_job(slices, answer)),
        Err(failure) => failure.end(move |told| answer(Err(told))),
    })
}

struct Failure {
    error: SqlError,
    /// Whether the transaction is lost with it.
    broken: bool,
}

impl Failure {
    fn end(self, tell: impl FnOnce(StoreError) + Send + 'static) -> JobEnd {
        let told = store_error(&self.error);
        let answer: Answer = Box::new(move |_| tell(told));
        if self.broken { JobEnd::Broken(self.error, answer) } else { JobEnd::Answer(answer) }
    }
}

fn isolated<T>(
    context: &mut WriteContext<'_>,
    isolation: Isolation,
    work: impl FnOnce(&mut WriteContext<'_>) -> Outcome<T>,
) -> Result<T, Failure> {
    let broken = |error| Failure { error, broken: true };
    if isolation == Isolation::Direct {
        return work(context).map_err(broken);
    }
    let run = |context: &WriteContext<'_>, sql| context.statement(sql)?.execute([]).map(drop);
    let (reserved, nonces) = (context.positions.reserved(), context.nonces.mark());
    run(context, "SAVEPOINT job").map_err(broken)?;
    match work(context) {
        Ok(value) => run(context, "RELEASE job").map(|()| value).map_err(broken),
        Err(error) if breaks_transaction(&error) || context.connection.is_autocommit() => Err(broken(error)),
        Err(error) => {
            context.positions.roll_back_to(reserved);
            context.nonces.roll_back_to(nonces);
            run(context, "ROLLBACK TO job").and_then(|()| run(context, "RELEASE job")).map_err(broken)?;
            Err(Failure { error, broken: false })
        }
    }
}

/// What the thread is made of.
pub(super) struct WriterParts {
    pub(super) connection: Connection,
    pub(super) positions: Positions,
    pub(super) nonces: NonceIndex,
    pub(super) checkpoints: Checkpoints,
    pub(super) fatal: FatalHandler,
}

/// Starts the thread.
pub(super) fn start(parts: WriterParts, capacity: usize) -> std::io::Result<(Writer, JoinHandle<()>)> {
    let queue = Arc::new(Queue::new(capacity));
    let committed_pos = Arc::new(AtomicU64::new(parts.positions.last()));
    let commits = Arc::new(AtomicU64::new(0));
    let thread = Thread {
        parts,
        queue: queue.clone(),
        committed_pos: committed_pos.clone(),
        commits: commits.clone(),
        unfinished: VecDeque::new(),
        answers: Vec::new(),
    };
    let handle = std::thread::Builder::new().name("store-writer".into()).spawn(move || thread.run())?;
    Ok((Writer { queue, committed_pos, commits }, handle))
}

struct Thread {
    parts: WriterParts,
    queue: Arc<Queue<Queued>>,
    committed_pos: Arc<AtomicU64>,
    commits: Arc<AtomicU64>,
    unfinished: VecDeque<Job>,
    answers: Vec<Answer>,
}

/// The thread cannot go on: a sync failed.
struct Stop;

impl Thread {
    fn run(mut self) {
        // A panic in a job is a defect that may have left anything half done in memory.
        let guard = PanicGuard { queue: self.queue.clone(), fatal: self.parts.fatal.clone() };
        let mut batch = Vec::new();
        loop {
            if self.unfinished.is_empty() {
                let Some(first) = self.queue.pop() else { break };
                batch.push(first);
            }
            let mut weight: usize = batch.iter().map(|queued| queued.weight).sum();
            self.queue.take_while(&mut batch, |next| {
                weight += next.weight;
                weight <= MAX_WEIGHT
            });
            if self.run_batch(&mut batch).is_err() {
                self.queue.abandon();
                drop(guard);
                return;
            }
        }
        self.finish();
        drop(guard);
    }

    fn run_batch(&mut self, batch: &mut Vec<Queued>) -> Result<(), Stop> {
        let result = self.try_batch(batch);
        batch.clear();
        let answer = match result {
            Ok(()) => {
                self.parts.positions.committed();
                self.parts.nonces.committed();
                self.committed_pos.store(self.parts.positions.last(), Ordering::Release);
                self.commits.fetch_add(1, Ordering::Relaxed);
                failpoint::pass("after_commit");
                Ok(())
            }
            Err(error) => Err(self.roll_back(&error)?),
        };
        for told in self.answers.drain(..) {
            told(answer.clone());
        }
        self.checkpoint()
    }

    fn try_batch(&mut self, batch: &mut Vec<Queued>) -> Outcome<()> {
        let slice = self.unfinished.pop_front();
        let parts = &mut self.parts;
        parts.connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        let mut context = WriteContext {
            connection: &parts.connection,
            positions: &mut parts.positions,
            nonces: &mut parts.nonces,
        };
        let mut broken = None;
        for job in batch.drain(..).map(|queued| queued.job).chain(slice) {
            match job(&mut context) {
                JobEnd::Answer(answer) => self.answers.push(answer),
                JobEnd::Continue(job) => self.unfinished.push_back(job),
                JobEnd::Broken(error, answer) => {
                    self.answers.push(answer);
                    broken = Some(error);
                    break;
                }
            }
        }
        if let Some(error) = broken {
            return Err(error);
        }
        let last_pos = context.positions.last();
        context.nonces.settle(context.connection, last_pos)?;
        failpoint::pass("before_commit");
        self.parts.connection.prepare_cached("COMMIT")?.execute([])?;
        Ok(())
    }

    /// Undoes the batch and says what its jobs are told.
    fn roll_back(&mut self, error: &SqlError) -> Result<StoreError, Stop> {
        if is_sync_failure(error) {
            return Err(self.stop(error));
        }
        tracing::error!(%error, "a batch of writes was rolled back");
        self.parts.positions.rolled_back();
        self.parts.nonces.rolled_back();
        // What these jobs would have gone on with was rolled back, or waits in `unfinished` for the next start.
        self.unfinished.clear();
        if !self.parts.connection.is_autocommit()
            && let Err(error) = self.parts.connection.execute_batch("ROLLBACK")
        {
            tracing::error!(%error, "a batch of writes could not be rolled back");
        }
        Ok(match store_error(error) {
            StoreError::Unavailable(text) | StoreError::Corrupt(text) => StoreError::Unavailable(text),
        })
    }

    /// Stops everything without an answer.
    fn stop(&mut self, error: &SqlError) -> Stop {
        (self.parts.fatal)(&format!("a sync of the store failed: {error}"));
        Stop
    }

    fn checkpoint(&mut self) -> Result<(), Stop> {
        let Some(connection) = self.parts.connection.sqlite() else { return Ok(()) };
        match self.parts.checkpoints.after_commit(connection) {
            Ok(()) => Ok(()),
            Err(error) if is_sync_failure(&error) => Err(self.stop(&error)),
            Err(error) => {
                tracing::warn!(%error, "the write-ahead log could not be moved into the database; it grows");
                Ok(())
            }
        }
    }

    /// Leaves the file as the next start likes it best: nothing to recover, nothing to index.
    fn finish(&mut self) {
        let parts = &mut self.parts;
        let mut settle = || -> Outcome<()> {
            parts.connection.execute_batch("BEGIN IMMEDIATE")?;
            parts.nonces.settle_all(&parts.connection, parts.positions.last())?;
            parts.connection.execute_batch("COMMIT")?;
            parts.connection.sqlite().map_or(Ok(()), super::checkpoint::truncate)
        };
        if let Err(error) = settle() {
            if is_sync_failure(&error) {
                self.stop(&error);
            } else {
                tracing::warn!(%error, "the store was not tidied at the end; the next start does it");
            }
        }
    }
}

/// Ends the process when the writer panics.
struct PanicGuard {
    queue: Arc<Queue<Queued>>,
    fatal: FatalHandler,
}

impl Drop for PanicGuard {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.queue.abandon();
            (self.fatal)("the store's writer panicked");
        }
    }
}

#[cfg(test)]
mod tests;
