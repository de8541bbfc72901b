//! What creations answered, for 24 hours.

use super::driver::{Connection, OptionalExtension, params};
use loquat_domain::ports::{IdempotencyKey, RememberedAnswer};
use loquat_proto::Timestamp;

use super::codec::{Columns, Integer};
use super::context::WriteContext;
use super::error::Outcome;

const KEPT_MS: i64 = 24 * 60 * 60 * 1000;

pub(crate) fn recall(
    connection: &Connection,
    key: &IdempotencyKey,
    now: Timestamp,
) -> Outcome<Option<RememberedAnswer>> {
    connection
        .prepare_cached(
            "SELECT request_hash, created, ts FROM remembered_answers WHERE scope = ?1 AND key = ?2 AND ts > ?3",
        )?
        .query_row(params![key.scope, key.key, now.saturating_sub(KEPT_MS)], |row| {
            Ok(RememberedAnswer { request_hash: row.get(0)?, created: row.int(1)?, ts: row.get(2)? })
        })
        .optional()
}

pub(crate) fn remember(
    context: &WriteContext<'_>,
    key: &IdempotencyKey,
    answer: &RememberedAnswer,
) -> Outcome<()> {
    context
        .statement("DELETE FROM remembered_answers WHERE ts <= ?1")?
        .execute([answer.ts.saturating_sub(KEPT_MS)])?;
    context
        .statement(
            "INSERT INTO remembered_answers (scope, key, request_hash, created, ts) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (scope, key) DO NOTHING",
        )?
        .execute(params![key.scope, key.key, answer.request_hash, answer.created.sql(), answer.ts])?;
    Ok(())
}
