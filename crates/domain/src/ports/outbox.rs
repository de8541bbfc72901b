//! Durable work: cursors of workers that tail the log, and jobs that are claimed, retried and buried.

use async_trait::async_trait;
use loquat_proto::Timestamp;

use super::StoreError;

/// Work to be done later, once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewJob {
    /// What sort: who handles it.
    pub kind: &'static str,
    /// What it is about: there is at most one job of a kind and key.
    pub key: String,
    /// What the handler keeps between its turns; JSON or empty.
    pub payload: String,
    /// When it is due.
    pub due_at: Timestamp,
}

/// How a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum JobState {
    /// It is, or will be, due.
    Waiting,
    /// A worker has claimed it; if its lease expires, the next one may.
    Running,
    /// It failed too often and is not tried again until somebody requeues it: a dead letter.
    Dead,
}

impl JobState {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::Waiting, Self::Running, Self::Dead];

    /// As it is written in metrics and by commands.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Dead => "dead",
        }
    }
}

/// A job as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobRecord {
    /// Its number, ascending with creation.
    pub id: u64,
    /// What sort.
    pub kind: String,
    /// What it is about.
    pub key: String,
    /// What the handler keeps.
    pub payload: String,
    /// How it stands.
    pub state: JobState,
    /// When it may be claimed: waiting, its time; running, the end of its lease; dead, when it died.
    pub due_at: Timestamp,
    /// Tries that were begun since it last succeeded.
    pub attempts: u32,
    /// Why the last try failed.
    pub error: Option<String>,
    /// When it was first enqueued.
    pub created_at: Timestamp,
}

/// Which jobs a worker takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The kinds that it handles: others are left to who knows them.
    pub kinds: Vec<&'static str>,
    /// Now.
    pub now: Timestamp,
    /// Until when they are the worker's alone.
    pub lease_until: Timestamp,
    /// At most so many.
    pub limit: usize,
    /// Tries that a job has: one that was begun so often and whose lease expired is buried, not given out again. A
    /// job that takes its worker with it must not go on for ever.
    pub max_attempts: u32,
}

/// The right to settle a claimed job, good until somebody else claims it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Lease {
    /// The job.
    pub job: u64,
    /// Which claim of it: ascending, so that who lost it to another is told apart.
    pub claim: u64,
}

/// A job that the caller has to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimedJob {
    /// What sort.
    pub kind: String,
    /// What it is about.
    pub key: String,
    /// What the handler keeps.
    pub payload: String,
    /// Which try this is, from 1.
    pub attempt: u32,
    /// With which it is settled.
    pub lease: Lease,
}

/// What became of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settlement {
    /// Done: it goes, unless it was enqueued again meanwhile; then it waits for that time.
    Done,
    /// This turn is done, another is needed; tries count anew.
    Again {
        /// When; earlier, if it was enqueued for an earlier time meanwhile.
        due_at: Timestamp,
        /// What the handler keeps from now on.
        payload: String,
    },
    /// Failed, to be tried again.
    Retry {
        /// When.
        due_at: Timestamp,
        /// Why it failed: no content, no secrets.
        error: String,
    },
    /// Failed for good.
    Bury {
        /// When.
        at: Timestamp,
        /// Why: no content, no secrets.
        error: String,
    },
}

/// How many jobs there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobCount {
    /// Of this kind.
    pub kind: String,
    /// In this state.
    pub state: JobState,
    /// So many.
    pub count: u64,
    /// The earliest of their [`JobRecord::due_at`].
    pub earliest: Timestamp,
}

/// Which jobs are listed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobQuery {
    /// In this state only.
    pub state: Option<JobState>,
    /// Of this kind only.
    pub kind: Option<String>,
    /// Above this id.
    pub after: u64,
    /// At most so many.
    pub limit: usize,
}

/// Durable cursors and jobs.
///
/// Claiming is exclusive over all nodes: of two that claim at once, each job goes to one (on one writer by its order;
/// where there are many, by `FOR UPDATE SKIP LOCKED`, so that nobody waits for another's claim). A lease is a time by
/// the callers' clocks: it bounds how long a dead worker keeps a job, and never makes two workers' effects safe by
/// itself. So handlers are idempotent, and settling needs the newest [`Lease`].
#[async_trait]
pub trait Outbox: Send + Sync {
    /// How far this worker has tailed the log; 0 at first.
    async fn cursor(&self, worker: &str) -> Result<u64, StoreError>;

    /// Moves a worker's cursor from where it is believed to be, and enqueues what was found on the way, both or
    /// neither. `false`: another has moved it meanwhile, nothing was done.
    async fn advance(
        &self,
        worker: &str,
        (from, to): (u64, u64),
        jobs: Vec<NewJob>,
        now: Timestamp,
    ) -> Result<bool, StoreError>;

    /// Enqueues. Where the same job waits already, it keeps its payload and takes the earlier time, but for one that
    /// waits after a failure, which keeps its time; where it runs, it will wait for that time afterwards; where it is
    /// dead, it stays dead.
    async fn enqueue(&self, jobs: Vec<NewJob>, now: Timestamp) -> Result<(), StoreError>;

    /// Takes due jobs, longest due first: waiting ones whose time has come, and running ones whose lease is over.
    async fn claim(&self, claim: Claim) -> Result<Vec<ClaimedJob>, StoreError>;

    /// Says what became of a claimed job. `false`: the lease is not the newest any more, nothing was done.
    async fn settle(&self, lease: Lease, settlement: Settlement) -> Result<bool, StoreError>;

    /// How many jobs there are, by kind and state; those of which there are none are left out.
    async fn counts(&self) -> Result<Vec<JobCount>, StoreError>;

    /// Jobs by id, ascending.
    async fn jobs(&self, query: JobQuery) -> Result<Vec<JobRecord>, StoreError>;

    /// Gives a dead job all its tries again, from now on. `false`: there is no such job, or it is not dead.
    async fn requeue(&self, job: u64, now: Timestamp) -> Result<bool, StoreError>;
}
