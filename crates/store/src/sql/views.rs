//! Conversations as one member sees them.

use super::driver::{Connection, OptionalExtension, Row, params};
use loquat_domain::ports::ViewQuery;
use loquat_proto::conversation::OwnMembership;
use loquat_proto::{Conversation, ConversationId, Seq, Timestamp, UserId};

use super::codec::{Columns, Integer, retention};
use super::error::{Outcome, is_unreadable};
use super::{blocks, conversations, cursors, messages, profiles};

/// In conversations with more members, cursors are left out.
const MAX_CURSORS: u64 = 256;

/// The conversations asked for, newest activity first, and whether there are more.
pub(crate) fn views(
    connection: &Connection,
    viewer: UserId,
    query: ViewQuery,
) -> Outcome<(Vec<Conversation>, bool)> {
    let (ids, more) = match query {
        ViewQuery::One(conversation) => (vec![conversation], false),
        ViewQuery::Newest { after, limit } => newest(connection, viewer, limit, |entry| {
            after.is_none_or(|last| (entry.last_activity, entry.conversation) < last)
        })?,
        ViewQuery::ChangedSince { pos, limit } => {
            newest(connection, viewer, limit, |entry| entry.touched > pos)?
        }
    };
    let mut views = Vec::with_capacity(ids.len());
    let alone = matches!(query, ViewQuery::One(_));
    for conversation in ids {
        match view(connection, viewer, conversation) {
            Ok(found) => views.extend(found),
            // One that cannot be read costs nobody the others (and with them all of sync).
            Err(error) if !alone && is_unreadable(&error) => {
                tracing::error!(%conversation, %error, "a conversation cannot be shown");
            }
            Err(error) => return Err(error),
        }
    }
    Ok((views, more))
}

/// One of a member's conversations, as far as its place in the list needs.
struct Entry {
    conversation: ConversationId,
    last_activity: Timestamp,
    /// Where log, cursors or the member's preferences last moved.
    touched: u64,
}

/// Sorted in memory: somebody's conversations are few thousands at most, and an index by activity would be written
/// for every member at every message.
fn newest(
    connection: &Connection,
    viewer: UserId,
    limit: usize,
    wanted: impl Fn(&Entry) -> bool,
) -> Outcome<(Vec<ConversationId>, bool)> {
    let mut statement = connection.prepare_cached(
        "SELECT m.conversation_id, h.last_activity, CASE WHEN m.touched > h.touched THEN m.touched ELSE h.touched END
         FROM members m JOIN heads h ON h.conversation_id = m.conversation_id WHERE m.user_id = ?1",
    )?;
    let entries = statement.query_map([viewer.sql()], |row| {
        Ok(Entry { conversation: row.int(0)?, last_activity: row.get(1)?, touched: row.int(2)? })
    })?;
    let mut entries: Vec<Entry> = entries.collect::<Outcome<_>>()?;
    entries.retain(wanted);
    entries.sort_unstable_by_key(|entry| std::cmp::Reverse((entry.last_activity, entry.conversation)));
    let more = entries.len() > limit;
    entries.truncate(limit);
    Ok((entries.into_iter().map(|entry| entry.conversation).collect(), more))
}

/// A conversation but for what other tables hold, and what is needed to ask them.
struct Draft {
    conversation: Conversation,
    last_message: Seq,
    peer: Option<UserId>,
}

fn view(
    connection: &Connection,
    viewer: UserId,
    conversation: ConversationId,
) -> Outcome<Option<Conversation>> {
    let draft = connection
        .prepare_cached(
            "SELECT c.kind, c.title, c.description, c.avatar, c.owner, c.member_count, c.created_at, c.history,
                 c.retention_mode, c.retention_seconds, c.may_post, c.may_invite, c.may_edit_info, c.may_pin,
                 c.slow_mode_ms, c.first_peer, c.second_peer,
                 h.head, h.number, h.last_message, h.last_activity,
                 m.visible_from, m.role, m.muted_until, m.pinned, m.archived, m.draft,
                 k.delivered, k.read, k.number_at_read, k.own_after_read,
                 (SELECT COUNT(*) FROM mentions x
                  WHERE x.user_id = m.user_id AND x.conversation_id = m.conversation_id AND x.seq > k.read),
                 COALESCE(r.erased_to, 0), COALESCE(r.expired_to, 0)
             FROM members m
             JOIN conversations c ON c.id = m.conversation_id
             JOIN heads h ON h.conversation_id = m.conversation_id
             JOIN cursors k ON k.conversation_id = m.conversation_id AND k.user_id = m.user_id
             LEFT JOIN retention_horizons r ON r.conversation_id = m.conversation_id
             WHERE m.conversation_id = ?1 AND m.user_id = ?2",
        )?
        .query_row(params![conversation.sql(), viewer.sql()], |row| draft(row, viewer, conversation))
        .optional()?;
    let Some(Draft { conversation: mut view, last_message, peer }) = draft else { return Ok(None) };
    if last_message >= view.visible_from {
        view.last_message = messages::one(connection, viewer, conversation, last_message)?;
    }
    if view.member_count <= MAX_CURSORS {
        view.cursors = cursors::shown(connection, conversation, Some(viewer))?;
    }
    if let Some(peer) = peer {
        view.peer = profiles::one(connection, peer)?;
        if blocks::between(connection, viewer, peer)? {
            // How far the other one is would say when they are there.
            for cursor in view.cursors.iter_mut().filter(|cursor| cursor.user == peer) {
                (cursor.delivered, cursor.read) = (0, 0);
            }
        }
    }
    Ok(Some(view))
}

fn draft(row: &Row<'_>, viewer: UserId, conversation: ConversationId) -> Outcome<Draft> {
    let peers: [Option<UserId>; 2] = [row.optional(15)?, row.optional(16)?];
    let peer = peers.into_iter().flatten().find(|peer| *peer != viewer).or(peers[0]);
    let (number, number_at_read, own_after_read): (u64, u64, u64) =
        (row.int(18)?, row.int(29)?, row.int(30)?);
    let conversation = Conversation {
        id: conversation,
        kind: row.int(0)?,
        title: row.get(1)?,
        description: row.get(2)?,
        avatar: row.get(3)?,
        owner: row.optional(4)?,
        member_count: row.int(5)?,
        head: row.int(17)?,
        visible_from: row.int(21)?,
        history: row.int(7)?,
        created_at: row.get(6)?,
        last_activity: row.get(20)?,
        last_message: None,
        retention: retention(row.get(8)?, row.int(9)?)?,
        erased_to: row.int(32)?,
        expired_to: row.int(33)?,
        permissions: conversations::permissions(row, 10)?,
        slow_mode_ms: row.int(14)?,
        peer: None,
        me: OwnMembership {
            role: row.int(22)?,
            delivered: row.int(27)?,
            read: row.int(28)?,
            unread: number.saturating_sub(number_at_read + own_after_read),
            mentions: row.int(31)?,
            muted_until: row.get(23)?,
            pinned: row.int(24)?,
            archived: row.int(25)?,
            draft: row.get(26)?,
        },
        cursors: Vec::new(),
    };
    Ok(Draft { conversation, last_message: row.int(19)?, peer })
}
