//! [`Retentions`].

use super::driver::{Connection, OptionalExtension, params};
use async_trait::async_trait;
use loquat_domain::ports::{Horizons, MemberDevice, Retentions, StoreError, SweepFacts, SweptMessage};
use loquat_proto::{ConversationId, Retention, Seq};

use super::codec::{Columns, Integer, retention};
use super::context::WriteContext;
use super::error::Outcome;
use super::log::MAX_LIMIT;
use super::{Engine, Store, erase};

#[async_trait]
impl<E: Engine> Retentions for Store<E> {
    async fn retentions(
        &self,
        conversations: &[ConversationId],
    ) -> Result<Vec<(ConversationId, Retention)>, StoreError> {
        let conversations = conversations.to_vec();
        self.read(move |connection| {
            // Mode 1 keeps everything.
            let mut statement = connection.prepare_cached(
                "SELECT retention_mode, retention_seconds FROM conversations WHERE id = ?1 AND retention_mode <> 1",
            )?;
            let mut found = Vec::new();
            for conversation in conversations {
                let stored = statement
                    .query_row([conversation.sql()], |row| retention(row.get(0)?, row.int(1)?))
                    .optional()?;
                found.extend(stored.map(|stored| (conversation, stored)));
            }
            Ok(found)
        })
        .await
    }

    async fn sweep_facts(
        &self,
        conversation: ConversationId,
        limit: usize,
    ) -> Result<Option<SweepFacts>, StoreError> {
        self.read(move |connection| facts(connection, conversation, limit)).await
    }

    async fn erase_up_to(
        &self,
        conversation: ConversationId,
        to: Horizons,
    ) -> Result<Option<Horizons>, StoreError> {
        self.write_in(conversation, move |context| erase_up_to(context, conversation, to)).await
    }
}

/// How far retention has erased.
fn horizons(connection: &Connection, conversation: ConversationId) -> Outcome<Horizons> {
    let stored = connection
        .prepare_cached("SELECT erased_to, expired_to FROM retention_horizons WHERE conversation_id = ?1")?
        .query_row([conversation.sql()], |row| {
            Ok(Horizons { erased_to: row.int(0)?, expired_to: row.int(1)? })
        })
        .optional()?;
    Ok(stored.unwrap_or_default())
}

fn facts(connection: &Connection, conversation: ConversationId, limit: usize) -> Outcome<Option<SweepFacts>> {
    let found = connection
        .prepare_cached(
            "SELECT c.retention_mode, c.retention_seconds, h.head
             FROM conversations c JOIN heads h ON h.conversation_id = c.id WHERE c.id = ?1",
        )?
        .query_row([conversation.sql()], |row| Ok((retention(row.get(0)?, row.int(1)?)?, row.int::<Seq>(2)?)))
        .optional()?;
    let Some((retention, head)) = found else { return Ok(None) };
    let Horizons { erased_to, expired_to } = horizons(connection, conversation)?;
    let from = if matches!(retention, Retention::Ttl { .. }) { expired_to } else { erased_to };
    let looked_to = head.min(from.saturating_add(limit.min(MAX_LIMIT) as u64));
    let mut statement = connection.prepare_cached(
        "SELECT seq, ts, device_id FROM events
         WHERE conversation_id = ?1 AND seq > ?2 AND seq <= ?3 AND kind = 1 ORDER BY seq",
    )?;
    let messages = statement
        .query_map([conversation.sql(), from.sql(), looked_to.sql()], |row| {
            Ok(SweptMessage { seq: row.int(0)?, ts: row.get(1)?, device: row.optional(2)? })
        })?
        .collect::<Outcome<_>>()?;
    let devices = match retention {
        Retention::UntilDelivered => devices(connection, conversation)?,
        Retention::Keep | Retention::Ttl { .. } => Vec::new(),
    };
    Ok(Some(SweepFacts { retention, erased_to, expired_to, messages, looked_to, head, devices }))
}

fn devices(connection: &Connection, conversation: ConversationId) -> Outcome<Vec<MemberDevice>> {
    let mut statement = connection.prepare_cached(
        "SELECT d.id, MAX(d.created_at, COALESCE(d.last_seen, d.created_at)), m.visible_from,
             COALESCE(k.delivered, 0)
         FROM members m
         JOIN devices d ON d.user_id = m.user_id
         LEFT JOIN device_cursors k
             ON k.conversation_id = m.conversation_id AND k.user_id = m.user_id AND k.device_id = d.id
         WHERE m.conversation_id = ?1 ORDER BY d.id",
    )?;
    let rows = statement.query_map([conversation.sql()], |row| {
        Ok(MemberDevice {
            device: row.int(0)?,
            active_at: row.get(1)?,
            visible_from: row.int(2)?,
            delivered: row.int(3)?,
        })
    })?;
    rows.collect()
}

fn erase_up_to(
    context: &mut WriteContext<'_>,
    conversation: ConversationId,
    to: Horizons,
) -> Outcome<Option<Horizons>> {
    let head: Option<Seq> = context
        .statement("SELECT head FROM heads WHERE conversation_id = ?1")?
        .query_row([conversation.sql()], |row| row.int(0))
        .optional()?;
    let Some(head) = head else { return Ok(None) };
    let before = horizons(context.connection, conversation)?;
    let erased_to = to.erased_to.max(to.expired_to).min(head).max(before.erased_to);
    let after = Horizons { erased_to, expired_to: to.expired_to.min(head).max(before.expired_to) };
    if after == before {
        return Ok(Some(before));
    }
    erase::messages(context.connection, conversation, (before.erased_to, after.erased_to))?;
    context
        .statement(
            "INSERT INTO retention_horizons (conversation_id, erased_to, expired_to) VALUES (?1, ?2, ?3)
             ON CONFLICT (conversation_id) DO UPDATE SET
                 erased_to = excluded.erased_to, expired_to = excluded.expired_to",
        )?
        .execute(params![conversation.sql(), after.erased_to.sql(), after.expired_to.sql()])?;
    let pos = context.next_pos()?;
    context
        .statement("UPDATE heads SET touched = ?2 WHERE conversation_id = ?1")?
        .execute([conversation.sql(), pos.sql()])?;
    Ok(Some(after))
}
