//! The index of words: kept in the transaction that writes the log, asked by [`find`].

use loquat_engine::store::search::{phrases, words};
use loquat_engine::store::{Found, Search};
use loquat_proto::{ConversationId, EventKind, Seq, UserId};
use rusqlite::{Connection, OptionalExtension, params};
use serde::Deserialize;

use super::sqlite::{StoreError, damaged, key};

/// The text of a message or of an edit.
#[derive(Deserialize)]
struct Texted {
    text: String,
}

/// An event of this kind was written, about this message: the index follows.
pub(super) fn written(
    connection: &Connection,
    conversation: i64,
    (kind, seq, target): (EventKind, Seq, Option<Seq>),
) -> Result<(), StoreError> {
    match (kind, target) {
        (EventKind::Message, _) => index(connection, conversation, seq),
        (EventKind::Edit | EventKind::Delete, Some(target)) => index(connection, conversation, target),
        _ => Ok(()),
    }
}

/// Takes a message out of the index.
pub(super) fn forget(connection: &Connection, conversation: i64, seq: Seq) -> Result<(), StoreError> {
    let sql = "DELETE FROM searchable WHERE conversation = ?1 AND seq = ?2";
    connection.prepare_cached(sql)?.execute(params![conversation, seq])?;
    Ok(())
}

/// Takes the messages up to this one out of the index.
pub(super) fn forget_up_to(connection: &Connection, conversation: i64, upto: Seq) -> Result<(), StoreError> {
    let sql = "DELETE FROM searchable WHERE conversation = ?1 AND seq <= ?2";
    connection.prepare_cached(sql)?.execute(params![conversation, upto])?;
    Ok(())
}

/// Takes everything of a conversation out of the index.
pub(super) fn forget_all(connection: &Connection, conversation: i64) -> Result<(), StoreError> {
    let sql = "DELETE FROM searchable WHERE conversation = ?1";
    connection.prepare_cached(sql)?.execute([conversation])?;
    Ok(())
}

/// Indexes every message that is stored: what an older version did not.
pub(super) fn index_everything(connection: &Connection) -> Result<(), StoreError> {
    let sql = "SELECT conversation, seq FROM event WHERE kind = 'message' AND body IS NOT NULL";
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        index(connection, row.get(0)?, row.get(1)?)?;
    }
    Ok(())
}

/// Indexes a message by its text of now. Events come in any order: an edit or a deletion may be there already.
fn index(connection: &Connection, conversation: i64, seq: Seq) -> Result<(), StoreError> {
    forget(connection, conversation, seq)?;
    let sql = "SELECT ts, (SELECT body FROM event WHERE conversation = ?1 AND body IS NOT NULL
                           AND (seq = ?2 OR (target = ?2 AND kind = 'edit')) ORDER BY seq DESC LIMIT 1)
               FROM event WHERE conversation = ?1 AND seq = ?2 AND kind = 'message' AND body IS NOT NULL
               AND NOT EXISTS (SELECT 1 FROM event WHERE conversation = ?1 AND target = ?2 AND kind = 'delete')";
    let found: Option<(i64, String)> = connection
        .prepare_cached(sql)?
        .query_row(params![conversation, seq], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    // A body that does not have the shape of its kind has no text to be found by.
    let Some((ts, Ok(body))) = found.map(|(ts, body)| (ts, serde_json::from_str::<Texted>(&body))) else {
        return Ok(());
    };
    let words = words(&body.text).join(" ");
    if words.is_empty() {
        return Ok(());
    }
    let sql = "INSERT INTO searchable (conversation, seq, ts, words) VALUES (?1, ?2, ?3, ?4)";
    connection.prepare_cached(sql)?.execute(params![conversation, seq, ts, words])?;
    Ok(())
}

