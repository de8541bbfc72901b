//! [`Conversations`], and memberships.

use super::driver::{Connection, OptionalExtension, Row, params};
use async_trait::async_trait;
use loquat_domain::ports::{
    AccountEntry, ConversationFacts, Conversations, Creation, CreationOutcome, CursorMove, MemberFacts,
    Standing, StoreError, SyncPosition, ViewQuery, ViewSlice,
};
use loquat_proto::conversation::{Cursor, UpdatePreferences};
use loquat_proto::event::SettingsBody;
use loquat_proto::{
    AccountEventKind, ConversationId, ConversationKind, Member, Permissions, Role, Seq, Timestamp, UserId,
};
use serde_json::json;

use super::codec::{Columns, Integer, retention};
use super::context::{Slices, WriteContext};
use super::erase::Task;
use super::error::Outcome;
use super::log::{Limit, MAX_LIMIT};
use super::{Engine, Store, account_log, creation, cursors, profiles, views};

/// What [`member_facts`] reads of the members of conversation ?1.
macro_rules! member_columns {
    () => {
        "m.user_id, m.role, m.joined_at, m.visible_from, c.delivered, c.read, u.read_receipts, c.last_sent
         FROM members m
         JOIN cursors c ON c.conversation_id = m.conversation_id AND c.user_id = m.user_id
         JOIN users u ON u.id = m.user_id
         WHERE m.conversation_id = ?1"
    };
}

#[async_trait]
impl<E: Engine> Conversations for Store<E> {
    async fn create(&self, creation: Creation) -> Result<CreationOutcome, StoreError> {
        self.write(move |context| creation::create(context, creation)).await
    }

    async fn load(&self, conversation: ConversationId) -> Result<Option<ConversationFacts>, StoreError> {
        self.read(move |connection| load(connection, conversation)).await
    }

    async fn memberships(
        &self,
        conversation: ConversationId,
        users: Vec<UserId>,
    ) -> Result<Vec<MemberFacts>, StoreError> {
        self.read(move |connection| {
            let mut statement =
                connection.prepare_cached(concat!("SELECT ", member_columns!(), " AND m.user_id = ?2"))?;
            let mut found = Vec::with_capacity(users.len());
            for user in users {
                let facts = statement.query_row([conversation.sql(), user.sql()], member_facts).optional()?;
                found.extend(facts);
            }
            Ok(found)
        })
        .await
    }

    async fn heir(
        &self,
        conversation: ConversationId,
        without: UserId,
    ) -> Result<Option<UserId>, StoreError> {
        self.read(move |connection| {
            connection
                .prepare_cached(
                    "SELECT user_id FROM members WHERE conversation_id = ?1 AND user_id <> ?2
                     ORDER BY role DESC, joined_at, user_id LIMIT 1",
                )?
                .query_row([conversation.sql(), without.sql()], |row| row.int(0))
                .optional()
        })
        .await
    }

    async fn channels(&self, user: UserId) -> Result<Vec<ConversationId>, StoreError> {
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT m.conversation_id FROM members m JOIN conversations c ON c.id = m.conversation_id
                 WHERE m.user_id = ?1 AND c.kind = ?2",
            )?;
            let kind = ConversationKind::Channel.sql();
            statement.query_map([user.sql(), kind], |row| row.int(0))?.collect()
        })
        .await
    }

    async fn standing(
        &self,
        user: UserId,
        conversation: ConversationId,
    ) -> Result<Option<Standing>, StoreError> {
        self.read(move |connection| standing(connection, user, conversation)).await
    }

    async fn views(&self, viewer: UserId, query: ViewQuery) -> Result<ViewSlice, StoreError> {
        // Asked before the snapshot begins: the snapshot has every change up to here, and perhaps more.
        let (epoch, before) = (self.inner.epoch(), self.inner.position_before());
        self.read(move |connection| {
            let pos = connection.position(before)?;
            let account = account_log::head(connection, viewer)?;
            let (items, more) = views::views(connection, viewer, query)?;
            Ok(ViewSlice { items, more, position: SyncPosition { epoch, pos, account } })
        })
        .await
    }

    async fn members(
        &self,
        viewer: UserId,
        conversation: ConversationId,
        after: Option<UserId>,
        limit: usize,
    ) -> Result<Option<Vec<Member>>, StoreError> {
        self.read(move |connection| {
            if visible_from(connection, viewer, conversation)?.is_none() {
                return Ok(None);
            }
            members(connection, (conversation, viewer), after, limit).map(Some)
        })
        .await
    }

    async fn set_preferences(
        &self,
        viewer: UserId,
        conversation: ConversationId,
        change: UpdatePreferences,
        ts: Timestamp,
    ) -> Result<Option<AccountEntry>, StoreError> {
        self.write(move |context| set_preferences(context, (viewer, conversation), change, ts)).await
    }

    async fn save_cursors(&self, moves: Vec<CursorMove>) -> Result<(), StoreError> {
        self.inner.save_cursors(moves).await
    }

    async fn delete(
        &self,
        conversation: ConversationId,
        ts: Timestamp,
    ) -> Result<Vec<AccountEntry>, StoreError> {
        let first = move |context: &mut WriteContext<'_>| delete(context, conversation, ts);
        self.inner.write_in_slices(first).await
    }

    async fn position(&self, user: UserId) -> Result<SyncPosition, StoreError> {
        let (epoch, before) = (self.inner.epoch(), self.inner.position_before());
        self.read(move |connection| {
            let pos = connection.position(before)?;
            Ok(SyncPosition { epoch, pos, account: account_log::head(connection, user)? })
        })
        .await
    }

    async fn cursors(&self, conversation: ConversationId) -> Result<Vec<Cursor>, StoreError> {
        self.read(move |connection| cursors::shown(connection, conversation, None)).await
    }
}

