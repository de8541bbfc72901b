//! [`Engine`]: who reads and who writes.

use loquat_domain::ports::{Append, AppendOutcome, CursorMove, StoreError};

use super::Sqlite;
use super::writer::Isolation;
use crate::sql::context::{Slices, WriteContext};
use crate::sql::driver::Connection;
use crate::sql::error::Outcome;
use crate::sql::{Engine, Scope, appender, cursors};

impl Engine for Sqlite {
    fn epoch(&self) -> u64 {
        self.epoch
    }

    fn position_before(&self) -> u64 {
        self.writer.committed_pos()
    }

    async fn read<T, W>(&self, work: W) -> Result<T, StoreError>
    where
        T: Send + 'static,
        W: FnOnce(&Connection) -> Outcome<T> + Clone + Send + 'static,
    {
        self.readers.call(work).await
    }

    // One writer has everything to itself.
    async fn write<T, W>(&self, _: Scope, weight: usize, work: W) -> Result<T, StoreError>
    where
        T: Send + 'static,
        W: FnOnce(&mut WriteContext<'_>) -> Outcome<T> + Clone + Send + 'static,
    {
        self.writer.submit(Isolation::Savepoint, weight, work).await
    }

    async fn write_in_slices<T, W>(&self, first: W) -> Result<T, StoreError>
    where
        T: Send + 'static,
        W: FnOnce(&mut WriteContext<'_>) -> Outcome<(T, Slices)> + Clone + Send + 'static,
    {
        self.writer.call_in_slices(first).await
    }

    async fn append_many(&self, appends: Vec<Append>) -> Result<Vec<AppendOutcome>, StoreError> {
        let weight = appends.iter().map(|append| append.events.len()).sum();
        let work = move |context: &mut WriteContext<'_>| appender::append_many(context, appends);
        self.writer.submit(Isolation::Direct, weight, work).await
    }

    async fn save_cursors(&self, moves: Vec<CursorMove>) -> Result<(), StoreError> {
        let weight = moves.len();
        let work = move |context: &mut WriteContext<'_>| cursors::save(context, &moves);
        self.writer.submit(Isolation::Savepoint, weight, work).await
    }
}
