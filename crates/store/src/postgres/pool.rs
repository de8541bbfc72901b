//! Threads with a connection each, which work off a bounded queue.
//!
//! A connection is made when it is first needed, and anew when it was lost: after a failover the next call finds the
//! new primary. While there is none, calls are refused after the time that a connection may take, and those behind them
//! sooner: for a moment after a failure nothing is tried.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use loquat_domain::ports::StoreError;
use tokio::sync::oneshot;

use super::options::Target;
use super::session::Session;
use crate::queue::{Queue, Refused};
use crate::sql::driver::Connection;
use crate::sql::error::{Outcome, SqlError, store_error};

/// How long nothing is tried after a connection could not be made.
const PAUSE: Duration = Duration::from_millis(250);

type Job = Box<dyn FnOnce(&mut Worker) + Send>;

/// Threads, and what waits for them.
pub(super) struct Pool {
    queue: Arc<Queue<Job>>,
}

impl Pool {
    /// Starts the threads.
    pub(super) fn start(
        name: &'static str,
        target: &Arc<Target>,
        (threads, capacity): (usize, usize),
    ) -> std::io::Result<(Self, Vec<JoinHandle<()>>)> {
        let queue: Arc<Queue<Job>> = Arc::new(Queue::new(capacity));
        let handles = (0..threads.max(1))
            .map(|number| {
                let (queue, mut worker) = (queue.clone(), Worker::new(target.clone()));
                std::thread::Builder::new().name(format!("store-{name}-{number}")).spawn(move || {
                    while let Some(job) = queue.pop() {
                        // A panic is one answer lost; the connection with its open transaction goes too.
                        if catch_unwind(AssertUnwindSafe(|| job(&mut worker))).is_err() {
                            tracing::error!("a call of the store panicked");
                            worker.connection = None;
                        }
                    }
                })
            })
            .collect::<std::io::Result<_>>()?;
        Ok((Self { queue }, handles))
    }

    /// Has the work done on one of the threads.
    pub(super) async fn call<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Worker) -> Outcome<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (sender, receiver) = oneshot::channel();
        let job = Box::new(move |worker: &mut Worker| {
            let result = work(worker).map_err(|error| store_error(&error));
            // Whoever asked may have gone meanwhile.
            let _ = sender.send(result);
        });
        self.queue.push(job).map_err(refused)?;
        receiver.await.map_err(|_| StoreError::Unavailable("a call was not answered".into()))?
    }

    /// Calls that wait.
    pub(super) fn waiting(&self) -> usize {
        self.queue.waiting()
    }

    /// Takes no more work; what waits is still done.
    pub(super) fn close(&self) {
        self.queue.close();
    }
}

/// What a caller is told who was not let in.
pub(super) fn refused(refused: Refused) -> StoreError {
    match refused {
        Refused::Full => StoreError::Unavailable("the queue of the store is full".into()),
        Refused::Closed => StoreError::Unavailable("the store is closed".into()),
    }
}

/// A thread's connection.
pub(super) struct Worker {
    target: Arc<Target>,
    connection: Option<Connection>,
    /// When a connection may be tried again, and why the last try failed.
    paused: Option<(Instant, String)>,
}

/// How a transaction failed.
pub(super) enum Failure {
    /// It left no trace.
    Undone(SqlError),
    /// Nobody knows whether it was committed.
    Unknown(SqlError),
}

impl Failure {
    /// What went wrong.
    pub(super) fn into_error(self) -> SqlError {
        match self {
            Self::Undone(error) => error,
            Self::Unknown(error) => {
                SqlError::Unreachable(format!("whether it was committed is not known: {error}"))
            }
        }
    }
}

impl Worker {
    pub(super) const fn new(target: Arc<Target>) -> Self {
        Self { target, connection: None, paused: None }
    }

    /// The connection, made anew if there is none or it was lost.
    pub(super) fn connection(&mut self) -> Outcome<&Connection> {
        if self.connection.as_ref().is_some_and(is_lost) {
            self.connection = None;
        }
        if self.connection.is_none() {
            if let Some((until, why)) = &self.paused
                && Instant::now() < *until
            {
                return Err(SqlError::Unreachable(why.clone()));
            }
            match Session::connect(&self.target) {
                Ok(session) => {
                    self.paused = None;
                    self.connection = Some(Connection::Postgres(Box::new(session)));
                }
                Err(error) => {
                    self.paused = Some((Instant::now() + PAUSE, error.to_string()));
                    return Err(error);
                }
            }
        }
        self.connection.as_ref().ok_or_else(|| SqlError::Unreachable("there is no connection".into()))
    }

    /// Does the work in one transaction.
    pub(super) fn transaction<T>(
        &mut self,
        begin: &'static str,
        work: impl FnOnce(&Connection) -> Outcome<T>,
    ) -> Result<T, Failure> {
        let connection = self.connection().map_err(Failure::Undone)?;
        let Connection::Postgres(session) = connection else {
            return Err(Failure::Undone(no_session()));
        };
        session.begin(begin);
        let result = match work(connection) {
            Ok(value) => session.end("COMMIT").map(|()| value).map_err(|error| {
                if is_answer(&error) { Failure::Undone(error) } else { Failure::Unknown(error) }
            }),
            Err(error) => {
                if !session.is_lost() && session.end("ROLLBACK").is_err() {
                    tracing::warn!("a transaction could not be rolled back; its connection is given up");
                    self.connection = None;
                }
                Err(Failure::Undone(error))
            }
        };
        if let Err(Failure::Undone(error) | Failure::Unknown(error)) = &result
            && needs_other_server(error)
        {
            self.connection = None;
        }
        result
    }

    /// Does work that makes and ends its own transactions.
    pub(super) fn session<T>(
        &mut self,
        work: impl FnOnce(&Session) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let connection = self.connection().map_err(Failure::Undone)?;
        let Connection::Postgres(session) = connection else {
            return Err(Failure::Undone(no_session()));
        };
        let result = work(session);
        if let Err(Failure::Undone(error) | Failure::Unknown(error)) = &result
            && needs_other_server(error)
        {
            self.connection = None;
        }
        result
    }

    /// Whether the connection was lost, or there is none.
    pub(super) fn is_disconnected(&self) -> bool {
        self.connection.as_ref().is_none_or(is_lost)
    }
}

fn no_session() -> SqlError {
    SqlError::Unreachable("there is no session".into())
}

/// Whether the server says that a transaction failed, and lives on: then it was not committed. Silence and the last word of
/// a server that goes down say nothing.
pub(super) fn is_answer(error: &SqlError) -> bool {
    use tokio_postgres::error::Severity;
    let SqlError::Postgres(error) = error else { return false };
    error.as_db_error().is_some_and(|answer| {
        !matches!(answer.parsed_severity(), Some(Severity::Fatal | Severity::Panic) | None)
    })
}

fn is_lost(connection: &Connection) -> bool {
    matches!(connection, Connection::Postgres(session) if session.is_lost())
}

/// Whether the server refuses what another one might do: it is a standby now, or going down.
fn needs_other_server(error: &SqlError) -> bool {
    use tokio_postgres::error::SqlState;
    let SqlError::Postgres(error) = error else { return false };
    error.code().is_some_and(|code| {
        *code == SqlState::READ_ONLY_SQL_TRANSACTION
            || *code == SqlState::ADMIN_SHUTDOWN
            || *code == SqlState::CRASH_SHUTDOWN
            || *code == SqlState::CANNOT_CONNECT_NOW
    })
}