/// The first `seq` that a member may read; `None`: no member.
pub(crate) fn visible_from(
    connection: &Connection,
    viewer: UserId,
    conversation: ConversationId,
) -> Outcome<Option<Seq>> {
    connection
        .prepare_cached("SELECT visible_from FROM members WHERE conversation_id = ?1 AND user_id = ?2")?
        .query_row([conversation.sql(), viewer.sql()], |row| row.int(0))
        .optional()
}

/// What a member is; `None`: no member.
pub(crate) fn standing(
    connection: &Connection,
    user: UserId,
    conversation: ConversationId,
) -> Outcome<Option<Standing>> {
    connection
        .prepare_cached(
            "SELECT m.role, c.kind, c.may_post, c.may_invite, c.may_edit_info, c.may_pin
             FROM members m JOIN conversations c ON c.id = m.conversation_id
             WHERE m.conversation_id = ?1 AND m.user_id = ?2",
        )?
        .query_row([conversation.sql(), user.sql()], |row| {
            Ok(Standing { role: row.int(0)?, kind: row.int(1)?, permissions: permissions(row, 2)? })
        })
        .optional()
}

/// A membership as it begins.
pub(crate) struct Membership {
    pub(crate) conversation: ConversationId,
    pub(crate) user: UserId,
    pub(crate) role: Role,
    pub(crate) joined_at: Timestamp,
    pub(crate) joined_pos: u64,
    pub(crate) visible_from: Seq,
    /// Both cursors, and the number of messages there.
    pub(crate) read: Seq,
    pub(crate) number_at_read: u64,
}

/// Makes a member; who is one stays as is.
pub(crate) fn enter(context: &WriteContext<'_>, membership: &Membership) -> Outcome<()> {
    let (conversation, user) = (membership.conversation.sql(), membership.user.sql());
    let entered = context
        .statement(
            "INSERT INTO members (conversation_id, user_id, role, joined_at, joined_pos, visible_from, muted_until,
                 pinned, archived, draft, touched)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, NULL, 0, 0, NULL, ?5) ON CONFLICT DO NOTHING",
        )?
        .execute(params![
            conversation,
            user,
            membership.role.sql(),
            membership.joined_at,
            membership.joined_pos.sql(),
            membership.visible_from.sql(),
        ])?;
    if entered == 0 {
        return Ok(());
    }
    context
        .statement(
            "INSERT INTO cursors
                 (conversation_id, user_id, delivered, read, number_at_read, own_after_read, last_sent)
             VALUES (?1, ?2, ?3, ?3, ?4, 0,
                 (SELECT last_sent FROM former_members WHERE user_id = ?2 AND conversation_id = ?1))",
        )?
        .execute(params![conversation, user, membership.read.sql(), membership.number_at_read.sql()])?;
    context
        .statement("DELETE FROM former_members WHERE user_id = ?2 AND conversation_id = ?1")?
        .execute([conversation, user])?;
    context
        .statement("UPDATE conversations SET member_count = member_count + 1 WHERE id = ?1")?
        .execute([conversation])?;
    Ok(())
}

