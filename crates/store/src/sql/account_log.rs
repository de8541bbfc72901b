//! [`AccountLog`].

use super::driver::{Connection, params};
use async_trait::async_trait;
use loquat_domain::ports::{AccountEntry, AccountLog, StoreError};
use loquat_proto::{AccountEvent, AccountEventKind, Timestamp, UserId};
use serde_json::Value;

use super::codec::{Columns, Integer};
use super::context::WriteContext;
use super::error::Outcome;
use super::log::{Limit, MAX_LIMIT};
use super::{Engine, Store};

#[async_trait]
impl<E: Engine> AccountLog for Store<E> {
    async fn append(
        &self,
        user: UserId,
        kind: AccountEventKind,
        body: Value,
        ts: Timestamp,
    ) -> Result<AccountEntry, StoreError> {
        self.write(move |context| append(context, user, kind, body, ts)).await
    }

    async fn after(&self, user: UserId, pos: u64, limit: usize) -> Result<Vec<AccountEvent>, StoreError> {
        self.read(move |connection| after(connection, user, pos, limit)).await
    }
}

/// Appends to one user's log.
pub(crate) fn append(
    context: &WriteContext<'_>,
    user: UserId,
    kind: AccountEventKind,
    body: Value,
    ts: Timestamp,
) -> Outcome<AccountEntry> {
    let pos = match context.connection {
        Connection::Sqlite(_) => context.statement(
            "INSERT INTO account_events (user_id, pos, ts, kind, body)
             VALUES (?1, (SELECT COALESCE(MAX(pos), 0) + 1 FROM account_events WHERE user_id = ?1), ?2, ?3, ?4)
             RETURNING pos",
        ),
        // The row of the head is locked: whoever appends to the same log waits for the end of this transaction.
        Connection::Postgres(_) => context.statement(
            "WITH head AS (
                 INSERT INTO account_heads (user_id, pos) VALUES (?1, 1)
                 ON CONFLICT (user_id) DO UPDATE SET pos = account_heads.pos + 1 RETURNING pos)
             INSERT INTO account_events (user_id, pos, ts, kind, body) SELECT ?1, pos, ?2, ?3, ?4 FROM head
             RETURNING pos",
        ),
    }?
    .query_row(params![user.sql(), ts, kind.sql(), body.to_string()], |row| row.int(0))?;
    Ok(AccountEntry { user, event: AccountEvent { pos, ts, kind, body } })
}

/// Erases one user's log.
pub(crate) fn erase(context: &WriteContext<'_>, user: UserId) -> Outcome<()> {
    context.statement("DELETE FROM account_events WHERE user_id = ?1")?.execute([user.sql()])?;
    if let Connection::Postgres(_) = context.connection {
        context.statement("DELETE FROM account_heads WHERE user_id = ?1")?.execute([user.sql()])?;
    }
    Ok(())
}

/// The newest position in a user's log; 0 while it is empty.
pub(crate) fn head(connection: &Connection, user: UserId) -> Outcome<u64> {
    connection
        .prepare_cached("SELECT COALESCE(MAX(pos), 0) FROM account_events WHERE user_id = ?1")?
        .query_row([user.sql()], |row| row.int(0))
}

fn after(connection: &Connection, user: UserId, pos: u64, limit: usize) -> Outcome<Vec<AccountEvent>> {
    let mut statement = connection.prepare_cached(
        "SELECT pos, ts, kind, body FROM account_events WHERE user_id = ?1 AND pos > ?2 ORDER BY pos LIMIT ?3",
    )?;
    let rows = statement
        .query_map(params![user.sql(), pos.sql(), limit.min(MAX_LIMIT).sql_limit()], |row| {
            Ok(AccountEvent { pos: row.int(0)?, ts: row.get(1)?, kind: row.int(2)?, body: row.json(3)? })
        })?;
    rows.collect()
}
