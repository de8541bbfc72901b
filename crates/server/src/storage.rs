//! The store: in the data folder, or on PostgreSQL.

use std::fs;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use loquat_domain::Storage;
use loquat_store::{Options, PostgresOptions, PostgresStore, SqliteStore};
use tracing::error;

use crate::settings::{EMBEDDED, Settings};
use crate::system::SystemRandom;

/// The store's file in the data folder.
const STORE_FILE: &str = "loquat.db";

/// Where the store of a data folder is.
pub(crate) fn store_path(data: &Path) -> PathBuf {
    data.join(STORE_FILE)
}

/// Makes the data folder, if it is not there, for this user alone: it holds everybody's messages.
pub(crate) fn make_folder(data: &Path) -> Result<()> {
    let mut folder = fs::DirBuilder::new();
    folder.recursive(true).mode(0o700);
    folder.create(data).with_context(|| format!("cannot make the folder {} (setting `data`)", data.display()))
}

/// Where everything is kept. A cheap handle.
#[derive(Clone)]
pub(crate) enum Store {
    /// In the data folder.
    Embedded(SqliteStore),
    /// On a server, which other nodes may use as well.
    Postgres(PostgresStore),
}

/// What is so of a store at a moment.
pub(crate) struct Gauges {
    pub(crate) writes_waiting: usize,
    pub(crate) reads_waiting: usize,
    pub(crate) commits: u64,
    /// Appends that came across those of others; none where one process writes.
    pub(crate) conflicts: u64,
    /// Bytes of the database and of its log; `None` where they are on another machine.
    pub(crate) sizes: Option<(u64, u64)>,
}

impl Store {
    /// Its ports.
    pub(crate) fn ports(&self) -> Storage {
        match self {
            Self::Embedded(store) => Storage::from_one(Arc::new(store.clone())),
            Self::Postgres(store) => Storage::from_one(Arc::new(store.clone())),
        }
    }

    /// What is so at this moment.
    pub(crate) fn gauges(&self) -> Gauges {
        match self {
            Self::Embedded(store) => {
                let gauges = store.gauges();
                Gauges {
                    writes_waiting: gauges.writes_waiting,
                    reads_waiting: gauges.reads_waiting,
                    commits: gauges.commits,
                    conflicts: 0,
                    sizes: Some((gauges.database_bytes, gauges.log_bytes)),
                }
            }
            Self::Postgres(store) => {
                let gauges = store.gauges();
                Gauges {
                    writes_waiting: gauges.writes_waiting,
                    reads_waiting: gauges.reads_waiting,
                    commits: gauges.append_commits,
                    conflicts: gauges.conflicts,
                    sizes: None,
                }
            }
        }
    }

    /// Writes what waits, and ends. Blocks.
    pub(crate) fn close(&self) {
        match self {
            Self::Embedded(store) => store.close(),
            Self::Postgres(store) => store.close(),
        }
    }
}

/// Whether everything is kept in the data folder.
pub(crate) fn is_embedded(settings: &Settings) -> bool {
    settings.storage.url == EMBEDDED
}

/// Refuses what only a store in the data folder has.
pub(crate) fn require_embedded(settings: &Settings, instead: &str) -> Result<()> {
    if !is_embedded(settings) {
        bail!("the storage is PostgreSQL (setting `storage.url`): {instead}");
    }
    Ok(())
}

/// Opens the store. One in the data folder is for this process alone meanwhile.
pub(crate) fn open(settings: &Settings) -> Result<Store> {
    // The socket for operators is there in any case.
    make_folder(&settings.data)?;
    if !is_embedded(settings) {
        return open_postgres(settings);
    }
    let path = store_path(&settings.data);
    let options = options(settings);
    SqliteStore::open(&path, &options, &SystemRandom).map(Store::Embedded).context("cannot open the storage")
}

fn open_postgres(settings: &Settings) -> Result<Store> {
    let storage = &settings.storage;
    let postgres = &storage.postgres;
    let options = PostgresOptions {
        readers: postgres.readers,
        reader_queue: storage.reader_queue,
        writers: postgres.writers,
        writer_queue: storage.writer_queue,
        appenders: postgres.appenders,
        append_queue: storage.writer_queue,
        statement_timeout: Duration::from_millis(postgres.statement_timeout_ms),
        lock_timeout: Duration::from_millis(postgres.lock_timeout_ms),
        connect_timeout: Duration::from_millis(postgres.connect_timeout_ms),
        require_standby: postgres.require_standby,
        roots: Some(postgres.roots.clone()).filter(|file| !file.as_os_str().is_empty()),
    };
    PostgresStore::open(&storage.url, &options, &SystemRandom)
        .map(Store::Postgres)
        .context("cannot open the storage (setting `storage.url`)")
}

/// Opens the store to read it, whether or not a service runs on it.
pub(crate) fn observe(settings: &Settings) -> Result<Store> {
    if !is_embedded(settings) {
        return open_postgres(settings);
    }
    SqliteStore::observe(&store_path(&settings.data), &options(settings))
        .map(Store::Embedded)
        .context("cannot open the storage")
}

fn options(settings: &Settings) -> Options {
    let storage = &settings.storage;
    Options {
        writer_queue: storage.writer_queue,
        readers: storage.readers,
        reader_queue: storage.reader_queue,
        writer_cache_kib: storage.writer_cache_kib,
        reader_cache_kib: storage.reader_cache_kib,
        checkpoint_pages: storage.checkpoint_pages,
        max_pages: Some(storage.max_pages).filter(|pages| *pages > 0),
        fatal: Arc::new(stop_at_once),
    }
}

/// Ends the process without unwinding: after a failed sync nobody knows what is on the disk, so that nothing more may
/// be acknowledged. The next start recovers from what is there.
fn stop_at_once(reason: &str) {
    error!(reason, "storage: writes are not durable; stopping at once");
    std::process::abort();
}
