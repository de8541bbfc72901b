//! [`EventLog`].

use super::driver::{Connection, OptionalExtension, Row, params};
use async_trait::async_trait;
use loquat_domain::ports::{
    Append, AppendOutcome, EventLog, Placement, StoreError, TailMark, TailedEvent, TargetFacts,
};
use loquat_proto::{ConversationId, Event, Nonce, Seq, UserId};

use super::codec::{Columns, Integer};
use super::error::{Outcome, corrupt};
use super::nonces::{Lookup, NonceLookup};
use super::{Engine, Scope, Store};

#[async_trait]
impl<E: Engine> EventLog for Store<E> {
    async fn append_many(&self, appends: Vec<Append>) -> Result<Vec<AppendOutcome>, StoreError> {
        self.inner.append_many(appends).await
    }

    async fn find_nonce(
        &self,
        conversation: ConversationId,
        sender: UserId,
        nonce: &Nonce,
    ) -> Result<Option<Placement>, StoreError> {
        let nonce = nonce.clone();
        // A writer may know nonces that are not in the table yet. A transaction without a write syncs nothing.
        self.inner
            .write(Scope::Rows, 1, move |context| {
                let mut lookup = NonceLookup::new(context.connection)?;
                Ok(match lookup.find(context.nonces, conversation, (sender, &nonce))? {
                    Lookup::Known(placement) => Some(placement),
                    Lookup::New(_) => None,
                })
            })
            .await
    }

    async fn target(
        &self,
        conversation: ConversationId,
        seq: Seq,
    ) -> Result<Option<TargetFacts>, StoreError> {
        self.read(move |connection| target(connection, conversation, seq)).await
    }

    async fn reaction(
        &self,
        conversation: ConversationId,
        target: Seq,
        user: UserId,
        emoji: &str,
    ) -> Result<Option<Placement>, StoreError> {
        let emoji = emoji.to_owned();
        self.read(move |connection| {
            connection
                .prepare_cached(
                    "SELECT seq, ts FROM reactions
                     WHERE conversation_id = ?1 AND target = ?2 AND emoji = ?3 AND user_id = ?4",
                )?
                .query_row(params![conversation.sql(), target.sql(), emoji, user.sql()], |row| {
                    Ok(Placement { seq: row.int(0)?, ts: row.get(1)?, replayed: true, erased: false })
                })
                .optional()
        })
        .await
    }

    async fn tail(&self, pos: u64, limit: usize) -> Result<Vec<TailedEvent>, StoreError> {
        let before = self.inner.position_before();
        self.read(move |connection| tail(connection, (pos, connection.position(before)?), limit)).await
    }

    async fn tail_marks(&self, pos: u64, limit: usize) -> Result<Vec<TailMark>, StoreError> {
        let before = self.inner.position_before();
        self.read(move |connection| tail_marks(connection, (pos, connection.position(before)?), limit)).await
    }
}

fn target(connection: &Connection, conversation: ConversationId, seq: Seq) -> Outcome<Option<TargetFacts>> {
    connection
        .prepare_cached(
            "SELECT kind, sender, body IS NULL,
                 EXISTS (SELECT 1 FROM pins WHERE pins.conversation_id = ?1 AND pins.target = ?2)
             FROM events WHERE conversation_id = ?1 AND seq = ?2",
        )?
        .query_row(params![conversation.sql(), seq.sql()], |row| {
            Ok(TargetFacts {
                kind: row.int(0)?,
                sender: row.int(1)?,
                erased: row.get(2)?,
                pinned: row.get(3)?,
            })
        })
        .optional()
}

/// Events up to the settled position: one with a smaller position may still be on its way to be committed beyond it.
fn tail(connection: &Connection, (pos, settled): (u64, u64), limit: usize) -> Outcome<Vec<TailedEvent>> {
    let mut statement = connection.prepare_cached(
        "SELECT conversation_id, seq, ts, sender, device_id, kind, nonce, body, pos
         FROM events WHERE pos > ?1 AND pos <= ?2 ORDER BY pos LIMIT ?3",
    )?;
    let rows = statement
        .query_map(params![pos.sql(), settled.sql(), limit.min(MAX_LIMIT).sql_limit()], |row| {
            Ok(TailedEvent { pos: row.int(8)?, event: event(row)? })
        })?;
    rows.collect()
}

fn tail_marks(connection: &Connection, (pos, settled): (u64, u64), limit: usize) -> Outcome<Vec<TailMark>> {
    let mut statement = connection.prepare_cached(
        "SELECT pos, conversation_id, seq, ts, kind FROM events WHERE pos > ?1 AND pos <= ?2 ORDER BY pos LIMIT ?3",
    )?;
    let rows =
        statement.query_map(params![pos.sql(), settled.sql(), limit.min(MAX_LIMIT).sql_limit()], |row| {
            Ok(TailMark {
                pos: row.int(0)?,
                conversation: row.int(1)?,
                seq: row.int(2)?,
                ts: row.get(3)?,
                kind: row.int(4)?,
            })
        })?;
    rows.collect()
}

/// No page is longer than this, whatever is asked for.
pub(crate) const MAX_LIMIT: usize = 10_000;

/// A page's length as SQL takes it.
pub(crate) trait Limit {
    fn sql_limit(self) -> i64;
}

impl Limit for usize {
    fn sql_limit(self) -> i64 {
        i64::try_from(self).unwrap_or(i64::MAX)
    }
}

/// An event from the columns conversation, seq, ts, sender, device, kind, nonce, body, in this order.
pub(crate) fn event(row: &Row<'_>) -> Outcome<Event> {
    let nonce: Option<String> = row.get(6)?;
    let nonce =
        nonce.map(|nonce| nonce.parse::<Nonce>()).transpose().map_err(|error| corrupt(error.to_string()))?;
    Ok(Event {
        conversation: row.int(0)?,
        seq: row.int(1)?,
        ts: row.get(2)?,
        sender: row.int(3)?,
        device: row.optional(4)?,
        kind: row.int(5)?,
        nonce,
        body: row.raw_json(7)?,
    })
}
