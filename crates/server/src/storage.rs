//! The data folder and the store in it.

use std::fs;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result};
use loquat_store::{Options, SqliteStore};
use tracing::error;

use crate::settings::Settings;
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

/// Opens the store of the data folder, which no other process serves meanwhile.
pub(crate) fn open(settings: &Settings) -> Result<SqliteStore> {
    make_folder(&settings.data)?;
    let path = store_path(&settings.data);
    let options = options(settings);
    SqliteStore::open(&path, &options, &SystemRandom).context("cannot open the storage")
}

/// Opens the store of the data folder to read it, whether or not a service runs on it.
pub(crate) fn observe(settings: &Settings) -> Result<SqliteStore> {
    SqliteStore::observe(&store_path(&settings.data), &options(settings)).context("cannot open the storage")
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