/// Finds messages, the newest first.
pub(super) fn find(connection: &Connection, search: &Search) -> Result<Vec<Found>, StoreError> {
    let Some(expression) = expression(&search.text) else { return Ok(Vec::new()) };
    let sql = "SELECT found.conversation, found.seq, found.ts, event.sender,
                      (SELECT body FROM event WHERE conversation = found.conversation AND body IS NOT NULL
                       AND (seq = found.seq OR (target = found.seq AND kind = 'edit')) ORDER BY seq DESC LIMIT 1)
               FROM word_index JOIN searchable AS found ON found.id = word_index.rowid
               JOIN event ON event.conversation = found.conversation AND event.seq = found.seq
               WHERE word_index MATCH ?1 AND (?2 IS NULL OR found.conversation = ?2)
               ORDER BY found.ts DESC, found.seq DESC LIMIT ?3";
    let mut statement = connection.prepare_cached(sql)?;
    let rows =
        statement.query_map(params![expression, search.conversation.map(key), search.limit], |row| {
            let body: String = row.get(4)?;
            let text = serde_json::from_str::<Texted>(&body).map(|body| body.text).unwrap_or_default();
            Ok(Found {
                conversation: ConversationId::new(row.get(0)?).ok_or_else(|| damaged("a conversation"))?,
                seq: row.get(1)?,
                ts: row.get(2)?,
                sender: UserId::new(row.get(3)?).ok_or_else(|| damaged("a sender"))?,
                text,
            })
        })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The query in the words of FTS5: each phrase quoted, its last word as a beginning. Words hold letters and digits
/// alone, so nothing of the query is syntax.
fn expression(query: &str) -> Option<String> {
    let phrases: Vec<String> =
        phrases(query).into_iter().map(|words| format!("\"{}\" *", words.join(" "))).collect();
    (!phrases.is_empty()).then(|| phrases.join(" AND "))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use loquat_engine::store::{Operation, Store};
    use loquat_proto::{Event, EventBody, MessageBody};
    use serde_json::value::RawValue;

    use super::super::DeviceStore;
    use super::*;
    use crate::config::Storage;

    fn store(text: &str) -> DeviceStore {
        let mut store = DeviceStore::open(&Storage::Memory).unwrap();
        let body = EventBody::Message(MessageBody::text(text));
        let event = Event {
            conversation: ConversationId::new(1).unwrap(),
            seq: 1,
            ts: 5,
            sender: UserId::new(7).unwrap(),
            device: None,
            nonce: None,
            kind: body.kind(),
            body: Some(RawValue::from_string(body.encode()).unwrap()),
        };
        store.apply(&[Operation::PutEvents(vec![event])]).unwrap();
        store
    }

    #[test]
    fn accents_and_marks_are_no_obstacle() {
        for (text, query) in [
            ("Crème brûlée", "creme brul"),
            ("creme", "crème"),
            ("Tiếng Việt", "tieng viet"),
            ("नमस्ते दुनिया", "नमस्ते"),
            ("สวัสดีครับ", "สวัสดี"),
        ] {
            let search = Search { text: query.to_owned(), conversation: None, limit: 1 };
            assert_eq!(store(text).search(&search).unwrap().len(), 1, "{query:?} in {text:?}");
        }
    }

    /// A store on disk with one message.
    fn store_with(directory: &Path, text: &str) -> DeviceStore {
        let mut store = DeviceStore::open(&Storage::Directory(directory.to_owned())).unwrap();
        let conversation = ConversationId::new(1).unwrap();
        let body = EventBody::Message(MessageBody::text(text));
        let event = Event {
            conversation,
            seq: 1,
            ts: 5,
            sender: UserId::new(7).unwrap(),
            device: None,
            nonce: None,
            kind: body.kind(),
            body: Some(RawValue::from_string(body.encode()).unwrap()),
        };
        store.apply(&[Operation::PutEvents(vec![event])]).unwrap();
        store
    }

    /// Whether a word is in any file of the folder while the store is open.
    fn holds(directory: &Path, word: &[u8]) -> bool {
        let files = std::fs::read_dir(directory).unwrap();
        let mut texts = files.map(|file| std::fs::read(file.unwrap().path()).unwrap());
        texts.any(|text| text.windows(word.len()).any(|window| window.eq_ignore_ascii_case(word)))
    }

    #[test]
    fn erased_words_leave_the_file() {
        let conversation = ConversationId::new(1).unwrap();
        for erasure in [
            Operation::Erase { conversation, target: 1 },
            Operation::EraseUpTo { conversation, upto: 1 },
            Operation::ForgetLog(conversation),
            Operation::RemoveConversation(conversation),
        ] {
            let directory = tempfile::tempdir().unwrap();
            let mut store = store_with(directory.path(), "xylophone");
            assert!(holds(directory.path(), b"xylophone"));
            store.apply(std::slice::from_ref(&erasure)).unwrap();
            assert!(!holds(directory.path(), b"xylophone"), "the word is still there after {erasure:?}");
        }
    }

    #[test]
    fn nothing_is_left_on_the_device_after_a_log_out() {
        let directory = tempfile::tempdir().unwrap();
        let mut store = store_with(directory.path(), "xylophone");
        store.put_setting("session", &"canary").unwrap();
        store.wipe().unwrap();
        for word in [&b"xylophone"[..], b"canary"] {
            assert!(!holds(directory.path(), word), "{}", String::from_utf8_lossy(word));
        }
    }
}
