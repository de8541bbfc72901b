//! A connection to PostgreSQL, as a thread that may block uses it.
//!
//! Each session is driven by a runtime of its own on the thread that works with it, so that a statement costs no switch
//! of threads. Whoever waits for an answer waits no longer than the server should need by its own timeout, and a bit:
//! a frozen server costs time, not a thread.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::time::Duration;

use futures_util::future::{Either, join};
use rustc_hash::FxHashMap;
use tokio::runtime::{Builder, Runtime};
use tokio_postgres::types::private::BytesMut;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::{Client, Row, Statement};

use super::options::Target;
use crate::sql::dialect;
use crate::sql::driver::{Field, Value};
use crate::sql::error::{Outcome, SqlError};
use crate::sql::positions::CHANGE_BITS;

/// So many statements are kept prepared; a session that has more forgets them all. The software has fewer.
const MAX_STATEMENTS: usize = 512;

/// A parameter of any type.
pub(super) type Parameter<'p> = &'p (dyn ToSql + Sync);

/// A connection. One thread at a time uses it.
pub struct Session {
    runtime: Runtime,
    client: Client,
    statements: RefCell<FxHashMap<String, Statement>>,
    /// What opens the transaction, sent along with its first statement.
    begin: Cell<Option<&'static str>>,
    /// An answer was given up: what comes next on the connection belongs to somebody else.
    abandoned: Cell<bool>,
    patience: Cell<Duration>,
}

