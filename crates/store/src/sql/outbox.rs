//! [`Outbox`]: jobs are rows; one writer, or `FOR UPDATE SKIP LOCKED` where there are many, makes claims exclusive.

use super::driver::{Connection, OptionalExtension, Row, params};
use async_trait::async_trait;
use loquat_domain::ports::{
    Claim, ClaimedJob, JobCount, JobQuery, JobRecord, Lease, NewJob, Outbox, Settlement, StoreError,
};
use loquat_proto::Timestamp;

use super::codec::{Columns, Integer};
use super::context::WriteContext;
use super::error::{Outcome, corrupt};
use super::log::{Limit, MAX_LIMIT};
use super::{Engine, Scope, Store};

#[async_trait]
impl<E: Engine> Outbox for Store<E> {
    async fn cursor(&self, worker: &str) -> Result<u64, StoreError> {
        let worker = worker.to_owned();
        self.read(move |connection| cursor(connection, &worker)).await
    }

    async fn advance(
        &self,
        worker: &str,
        (from, to): (u64, u64),
        jobs: Vec<NewJob>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let worker = worker.to_owned();
        self.write(move |context| {
            if cursor(context.connection, &worker)? != from {
                return Ok(false);
            }
            context
                .statement(
                    "INSERT INTO worker_cursors (worker, pos) VALUES (?1, ?2)
                     ON CONFLICT (worker) DO UPDATE SET pos = excluded.pos",
                )?
                .execute(params![worker, to.sql()])?;
            enqueue(context, &jobs, now)?;
            Ok(true)
        })
        .await
    }

    async fn enqueue(&self, jobs: Vec<NewJob>, now: Timestamp) -> Result<(), StoreError> {
        if jobs.is_empty() {
            return Ok(());
        }
        self.write(move |context| enqueue(context, &jobs, now)).await
    }

    async fn claim(&self, claim: Claim) -> Result<Vec<ClaimedJob>, StoreError> {
        // A look costs no write: nearly always nothing is due.
        let (kinds, now) = (names(&claim.kinds), claim.now);
        if !self.read(move |connection| is_any_due(connection, &kinds, now)).await? {
            return Ok(Vec::new());
        }
        self.inner.write(Scope::Rows, 1, move |context| take(context, &claim)).await
    }

    async fn settle(&self, lease: Lease, settlement: Settlement) -> Result<bool, StoreError> {
        self.write(move |context| settle(context, lease, settlement)).await
    }

    async fn counts(&self) -> Result<Vec<JobCount>, StoreError> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT kind, state, COUNT(*), MIN(due_at) FROM jobs GROUP BY kind, state ORDER BY kind, state",
            )?;
            let rows = statement.query_map([], |row| {
                Ok(JobCount {
                    kind: row.get(0)?,
                    state: row.int(1)?,
                    count: row.int(2)?,
                    earliest: row.get(3)?,
                })
            })?;
            rows.collect()
        })
        .await
    }

    async fn jobs(&self, query: JobQuery) -> Result<Vec<JobRecord>, StoreError> {
        self.read(move |connection| jobs(connection, &query)).await
    }

    async fn requeue(&self, job: u64, now: Timestamp) -> Result<bool, StoreError> {
        self.write(move |context| requeue(context.connection, job, now)).await
    }
}

fn cursor(connection: &Connection, worker: &str) -> Outcome<u64> {
    let pos = connection
        .prepare_cached("SELECT pos FROM worker_cursors WHERE worker = ?1")?
        .query_row([worker], |row| row.int(0))
        .optional()?;
    Ok(pos.unwrap_or(0))
}

fn enqueue(context: &WriteContext<'_>, jobs: &[NewJob], now: Timestamp) -> Outcome<()> {
    // Nothing is written where nothing changes: a busy conversation enqueues the same job again and again.
    let mut statement = context.statement(
        "INSERT INTO jobs (kind, key, payload, state, due_at, attempts, claims, created_at)
         VALUES (?1, ?2, ?3, 1, ?4, 0, 0, ?5)
         ON CONFLICT (kind, key) DO UPDATE SET
             due_at = CASE WHEN jobs.state = 1 THEN excluded.due_at ELSE jobs.due_at END,
             again_at = CASE WHEN jobs.state = 2 THEN excluded.due_at END
         WHERE (jobs.state = 1 AND jobs.attempts = 0 AND jobs.due_at > excluded.due_at)
             OR (jobs.state = 2 AND (jobs.again_at IS NULL OR jobs.again_at > excluded.due_at))",
    )?;
    for job in jobs {
        statement.execute(params![job.kind, job.key, job.payload, job.due_at, now])?;
    }
    Ok(())
}

