//! The schema: `migrations/postgres`, applied in order, forward only, with checksums (refinery); and the partitions of
//! the log.

use std::time::Duration;

use loquat_domain::ports::Random;

use super::error::ConnectError;
use super::session::Session;
use crate::sql::error::Outcome;
use crate::sql::positions::CHANGE_BITS;

mod embedded {
    refinery::embed_migrations!("migrations/postgres");
}

/// Names the lock under which one node at a time changes the schema: "loquat".
const SCHEMA_LOCK: i64 = 0x6c6f_7175_6174;

/// Transactions whose events stand in one partition.
pub(super) const PARTITION_TRANSACTIONS: u64 = 1 << 26;

/// What the store knows of itself.
pub(super) struct Identity {
    pub(super) epoch: u64,
    pub(super) nonce_secret: [u8; 16],
}

/// Checks that the server keeps promises.
///
/// # Errors
/// [`ConnectError::Unfit`]: it does not; the text says what to do.
pub(super) fn check_server(session: &Session, require_standby: bool) -> Result<(), ConnectError> {
    let unfit = |text: &str| Err(ConnectError::Unfit(text.to_owned()));
    let setting = |name: &str| -> Outcome<String> {
        let rows = session.own_query("SELECT current_setting($1)", &[&name])?;
        Ok(rows.first().map_or_else(String::new, |row| row.get(0)))
    };
    if setting("server_version_num")?.parse::<u32>().unwrap_or(0) < 140_000 {
        return unfit("PostgreSQL is too old: 14 is the oldest that the service knows");
    }
    if setting("server_encoding")? != "UTF8" {
        return unfit("the database does not hold UTF-8: create it with ENCODING 'UTF8'");
    }
    for (name, why) in [
        ("fsync", "what is acknowledged would be lost when the power fails"),
        ("full_page_writes", "a torn page would be lost when the power fails"),
    ] {
        if setting(name)? != "on" {
            return unfit(&format!("PostgreSQL has {name} off: {why}; set it on"));
        }
    }
    if require_standby && setting("synchronous_standby_names")?.trim().is_empty() {
        return unfit(
            "a failover would lose what was acknowledged: PostgreSQL has no synchronous_standby_names; name a standby \
             there, or do not ask for failover",
        );
    }
    Ok(())
}

/// Brings the schema up to date; gives a new store its epoch and secret. Nodes that start at once take turns.
pub(super) fn migrate(session: &mut Session, random: &dyn Random) -> Result<Identity, ConnectError> {
    // However long another node's migration takes.
    session.batch("SET statement_timeout = 0; SET lock_timeout = 0")?;
    session.set_patience(Duration::from_secs(3600));
    session.own_query("SELECT pg_advisory_lock($1)", &[&SCHEMA_LOCK])?;
    refuse_foreign(session)?;
    let (runtime, client) = session.parts();
    runtime
        .block_on(embedded::migrations::runner().run_async(client))
        .map_err(|error| ConnectError::Schema(error.to_string()))?;
    let mut secret = [0_u8; 16];
    random.fill(&mut secret);
    let epoch = i64::try_from(random.id()).unwrap_or(1);
    session.own_query(
        "INSERT INTO store (id, epoch, nonce_secret, probes) VALUES (1, $1, $2, 0) ON CONFLICT DO NOTHING",
        &[&epoch, &secret.as_slice()],
    )?;
    let identity = identity(session)?;
    ensure_partitions(session)?;
    session.own_query("SELECT pg_advisory_unlock($1)", &[&SCHEMA_LOCK])?;
    Ok(identity)
}

/// A database of something else is left alone.
fn refuse_foreign(session: &Session) -> Result<(), ConnectError> {
    let rows = session.own_query(
        "SELECT to_regclass('refinery_schema_history') IS NULL
             AND EXISTS (SELECT 1 FROM pg_class
                 WHERE relnamespace = to_regnamespace(current_schema()) AND relkind IN ('r', 'p'))",
        &[],
    )?;
    if rows.first().is_some_and(|row| row.get(0)) {
        return Err(ConnectError::Schema(
            "the database holds tables of something else: create an own one for the service".into(),
        ));
    }
    Ok(())
}

fn identity(session: &Session) -> Result<Identity, ConnectError> {
    let rows = session.own_query("SELECT epoch, nonce_secret FROM store", &[])?;
    let row = rows.first().ok_or_else(|| ConnectError::Schema("the store has no epoch".into()))?;
    let (epoch, secret): (i64, Vec<u8>) = (row.get(0), row.get(1));
    let nonce_secret =
        secret.try_into().map_err(|_| ConnectError::Schema("the nonce secret has not 16 bytes".into()))?;
    Ok(Identity { epoch: epoch.unsigned_abs(), nonce_secret })
}

/// Makes the partition of the transactions of now and the one after it, if they are not there: the first transaction
/// that has none yet.
pub(super) fn ensure_partitions(session: &Session) -> Outcome<u64> {
    let rows = session
        .own_query("SELECT CAST(CAST(pg_snapshot_xmax(pg_current_snapshot()) AS TEXT) AS BIGINT)", &[])?;
    let newest: i64 = rows.first().map_or(0, |row| row.get(0));
    let current = newest.unsigned_abs() / PARTITION_TRANSACTIONS;
    for number in [current, current + 1] {
        make_partition(session, number)?;
    }
    Ok((current + 2) * PARTITION_TRANSACTIONS)
}

fn make_partition(session: &Session, number: u64) -> Outcome<()> {
    let name = format!("events_{number}");
    let rows = session.own_query("SELECT to_regclass($1) IS NOT NULL", &[&name])?;
    if rows.first().is_some_and(|row| row.get(0)) {
        return Ok(());
    }
    let from = (number * PARTITION_TRANSACTIONS) << CHANGE_BITS;
    let upto = ((number + 1) * PARTITION_TRANSACTIONS) << CHANGE_BITS;
    // Attached, not made in place: that lets appends and reads go on.
    session.batch(&format!(
        "BEGIN;
         SELECT pg_advisory_xact_lock({SCHEMA_LOCK} + 1);
         CREATE TABLE IF NOT EXISTS {name} (LIKE events INCLUDING ALL);
         CREATE UNIQUE INDEX IF NOT EXISTS {name}_place ON {name} (conversation_id, seq);
         CREATE INDEX IF NOT EXISTS {name}_target ON {name} (conversation_id, target) WHERE target IS NOT NULL;
         DO $$ BEGIN
             IF NOT EXISTS (SELECT 1 FROM pg_inherits WHERE inhrelid = '{name}'::regclass) THEN
                 ALTER TABLE events ATTACH PARTITION {name} FOR VALUES FROM ({from}) TO ({upto});
             END IF;
         END $$;
         COMMIT"
    ))
}
