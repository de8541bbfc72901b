//! Erasing: one message, all that an account wrote, a whole conversation.
//!
//! A message's erasure keeps the skeleton (`seq`, `ts`, sender, kind, target, nonce). What may concern any number of
//! events goes in slices, so that writes of others come in between; a row in `unfinished` is there until the last
//! slice, and [`resume`] does the rest at the next start if the process died.

use std::collections::VecDeque;

use super::driver::{Connection, OptionalExtension, params};
use loquat_proto::{ConversationId, Seq, UserId};

use super::codec::{Columns, Integer, MESSAGE};
use super::context::Slices;
use super::error::{Outcome, corrupt};

/// Events looked at, or rows deleted, in one slice.
const SLICE: u64 = 2000;

/// What is left to do when the first transaction is through; the numbers stand in `unfinished`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Task {
    /// The rows of a deleted conversation go.
    Purge(ConversationId),
    /// What a deleted account wrote goes.
    EraseAccount(UserId),
}

impl Task {
    fn columns(self) -> (i64, i64) {
        match self {
            Self::Purge(conversation) => (1, conversation.sql()),
            Self::EraseAccount(user) => (2, user.sql()),
        }
    }

    fn from_columns(task: i64, subject: i64) -> Outcome<Self> {
        let read = match task {
            1 => ConversationId::from_sql(subject).map(Self::Purge),
            2 => UserId::from_sql(subject).map(Self::EraseAccount),
            _ => None,
        };
        read.ok_or_else(|| corrupt(format!("no task is {task} of {subject}")))
    }

    /// Notes the task, and returns its slices.
    pub(crate) fn begin(self, connection: &Connection) -> Outcome<Slices> {
        let (task, subject) = self.columns();
        connection
            .prepare_cached("INSERT INTO unfinished (task, subject) VALUES (?1, ?2) ON CONFLICT DO NOTHING")?
            .execute([task, subject])?;
        self.slices(connection)
    }

    fn slices(self, connection: &Connection) -> Outcome<Slices> {
        Ok(match self {
            Self::Purge(conversation) => {
                Box::new(move |connection| Ok(purge(connection, conversation)? == 0 && self.end(connection)?))
            }
            Self::EraseAccount(user) => {
                let mut erasure = AccountErasure::of(connection, user)?;
                Box::new(move |connection| Ok(erasure.slice(connection)? && self.end(connection)?))
            }
        })
    }

    fn end(self, connection: &Connection) -> Outcome<bool> {
        let (task, subject) = self.columns();
        connection
            .prepare_cached("DELETE FROM unfinished WHERE task = ?1 AND subject = ?2")?
            .execute([task, subject])?;
        Ok(true)
    }
}

/// Whether a deleted conversation's rows are still there.
pub(crate) fn is_being_purged(connection: &Connection, conversation: ConversationId) -> Outcome<bool> {
    let (task, subject) = Task::Purge(conversation).columns();
    connection
        .prepare_cached("SELECT 1 FROM unfinished WHERE task = ?1 AND subject = ?2")?
        .exists([task, subject])
}

/// Finishes what an earlier process began.
pub(crate) fn resume(connection: &Connection) -> Outcome<()> {
    loop {
        let unfinished = connection
            .query_row("SELECT task, subject FROM unfinished LIMIT 1", [], |row| {
                Task::from_columns(row.get(0)?, row.get(1)?)
            })
            .optional()?;
        let Some(task) = unfinished else { return Ok(()) };
        tracing::info!(?task, "finishing what was interrupted");
        let mut slices = task.slices(connection)?;
        loop {
            connection.execute_batch("BEGIN")?;
            let done = slices(connection)?;
            connection.execute_batch("COMMIT")?;
            if done {
                break;
            }
        }
    }
}

/// Erases a message, its edits and its reactions.
pub(crate) fn message(connection: &Connection, conversation: ConversationId, target: Seq) -> Outcome<()> {
    let place = [conversation.sql(), target.sql()];
    for sql in [
        "UPDATE events SET body = NULL, revised = NULL WHERE conversation_id = ?1 AND seq = ?2",
        // Kinds 2 and 4: edits and reactions.
        "UPDATE events SET body = NULL WHERE conversation_id = ?1 AND target = ?2 AND kind IN (2, 4)",
        "DELETE FROM reactions WHERE conversation_id = ?1 AND target = ?2",
        "DELETE FROM pins WHERE conversation_id = ?1 AND target = ?2",
        "DELETE FROM mentions WHERE conversation_id = ?1 AND seq = ?2",
    ] {
        connection.prepare_cached(sql)?.execute(place)?;
    }
    Ok(())
}

