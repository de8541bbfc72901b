//! The schema: `migrations/sqlite`, applied in order, forward only, with checksums (refinery).

use std::path::Path;

use loquat_domain::ports::Random;
use rusqlite::{Connection, OptionalExtension, params};

use super::error::OpenError;
use super::pragmas::APPLICATION_ID;
use crate::sql::codec::Integer;

mod embedded {
    refinery::embed_migrations!("migrations/sqlite");
}

/// The newest migration that this software knows.
pub(super) fn known() -> u32 {
    let runner = embedded::migrations::runner();
    let versions =
        runner.get_migrations().iter().map(|migration| u32::try_from(migration.version()).unwrap_or(0));
    versions.max().unwrap_or(0)
}

/// Whether the file holds a store: `false` if it holds nothing yet.
///
/// # Errors
/// [`OpenError::NotAStore`]: it holds something else.
pub(super) fn is_store(connection: &Connection, path: &Path) -> Result<bool, OpenError> {
    let not_a_store = |_| OpenError::NotAStore(path.to_owned());
    let id: i64 =
        connection.pragma_query_value(None, "application_id", |row| row.get(0)).map_err(not_a_store)?;
    let tables: i64 = connection
        .query_row("SELECT COUNT(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(not_a_store)?;
    match (id, tables) {
        (APPLICATION_ID, _) => Ok(tables > 0),
        (0, 0) => Ok(false),
        _ => Err(OpenError::NotAStore(path.to_owned())),
    }
}

/// Brings the schema up to date; gives a new store its epoch and secret.
pub(super) fn migrate(connection: &mut Connection, random: &dyn Random) -> Result<(), OpenError> {
    connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    embedded::migrations::runner().run(connection).map_err(|error| OpenError::Schema(error.to_string()))?;
    let made: Option<i64> = connection.query_row("SELECT id FROM store", [], |row| row.get(0)).optional()?;
    if made.is_none() {
        let mut secret = [0_u8; 16];
        random.fill(&mut secret);
        connection.execute(
            "INSERT INTO store (id, epoch, nonce_secret, reserved_pos, nonces_complete_to, probes)
             VALUES (1, ?1, ?2, 0, 0, 0)",
            params![random.id().sql(), secret],
        )?;
    }
    Ok(())
}

/// Checks that the schema is the one of this version, where it may not be changed.
///
/// # Errors
/// [`OpenError::Schema`]: it is an older or a newer one.
pub(super) fn require_current(connection: &Connection) -> Result<(), OpenError> {
    let known = embedded::migrations::runner().get_migrations().iter().map(|known| known.version()).max();
    let found: Option<i64> = connection
        .query_row("SELECT MAX(version) FROM refinery_schema_history", [], |row| row.get(0))
        .map_err(|error| OpenError::Schema(error.to_string()))?;
    match (found, known.map(i64::from)) {
        (found, known) if found == known => Ok(()),
        _ => {
            Err(OpenError::Schema("the data is of another version; the service of this one adapts it".into()))
        }
    }
}

/// Gives a copy a life of its own.
pub(super) fn renew_epoch(connection: &Connection, random: &dyn Random) -> Result<(), OpenError> {
    connection.execute("UPDATE store SET epoch = ?1", [random.id().sql()])?;
    Ok(())
}
