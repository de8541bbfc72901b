//! The statements of the device store.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::path::Path;

use loquat_engine::store::{
    Found, Operation, Progress, Query, QueuedChange, Restored, Search, Store, SyncPoint, is_shown, target,
};
use loquat_proto::{Conversation, ConversationId, DeviceId, Event, EventKind, Nonce, Seq, UserId};
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, TransactionBehavior, params};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::search;
use crate::config::Storage;

/// What brings a store from each version to the next, from an empty one on.
const STEPS: [&str; 2] = [include_str!("schema.sql"), include_str!("schema_2.sql")];
const SYNC: &str = "sync";

/// Why the device store failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// SQLite failed.
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    /// The directory or a file could not be made.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// What is stored is not what this version writes.
    #[error("stored data is not readable: {0}")]
    Unreadable(#[from] serde_json::Error),
    /// Another process has it open.
    #[error("another program uses this data directory")]
    InUse,
    /// A newer version of the client wrote it.
    #[error("the data directory was written by a newer version (store version {0})")]
    TooNew(i64),
}

/// The store of one device.
#[derive(Debug)]
pub(crate) struct DeviceStore {
    connection: Connection,
    /// Held while the store is open, so that no other process opens it.
    _lock: Option<File>,
}

impl DeviceStore {
    /// Opens the store, making it if it is not there.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub(crate) fn open(storage: &Storage) -> Result<Self, StoreError> {
        let (connection, lock) = match storage {
            Storage::Memory => (Connection::open_in_memory()?, None),
            Storage::Directory(directory) => {
                make_private_directory(directory)?;
                let lock = private_file(&directory.join("device.lock"))?;
                lock.try_lock().map_err(|error| match error {
                    TryLockError::WouldBlock => StoreError::InUse,
                    TryLockError::Error(error) => StoreError::Io(error),
                })?;
                let path = directory.join("device.db");
                // Made before SQLite makes it, which would not make it private; its WAL takes over the mode.
                drop(private_file(&path)?);
                (Connection::open(path)?, Some(lock))
            }
        };
        let mut store = Self { connection, _lock: lock };
        store.prepare()?;
        Ok(store)
    }

    fn prepare(&mut self) -> Result<(), StoreError> {
        self.connection.pragma_update(None, "journal_mode", "wal")?;
        self.connection.pragma_update(None, "synchronous", "full")?;
        // Erased content leaves the file, too.
        self.connection.pragma_update(None, "secure_delete", "on")?;
        self.connection.set_prepared_statement_cache_capacity(32);
        let version: i64 = self.connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
        let done = usize::try_from(version).ok().filter(|done| *done <= STEPS.len());
        let Some(done) = done else { return Err(StoreError::TooNew(version)) };
        for (step, sql) in STEPS.iter().enumerate().skip(done) {
            let transaction = self.connection.transaction()?;
            transaction.execute_batch(sql)?;
            if step == 1 {
                search::index_everything(&transaction)?;
            }
            transaction.pragma_update(None, "user_version", step + 1)?;
            transaction.commit()?;
        }
        Ok(())
    }

    /// Moves what is written into the main file, and leaves nothing in the write-ahead log: what was erased stands in
    /// its older pages until then.
    fn checkpoint(&self) -> Result<(), StoreError> {
        Ok(self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?)
    }

    /// A named value beside what the engine keeps.
    pub(crate) fn setting<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, StoreError> {
        let value: Option<String> = self
            .connection
            .query_row("SELECT value FROM setting WHERE name = ?1", [name], |row| row.get(0))
            .optional()?;
        Ok(value.map(|value| serde_json::from_str(&value)).transpose()?)
    }

    /// Saves a named value.
    pub(crate) fn put_setting<T: Serialize>(&self, name: &str, value: &T) -> Result<(), StoreError> {
        put_setting(&self.connection, name, value)
    }

    /// Forgets a named value.
    pub(crate) fn remove_setting(&self, name: &str) -> Result<(), StoreError> {
        self.connection.execute("DELETE FROM setting WHERE name = ?1", [name])?;
        Ok(())
    }

    /// Everything leaves.
    pub(crate) fn wipe(&mut self) -> Result<(), StoreError> {
        let transaction = self.connection.transaction()?;
        transaction.execute_batch(
            "DELETE FROM conversation; DELETE FROM event; DELETE FROM queued_change; DELETE FROM profile;
             DELETE FROM setting; DELETE FROM searchable;",
        )?;
        transaction.commit()?;
        self.connection.execute_batch("VACUUM")?;
        self.checkpoint()
    }

    /// Writes several batches in one transaction.
    pub(crate) fn apply_all<'a>(
        &mut self,
        batches: impl IntoIterator<Item = &'a [Operation]>,
    ) -> Result<(), StoreError> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut erases = false;
        for operation in batches.into_iter().flatten() {
            erases |= is_erasure(operation);
            write(&transaction, operation)?;
        }
        transaction.commit()?;
        if erases { self.checkpoint() } else { Ok(()) }
    }
}