impl Session {
    /// Connects. Blocks until it is done, or for as long as the target allows.
    pub(super) fn connect(target: &Target) -> Outcome<Self> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| SqlError::Unreachable(format!("no runtime: {error}")))?;
        let within = target.connect_timeout;
        let connecting = async {
            tokio::time::timeout(within, target.connect())
                .await
                .map_err(|_| SqlError::Unreachable(format!("PostgreSQL did not answer within {within:?}")))?
        };
        let (client, driver) = runtime.block_on(connecting)?;
        runtime.spawn(driver);
        let session = Self {
            runtime,
            client,
            statements: RefCell::default(),
            begin: Cell::new(None),
            abandoned: Cell::new(false),
            patience: Cell::new(target.statement_timeout + target.connect_timeout),
        };
        session.batch(&target.session_settings())?;
        Ok(session)
    }

    /// How long an answer is waited for.
    pub(super) fn set_patience(&self, patience: Duration) {
        self.patience.set(patience);
    }

    /// Whether nothing more can be done with it.
    pub(super) fn is_lost(&self) -> bool {
        self.abandoned.get() || self.client.is_closed()
    }

    /// For whoever needs the client itself, on this session's runtime.
    pub(super) fn parts(&mut self) -> (&Runtime, &mut Client) {
        (&self.runtime, &mut self.client)
    }

    /// Waits for an answer.
    pub(super) fn wait<T>(
        &self,
        answer: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Outcome<T> {
        let patience = self.patience.get();
        if self.abandoned.get() {
            return Err(SqlError::Unreachable("the connection was given up".into()));
        }
        let waited = self.runtime.block_on(async { tokio::time::timeout(patience, answer).await });
        match waited {
            Ok(answer) => Ok(answer?),
            Err(_) => {
                self.abandoned.set(true);
                Err(SqlError::Unreachable(format!("PostgreSQL did not answer within {patience:?}")))
            }
        }
    }

    /// The same, with what opens the transaction before it, if that is to be sent yet.
    fn wait_begun<T>(&self, answer: impl Future<Output = Result<T, tokio_postgres::Error>>) -> Outcome<T> {
        self.wait(async {
            let Some(begin) = self.begin.take() else { return answer.await };
            let (begun, answer) = join(self.client.batch_execute(begin), answer).await;
            begun?;
            answer
        })
    }

    /// Opens a transaction, along with its first statement.
    pub(super) fn begin(&self, begin: &'static str) {
        self.begin.set(Some(begin));
    }

    /// Ends a transaction, if one was opened.
    pub(super) fn end(&self, end: &str) -> Outcome<()> {
        if self.begin.take().is_some() { Ok(()) } else { self.batch(end) }
    }

    /// Statements without parameters.
    pub(crate) fn batch(&self, sql: &str) -> Outcome<()> {
        self.wait_begun(self.client.batch_execute(sql))
    }

    /// Does a statement: how many rows it changed.
    pub(crate) fn execute(&self, sql: &str, values: &[Value<'_>]) -> Outcome<usize> {
        let statement = self.shared_statement(sql, values)?;
        let values: Vec<Parameter<'_>> = values.iter().map(|value| value as Parameter<'_>).collect();
        let changed = self.wait_begun(self.client.execute(&statement, &values))?;
        Ok(usize::try_from(changed).unwrap_or(usize::MAX))
    }

    /// The rows that a statement answers.
    pub(crate) fn query(&self, sql: &str, values: &[Value<'_>]) -> Outcome<Vec<Row>> {
        let statement = self.shared_statement(sql, values)?;
        let values: Vec<Parameter<'_>> = values.iter().map(|value| value as Parameter<'_>).collect();
        self.wait_begun(self.client.query(&statement, &values))
    }

    /// A statement of this engine alone, whose parameters may be arrays.
    pub(super) fn own_query(&self, sql: &str, values: &[Parameter<'_>]) -> Outcome<Vec<Row>> {
        let statement = self.own_statement(sql)?;
        self.wait_begun(self.client.query(&statement, values))
    }

    /// Statements of this engine alone, all sent before the first answer is waited for; the last word (`COMMIT`) after
    /// them, if there is one. Once one has failed, PostgreSQL refuses the rest, and the first failure is told.
    pub(super) fn pipeline(
        &self,
        queries: &[(&'static str, Vec<Parameter<'_>>)],
        last: Option<&'static str>,
    ) -> Outcome<Vec<Vec<Row>>> {
        let statements: Vec<Statement> =
            queries.iter().map(|(sql, _)| self.own_statement(sql)).collect::<Outcome<_>>()?;
        let begin = self.begin.take();
        let answers = self.wait(async {
            // They are polled, and so sent, in this order.
            let begin = begin.map(|begin| Either::Left(self.simple(begin)));
            let asked = statements.iter().zip(queries).map(|(statement, (_, values))| {
                let answer = self.client.query(statement, values);
                Either::Right(Either::Left(answer))
            });
            let last = last.map(|last| Either::Right(Either::Right(self.simple(last))));
            let all: Vec<_> = begin.into_iter().chain(asked).chain(last).map(Box::pin).collect();
            let answers: Vec<Result<Vec<Row>, _>> = in_order(all).await;
            answers.into_iter().collect::<Result<Vec<_>, _>>()
        })?;
        let first = usize::from(begin.is_some());
        Ok(answers.into_iter().skip(first).take(queries.len()).collect())
    }

    async fn simple(&self, sql: &'static str) -> Result<Vec<Row>, tokio_postgres::Error> {
        self.client.batch_execute(sql).await.map(|()| Vec::new())
    }

    /// Below and up to here every change is settled, in the open snapshot.
    pub(crate) fn settled_position(&self) -> Outcome<u64> {
        let rows =
            self.query("SELECT CAST(CAST(pg_snapshot_xmin(pg_current_snapshot()) AS TEXT) AS BIGINT)", &[])?;
        let oldest: i64 = rows.first().ok_or(SqlError::NoRow)?.try_get(0)?;
        Ok((oldest.unsigned_abs() << CHANGE_BITS).saturating_sub(1))
    }

    fn shared_statement(&self, sql: &str, values: &[Value<'_>]) -> Outcome<Statement> {
        if let Some(statement) = self.statements.borrow().get(sql) {
            return Ok(statement.clone());
        }
        let types: Vec<Type> = values.iter().map(type_of).collect();
        let translated = dialect::postgres(sql);
        self.keep(sql, self.wait_begun(self.client.prepare_typed(&translated, &types))?)
    }

    fn own_statement(&self, sql: &str) -> Outcome<Statement> {
        if let Some(statement) = self.statements.borrow().get(sql) {
            return Ok(statement.clone());
        }
        self.keep(sql, self.wait_begun(self.client.prepare(sql))?)
    }

    fn keep(&self, sql: &str, statement: Statement) -> Outcome<Statement> {
        let mut statements = self.statements.borrow_mut();
        if statements.len() >= MAX_STATEMENTS {
            statements.clear();
        }
        statements.insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }
}

/// Polls all futures, in order, until each is done.
async fn in_order<F: Future + Unpin>(mut futures: Vec<F>) -> Vec<F::Output> {
    let mut answers: Vec<Option<F::Output>> = futures.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        let mut all = true;
        for (future, answer) in futures.iter_mut().zip(&mut answers) {
            if answer.is_some() {
                continue;
            }
            match std::pin::Pin::new(future).poll(context) {
                std::task::Poll::Ready(value) => *answer = Some(value),
                std::task::Poll::Pending => all = false,
            }
        }
        if all { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    answers.into_iter().flatten().collect()
}

/// Types are said, not guessed: `?2 - 1` would make an `int4` of a time.
const fn type_of(value: &Value<'_>) -> Type {
    match value {
        Value::Int(_) => Type::INT8,
        Value::Text(_) => Type::TEXT,
        Value::Blob(_) => Type::BYTEA,
    }
}

impl ToSql for Value<'_> {
    fn to_sql(
        &self,
        ty: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self {
            Self::Int(value) => value.to_sql(ty, out),
            Self::Text(text) => text.to_sql(ty, out),
            Self::Blob(bytes) => bytes.to_sql(ty, out),
        }
    }

    fn accepts(ty: &Type) -> bool {
        matches!(*ty, Type::INT8 | Type::TEXT | Type::BYTEA)
    }

    to_sql_checked!();
}

impl<'r> FromSql<'r> for Field<'r> {
    fn from_sql(ty: &Type, raw: &'r [u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(match *ty {
            Type::INT2 => Self::Int(i16::from_sql(ty, raw)?.into()),
            Type::INT4 => Self::Int(i32::from_sql(ty, raw)?.into()),
            Type::INT8 => Self::Int(i64::from_sql(ty, raw)?),
            Type::BOOL => Self::Int(bool::from_sql(ty, raw)?.into()),
            Type::BYTEA => Self::Blob(raw),
            _ => Self::Text(<&str>::from_sql(ty, raw)?),
        })
    }

    fn accepts(ty: &Type) -> bool {
        matches!(*ty, Type::INT2 | Type::INT4 | Type::INT8 | Type::BOOL | Type::BYTEA | Type::TEXT)
    }
}
