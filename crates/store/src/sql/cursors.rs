//! Cursors, and the counting of what is unread.
//!
//! Unread is "messages of others after `read`", kept so that it is a subtraction: every event stores how many
//! messages the log holds up to it (`number`), a cursor stores that number at `read` and how many own messages stand
//! after it. Unread = number at the head - number at `read` - own after `read`.

use super::driver::{Connection, OptionalExtension, params};
use loquat_domain::failpoint;
use loquat_domain::ports::CursorMove;
use loquat_proto::conversation::Cursor;
use loquat_proto::{ConversationId, Seq, UserId};

use super::codec::{Columns, Integer};
use super::context::WriteContext;
use super::error::{Outcome, corrupt};

/// A cursor as it is stored, with the head of its conversation.
struct Stored {
    delivered: Seq,
    read: Seq,
    own_after_read: u64,
    head: Seq,
}

/// Moves cursors forward; ignores moves of who is no member.
pub(crate) fn save(context: &mut WriteContext<'_>, moves: &[CursorMove]) -> Outcome<()> {
    failpoint::pass("before_cursor_flush");
    let pos = context.next_pos()?;
    for cursor in moves {
        if save_one(context, cursor)? {
            touch(context, cursor, pos)?;
        }
    }
    Ok(())
}

/// A moved cursor is news for all members where they see one another's, else for its own user.
fn touch(context: &WriteContext<'_>, cursor: &CursorMove, pos: u64) -> Outcome<()> {
    let (conversation, user) = (cursor.conversation.sql(), cursor.user.sql());
    let told = context
        .statement(
            "UPDATE heads SET touched = ?2 WHERE conversation_id = ?1
                 AND (SELECT member_count FROM conversations WHERE id = ?1) <= 256",
        )?
        .execute([conversation, pos.sql()])?;
    if told == 0 {
        context
            .statement("UPDATE members SET touched = ?3 WHERE conversation_id = ?1 AND user_id = ?2")?
            .execute([conversation, user, pos.sql()])?;
    }
    Ok(())
}

/// Whether anything moved.
fn save_one(context: &WriteContext<'_>, cursor: &CursorMove) -> Outcome<bool> {
    let (conversation, user) = (cursor.conversation.sql(), cursor.user.sql());
    let stored = context
        .statement(
            "SELECT c.delivered, c.read, c.own_after_read, h.head
             FROM cursors c JOIN heads h ON h.conversation_id = c.conversation_id
             WHERE c.conversation_id = ?1 AND c.user_id = ?2",
        )?
        .query_row([conversation, user], |row| {
            Ok(Stored {
                delivered: row.int(0)?,
                read: row.int(1)?,
                own_after_read: row.int(2)?,
                head: row.int(3)?,
            })
        })
        .optional()?;
    let Some(stored) = stored else { return Ok(false) };
    let on_device = cursor.delivered.max(cursor.read).min(stored.head);
    let delivered = on_device.max(stored.delivered);
    let read = cursor.read.min(stored.head);
    let mut moved = on_device > 0 && save_device(context, cursor, on_device)?;
    if read > stored.read {
        let (number, own) = recount(context, (cursor.conversation, cursor.user), &stored, read)?;
        context
            .statement(
                "UPDATE cursors SET delivered = ?3, read = ?4, number_at_read = ?5, own_after_read = ?6
                 WHERE conversation_id = ?1 AND user_id = ?2",
            )?
            .execute(params![conversation, user, delivered.sql(), read.sql(), number.sql(), own.sql()])?;
        moved = true;
    } else if delivered > stored.delivered {
        context
            .statement("UPDATE cursors SET delivered = ?3 WHERE conversation_id = ?1 AND user_id = ?2")?
            .execute([conversation, user, delivered.sql()])?;
        moved = true;
    }
    Ok(moved)
}

fn save_device(context: &WriteContext<'_>, cursor: &CursorMove, delivered: Seq) -> Outcome<bool> {
    let changed = context
        .statement(
            "INSERT INTO device_cursors (conversation_id, user_id, device_id, delivered) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (conversation_id, user_id, device_id) DO UPDATE SET delivered = excluded.delivered
                 WHERE excluded.delivered > device_cursors.delivered",
        )?
        .execute([cursor.conversation.sql(), cursor.user.sql(), cursor.device.sql(), delivered.sql()])?;
    Ok(changed > 0)
}

/// The number of messages at the new place, and how many own ones stand after it: counted in the shorter of the two
/// ranges, which is nearly always a few events.
fn recount(
    context: &WriteContext<'_>,
    (conversation, user): (ConversationId, UserId),
    stored: &Stored,
    read: Seq,
) -> Outcome<(u64, u64)> {
    let number = context
        .statement("SELECT number FROM events WHERE conversation_id = ?1 AND seq = ?2")?
        .query_row([conversation.sql(), read.sql()], |row| row.int(0))
        .optional()?
        .ok_or_else(|| corrupt(format!("conversation {conversation} has a gap at {read}")))?;
    let own = |after: Seq, upto: Seq| -> Outcome<u64> {
        if after >= upto {
            return Ok(0);
        }
        context
            .statement(
                "SELECT COUNT(*) FROM events
                 WHERE conversation_id = ?1 AND seq > ?2 AND seq <= ?3 AND sender = ?4 AND kind = 1",
            )?
            .query_row([conversation.sql(), after.sql(), upto.sql(), user.sql()], |row| row.int(0))
    };
    let own_after = if stored.head - read <= read - stored.read {
        own(read, stored.head)?
    } else {
        stored.own_after_read.saturating_sub(own(stored.read, read)?)
    };
    Ok((number, own_after))
}

/// All members' cursors by user, as `viewer` may see them: hidden read receipts say 0, but for the viewer's own.
pub(crate) fn shown(
    connection: &Connection,
    conversation: ConversationId,
    viewer: Option<UserId>,
) -> Outcome<Vec<Cursor>> {
    let mut statement = connection.prepare_cached(
        "SELECT c.user_id, c.delivered, CASE WHEN u.read_receipts <> 0 OR c.user_id = ?2 THEN c.read ELSE 0 END
         FROM cursors c JOIN users u ON u.id = c.user_id WHERE c.conversation_id = ?1 ORDER BY c.user_id",
    )?;
    let viewer = viewer.map_or(0, Integer::sql);
    let rows = statement.query_map([conversation.sql(), viewer], |row| {
        Ok(Cursor { user: row.int(0)?, delivered: row.int(1)?, read: row.int(2)? })
    })?;
    rows.collect()
}
