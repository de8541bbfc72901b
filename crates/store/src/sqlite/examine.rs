//! Looking at a store from outside, whether it is served or not: for `loquat doctor`.

use std::path::Path;

use loquat_domain::ports::Finding;
use loquat_proto::{ConversationId, Timestamp};
use rusqlite::Connection as Raw;

use super::error::OpenError;
use super::pragmas::{self, Purpose};
use super::schema;
use crate::sql::codec::Columns;
use crate::sql::derived;
use crate::sql::driver::{Connection, OptionalExtension};
use crate::sql::error::Outcome;

/// Page cache of the connection, in KiB.
const CACHE_KIB: u32 = 4096;

/// What a store looks like from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Examination {
    /// The newest migration that the store has seen.
    pub schema: u32,
    /// The newest migration that this software knows.
    pub known_schema: u32,
    /// Rows that refer to rows that are not there.
    pub dangling: u64,
    /// When the newest event was written.
    pub newest_event: Option<Timestamp>,
    /// Erasures that the next start finishes.
    pub unfinished: u64,
    /// Conversations compared with their logs; none unless the examination is thorough.
    pub compared: u64,
    /// Those that do not agree with theirs.
    pub disagreeing: Vec<(ConversationId, Vec<Finding>)>,
    /// Bytes of the database.
    pub bytes: u64,
    /// Bytes of it that are free to be used again.
    pub free_bytes: u64,
}

/// Examines the store in this file, which this or another process may serve meanwhile. `thorough` also checks every
/// index against its table and compares every conversation with its log, which takes minutes for millions of events.
/// Blocks.
///
/// # Errors
/// See [`OpenError`].
pub fn examine(path: &Path, thorough: bool) -> Result<Examination, OpenError> {
    look(path, thorough).map_err(|error| match error {
        OpenError::Sqlite(rusqlite::Error::SqliteFailure(failure, text))
            if failure.code == rusqlite::ErrorCode::DatabaseCorrupt =>
        {
            let findings = text.unwrap_or_else(|| failure.to_string());
            OpenError::Damaged { path: path.to_owned(), findings }
        }
        other => other,
    })
}

fn look(path: &Path, thorough: bool) -> Result<Examination, OpenError> {
    if !path.exists() {
        return Err(OpenError::Missing(path.to_owned()));
    }
    let connection =
        pragmas::open(path, Purpose::Read, CACHE_KIB).map_err(|error| super::not_a_store(error, path))?;
    if !schema::is_store(&connection, path)? {
        return Err(OpenError::NotAStore(path.to_owned()));
    }
    let damage = check(&connection, if thorough { "integrity_check" } else { "quick_check" })?;
    if let Some(first) = damage.first() {
        return Err(OpenError::Damaged { path: path.to_owned(), findings: first.clone() });
    }
    let connection = Connection::from(connection);
    let known_schema = schema::known();
    let schema = count(&connection, "SELECT COALESCE(MAX(version), 0) FROM refinery_schema_history")?;
    let schema = u32::try_from(schema).unwrap_or(u32::MAX);
    let sound = schema == known_schema;
    let mut examination = Examination {
        schema,
        known_schema,
        dangling: 0,
        newest_event: None,
        unfinished: 0,
        compared: 0,
        disagreeing: Vec::new(),
        bytes: count(&connection, "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size")?,
        free_bytes: count(
            &connection,
            "SELECT freelist_count * page_size FROM pragma_freelist_count, pragma_page_size",
        )?,
    };
    if sound {
        examination.dangling = count(&connection, "SELECT COUNT(*) FROM pragma_foreign_key_check")?;
        examination.unfinished = count(&connection, "SELECT COUNT(*) FROM unfinished")?;
        examination.newest_event = connection
            .query_row("SELECT ts FROM events ORDER BY pos DESC LIMIT 1", [], |row| row.get(0))
            .optional()?;
        if thorough {
            compare(&connection, &mut examination)?;
        }
    }
    Ok(examination)
}

fn count(connection: &Connection, sql: &str) -> Outcome<u64> {
    connection.query_row(sql, [], |row| row.int(0))
}

fn check(connection: &Raw, pragma: &str) -> rusqlite::Result<Vec<String>> {
    let check = || -> rusqlite::Result<Vec<String>> {
        let mut statement = connection.prepare(&format!("PRAGMA {pragma}(10)"))?;
        let lines = statement.query_map([], |row| row.get(0))?;
        lines.collect()
    };
    match check() {
        Ok(mut lines) => {
            lines.retain(|line| line != "ok");
            Ok(lines)
        }
        Err(rusqlite::Error::SqliteFailure(failure, text))
            if failure.code == rusqlite::ErrorCode::DatabaseCorrupt =>
        {
            Ok(vec![text.unwrap_or_else(|| failure.to_string())])
        }
        Err(error) => Err(error),
    }
}

/// Each conversation in a snapshot of its own, so that the log of writes can shrink in between.
fn compare(connection: &Connection, examination: &mut Examination) -> Outcome<()> {
    let mut after = 0_i64;
    loop {
        let next: Option<i64> = connection
            .prepare_cached("SELECT id FROM conversations WHERE id > ?1 ORDER BY id LIMIT 1")?
            .query_row([after], |row| row.get(0))
            .optional()?;
        let Some(next) = next else { return Ok(()) };
        after = next;
        let Some(id) = u64::try_from(next).ok().and_then(ConversationId::new) else { continue };
        connection.execute_batch("BEGIN")?;
        let findings = derived::findings(connection, id);
        connection.execute_batch("COMMIT")?;
        examination.compared += 1;
        let findings = findings?;
        if !findings.is_empty() {
            examination.disagreeing.push((id, findings));
        }
    }
}