impl Store for DeviceStore {
    type Error = StoreError;

    fn apply(&mut self, operations: &[Operation]) -> Result<(), StoreError> {
        self.apply_all([operations])
    }

    fn load(&mut self, query: &Query) -> Result<Vec<Event>, StoreError> {
        match query {
            Query::Events { conversation, after, limit } => {
                let sql = "SELECT * FROM event WHERE conversation = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3";
                let mut statement = self.connection.prepare_cached(sql)?;
                let rows = statement.query_map(params![key(*conversation), after, limit], event)?;
                Ok(rows.collect::<Result<_, _>>()?)
            }
            Query::Page { conversation, before, floor, limit } => {
                let sql = "WITH chosen AS (SELECT seq FROM event WHERE conversation = ?1 AND seq >= ?2 AND seq < ?3
                                           AND shown = 1 ORDER BY seq DESC LIMIT ?4)
                           SELECT * FROM event WHERE conversation = ?1
                           AND (seq IN (SELECT seq FROM chosen) OR target IN (SELECT seq FROM chosen)) ORDER BY seq";
                let mut statement = self.connection.prepare_cached(sql)?;
                let rows = statement.query_map(params![key(*conversation), floor, before, limit], event)?;
                Ok(rows.collect::<Result<_, _>>()?)
            }
            Query::Messages { conversation, seqs } => {
                let sql = "WITH chosen AS (SELECT seq, shown FROM event WHERE conversation = ?1
                                           AND seq IN (SELECT value FROM json_each(?2)))
                           SELECT * FROM event WHERE conversation = ?1 AND (seq IN (SELECT seq FROM chosen)
                           OR target IN (SELECT seq FROM chosen WHERE shown = 1)) ORDER BY seq";
                let seqs = serde_json::to_string(seqs)?;
                let mut statement = self.connection.prepare_cached(sql)?;
                let rows = statement.query_map(params![key(*conversation), seqs], event)?;
                Ok(rows.collect::<Result<_, _>>()?)
            }
        }
    }

    fn search(&mut self, search: &Search) -> Result<Vec<Found>, StoreError> {
        search::find(&self.connection, search)
    }

    fn restore(&mut self) -> Result<Restored, StoreError> {
        let sync: Option<SyncPoint> = self.setting(SYNC)?;
        let mut conversations = Vec::new();
        let mut statement = self
            .connection
            .prepare("SELECT summary, progress FROM conversation WHERE summary IS NOT NULL")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let summary: Conversation = serde_json::from_str(row.get_ref(0)?.as_str().map_err(unreadable)?)?;
            let progress: Option<String> = row.get(1)?;
            let progress: Option<Progress> =
                progress.map(|progress| serde_json::from_str(&progress)).transpose()?;
            conversations.push((summary, progress.unwrap_or_default()));
        }
        drop(rows);
        drop(statement);
        Ok(Restored {
            sync: sync.unwrap_or_default(),
            conversations,
            queue: self.all("SELECT entry FROM queued_change ORDER BY place")?,
            profiles: self.all("SELECT profile FROM profile")?,
        })
    }
}

impl DeviceStore {
    fn all<T: DeserializeOwned>(&self, sql: &str) -> Result<Vec<T>, StoreError> {
        let mut statement = self.connection.prepare(sql)?;
        let texts: Vec<String> = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
        texts.iter().map(|text| Ok(serde_json::from_str(text)?)).collect()
    }
}

fn unreadable(error: rusqlite::types::FromSqlError) -> StoreError {
    StoreError::Sqlite(rusqlite::Error::FromSqlConversionFailure(0, Type::Text, Box::new(error)))
}

fn put_setting<T: Serialize>(connection: &Connection, name: &str, value: &T) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO setting (name, value) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = ?2",
        )?
        .execute(params![name, serde_json::to_string(value)?])?;
    Ok(())
}