/// The kinds as a JSON array, which SQL takes as one parameter.
fn names(kinds: &[&'static str]) -> String {
    serde_json::Value::from(kinds.to_vec()).to_string()
}

fn is_any_due(connection: &Connection, kinds: &str, now: Timestamp) -> Outcome<bool> {
    connection
        .prepare_cached(
            "SELECT 1 FROM jobs WHERE state <> 3 AND due_at <= ?1 AND kind IN (SELECT value FROM json_each(?2))",
        )?
        .exists(params![now, kinds])
}

fn take(context: &WriteContext<'_>, claim: &Claim) -> Outcome<Vec<ClaimedJob>> {
    let (kinds, most) = (names(&claim.kinds), i64::from(claim.max_attempts));
    // A worker died with it at the last try.
    context
        .statement(
            "UPDATE jobs SET state = 3, due_at = ?1, again_at = NULL, error = 'no worker survived it'
             WHERE state = 2 AND due_at <= ?1 AND attempts >= ?2 AND kind IN (SELECT value FROM json_each(?3))",
        )?
        .execute(params![claim.now, most, kinds])?;
    let mut due = context.statement(
        "SELECT id FROM jobs WHERE state <> 3 AND due_at <= ?1 AND kind IN (SELECT value FROM json_each(?2))
         ORDER BY due_at, id LIMIT ?3 /*pg FOR UPDATE SKIP LOCKED*/",
    )?;
    let due: Vec<i64> = due
        .query_map(params![claim.now, kinds, claim.limit.min(MAX_LIMIT).sql_limit()], |row| row.get(0))?
        .collect::<Outcome<_>>()?;
    let mut statement = context.statement(
        "UPDATE jobs SET state = 2, due_at = ?2, attempts = attempts + 1, claims = claims + 1 WHERE id = ?1
         RETURNING id, kind, key, payload, attempts, claims",
    )?;
    due.into_iter()
        .map(|id| {
            statement.query_row(params![id, claim.lease_until], |row| {
                Ok(ClaimedJob {
                    kind: row.get(1)?,
                    key: row.get(2)?,
                    payload: row.get(3)?,
                    attempt: row.get(4)?,
                    lease: Lease { job: row.int(0)?, claim: row.int(5)? },
                })
            })
        })
        .collect()
}

fn settle(context: &WriteContext<'_>, lease: Lease, settlement: Settlement) -> Outcome<bool> {
    let (job, claim) = (lease.job.sql(), lease.claim.sql());
    let changed = match settlement {
        Settlement::Done => {
            let waits = context
                .statement(
                    "UPDATE jobs SET state = 1, due_at = again_at, again_at = NULL, attempts = 0, error = NULL
                     WHERE id = ?1 AND claims = ?2 AND state = 2 AND again_at IS NOT NULL",
                )?
                .execute([job, claim])?;
            let goes = context
                .statement("DELETE FROM jobs WHERE id = ?1 AND claims = ?2 AND state = 2")?
                .execute([job, claim])?;
            waits + goes
        }
        Settlement::Again { due_at, payload } => context
            .statement(
                "UPDATE jobs SET state = 1, due_at = MIN(?3, COALESCE(again_at, ?3)), again_at = NULL, attempts = 0,
                     error = NULL, payload = ?4
                 WHERE id = ?1 AND claims = ?2 AND state = 2",
            )?
            .execute(params![job, claim, due_at, payload])?,
        Settlement::Retry { due_at, error } => context
            .statement(
                "UPDATE jobs SET state = 1, due_at = ?3, again_at = NULL, error = ?4
                 WHERE id = ?1 AND claims = ?2 AND state = 2",
            )?
            .execute(params![job, claim, due_at, error])?,
        Settlement::Bury { at, error } => context
            .statement(
                "UPDATE jobs SET state = 3, due_at = ?3, again_at = NULL, error = ?4
                 WHERE id = ?1 AND claims = ?2 AND state = 2",
            )?
            .execute(params![job, claim, at, error])?,
    };
    Ok(changed > 0)
}

/// Jobs by id, ascending.
pub(crate) fn jobs(connection: &Connection, query: &JobQuery) -> Outcome<Vec<JobRecord>> {
    let mut statement = connection.prepare_cached(
        "SELECT id, kind, key, payload, state, due_at, attempts, error, created_at FROM jobs
         WHERE id > ?1 AND (?2 IS NULL OR state = ?2) AND (?3 IS NULL OR kind = ?3) ORDER BY id LIMIT ?4",
    )?;
    let values = params![
        query.after.sql(),
        query.state.map(Integer::sql),
        query.kind,
        query.limit.min(MAX_LIMIT).sql_limit()
    ];
    statement.query_map(values, record)?.collect()
}

fn record(row: &Row<'_>) -> Outcome<JobRecord> {
    let attempts: i64 = row.get(6)?;
    Ok(JobRecord {
        id: row.int(0)?,
        kind: row.get(1)?,
        key: row.get(2)?,
        payload: row.get(3)?,
        state: row.int(4)?,
        due_at: row.get(5)?,
        attempts: u32::try_from(attempts).map_err(|error| corrupt(error.to_string()))?,
        error: row.get(7)?,
        created_at: row.get(8)?,
    })
}

/// Gives a dead job its tries again: whether there was one.
pub(crate) fn requeue(connection: &Connection, job: u64, now: Timestamp) -> Outcome<bool> {
    let changed = connection
        .prepare_cached("UPDATE jobs SET state = 1, due_at = ?2, attempts = 0 WHERE id = ?1 AND state = 3")?
        .execute(params![job.sql(), now])?;
    Ok(changed > 0)
}