/// Ends a membership with all that hangs on it: whether there was one.
pub(crate) fn leave(context: &WriteContext<'_>, conversation: ConversationId, user: UserId) -> Outcome<bool> {
    let key = [conversation.sql(), user.sql()];
    let left =
        context.statement("DELETE FROM members WHERE conversation_id = ?1 AND user_id = ?2")?.execute(key)?;
    if left == 0 {
        return Ok(false);
    }
    for sql in [
        "INSERT INTO former_members (conversation_id, user_id, last_sent)
         VALUES (?1, ?2, (SELECT last_sent FROM cursors WHERE conversation_id = ?1 AND user_id = ?2))
         ON CONFLICT DO NOTHING",
        "DELETE FROM cursors WHERE conversation_id = ?1 AND user_id = ?2",
        "DELETE FROM device_cursors WHERE conversation_id = ?1 AND user_id = ?2",
        "DELETE FROM mentions WHERE conversation_id = ?1 AND user_id = ?2",
        "UPDATE conversations
         SET member_count = member_count - 1, owner = CASE WHEN owner = ?2 THEN NULL ELSE owner END
         WHERE id = ?1",
    ] {
        context.statement(sql)?.execute(key)?;
    }
    Ok(true)
}

/// Ends a membership against the member's will: no invitation lets them in again, and theirs go with them.
pub(crate) fn remove(
    context: &WriteContext<'_>,
    conversation: ConversationId,
    user: UserId,
) -> Outcome<bool> {
    if !leave(context, conversation, user)? {
        return Ok(false);
    }
    for sql in [
        "UPDATE former_members SET barred = 1 WHERE conversation_id = ?1 AND user_id = ?2",
        "UPDATE invites SET revoked = 1 WHERE conversation_id = ?1 AND creator = ?2",
    ] {
        context.statement(sql)?.execute([conversation.sql(), user.sql()])?;
    }
    Ok(true)
}

fn load(connection: &Connection, conversation: ConversationId) -> Outcome<Option<ConversationFacts>> {
    let facts = connection
        .prepare_cached(
            "SELECT c.kind, h.head, h.version, c.history, c.title, c.description, c.avatar, c.retention_mode,
                 c.retention_seconds, c.slow_mode_ms, c.may_post, c.may_invite, c.may_edit_info, c.may_pin,
                 EXISTS (SELECT 1 FROM blocks b
                     WHERE (b.user_id = c.first_peer AND b.blocked_id = c.second_peer)
                         OR (b.user_id = c.second_peer AND b.blocked_id = c.first_peer)),
                 EXISTS (SELECT 1 FROM users u
                     WHERE u.id IN (c.first_peer, c.second_peer) AND u.deleted_at IS NOT NULL),
                 c.member_count
             FROM conversations c JOIN heads h ON h.conversation_id = c.id WHERE c.id = ?1",
        )?
        .query_row([conversation.sql()], |row| {
            Ok(ConversationFacts {
                id: conversation,
                kind: row.int(0)?,
                head: row.int(1)?,
                version: row.int(2)?,
                history: row.int(3)?,
                settings: SettingsBody {
                    title: row.get(4)?,
                    description: row.get(5)?,
                    avatar: Some(row.get(6)?),
                    retention: Some(retention(row.get(7)?, row.int(8)?)?),
                    slow_mode_ms: Some(row.int(9)?),
                    permissions: Some(permissions(row, 10)?),
                },
                blocked: row.get(14)?,
                ended: row.get(15)?,
                member_count: row.int(16)?,
                members: Vec::new(),
            })
        })
        .optional()?;
    let Some(mut facts) = facts else { return Ok(None) };
    if facts.kind == ConversationKind::Channel {
        return Ok(Some(facts));
    }
    facts.members = connection
        .prepare_cached(concat!("SELECT ", member_columns!(), " ORDER BY m.joined_pos"))?
        .query_map([conversation.sql()], member_facts)?
        .collect::<Outcome<_>>()?;
    Ok(Some(facts))
}

fn member_facts(row: &Row<'_>) -> Outcome<MemberFacts> {
    Ok(MemberFacts {
        user: row.int(0)?,
        role: row.int(1)?,
        joined_at: row.get(2)?,
        visible_from: row.int(3)?,
        delivered: row.int(4)?,
        read: row.int(5)?,
        read_receipts: row.int(6)?,
        last_sent: row.get(7)?,
    })
}

/// Permissions from four columns: post, invite, edit info, pin.
pub(crate) fn permissions(row: &Row<'_>, column: usize) -> Outcome<Permissions> {
    Ok(Permissions {
        post: row.int(column)?,
        invite: row.int(column + 1)?,
        edit_info: row.int(column + 2)?,
        pin: row.int(column + 3)?,
    })
}

