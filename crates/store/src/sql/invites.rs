//! [`Invites`], and their use.

use super::driver::{Connection, OptionalExtension, Row, params};
use async_trait::async_trait;
use loquat_domain::ports::{
    Invitation, InviteOutcome, InviteRecord, Invites, NewInvite, Standing, StoreError,
};
use loquat_proto::{ConversationId, Timestamp, UserId};

use super::codec::{Columns, Integer};
use super::context::WriteContext;
use super::error::Outcome;
use super::{Engine, Store, conversations};

/// Columns from which [`record`] reads.
macro_rules! record_columns {
    () => {
        "i.code, i.conversation_id, i.creator, i.created_at, i.expires_at, i.max_uses, i.uses"
    };
}

/// Invitations that work no more are kept for so long after they were made: their users are told that they are gone.
const KEPT_MS: Timestamp = 90 * 86_400_000;

#[async_trait]
impl<E: Engine> Invites for Store<E> {
    async fn create_invite(&self, invite: NewInvite) -> Result<InviteOutcome, StoreError> {
        self.write_in(invite.invite.conversation, move |context| create(context, invite)).await
    }

    async fn invites(
        &self,
        viewer: UserId,
        conversation: ConversationId,
        now: Timestamp,
    ) -> Result<Option<(Standing, Vec<InviteRecord>)>, StoreError> {
        self.read(move |connection| {
            let Some(standing) = conversations::standing(connection, viewer, conversation)? else {
                return Ok(None);
            };
            let mut statement = connection.prepare_cached(concat!(
                "SELECT ",
                record_columns!(),
                " FROM invites i WHERE i.conversation_id = ?1 AND i.revoked = 0
                     AND (i.expires_at IS NULL OR i.expires_at > ?2)
                     AND (i.max_uses IS NULL OR i.uses < i.max_uses)
                 ORDER BY i.created_at DESC, i.code DESC"
            ))?;
            let invites: Outcome<_> =
                statement.query_map(params![conversation.sql(), now], record)?.collect();
            Ok(Some((standing, invites?)))
        })
        .await
    }

    async fn invitation(&self, code: &str, user: UserId) -> Result<Option<Invitation>, StoreError> {
        let code = code.to_owned();
        self.read(move |connection| invitation(connection, &code, user)).await
    }

    async fn revoke_invite(&self, conversation: ConversationId, code: &str) -> Result<bool, StoreError> {
        let code = code.to_owned();
        self.write(move |context| {
            let revoked = context
                .statement(
                    "UPDATE invites SET revoked = 1 WHERE code = ?1 AND conversation_id = ?2 AND revoked = 0",
                )?
                .execute(params![code, conversation.sql()])?;
            Ok(revoked > 0)
        })
        .await
    }
}

fn record(row: &Row<'_>) -> Outcome<InviteRecord> {
    Ok(InviteRecord {
        code: row.get(0)?,
        conversation: row.int(1)?,
        creator: row.int(2)?,
        created_at: row.get(3)?,
        expires_at: row.get(4)?,
        max_uses: row.optional(5)?,
        uses: row.int(6)?,
    })
}

fn create(context: &mut WriteContext<'_>, new: NewInvite) -> Outcome<InviteOutcome> {
    let NewInvite { invite, nonce, standing, limit } = new;
    let InviteRecord { code, conversation, creator, created_at, expires_at, max_uses, uses } = &invite;
    if conversations::standing(context.connection, *creator, *conversation)? != Some(standing) {
        return Ok(InviteOutcome::Stale);
    }
    if let Some(nonce) = &nonce {
        let made = context
            .statement(concat!(
                "SELECT ",
                record_columns!(),
                " FROM invites i WHERE i.conversation_id = ?1 AND i.creator = ?2 AND i.nonce = ?3"
            ))?
            .query_row(params![conversation.sql(), creator.sql(), nonce.as_str()], record)
            .optional()?;
        if let Some(made) = made {
            return Ok(InviteOutcome::Made(made));
        }
    }
    let working: u64 = context
        .statement(
            "SELECT COUNT(*) FROM invites WHERE conversation_id = ?1 AND revoked = 0
                 AND (expires_at IS NULL OR expires_at > ?2) AND (max_uses IS NULL OR uses < max_uses)",
        )?
        .query_row(params![conversation.sql(), created_at], |row| row.int(0))?;
    if working >= limit as u64 {
        return Ok(InviteOutcome::TooMany);
    }
    if context.statement("SELECT 1 FROM invites WHERE code = ?1")?.exists([code])? {
        return Ok(InviteOutcome::CodeTaken);
    }
    // Without it they would pile up for as long as the conversation lives. Those with a nonce stay, to be known again.
    context
        .statement(
            "DELETE FROM invites WHERE conversation_id = ?1 AND created_at < ?2 AND nonce IS NULL
                 AND (revoked <> 0 OR expires_at <= ?3 OR uses >= max_uses)",
        )?
        .execute(params![conversation.sql(), created_at.saturating_sub(KEPT_MS), created_at])?;
    context
        .statement(
            "INSERT INTO invites
                 (code, conversation_id, creator, nonce, created_at, expires_at, max_uses, uses, revoked)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 0)",
        )?
        .execute(params![
            code,
            conversation.sql(),
            creator.sql(),
            nonce.as_ref().map(loquat_proto::Nonce::as_str),
            created_at,
            expires_at,
            max_uses.map(Integer::sql),
            uses.sql(),
        ])?;
    Ok(InviteOutcome::Made(invite))
}

fn invitation(connection: &Connection, code: &str, user: UserId) -> Outcome<Option<Invitation>> {
    connection
        .prepare_cached(concat!(
            "SELECT ",
            record_columns!(),
            ", i.revoked, c.kind, c.title, c.member_count,
                 EXISTS (SELECT 1 FROM members m
                         WHERE m.conversation_id = i.conversation_id AND m.user_id = ?2),
                 EXISTS (SELECT 1 FROM former_members f
                         WHERE f.conversation_id = i.conversation_id AND f.user_id = ?2 AND f.barred <> 0)
             FROM invites i JOIN conversations c ON c.id = i.conversation_id WHERE i.code = ?1"
        ))?
        .query_row(params![code, user.sql()], |row| {
            Ok(Invitation {
                invite: record(row)?,
                revoked: row.int(7)?,
                kind: row.int(8)?,
                title: row.get(9)?,
                member_count: row.int(10)?,
                joined: row.int(11)?,
                barred: row.int(12)?,
            })
        })
        .optional()
}

/// Counts one use, if the invitation still works and the user is not barred: whether it did. Nothing is written else.
pub(crate) fn use_one(
    context: &WriteContext<'_>,
    (conversation, user): (ConversationId, UserId),
    code: &str,
    now: Timestamp,
) -> Outcome<bool> {
    let used = context
        .statement(
            "UPDATE invites SET uses = uses + 1
             WHERE code = ?1 AND conversation_id = ?2 AND revoked = 0
                 AND (expires_at IS NULL OR expires_at > ?4) AND (max_uses IS NULL OR uses < max_uses)
                 AND NOT EXISTS (SELECT 1 FROM former_members f
                                 WHERE f.conversation_id = ?2 AND f.user_id = ?3 AND f.barred <> 0)",
        )?
        .execute(params![code, conversation.sql(), user.sql(), now])?;
    Ok(used > 0)
}
