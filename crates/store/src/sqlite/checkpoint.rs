//! Moving the write-ahead log into the database without making commits wait.
//!
//! A checkpoint copies thousands of pages and syncs the database: tens of milliseconds. Done by the writer, all sends
//! would wait. So it goes in two parts:
//!
//! 1. When the log has grown by [`Options::checkpoint_pages`](super::Options), a thread with a connection of its own
//!    does a passive checkpoint, beside the writer. What is committed meanwhile stays behind.
//! 2. Then the writer does another one between two batches: little is left, and the log begins anew with the next
//!    commit, because nobody could append in between.
//!
//! A long read (a backup) keeps the log from beginning anew; it grows until that ends.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicU8, Ordering};
use std::thread::JoinHandle;

use rusqlite::Connection;
use rusqlite::wal::CheckpointMode;

use super::error::{OpenError, is_sync_failure};
use super::options::FatalHandler;
use super::pragmas::{self, Purpose};
use crate::queue::Queue;
use crate::sql::error::Outcome;

/// Nothing is under way.
const IDLE: u8 = 0;
/// The thread is copying.
const COPYING: u8 = 1;
/// The thread has copied; the writer does the rest.
const COPIED: u8 = 2;

/// Cache of the connection that copies: it reads pages of the log, not of the database.
const CACHE_KIB: u32 = 256;

/// The writer's side.
pub(super) struct Checkpoints {
    state: Arc<AtomicU8>,
    wake: Arc<Queue<()>>,
    /// How many pages the log holds, told by SQLite at each commit.
    pages: Arc<AtomicI32>,
    threshold: i32,
    /// The pages when the log could not begin anew; another try makes sense once it has grown.
    stuck_at: i32,
}

impl Checkpoints {
    /// Called after each batch.
    pub(super) fn after_commit(&mut self, connection: &Connection) -> Outcome<()> {
        let pages = self.pages.load(Ordering::Relaxed);
        match self.state.load(Ordering::Acquire) {
            IDLE if pages >= self.stuck_at.saturating_add(self.threshold) => {
                self.state.store(COPYING, Ordering::Release);
                // One place for one request: it cannot be full.
                let _ = self.wake.push(());
            }
            COPIED => {
                self.state.store(IDLE, Ordering::Release);
                let (in_log, copied) = passive(connection)?;
                self.stuck_at = if copied >= in_log { 0 } else { in_log };
                if copied >= in_log {
                    self.pages.store(0, Ordering::Relaxed);
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// Starts the thread, and has the writer's connection count the log's pages.
pub(super) fn start(
    path: PathBuf,
    writer: &mut Connection,
    threshold: u32,
    fatal: FatalHandler,
) -> Result<(Checkpoints, CheckpointThread), OpenError> {
    let connection = pragmas::open(&path, Purpose::Checkpoint, CACHE_KIB)?;
    let pages = Arc::new(AtomicI32::new(0));
    let counted = pages.clone();
    writer.wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, in_log| {
        counted.store(in_log, Ordering::Relaxed);
        Ok(())
    }))?;
    let wake = Arc::new(Queue::new(1));
    let state = Arc::new(AtomicU8::new(IDLE));
    let (thread_wake, thread_state) = (wake.clone(), state.clone());
    let handle = std::thread::Builder::new()
        .name("store-checkpoint".into())
        .spawn(move || {
            while thread_wake.pop().is_some() {
                match passive(&connection) {
                    Ok(_) => thread_state.store(COPIED, Ordering::Release),
                    Err(error) if is_sync_failure(&error) => {
                        fatal(&format!("a sync of the store failed: {error}"));
                        return;
                    }
                    Err(error) => {
                        tracing::warn!(%error, "a checkpoint failed; the write-ahead log grows");
                        thread_state.store(IDLE, Ordering::Release);
                    }
                }
            }
        })
        .map_err(|source| OpenError::Io { path, source })?;
    let checkpoints = Checkpoints {
        state,
        wake: wake.clone(),
        pages,
        threshold: i32::try_from(threshold.max(1)).unwrap_or(i32::MAX),
        stuck_at: 0,
    };
    Ok((checkpoints, CheckpointThread { wake, handle }))
}

/// The thread, to be ended.
pub(super) struct CheckpointThread {
    wake: Arc<Queue<()>>,
    handle: JoinHandle<()>,
}

impl CheckpointThread {
    /// Ends the thread and waits for it.
    pub(super) fn end(self) {
        self.wake.close();
        if self.handle.join().is_err() {
            tracing::error!("the store's checkpointer panicked");
        }
    }
}

/// Copies what can be copied without waiting for anybody: (pages in the log, pages copied).
fn passive(connection: &Connection) -> Outcome<(i32, i32)> {
    Ok(connection.wal_checkpoint_v2(Some(rusqlite::MAIN_DB), CheckpointMode::PASSIVE)?)
}

/// Copies everything and empties the log.
pub(super) fn truncate(connection: &Connection) -> Outcome<()> {
    connection.wal_checkpoint_v2(Some(rusqlite::MAIN_DB), CheckpointMode::TRUNCATE)?;
    Ok(())
}