/// Whether content is to leave the device.
const fn is_erasure(operation: &Operation) -> bool {
    matches!(
        operation,
        Operation::Erase { .. }
            | Operation::EraseUpTo { .. }
            | Operation::ForgetLog(_)
            | Operation::RemoveConversation(_)
    )
}

fn write(transaction: &Transaction<'_>, operation: &Operation) -> Result<(), StoreError> {
    let run = |sql: &str, parameters: &[&dyn rusqlite::ToSql]| -> Result<(), StoreError> {
        transaction.prepare_cached(sql)?.execute(parameters)?;
        Ok(())
    };
    match operation {
        Operation::PutConversation(conversation) => run(
            "INSERT INTO conversation (id, summary) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET summary = ?2",
            &[&key(conversation.id), &serde_json::to_string(conversation)?],
        ),
        Operation::PutProgress(conversation, progress) => run(
            "INSERT INTO conversation (id, progress) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET progress = ?2",
            &[&key(*conversation), &serde_json::to_string(progress)?],
        ),
        Operation::RemoveConversation(conversation) => {
            let id = key(*conversation);
            search::forget_all(transaction, id)?;
            run("DELETE FROM event WHERE conversation = ?1", &[&id])?;
            run("DELETE FROM queued_change WHERE conversation = ?1", &[&id])?;
            run("DELETE FROM conversation WHERE id = ?1", &[&id])
        }
        Operation::ForgetLog(conversation) => {
            search::forget_all(transaction, key(*conversation))?;
            run("DELETE FROM event WHERE conversation = ?1", &[&key(*conversation)])
        }
        Operation::PutEvents(events) => events.iter().try_for_each(|event| insert(transaction, event)),
        Operation::Erase { conversation, target } => {
            search::forget(transaction, key(*conversation), *target)?;
            run(
                "UPDATE event SET body = NULL, target = NULL WHERE conversation = ?1
                 AND (seq = ?2 OR (target = ?2 AND kind = 'edit'))",
                &[&key(*conversation), target],
            )
        }
        Operation::EraseUpTo { conversation, upto } => {
            search::forget_up_to(transaction, key(*conversation), *upto)?;
            run(
                "UPDATE event SET body = NULL, target = NULL WHERE conversation = ?1
                 AND ((seq <= ?2 AND kind = 'message') OR (target <= ?2 AND kind IN ('edit', 'reaction')))",
                &[&key(*conversation), upto],
            )
        }
        Operation::PutChange(change) => put_change(transaction, change),
        Operation::RemoveChange(nonce) => {
            run("DELETE FROM queued_change WHERE nonce = ?1", &[&nonce.as_str()])
        }
        Operation::PutProfile(profile) => run(
            "INSERT INTO profile (id, profile) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET profile = ?2",
            &[&id_key(profile.id.get()), &serde_json::to_string(profile)?],
        ),
        Operation::PutSync(point) => put_setting(transaction, SYNC, point),
    }
}

fn insert(transaction: &Transaction<'_>, event: &Event) -> Result<(), StoreError> {
    let sql = "INSERT INTO event (conversation, seq, ts, sender, device, nonce, kind, shown, target, body)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT DO NOTHING";
    let target = target(event);
    let inserted = transaction.prepare_cached(sql)?.execute(params![
        key(event.conversation),
        event.seq,
        event.ts,
        id_key(event.sender.get()),
        event.device.map(|device| id_key(device.get())),
        event.nonce.as_ref().map(Nonce::as_str),
        event.kind.as_str(),
        is_shown(event.kind),
        target,
        event.body.as_ref().map(|body| body.get()),
    ])?;
    if inserted == 0 {
        return Ok(());
    }
    search::written(transaction, key(event.conversation), (event.kind, event.seq, target))
}

fn put_change(transaction: &Transaction<'_>, change: &QueuedChange) -> Result<(), StoreError> {
    let sql = "INSERT INTO queued_change (nonce, place, conversation, entry) VALUES (?1, ?2, ?3, ?4)
               ON CONFLICT DO UPDATE SET place = ?2, entry = ?4";
    transaction.prepare_cached(sql)?.execute(params![
        change.nonce.as_str(),
        change.order,
        key(change.conversation),
        serde_json::to_string(change)?,
    ])?;
    Ok(())
}

