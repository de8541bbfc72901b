//! [`Blocks`], and what a block bears on.

use super::driver::{Connection, OptionalExtension, params};
use async_trait::async_trait;
use loquat_domain::ports::{BlockChange, BlockOutcome, Blocks, Change, NewEvent, StoreError};
use loquat_proto::{AccountEventKind, Block, ConversationId, Timestamp, UserId};
use serde_json::json;

use super::codec::{Columns, Integer};
use super::context::WriteContext;
use super::error::Outcome;
use super::log::{Limit, MAX_LIMIT};
use super::{Engine, Store, account_log, accounts, contacts, profiles};

#[async_trait]
impl<E: Engine> Blocks for Store<E> {
    async fn block(
        &self,
        user: UserId,
        other: UserId,
        limit: usize,
        ts: Timestamp,
    ) -> Result<BlockOutcome, StoreError> {
        self.write(move |context| block(context, (user, other), limit, ts)).await
    }

    async fn unblock(&self, user: UserId, other: UserId, ts: Timestamp) -> Result<BlockChange, StoreError> {
        self.write(move |context| {
            let ended = context
                .statement("DELETE FROM blocks WHERE user_id = ?1 AND blocked_id = ?2")?
                .execute([user.sql(), other.sql()])?;
            if ended == 0 {
                return Ok(BlockChange::default());
            }
            let direct = outdate(context, user, other)?;
            let body = json!({ "user": other });
            let entries = vec![account_log::append(context, user, AccountEventKind::Unblocked, body, ts)?];
            Ok(BlockChange { entries, direct })
        })
        .await
    }

    async fn blocks(
        &self,
        user: UserId,
        after: Option<UserId>,
        limit: usize,
    ) -> Result<Vec<Block>, StoreError> {
        self.read(move |connection| blocks(connection, user, after, limit.min(MAX_LIMIT))).await
    }

    async fn is_blocked_by_any(&self, user: UserId, others: &[UserId]) -> Result<bool, StoreError> {
        let others = others.to_vec();
        self.read(move |connection| any(connection, others.into_iter().map(|other| (other, user)))).await
    }
}

fn block(
    context: &WriteContext<'_>,
    (user, other): (UserId, UserId),
    limit: usize,
    ts: Timestamp,
) -> Outcome<BlockOutcome> {
    if !accounts::is_there(context, user)? || !accounts::is_there(context, other)? {
        return Ok(BlockOutcome::Unknown);
    }
    if is(context.connection, user, other)? {
        return Ok(BlockOutcome::Stands(BlockChange::default()));
    }
    let count: u64 = context
        .statement("SELECT COUNT(*) FROM blocks WHERE user_id = ?1")?
        .query_row([user.sql()], |row| row.int(0))?;
    if usize::try_from(count).is_ok_and(|count| count >= limit) {
        return Ok(BlockOutcome::Full);
    }
    context
        .statement("INSERT INTO blocks (user_id, blocked_id, created_at) VALUES (?1, ?2, ?3)")?
        .execute(params![user.sql(), other.sql(), ts])?;
    // Before the account logs, as appends go.
    let direct = outdate(context, user, other)?;
    let mut entries = contacts::decline(context, (user, other), ts)?.unwrap_or_default();
    entries.extend(contacts::withdraw(context, (user, other), ts)?);
    let body = json!({ "user": other });
    entries.push(account_log::append(context, user, AccountEventKind::Blocked, body, ts)?);
    Ok(BlockOutcome::Stands(BlockChange { entries, direct }))
}

/// The direct conversation of the two, if they have one: whoever decided by the block of before conflicts.
fn outdate(context: &WriteContext<'_>, user: UserId, other: UserId) -> Outcome<Option<ConversationId>> {
    let direct: Option<ConversationId> = context
        .statement("SELECT id FROM conversations WHERE first_peer = ?1 AND second_peer = ?2")?
        .query_row([user.min(other).sql(), user.max(other).sql()], |row| row.int(0))
        .optional()?;
    if let Some(direct) = direct {
        context
            .statement("UPDATE heads SET version = version + 1 WHERE conversation_id = ?1")?
            .execute([direct.sql()])?;
    }
    Ok(direct)
}

/// Whether `user` blocks `other`.
pub(crate) fn is(connection: &Connection, user: UserId, other: UserId) -> Outcome<bool> {
    connection
        .prepare_cached("SELECT 1 FROM blocks WHERE user_id = ?1 AND blocked_id = ?2")?
        .exists([user.sql(), other.sql()])
}

/// Whether one of the two blocks the other.
pub(crate) fn between(connection: &Connection, one: UserId, other: UserId) -> Outcome<bool> {
    Ok(is(connection, one, other)? || is(connection, other, one)?)
}

/// Whether one of these users blocks the other one of its pair.
fn any(connection: &Connection, mut pairs: impl Iterator<Item = (UserId, UserId)>) -> Outcome<bool> {
    pairs.try_fold(false, |any, (user, other)| Ok(any || is(connection, user, other)?))
}

/// Whether one of these events lets somebody in who blocks its sender.
pub(crate) fn forbid(connection: &Connection, events: &[NewEvent]) -> Outcome<bool> {
    let let_in = events.iter().filter_map(|event| match &event.change {
        Change::Join { user, .. } if *user != event.sender => Some((*user, event.sender)),
        _ => None,
    });
    any(connection, let_in)
}

fn blocks(connection: &Connection, user: UserId, after: Option<UserId>, limit: usize) -> Outcome<Vec<Block>> {
    let mut statement = connection.prepare_cached(
        "SELECT u.id, u.username, u.display_name, u.bio, u.avatar, u.kind, u.deleted_at IS NOT NULL, b.created_at
         FROM blocks b JOIN users u ON u.id = b.blocked_id
         WHERE b.user_id = ?1 AND b.blocked_id > ?2 ORDER BY b.blocked_id LIMIT ?3",
    )?;
    let page = params![user.sql(), after.map_or(0, Integer::sql), limit.sql_limit()];
    let rows = statement.query_map(page, |row| {
        Ok(Block { user: row.int(0)?, profile: profiles::profile(row, 0)?, created_at: row.get(7)? })
    })?;
    rows.collect()
}
