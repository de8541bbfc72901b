//! The loop: tail, claim, do, settle.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::join_all;
use loquat_proto::{Timestamp, UserId};
use parking_lot::Mutex;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::sweep::{self, RetentionTailer, Sweep};
use super::{Handler, Hints, JobError, Tailer, Turn, WorkerConfig, WorkerMetrics};
use crate::failpoint;
use crate::lanes::Lanes;
use crate::ports::{
    Claim, ClaimedJob, Clock, Conversations, EventLog, Outbox, Random, Retentions, Settlement, StoreError,
};
use crate::receipts::CursorBook;
use crate::sync::FanoutGate;

/// Batches that a tailer reads before jobs get their turn.
const TAIL_ROUNDS: usize = 8;
/// Characters of a stored error.
const ERROR_CHARS: usize = 300;
/// How often the jobs are counted for metrics.
const COUNT_EVERY_MS: u64 = 15_000;
/// How long a stop waits for turns under way; who is late is taken over after the lease.
const STOP_LIMIT: Duration = Duration::from_secs(5);

/// What workers need.
pub struct WorkerDeps {
    /// The log, to tail it.
    pub log: Arc<dyn EventLog>,
    /// Where the log ends.
    pub conversations: Arc<dyn Conversations>,
    /// Cursors and jobs.
    pub outbox: Arc<dyn Outbox>,
    /// What has outlived its retention.
    pub retentions: Arc<dyn Retentions>,
    /// Cursors that wait to be saved: what is delivered is decided by those saved.
    pub book: Arc<CursorBook>,
    /// Tell sessions.
    pub lanes: Lanes,
    /// Keeps sync tokens behind what is told.
    pub gate: FanoutGate,
    /// From the lanes.
    pub hints: Arc<Hints>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Spreads retries.
    pub random: Arc<dyn Random>,
    /// Settings.
    pub config: WorkerConfig,
}

/// A cheap handle to the workers of this node.
#[derive(Clone)]
pub struct Workers {
    shared: Arc<Shared>,
}

struct Shared {
    deps: WorkerDeps,
    tailers: Vec<Box<dyn Tailer>>,
    handlers: Vec<Box<dyn Handler>>,
    metrics: WorkerMetrics,
    stopping: CancellationToken,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Workers {
    /// Makes the workers and, where this node runs any, starts them.
    #[must_use]
    pub fn start(deps: WorkerDeps) -> Self {
        let metrics = WorkerMetrics::default();
        let sweep = Sweep {
            retentions: deps.retentions.clone(),
            lanes: deps.lanes.clone(),
            gate: deps.gate.clone(),
            clock: deps.clock.clone(),
            metrics: metrics.clone(),
        };
        let enabled = deps.config.enabled;
        let shared = Shared {
            tailers: vec![Box::new(RetentionTailer { retentions: deps.retentions.clone() })],
            handlers: vec![Box::new(sweep)],
            deps,
            metrics,
            stopping: CancellationToken::new(),
            task: Mutex::default(),
        };
        let names: Vec<&'static str> = shared.tailers.iter().map(|tailer| tailer.name()).collect();
        shared.metrics.announce(&shared.kinds(), &names);
        let workers = Self { shared: Arc::new(shared) };
        if enabled {
            let task = tokio::spawn(workers.clone().keep_working());
            *workers.shared.task.lock() = Some(task);
        }
        workers
    }

    /// What they count.
    #[must_use]
    pub fn metrics(&self) -> &WorkerMetrics {
        &self.shared.metrics
    }

    /// Takes no more work and waits for turns under way, for 5 s at most.
    pub async fn stop(&self) {
        self.shared.stopping.cancel();
        let task = self.shared.task.lock().take();
        if let Some(mut task) = task
            && tokio::time::timeout(STOP_LIMIT, &mut task).await.is_err()
        {
            task.abort();
        }
    }

    /// Does everything that is due now, until there is nothing left; also where no worker runs by itself.
    ///
    /// # Errors
    /// Storage does not answer.
    pub async fn work_off(&self) -> Result<(), StoreError> {
        while self.shared.round().await? {}
        Ok(())
    }

    async fn keep_working(self) {
        let shared = &*self.shared;
        let mut counted = None;
        while !shared.stopping.is_cancelled() {
            let busy = match shared.round().await {
                Ok(busy) => busy,
                Err(error) => {
                    tracing::warn!(%error, "workers wait for storage");
                    false
                }
            };
            let now = shared.deps.clock.now();
            if counted.is_none_or(|at: Timestamp| now.abs_diff(at) >= COUNT_EVERY_MS) {
                counted = Some(now);
                shared.count().await;
            }
            if !busy {
                tokio::select! {
                    () = shared.stopping.cancelled() => {}
                    () = tokio::time::sleep(shared.deps.config.poll) => {}
                }
            }
        }
    }
}

impl Shared {
    /// Tails for a while, then does some jobs; whether there was anything to do.
    async fn round(&self) -> Result<bool, StoreError> {
        let mut busy = false;
        for tailer in &self.tailers {
            busy |= self.tail(&**tailer).await?;
        }
        self.take_hints().await?;
        if self.stopping.is_cancelled() {
            return Ok(false);
        }
        Ok(self.do_some().await? || busy)
    }

