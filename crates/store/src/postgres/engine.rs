//! [`Engine`]: snapshots, transactions, and what is done again.
//!
//! - Reads: one snapshot on the primary (`REPEATABLE READ, READ ONLY`), once more on a new connection if it was lost.
//! - Writes of [`Scope::All`]: `SERIALIZABLE`, so that what a rule of the statements looks at stays as it was seen; done
//!   again where two came across one another. No `seq` rests on it.
//! - Writes of [`Scope::Conversations`]: `READ COMMITTED`, behind the rows of `heads`, locked in the order of their
//!   ids, as appends lock them.
//! - A write whose outcome is unknown is not done again here: the caller is told `Unavailable`. Appends find out by
//!   their nonces (see [`append`](super::append)).

use std::time::Duration;

use loquat_domain::ports::{Append, AppendOutcome, CursorMove, StoreError};
use tokio_postgres::error::SqlState;

use super::pool::{Failure, Worker};
use super::{Postgres, cursors};
use crate::sql::codec::Integer as _;
use crate::sql::context::{Slices, WriteContext};
use crate::sql::driver::Connection;
use crate::sql::error::{Outcome, SqlError};
use crate::sql::nonces::NonceIndex;
use crate::sql::positions::Positions;
use crate::sql::{Engine, Scope};

const READ: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY";
const SERIALIZABLE: &str = "BEGIN ISOLATION LEVEL SERIALIZABLE";
pub(super) const READ_COMMITTED: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";

/// How often a write is tried that came across others.
const TRIES: u32 = 12;
/// The first pause between two tries; each is twice as long as the one before, and not the same for two threads.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

impl Engine for Postgres {
    fn epoch(&self) -> u64 {
        self.epoch
    }

    // Asked in the snapshot itself.
    fn position_before(&self) -> u64 {
        0
    }

    async fn read<T, W>(&self, work: W) -> Result<T, StoreError>
    where
        T: Send + 'static,
        W: FnOnce(&Connection) -> Outcome<T> + Clone + Send + 'static,
    {
        self.readers
            .call(move |worker| match worker.transaction(READ, work.clone()) {
                Err(failure) if worker.is_disconnected() => {
                    tracing::debug!("a read is done again on a new connection");
                    drop(failure);
                    worker.transaction(READ, work).map_err(Failure::into_error)
                }
                result => result.map_err(Failure::into_error),
            })
            .await
    }

    async fn write<T, W>(&self, scope: Scope, _: usize, work: W) -> Result<T, StoreError>
    where
        T: Send + 'static,
        W: FnOnce(&mut WriteContext<'_>) -> Outcome<T> + Clone + Send + 'static,
    {
        let secret = self.nonce_secret;
        self.writers.call(move |worker| write(worker, secret, &scope, work)).await
    }

    async fn write_in_slices<T, W>(&self, first: W) -> Result<T, StoreError>
    where
        T: Send + 'static,
        W: FnOnce(&mut WriteContext<'_>) -> Outcome<(T, Slices)> + Clone + Send + 'static,
    {
        let (value, mut slices) = self.write(Scope::All, 1, first).await?;
        loop {
            let slice = self.writers.call(move |worker| {
                let done = worker.transaction(READ_COMMITTED, &mut slices).map_err(Failure::into_error)?;
                Ok((done, slices))
            });
            let (done, rest) = slice.await?;
            if done {
                return Ok(value);
            }
            slices = rest;
        }
    }

    async fn append_many(&self, appends: Vec<Append>) -> Result<Vec<AppendOutcome>, StoreError> {
        self.appenders.append(appends).await
    }

    async fn save_cursors(&self, moves: Vec<CursorMove>) -> Result<(), StoreError> {
        self.writers.call(move |worker| cursors::save(worker, &moves)).await
    }
}

/// A write, done again as long as it came across others.
pub(super) fn write<T, W>(worker: &mut Worker, secret: [u8; 16], scope: &Scope, work: W) -> Outcome<T>
where
    W: FnOnce(&mut WriteContext<'_>) -> Outcome<T> + Clone,
{
    let mut pause = FIRST_PAUSE;
    let mut tries = 1;
    loop {
        let failure = match write_once(worker, secret, scope, work.clone()) {
            Ok(value) => return Ok(value),
            Err(failure) => failure,
        };
        match failure {
            Failure::Undone(error) if tries < TRIES && may_go_on(&error, worker) => {
                tracing::debug!(%error, tries, "a write is done again");
                std::thread::sleep(spread(pause));
                pause = (pause * 2).min(LONGEST_PAUSE);
                tries += 1;
            }
            failure => return Err(exhausted(failure)),
        }
    }
}

/// One try.
pub(super) fn write_once<T>(
    worker: &mut Worker,
    secret: [u8; 16],
    scope: &Scope,
    work: impl FnOnce(&mut WriteContext<'_>) -> Outcome<T>,
) -> Result<T, Failure> {
    let begin = if matches!(scope, Scope::All) { SERIALIZABLE } else { READ_COMMITTED };
    worker.transaction(begin, |connection| {
        if let (Scope::Conversations(conversations), Connection::Postgres(session)) = (scope, connection) {
            let ids: Vec<i64> = conversations.iter().map(|conversation| conversation.sql()).collect();
            session.own_query(
                "SELECT 1 FROM heads WHERE conversation_id = ANY ($1) ORDER BY conversation_id FOR UPDATE",
                &[&ids],
            )?;
        }
        let mut positions = Positions::of_transaction(None);
        let mut nonces = NonceIndex::shared(secret);
        let mut context = WriteContext { connection, positions: &mut positions, nonces: &mut nonces };
        work(&mut context)
    })
}

/// Whether another try may come through: the write came across another one, or its connection was lost before it was
/// to be committed.
fn may_go_on(error: &SqlError, worker: &Worker) -> bool {
    is_collision(error) || worker.is_disconnected()
}

/// Whether two writes came across one another.
pub(super) fn is_collision(error: &SqlError) -> bool {
    let SqlError::Postgres(error) = error else { return false };
    error.code().is_some_and(|code| {
        *code == SqlState::T_R_SERIALIZATION_FAILURE
            || *code == SqlState::T_R_DEADLOCK_DETECTED
            // What another one put there since the snapshot began; the next snapshot sees it.
            || *code == SqlState::UNIQUE_VIOLATION
    })
}

/// What the caller is told when no try came through.
fn exhausted(failure: Failure) -> SqlError {
    match failure.into_error() {
        SqlError::Postgres(error)
            if error.code().is_some_and(|code| {
                *code == SqlState::T_R_SERIALIZATION_FAILURE || *code == SqlState::T_R_DEADLOCK_DETECTED
            }) =>
        {
            SqlError::Unreachable("too many writes came across one another".into())
        }
        error => error,
    }
}

/// Between half of the pause and the whole of it, another one for each thread and time.
fn spread(pause: Duration) -> Duration {
    use std::hash::{BuildHasher as _, RandomState};
    let drawn = RandomState::new().hash_one(std::thread::current().id()) % 512;
    pause / 2 + pause.mul_f64(drawn as f64 / 1024.0)
}

/// What appends and cursors need of a failure.
pub(super) const fn is_undone(failure: &Failure) -> bool {
    matches!(failure, Failure::Undone(_))
}