fn members(
    connection: &Connection,
    (conversation, viewer): (ConversationId, UserId),
    after: Option<UserId>,
    limit: usize,
) -> Outcome<Vec<Member>> {
    let mut statement = connection.prepare_cached(
        "SELECT u.id, u.username, u.display_name, u.bio, u.avatar, u.kind, u.deleted_at IS NOT NULL,
             m.role, m.joined_at, c.delivered,
             CASE WHEN u.read_receipts <> 0 OR m.user_id = ?2 THEN c.read ELSE 0 END
         FROM members m
         JOIN cursors c ON c.conversation_id = m.conversation_id AND c.user_id = m.user_id
         JOIN users u ON u.id = m.user_id
         WHERE m.conversation_id = ?1 AND m.user_id > ?3 ORDER BY m.user_id LIMIT ?4",
    )?;
    let after = after.map_or(0, Integer::sql);
    let page = params![conversation.sql(), viewer.sql(), after, limit.min(MAX_LIMIT).sql_limit()];
    let rows = statement.query_map(page, |row| {
        Ok(Member {
            user: row.int(0)?,
            profile: profiles::profile(row, 0)?,
            role: row.int(7)?,
            joined_at: row.get(8)?,
            delivered: row.int(9)?,
            read: row.int(10)?,
        })
    })?;
    rows.collect()
}

fn set_preferences(
    context: &mut WriteContext<'_>,
    (viewer, conversation): (UserId, ConversationId),
    change: UpdatePreferences,
    ts: Timestamp,
) -> Outcome<Option<AccountEntry>> {
    let pos = context.next_pos()?;
    let body = context
        .statement(
            "UPDATE members SET
                 muted_until = CASE WHEN ?3 <> 0 THEN ?4 ELSE muted_until END,
                 pinned = COALESCE(?5, pinned),
                 archived = COALESCE(?6, archived),
                 draft = CASE WHEN ?7 <> 0 THEN ?8 ELSE draft END,
                 touched = ?9
             WHERE conversation_id = ?1 AND user_id = ?2
             RETURNING muted_until, pinned, archived, draft",
        )?
        .query_row(
            params![
                conversation.sql(),
                viewer.sql(),
                change.muted_until.is_some().sql(),
                change.muted_until.flatten(),
                change.pinned.map(Integer::sql),
                change.archived.map(Integer::sql),
                change.draft.is_some().sql(),
                change.draft.flatten(),
                pos.sql(),
            ],
            |row| {
                Ok(json!({
                    "conversation": conversation,
                    "muted_until": row.get::<_, Option<Timestamp>>(0)?,
                    "pinned": row.int::<bool>(1)?,
                    "archived": row.int::<bool>(2)?,
                    "draft": row.get::<_, Option<String>>(3)?,
                }))
            },
        )
        .optional()?;
    let entry =
        body.map(|body| account_log::append(context, viewer, AccountEventKind::Preferences, body, ts));
    entry.transpose()
}

/// The conversation is gone for everybody with the first transaction; its rows go in slices.
fn delete(
    context: &mut WriteContext<'_>,
    conversation: ConversationId,
    ts: Timestamp,
) -> Outcome<(Vec<AccountEntry>, Slices)> {
    // First, so that nothing is appended meanwhile.
    context
        .statement("SELECT 1 FROM heads WHERE conversation_id = ?1 /*pg FOR UPDATE*/")?
        .exists([conversation.sql()])?;
    let mut statement = context.statement("SELECT user_id FROM members WHERE conversation_id = ?1")?;
    let members: Outcome<Vec<UserId>> =
        statement.query_map([conversation.sql()], |row| row.int(0))?.collect();
    for sql in [
        "DELETE FROM members WHERE conversation_id = ?1",
        "DELETE FROM former_members WHERE conversation_id = ?1",
        "DELETE FROM invites WHERE conversation_id = ?1",
        "DELETE FROM cursors WHERE conversation_id = ?1",
        "DELETE FROM device_cursors WHERE conversation_id = ?1",
        "DELETE FROM retention_horizons WHERE conversation_id = ?1",
        "DELETE FROM heads WHERE conversation_id = ?1",
        "DELETE FROM conversations WHERE id = ?1",
    ] {
        context.statement(sql)?.execute([conversation.sql()])?;
    }
    context.nonces.forget(conversation);
    let body = json!({ "conversation": conversation, "reason": "deleted" });
    let entries: Outcome<Vec<AccountEntry>> = members?
        .into_iter()
        .map(|user| account_log::append(context, user, AccountEventKind::ConversationLeft, body.clone(), ts))
        .collect();
    Ok((entries?, Task::Purge(conversation).begin(context.connection)?))
}