    /// Whether there is more.
    async fn tail(&self, tailer: &dyn Tailer) -> Result<bool, StoreError> {
        let (outbox, batch) = (&self.deps.outbox, self.deps.config.tail_batch.max(1));
        let mut from = outbox.cursor(tailer.name()).await?;
        for _ in 0..TAIL_ROUNDS {
            let marks = self.deps.log.tail_marks(from, batch).await?;
            let Some(last) = marks.last() else { return Ok(false) };
            let now = self.deps.clock.now();
            let jobs = tailer.jobs(&marks, now).await?;
            if !outbox.advance(tailer.name(), (from, last.pos), jobs, now).await? {
                // Another node is at it.
                return Ok(false);
            }
            from = last.pos;
            if marks.len() < batch {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn take_hints(&self) -> Result<(), StoreError> {
        let hinted = self.deps.hints.take();
        if hinted.is_empty() {
            return Ok(());
        }
        if let Err(refusal) = self.deps.book.settle().await {
            tracing::warn!(%refusal, "cursors wait to be saved");
        }
        let now = self.deps.clock.now();
        let jobs = hinted.into_iter().map(|conversation| sweep::job(conversation, now)).collect();
        self.deps.outbox.enqueue(jobs, now).await
    }

    /// Whether there were any.
    async fn do_some(&self) -> Result<bool, StoreError> {
        let config = &self.deps.config;
        let now = self.deps.clock.now();
        failpoint::pass("before_claim");
        let claim = Claim {
            kinds: self.kinds(),
            now,
            lease_until: now.saturating_add(config.lease_ms()),
            limit: config.concurrency.max(1),
            max_attempts: config.max_attempts.max(1),
        };
        let claimed = self.deps.outbox.claim(claim).await?;
        if claimed.is_empty() {
            return Ok(false);
        }
        failpoint::pass("after_claim");
        let settled = join_all(claimed.iter().map(|job| self.attend(job))).await;
        settled.into_iter().collect::<Result<Vec<()>, StoreError>>()?;
        Ok(true)
    }

    fn kinds(&self) -> Vec<&'static str> {
        self.handlers.iter().map(|handler| handler.kind()).collect()
    }

    async fn attend(&self, job: &ClaimedJob) -> Result<(), StoreError> {
        let outcome = self.attempt(job).await;
        let now = self.deps.clock.now();
        let (settlement, word) = match outcome {
            Ok(Turn::Done) => (Settlement::Done, "done"),
            Ok(Turn::Again(due_at)) => (Settlement::Again { due_at, payload: job.payload.clone() }, "again"),
            Err(error) => self.failed(job, &error, now),
        };
        failpoint::pass("before_settle");
        let ours = self.deps.outbox.settle(job.lease, settlement).await?;
        self.metrics.turn(&job.kind, if ours { word } else { "lost" });
        Ok(())
    }

    async fn attempt(&self, job: &ClaimedJob) -> Result<Turn, String> {
        let handler = self.handlers.iter().find(|handler| handler.kind() == job.kind);
        let handler = handler.ok_or("nobody handles this kind")?;
        let turn = AssertUnwindSafe(handler.turn(job)).catch_unwind();
        match tokio::time::timeout(self.deps.config.lease / 2, turn).await {
            Ok(Ok(outcome)) => outcome.map_err(|error: JobError| error.to_string()),
            Ok(Err(_)) => Err("the handler panicked".to_owned()),
            Err(_) => Err("the turn took too long".to_owned()),
        }
    }

    fn failed(&self, job: &ClaimedJob, error: &str, now: Timestamp) -> (Settlement, &'static str) {
        let error: String = error.chars().take(ERROR_CHARS).collect();
        tracing::warn!(kind = %job.kind, key = %job.key, attempt = job.attempt, %error, "a job failed");
        if job.attempt >= self.deps.config.max_attempts {
            tracing::error!(kind = %job.kind, key = %job.key, "a job is a dead letter now");
            return (Settlement::Bury { at: now, error }, "buried");
        }
        let pause = self.deps.config.pause_ms(job.attempt, self.deps.random.id());
        (Settlement::Retry { due_at: now.saturating_add(pause), error }, "failed")
    }

    /// Brings the gauges up to date.
    async fn count(&self) {
        if let Err(error) = self.try_count().await {
            tracing::warn!(%error, "jobs could not be counted");
        }
    }

    async fn try_count(&self) -> Result<(), StoreError> {
        let counts = self.deps.outbox.counts().await?;
        self.metrics.counts(&self.kinds(), &counts, self.deps.clock.now());
        let Some(nobody) = UserId::new(1) else { return Ok(()) };
        let end = self.deps.conversations.position(nobody).await?.pos;
        for tailer in &self.tailers {
            let at = self.deps.outbox.cursor(tailer.name()).await?;
            // Positions are given to more than events: without an event after the cursor, nothing lags.
            let behind = !self.deps.log.tail_marks(at, 1).await?.is_empty();
            self.metrics.lag(tailer.name(), if behind { end.saturating_sub(at) } else { 0 });
        }
        Ok(())
    }
}
