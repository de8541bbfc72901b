//! [`AuditLog`]: triggers keep its tables from being changed.

use super::driver::{Connection, params};
use async_trait::async_trait;
use loquat_domain::ports::{AuditLog, AuditRecord, NewAct, StoreError};
use loquat_proto::Timestamp;

use super::codec::{Columns, Integer};
use super::error::Outcome;
use super::{Engine, Store};

#[async_trait]
impl<E: Engine> AuditLog for Store<E> {
    async fn begin_act(&self, act: NewAct) -> Result<u64, StoreError> {
        self.write(move |context| begin(context.connection, &act)).await
    }

    async fn end_act(&self, id: u64, outcome: &str, ts: Timestamp) -> Result<(), StoreError> {
        let outcome = outcome.to_owned();
        self.write(move |context| end(context.connection, id, &outcome, ts)).await
    }

    async fn acts(&self, before: Option<u64>, limit: usize) -> Result<Vec<AuditRecord>, StoreError> {
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT a.id, a.ts, a.actor, a.act, a.subject, a.detail, o.outcome, o.ts
                 FROM audit_acts a LEFT JOIN audit_outcomes o ON o.act_id = a.id
                 WHERE a.id < ?1 ORDER BY a.id DESC LIMIT ?2",
            )?;
            let before = before.map_or(i64::MAX, Integer::sql);
            let rows = statement.query_map([before, (limit as u64).sql()], |row| {
                Ok(AuditRecord {
                    id: row.int(0)?,
                    ts: row.get(1)?,
                    actor: row.get(2)?,
                    act: row.get(3)?,
                    subject: row.get(4)?,
                    detail: row.get(5)?,
                    outcome: row.get(6)?,
                    ended_at: row.get(7)?,
                })
            })?;
            rows.collect()
        })
        .await
    }
}

/// Puts an act on record: its number.
pub(crate) fn begin(connection: &Connection, act: &NewAct) -> Outcome<u64> {
    connection
        .prepare_cached(
            "INSERT INTO audit_acts (ts, actor, act, subject, detail) VALUES (?1, ?2, ?3, ?4, ?5) RETURNING id",
        )?
        .query_row(params![act.ts, act.actor, act.act, act.subject, act.detail], |row| row.int(0))
}

/// Puts on record how it ended.
pub(crate) fn end(connection: &Connection, act: u64, outcome: &str, ts: Timestamp) -> Outcome<()> {
    connection
        .prepare_cached(
            "INSERT INTO audit_outcomes (act_id, ts, outcome) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
        )?
        .execute(params![act.sql(), ts, outcome])
        .map(drop)
}
