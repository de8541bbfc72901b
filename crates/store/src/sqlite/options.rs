//! What can be set on a store.

use std::fmt;
use std::sync::Arc;

/// Called when a sync of the store failed, or its writer panicked: nothing may be acknowledged after that, so it is
/// expected not to return. If it does return (tests), every later call is answered
/// [`Unavailable`](loquat_domain::ports::StoreError::Unavailable).
pub type FatalHandler = Arc<dyn Fn(&str) + Send + Sync>;

/// Bounds and sizes. The defaults keep an idle store in a few megabytes.
#[derive(Clone)]
pub struct Options {
    /// Calls that may wait to be written; beyond, they are refused. A call may carry many appends.
    pub writer_queue: usize,
    /// Threads that read.
    pub readers: usize,
    /// Calls that may wait to be read; beyond, they are refused.
    pub reader_queue: usize,
    /// Page cache of the writer, in KiB.
    pub writer_cache_kib: u32,
    /// Page cache of each reader, in KiB.
    pub reader_cache_kib: u32,
    /// Pages (4 KiB) of the write-ahead log after which they are moved into the database.
    pub checkpoint_pages: u32,
    /// The most pages (4 KiB) that the database may have; a write beyond is refused. `None`: as the disk allows.
    pub max_pages: Option<u32>,
    /// Told of what cannot be survived. By default logs the reason and aborts the process.
    pub fatal: FatalHandler,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            writer_queue: 4096,
            readers: 2,
            reader_queue: 4096,
            writer_cache_kib: 8192,
            reader_cache_kib: 2048,
            checkpoint_pages: 8192,
            max_pages: None,
            fatal: Arc::new(|reason| {
                tracing::error!(reason, "the store stops the process");
                std::process::abort();
            }),
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("writer_queue", &self.writer_queue)
            .field("readers", &self.readers)
            .field("reader_queue", &self.reader_queue)
            .field("writer_cache_kib", &self.writer_cache_kib)
            .field("reader_cache_kib", &self.reader_cache_kib)
            .field("checkpoint_pages", &self.checkpoint_pages)
            .field("max_pages", &self.max_pages)
            .finish_non_exhaustive()
    }
}
