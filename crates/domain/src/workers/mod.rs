//! Work beside the requests: what follows from the log, and what takes longer than a request may.
//!
//! A *tailer* reads the log by position, with a durable cursor, and says which jobs follow from what happened. A
//! *handler* does jobs of one kind, a bounded turn at a time. Jobs stand in the outbox ([`crate::ports::Outbox`]): they
//! are claimed with a lease, tried again with growing pauses, and buried as dead letters after
//! [`WorkerConfig::max_attempts`] tries; a job that fails, hangs, panics or kills its process costs its own turns and
//! holds up no other. Every node may run workers; claims are exclusive over all of them.
//!
//! To add work: a [`Tailer`] or whoever enqueues, and a [`Handler`], in the lists of [`Workers::start`].

mod config;
mod hints;
mod metrics;
mod runtime;
mod sweep;

use async_trait::async_trait;
use loquat_proto::Timestamp;

use crate::Refusal;
use crate::ports::{ClaimedJob, NewJob, StoreError, TailMark};

pub use config::WorkerConfig;
pub use hints::Hints;
pub use metrics::WorkerMetrics;
pub use runtime::{WorkerDeps, Workers};

/// What follows from the log.
#[async_trait]
trait Tailer: Send + Sync {
    /// Names the cursor.
    fn name(&self) -> &'static str;

    /// The jobs that follow from these events. They may come again after a crash.
    async fn jobs(&self, marks: &[TailMark], now: Timestamp) -> Result<Vec<NewJob>, StoreError>;
}

/// Does the jobs of one kind.
#[async_trait]
trait Handler: Send + Sync {
    /// Which kind.
    fn kind(&self) -> &'static str;

    /// Does a turn of the job, which takes much less time than a lease. It may come again although it was done: after a
    /// crash, or when it took longer than its lease.
    async fn turn(&self, job: &ClaimedJob) -> Result<Turn, JobError>;
}

/// What a turn of a job came to.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Turn {
    /// There is nothing left to do.
    Done,
    /// There is more, at this time.
    Again(Timestamp),
}

/// Why a turn failed. The text is stored and shown to operators: no content, no secrets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum JobError {
    /// Storage does not answer.
    #[error("storage: {0}")]
    Storage(#[from] StoreError),
    /// The rest of the service does not.
    #[error("{0}")]
    Refused(#[from] Refusal),
    /// It cannot be understood.
    #[error("{0}")]
    Malformed(&'static str),
}
