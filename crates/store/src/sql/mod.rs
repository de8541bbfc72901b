//! The storage ports in SQL: every statement and what is done with it, once, for all engines.
//!
//! An [`Engine`] has connections and transactions; a [`Store`] over it implements the ports. The SQL stands beside
//! the port that needs it, in the words of SQLite, and is translated for PostgreSQL ([`dialect`]); [`driver`] hides
//! whose connection it is. Where PostgreSQL gains by sets what SQLite does row by row, its engine has a second way
//! (appends, cursors) that the same conformance suite and the differential test hold against the first.
//!
//! To add a call: a method of the port in the module named after the port, which hands a function over
//! `&Connection` to [`Engine::read`], or one over a [`WriteContext`](context::WriteContext) to [`Engine::write`].
//! To change the schema: a new file in `migrations/sqlite` and one in `migrations/postgres`.

pub(crate) mod account_log;
mod accounts;
mod administration;
pub(crate) mod appender;
pub(crate) mod audit;
mod blocks;
mod changes;
pub(crate) mod codec;
mod contacts;
pub(crate) mod context;
mod conversations;
mod creation;
pub(crate) mod cursors;
pub(crate) mod derived;
mod devices;
pub(crate) mod dialect;
pub(crate) mod driver;
pub(crate) mod erase;
pub(crate) mod error;
mod idempotency;
mod inspection;
mod invites;
mod log;
mod messages;
pub(crate) mod nonces;
pub(crate) mod outbox;
pub(crate) mod positions;
mod presences;
mod profiles;
mod refresh;
mod retention;
mod timeline;
mod views;

use std::future::Future;
use std::sync::Arc;

use loquat_domain::ports::{Append, AppendOutcome, CursorMove, StoreError};
use loquat_proto::ConversationId;

use context::{Slices, WriteContext};
use driver::Connection;
use error::Outcome;

/// What a write has to itself, where others write at the same time.
#[derive(Debug, Clone)]
pub enum Scope {
    /// Everything: as if no other such write were there. It is done again where two came across one another.
    All,
    /// These conversations: nothing is appended to them meanwhile.
    Conversations(Vec<ConversationId>),
    /// The rows that it changes, no more.
    Rows,
}

/// A database: where transactions are made.
///
/// Work is a function over a connection, called on a thread that may block; an engine may call a copy of it again after
/// a failure that left no trace.
pub trait Engine: Send + Sync + 'static {
    /// Names this life of the store.
    fn epoch(&self) -> u64;

    /// The position of the newest settled change, for a snapshot that begins after this call; see
    /// [`Connection::position`].
    fn position_before(&self) -> u64;

    /// Reads in one snapshot.
    fn read<T, W>(&self, work: W) -> impl Future<Output = Result<T, StoreError>> + Send
    where
        T: Send + 'static,
        W: FnOnce(&Connection) -> Outcome<T> + Clone + Send + 'static;

    /// Writes in one transaction; durable when it answers `Ok`. `weight` says how much of a batch it is.
    fn write<T, W>(
        &self,
        scope: Scope,
        weight: usize,
        work: W,
    ) -> impl Future<Output = Result<T, StoreError>> + Send
    where
        T: Send + 'static,
        W: FnOnce(&mut WriteContext<'_>) -> Outcome<T> + Clone + Send + 'static;

    /// Does the first part in a transaction, then the slices, one in a later transaction each; answers after the last.
    /// The first part leaves a row in `unfinished`, by which a start goes on.
    fn write_in_slices<T, W>(&self, first: W) -> impl Future<Output = Result<T, StoreError>> + Send
    where
        T: Send + 'static,
        W: FnOnce(&mut WriteContext<'_>) -> Outcome<(T, Slices)> + Clone + Send + 'static;

    /// Appends, as the port says.
    fn append_many(
        &self,
        appends: Vec<Append>,
    ) -> impl Future<Output = Result<Vec<AppendOutcome>, StoreError>> + Send;

    /// Saves cursors, as the port says.
    fn save_cursors(&self, moves: Vec<CursorMove>) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// A store: a cheap handle, to be cloned. It implements every storage port.
pub struct Store<E> {
    pub(crate) inner: Arc<E>,
}

impl<E> Clone for Store<E> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone() }
    }
}

impl<E: Engine> std::fmt::Debug for Store<E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("epoch", &self.inner.epoch()).finish_non_exhaustive()
    }
}

impl<E: Engine> Store<E> {
    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Outcome<T> + Clone + Send + 'static,
    ) -> Result<T, StoreError> {
        self.inner.read(work).await
    }

    async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut WriteContext<'_>) -> Outcome<T> + Clone + Send + 'static,
    ) -> Result<T, StoreError> {
        self.inner.write(Scope::All, 1, work).await
    }

    /// The same for what concerns one conversation.
    async fn write_in<T: Send + 'static>(
        &self,
        conversation: ConversationId,
        work: impl FnOnce(&mut WriteContext<'_>) -> Outcome<T> + Clone + Send + 'static,
    ) -> Result<T, StoreError> {
        self.inner.write(Scope::Conversations(vec![conversation]), 1, work).await
    }
}
