//! [`AuditLog`]: triggers keep its tables from being changed.

use async_trait::async_trait;
use loquat_domain::ports::{AuditLog, AuditRecord, NewAct, StoreError};
use loquat_proto::Timestamp;
use rusqlite::params;

use super::SqliteStore;
use super::codec::{Columns, Integer};

#[async_trait]
impl AuditLog for SqliteStore {
    async fn begin_act(&self, act: NewAct) -> Result<u64, StoreError> {
        self.write(move |context| {
            context
                .statement(
                    "INSERT INTO audit_acts (ts, actor, act, subject, detail) VALUES (?1, ?2, ?3, ?4, ?5)
                     RETURNING id",
                )?
                .query_row(params![act.ts, act.actor, act.act, act.subject, act.detail], |row| row.int(0))
        })
        .await
    }

    async fn end_act(&self, id: u64, outcome: &str, ts: Timestamp) -> Result<(), StoreError> {
        let outcome = outcome.to_owned();
        self.write(move |context| {
            context
                .statement(
                    "INSERT INTO audit_outcomes (act_id, ts, outcome) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
                )?
                .execute(params![id.sql(), ts, outcome])
                .map(drop)
        })
        .await
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
