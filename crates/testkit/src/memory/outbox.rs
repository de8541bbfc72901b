//! [`Outbox`].

use async_trait::async_trait;
use loquat_domain::ports::{
    Claim, ClaimedJob, JobCount, JobQuery, JobRecord, JobState, Lease, NewJob, Outbox, Settlement, StoreError,
};
use loquat_proto::Timestamp;

use super::MemoryStore;
use super::state::{JobRow, State};

#[async_trait]
impl Outbox for MemoryStore {
    async fn cursor(&self, worker: &str) -> Result<u64, StoreError> {
        self.read(|state| state.worker_cursors.get(worker).copied().unwrap_or(0)).await
    }

    async fn advance(
        &self,
        worker: &str,
        (from, to): (u64, u64),
        jobs: Vec<NewJob>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.write(|state| {
            let cursor = state.worker_cursors.entry(worker.to_owned()).or_default();
            if *cursor != from {
                return false;
            }
            *cursor = to;
            jobs.into_iter().for_each(|job| enqueue(state, job, now));
            true
        })
        .await
    }

    async fn enqueue(&self, jobs: Vec<NewJob>, now: Timestamp) -> Result<(), StoreError> {
        if jobs.is_empty() {
            return Ok(());
        }
        self.write(|state| jobs.into_iter().for_each(|job| enqueue(state, job, now))).await
    }

    async fn claim(&self, claim: Claim) -> Result<Vec<ClaimedJob>, StoreError> {
        let is_due = |row: &JobRow| {
            let job = &row.job;
            job.state != JobState::Dead && job.due_at <= claim.now && claim.kinds.contains(&job.kind.as_str())
        };
        if !self.read(|state| state.jobs.values().any(is_due)).await? {
            return Ok(Vec::new());
        }
        self.write(|state| {
            let due = state.jobs.values_mut().filter(|row| is_due(row));
            let (spent, mut due): (Vec<_>, Vec<_>) = due.partition(|row| {
                row.job.state == JobState::Running && row.job.attempts >= claim.max_attempts
            });
            for row in spent {
                row.bury(claim.now, "no worker survived it".to_owned());
            }
            due.sort_by_key(|row| (row.job.due_at, row.job.id));
            due.into_iter().take(claim.limit).map(|row| row.claim(claim.lease_until)).collect()
        })
        .await
    }

    async fn settle(&self, lease: Lease, settlement: Settlement) -> Result<bool, StoreError> {
        self.write(|state| settle(state, lease, settlement)).await
    }

    async fn counts(&self) -> Result<Vec<JobCount>, StoreError> {
        self.read(|state| {
            let mut counts: Vec<JobCount> = Vec::new();
            for JobRow { job, .. } in state.jobs.values() {
                let same = |count: &&mut JobCount| count.kind == job.kind && count.state == job.state;
                match counts.iter_mut().find(same) {
                    Some(count) => {
                        count.count += 1;
                        count.earliest = count.earliest.min(job.due_at);
                    }
                    None => {
                        let (kind, state, earliest) = (job.kind.clone(), job.state, job.due_at);
                        counts.push(JobCount { kind, state, count: 1, earliest });
                    }
                }
            }
            counts.sort_by(|one, other| (&one.kind, one.state).cmp(&(&other.kind, other.state)));
            counts
        })
        .await
    }

    async fn jobs(&self, query: JobQuery) -> Result<Vec<JobRecord>, StoreError> {
        self.read(|state| {
            let jobs = state.jobs.values().map(|row| &row.job);
            let wanted = jobs.filter(|job| {
                job.id > query.after
                    && query.state.is_none_or(|state| state == job.state)
                    && query.kind.as_ref().is_none_or(|kind| *kind == job.kind)
            });
            wanted.take(query.limit).cloned().collect()
        })
        .await
    }

    async fn requeue(&self, job: u64, now: Timestamp) -> Result<bool, StoreError> {
        self.write(|state| {
            let dead = state.jobs.get_mut(&job).filter(|row| row.job.state == JobState::Dead);
            let Some(row) = dead else { return false };
            (row.job.state, row.job.due_at, row.job.attempts) = (JobState::Waiting, now, 0);
            true
        })
        .await
    }
}

fn enqueue(state: &mut State, new: NewJob, now: Timestamp) {
    let known = state.jobs.values_mut().find(|row| row.job.kind == new.kind && row.job.key == new.key);
    let Some(row) = known else {
        state.last_job += 1;
        let job = JobRecord {
            id: state.last_job,
            kind: new.kind.to_owned(),
            key: new.key,
            payload: new.payload,
            state: JobState::Waiting,
            due_at: new.due_at,
            attempts: 0,
            error: None,
            created_at: now,
        };
        state.jobs.insert(job.id, JobRow { job, claims: 0, again_at: None });
        return;
    };
    match row.job.state {
        JobState::Waiting if row.job.attempts == 0 => row.job.due_at = row.job.due_at.min(new.due_at),
        JobState::Running => {
            row.again_at = Some(row.again_at.map_or(new.due_at, |again_at| again_at.min(new.due_at)));
        }
        JobState::Waiting | JobState::Dead => {}
    }
}

fn settle(state: &mut State, lease: Lease, settlement: Settlement) -> bool {
    let running = state.jobs.get_mut(&lease.job).filter(|row| row.job.state == JobState::Running);
    let Some(row) = running.filter(|row| row.claims == lease.claim) else { return false };
    let again_at = row.again_at.take();
    match settlement {
        Settlement::Done => match again_at {
            Some(again_at) => row.wait(again_at),
            None => drop(state.jobs.remove(&lease.job)),
        },
        Settlement::Again { due_at, payload } => {
            row.wait(again_at.map_or(due_at, |again_at| again_at.min(due_at)));
            row.job.payload = payload;
        }
        Settlement::Retry { due_at, error } => {
            (row.job.state, row.job.due_at, row.job.error) = (JobState::Waiting, due_at, Some(error));
        }
        Settlement::Bury { at, error } => row.bury(at, error),
    }
    true
}

impl JobRow {
    fn claim(&mut self, lease_until: Timestamp) -> ClaimedJob {
        self.claims += 1;
        self.job.attempts += 1;
        (self.job.state, self.job.due_at) = (JobState::Running, lease_until);
        ClaimedJob {
            kind: self.job.kind.clone(),
            key: self.job.key.clone(),
            payload: self.job.payload.clone(),
            attempt: self.job.attempts,
            lease: Lease { job: self.job.id, claim: self.claims },
        }
    }

    /// Waits with all its tries.
    fn wait(&mut self, due_at: Timestamp) {
        (self.job.state, self.job.due_at) = (JobState::Waiting, due_at);
        (self.job.attempts, self.job.error) = (0, None);
    }

    fn bury(&mut self, at: Timestamp, error: String) {
        self.again_at = None;
        (self.job.state, self.job.due_at, self.job.error) = (JobState::Dead, at, Some(error));
    }
}