pub(super) fn key(conversation: ConversationId) -> i64 {
    id_key(conversation.get())
}

/// Ids are below 2^51.
fn id_key(id: u64) -> i64 {
    i64::try_from(id).unwrap_or(i64::MAX)
}

fn event(row: &Row<'_>) -> Result<Event, rusqlite::Error> {
    let id = |column: &str| -> Result<u64, rusqlite::Error> { row.get::<_, u64>(column) };
    let nonce: Option<String> = row.get("nonce")?;
    let body: Option<String> = row.get("body")?;
    let device: Option<u64> = row.get("device")?;
    let seq: Seq = row.get("seq")?;
    Ok(Event {
        conversation: ConversationId::new(id("conversation")?).ok_or_else(|| damaged("a conversation"))?,
        seq,
        ts: row.get("ts")?,
        sender: UserId::new(id("sender")?).ok_or_else(|| damaged("a sender"))?,
        device: device.and_then(DeviceId::new),
        nonce: nonce.map(|nonce| nonce.parse().map_err(|_| damaged("a nonce"))).transpose()?,
        kind: kind(&row.get::<_, String>("kind")?),
        body: body.map(|body| RawValue::from_string(body).map_err(|_| damaged("a body"))).transpose()?,
    })
}

pub(super) fn damaged(what: &str) -> rusqlite::Error {
    let error = format!("{what} is not valid");
    rusqlite::Error::FromSqlConversionFailure(0, Type::Text, error.into())
}

fn kind(name: &str) -> EventKind {
    serde_json::from_value(serde_json::Value::from(name)).unwrap_or(EventKind::Unknown)
}

fn make_private_directory(directory: &Path) -> Result<(), StoreError> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    Ok(builder.create(directory)?)
}

/// Opens a file that only its owner may read and write, making it if it is not there.
fn private_file(path: &Path) -> Result<File, StoreError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    #[cfg(unix)]
    {
        let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        file.set_permissions(private)?;
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_conforms() {
        loquat_engine::store::conformance::check(|| DeviceStore::open(&Storage::Memory).unwrap());
    }

    #[test]
    fn what_is_written_is_there_after_reopening() {
        let directory = tempfile::tempdir().unwrap();
        let storage = Storage::Directory(directory.path().join("device"));
        loquat_engine::store::conformance::check_reopening(|| DeviceStore::open(&storage).unwrap());
    }

    #[test]
    fn only_one_opens_it_at_a_time() {
        let directory = tempfile::tempdir().unwrap();
        let storage = Storage::Directory(directory.path().to_owned());
        let first = DeviceStore::open(&storage).unwrap();
        assert!(matches!(DeviceStore::open(&storage), Err(StoreError::InUse)));
        drop(first);
        DeviceStore::open(&storage).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_reads_it() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("made");
        let store = DeviceStore::open(&Storage::Directory(path.clone())).unwrap();
        store.put_setting("session", &"secret").unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
        for entry in std::fs::read_dir(&path).unwrap() {
            let entry = entry.unwrap();
            let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
            assert_eq!(mode, 0o600, "{:?}", entry.file_name());
        }
    }

    #[test]
    fn a_store_of_the_first_version_is_brought_up() {
        let directory = tempfile::tempdir().unwrap();
        let storage = Storage::Directory(directory.path().to_owned());
        let first = Connection::open(directory.path().join("device.db")).unwrap();
        first.execute_batch(STEPS[0]).unwrap();
        let sql = "INSERT INTO event (conversation, seq, ts, sender, kind, shown, body)
                   VALUES (1, 1, 5, 7, 'message', 1, '{\"text\":\"the ladder\"}')";
        first.execute(sql, []).unwrap();
        first.pragma_update(None, "user_version", 1).unwrap();
        drop(first);
        let mut store = DeviceStore::open(&storage).unwrap();
        let search = Search { text: "lad".to_owned(), conversation: None, limit: 10 };
        let texts: Vec<String> = store.search(&search).unwrap().into_iter().map(|found| found.text).collect();
        assert_eq!(texts, ["the ladder"]);
    }

    #[test]
    fn a_newer_store_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let storage = Storage::Directory(directory.path().to_owned());
        let store = DeviceStore::open(&storage).unwrap();
        store.connection.pragma_update(None, "user_version", 99).unwrap();
        drop(store);
        assert!(matches!(DeviceStore::open(&storage), Err(StoreError::TooNew(99))));
    }
}