/// Erases the messages above the one `seq` and up to the other, with their edits and reactions.
pub(crate) fn messages(
    connection: &Connection,
    conversation: ConversationId,
    (above, upto): (Seq, Seq),
) -> Outcome<()> {
    let range = [conversation.sql(), above.sql(), upto.sql()];
    for sql in [
        "UPDATE events SET body = NULL, revised = NULL
         WHERE conversation_id = ?1 AND seq > ?2 AND seq <= ?3 AND kind = 1 AND body IS NOT NULL",
        // Kinds 2 and 4: edits and reactions.
        "UPDATE events SET body = NULL
         WHERE conversation_id = ?1 AND target > ?2 AND target <= ?3 AND kind IN (2, 4) AND body IS NOT NULL",
        "DELETE FROM reactions WHERE conversation_id = ?1 AND target > ?2 AND target <= ?3",
        "DELETE FROM pins WHERE conversation_id = ?1 AND target > ?2 AND target <= ?3",
        "DELETE FROM mentions WHERE conversation_id = ?1 AND seq > ?2 AND seq <= ?3",
    ] {
        connection.prepare_cached(sql)?.execute(range)?;
    }
    Ok(())
}

/// Whether the message that an event is about is erased.
pub(crate) fn is_erased(connection: &Connection, conversation: ConversationId, target: Seq) -> Outcome<bool> {
    connection
        .prepare_cached("SELECT 1 FROM events WHERE conversation_id = ?1 AND seq = ?2 AND body IS NULL")?
        .exists([conversation.sql(), target.sql()])
}

/// Deletes some of what is left of a conversation: how many rows.
fn purge(connection: &Connection, conversation: ConversationId) -> Outcome<usize> {
    let mut deleted = 0;
    for sql in [
        "DELETE FROM events WHERE pos IN (SELECT pos FROM events WHERE conversation_id = ?1 LIMIT ?2)",
        "DELETE FROM nonces WHERE conversation_id = ?1
             AND hash IN (SELECT hash FROM nonces WHERE conversation_id = ?1 LIMIT ?2)",
        "DELETE FROM unlogged_nonces WHERE conversation_id = ?1
             AND sender IN (SELECT sender FROM unlogged_nonces WHERE conversation_id = ?1 LIMIT ?2)",
        "DELETE FROM reactions WHERE conversation_id = ?1
             AND target IN (SELECT target FROM reactions WHERE conversation_id = ?1 LIMIT ?2)",
        "DELETE FROM mentions WHERE conversation_id = ?1
             AND seq IN (SELECT seq FROM mentions WHERE conversation_id = ?1 LIMIT ?2)",
        "DELETE FROM pins WHERE conversation_id = ?1
             AND target IN (SELECT target FROM pins WHERE conversation_id = ?1 LIMIT ?2)",
    ] {
        deleted += connection.prepare_cached(sql)?.execute([conversation.sql(), SLICE.sql()])?;
        if deleted > 0 {
            break;
        }
    }
    Ok(deleted)
}

/// Goes through the conversations that a user is or was a member of.
struct AccountErasure {
    user: UserId,
    conversations: VecDeque<ConversationId>,
    /// How far the first of them is done.
    done: Seq,
}

impl AccountErasure {
    fn of(connection: &Connection, user: UserId) -> Outcome<Self> {
        let mut statement = connection.prepare_cached(
            "SELECT conversation_id FROM members WHERE user_id = ?1
             UNION SELECT conversation_id FROM former_members WHERE user_id = ?1",
        )?;
        let conversations: Outcome<_> = statement.query_map([user.sql()], |row| row.int(0))?.collect();
        Ok(Self { user, conversations: conversations?, done: 0 })
    }

    /// Whether nothing is left.
    fn slice(&mut self, connection: &Connection) -> Outcome<bool> {
        let Some(conversation) = self.conversations.front().copied() else { return Ok(true) };
        let head: Option<Seq> = connection
            .prepare_cached("SELECT head FROM heads WHERE conversation_id = ?1 /*pg FOR UPDATE*/")?
            .query_row([conversation.sql()], |row| row.int(0))
            .optional()?;
        let upto = self.done + SLICE;
        self.erase(connection, conversation, upto)?;
        if head.is_some_and(|head| upto < head) {
            self.done = upto;
        } else {
            self.done = 0;
            self.conversations.pop_front();
        }
        Ok(self.conversations.is_empty())
    }

    fn erase(&self, connection: &Connection, conversation: ConversationId, upto: Seq) -> Outcome<()> {
        let mut statement = connection.prepare_cached(
            "SELECT seq, kind, target FROM events
             WHERE conversation_id = ?1 AND seq > ?2 AND seq <= ?3 AND sender = ?4
                 AND kind IN (1, 2, 4) AND body IS NOT NULL",
        )?;
        let range = params![conversation.sql(), self.done.sql(), upto.sql(), self.user.sql()];
        let own: Outcome<Vec<(Seq, i64, Option<Seq>)>> =
            statement.query_map(range, |row| Ok((row.int(0)?, row.get(1)?, row.optional(2)?)))?.collect();
        for (seq, kind, target) in own? {
            if kind == MESSAGE {
                message(connection, conversation, seq)?;
                continue;
            }
            connection
                .prepare_cached("UPDATE events SET body = NULL WHERE conversation_id = ?1 AND seq = ?2")?
                .execute([conversation.sql(), seq.sql()])?;
            if let Some(target) = target {
                connection
                    .prepare_cached(
                        "DELETE FROM reactions WHERE conversation_id = ?1 AND target = ?2 AND user_id = ?3",
                    )?
                    .execute([conversation.sql(), target.sql(), self.user.sql()])?;
            }
        }
        Ok(())
    }
}
