//! [`Inspection`].

use super::driver::{Connection, OptionalExtension, Row, params};
use async_trait::async_trait;
use loquat_domain::ports::{
    ConversationQuery, ConversationReport, ConversationSummary, Finding, Inspection, MemberSummary,
    StoreError,
};
use loquat_proto::ConversationId;

use super::codec::{Columns, Integer, retention};
use super::error::Outcome;
use super::{Engine, Store, conversations, derived};

/// Members that a report names.
const MEMBERS: u64 = 256;

#[async_trait]
impl<E: Engine> Inspection for Store<E> {
    async fn list_conversations(
        &self,
        query: ConversationQuery,
    ) -> Result<Vec<ConversationSummary>, StoreError> {
        self.read(move |connection| list(connection, &query)).await
    }

    async fn inspect(&self, conversation: ConversationId) -> Result<Option<ConversationReport>, StoreError> {
        self.read(move |connection| report(connection, conversation)).await
    }

    async fn repair(&self, conversation: ConversationId) -> Result<Option<Vec<Finding>>, StoreError> {
        self.write_in(conversation, move |context| derived::repair(context, conversation)).await
    }
}

/// What [`summary`] reads, of `conversations c` and `heads h`. A head that is not there is one of the findings.
const SUMMARY: &str =
    "c.id, c.kind, c.title, c.owner, c.member_count, COALESCE(h.head, 0), COALESCE(h.number, 0),
     c.created_at, COALESCE(h.last_activity, c.created_at)";

fn summary(row: &Row<'_>) -> Outcome<ConversationSummary> {
    Ok(ConversationSummary {
        id: row.int(0)?,
        kind: row.int(1)?,
        title: row.get(2)?,
        owner: row.optional(3)?,
        members: row.int(4)?,
        head: row.int(5)?,
        messages: row.int(6)?,
        created_at: row.get(7)?,
        last_activity: row.get(8)?,
    })
}

fn list(connection: &Connection, query: &ConversationQuery) -> Outcome<Vec<ConversationSummary>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {SUMMARY} FROM conversations c LEFT JOIN heads h ON h.conversation_id = c.id
         WHERE c.id > ?1 AND (?2 IS NULL OR c.kind = ?2)
             AND (?3 IS NULL OR c.id IN (SELECT conversation_id FROM members WHERE user_id = ?3))
         ORDER BY c.id LIMIT ?4"
    ))?;
    let wanted = params![
        query.after.map_or(0, Integer::sql),
        query.kind.map(Integer::sql),
        query.member.map(Integer::sql),
        (query.limit as u64).sql()
    ];
    let rows = statement.query_map(wanted, summary)?;
    rows.collect()
}

fn report(connection: &Connection, conversation: ConversationId) -> Outcome<Option<ConversationReport>> {
    let report = connection
        .prepare_cached(&format!(
            "SELECT {SUMMARY}, c.history, c.retention_mode, c.retention_seconds, c.slow_mode_ms,
                 c.may_post, c.may_invite, c.may_edit_info, c.may_pin
             FROM conversations c LEFT JOIN heads h ON h.conversation_id = c.id WHERE c.id = ?1"
        ))?
        .query_row([conversation.sql()], |row| {
            Ok(ConversationReport {
                summary: summary(row)?,
                history: row.int(9)?,
                retention: retention(row.get(10)?, row.int(11)?)?,
                slow_mode_ms: row.int(12)?,
                permissions: conversations::permissions(row, 13)?,
                erased: 0,
                body_bytes: 0,
                oldest_members: Vec::new(),
                findings: Vec::new(),
            })
        })
        .optional()?;
    let Some(mut report) = report else { return Ok(None) };
    (report.erased, report.body_bytes) = connection
        .prepare_cached(
            "SELECT COALESCE(SUM(CASE WHEN kind = 1 AND body IS NULL THEN 1 ELSE 0 END), 0), COALESCE(SUM(octet_length(body)), 0)
             FROM events WHERE conversation_id = ?1",
        )?
        .query_row([conversation.sql()], |row| Ok((row.int(0)?, row.int(1)?)))?;
    report.oldest_members = members(connection, conversation)?;
    report.findings = derived::findings(connection, conversation)?;
    Ok(Some(report))
}

fn members(connection: &Connection, conversation: ConversationId) -> Outcome<Vec<MemberSummary>> {
    let mut statement = connection.prepare_cached(
        "SELECT m.user_id, u.username, m.role, m.joined_at, m.visible_from,
             COALESCE(c.delivered, 0), COALESCE(c.read, 0)
         FROM members m JOIN users u ON u.id = m.user_id
         LEFT JOIN cursors c ON c.conversation_id = m.conversation_id AND c.user_id = m.user_id
         WHERE m.conversation_id = ?1 ORDER BY m.joined_pos LIMIT ?2",
    )?;
    let rows = statement.query_map([conversation.sql(), MEMBERS.sql()], |row| {
        Ok(MemberSummary {
            user: row.int(0)?,
            username: row.get(1)?,
            role: row.int(2)?,
            joined_at: row.get(3)?,
            visible_from: row.int(4)?,
            delivered: row.int(5)?,
            read: row.int(6)?,
        })
    })?;
    rows.collect()
}
