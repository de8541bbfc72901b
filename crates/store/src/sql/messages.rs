//! Messages as they are shown: edits, erasures, pins and reactions applied.

use super::driver::{Connection, OptionalExtension, Row, params};
use loquat_proto::event::EditBody;
use loquat_proto::{ConversationId, Message, MessageBody, Reaction, Seq, UserId};

use super::codec::{Columns, Integer};
use super::error::{Outcome, corrupt};

/// Columns from which [`read`] makes a message, where `m` is its event and `e` its newest edit.
macro_rules! message_columns {
    () => {
        "m.seq, m.ts, m.sender, m.body, e.ts, e.body"
    };
}
pub(crate) use message_columns;

/// A message without its pin and reactions.
pub(crate) fn read(row: &Row<'_>, conversation: ConversationId) -> Outcome<Message> {
    let body = json_column::<MessageBody>(row, 3)?;
    let edit = json_column::<EditBody>(row, 5)?;
    let deleted = body.is_none();
    let MessageBody { text, format, reply_to, mentions, attachments } = body.unwrap_or_default();
    let mut message = Message {
        conversation,
        seq: row.int(0)?,
        ts: row.get(1)?,
        sender: row.int(2)?,
        text: (!deleted).then_some(text),
        format,
        reply_to,
        mentions,
        attachments,
        edited_at: None,
        deleted,
        pinned: false,
        reactions: Vec::new(),
    };
    if let (Some(edit), false) = (edit, deleted) {
        message.text = Some(edit.text);
        message.format = edit.format;
        message.mentions = edit.mentions;
        message.edited_at = row.get(4)?;
    }
    Ok(message)
}

fn json_column<T: serde::de::DeserializeOwned>(row: &Row<'_>, column: usize) -> Outcome<Option<T>> {
    row.text(column)?
        .map(|text| serde_json::from_str(text).map_err(|error| corrupt(error.to_string())))
        .transpose()
}

/// Adds pins and reactions to messages of one conversation, ascending by `seq`.
pub(crate) fn decorate(connection: &Connection, viewer: UserId, messages: &mut [Message]) -> Outcome<()> {
    let (Some(first), Some(last)) = (messages.first(), messages.last()) else { return Ok(()) };
    let (conversation, from, upto) = (first.conversation.sql(), first.seq.sql(), last.seq.sql());
    let mut pins = connection
        .prepare_cached("SELECT target FROM pins WHERE conversation_id = ?1 AND target BETWEEN ?2 AND ?3")?;
    let mut rows = pins.query([conversation, from, upto])?;
    while let Some(row) = rows.next()? {
        if let Some(message) = at(messages, row.int(0)?) {
            message.pinned = true;
        }
    }
    let mut reactions = connection.prepare_cached(
        "SELECT target, emoji, COUNT(*), SUM(CASE WHEN user_id = ?4 THEN 1 ELSE 0 END)
         FROM reactions WHERE conversation_id = ?1 AND target BETWEEN ?2 AND ?3
         GROUP BY target, emoji ORDER BY target, MIN(since)",
    )?;
    let mut rows = reactions.query([conversation, from, upto, viewer.sql()])?;
    while let Some(row) = rows.next()? {
        if let Some(message) = at(messages, row.int(0)?) {
            let reaction = Reaction { emoji: row.get(1)?, count: row.int(2)?, me: row.int(3)? };
            message.reactions.push(reaction);
        }
    }
    Ok(())
}

fn at(messages: &mut [Message], seq: Seq) -> Option<&mut Message> {
    let place = messages.binary_search_by_key(&seq, |message| message.seq).ok()?;
    messages.get_mut(place)
}

/// The message at `seq`; `None` if there is none.
pub(crate) fn one(
    connection: &Connection,
    viewer: UserId,
    conversation: ConversationId,
    seq: Seq,
) -> Outcome<Option<Message>> {
    let found = connection
        .prepare_cached(concat!(
            "SELECT ",
            message_columns!(),
            " FROM events m
             LEFT JOIN events e ON e.conversation_id = m.conversation_id AND e.seq = m.revised
             WHERE m.conversation_id = ?1 AND m.seq = ?2 AND m.kind = 1"
        ))?
        .query_row(params![conversation.sql(), seq.sql()], |row| read(row, conversation))
        .optional()?;
    let Some(mut message) = found else { return Ok(None) };
    decorate(connection, viewer, std::slice::from_mut(&mut message))?;
    Ok(Some(message))
}
