//! A directory with a store, for tests.
#![allow(dead_code, clippy::unwrap_used, reason = "each test crate uses its part; a failure is the point")]

pub(crate) mod postgres;

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use loquat_domain::ports::Random;
use loquat_store::{Options, SqliteStore};
use tempfile::TempDir;

/// Randomness that is the same in every run, and another in every call.
pub(crate) struct Counting(pub(crate) AtomicU64);

impl Random for Counting {
    fn fill(&self, buffer: &mut [u8]) {
        for byte in buffer {
            let number = self.0.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            *byte = number.to_be_bytes()[1];
        }
    }
}

/// A directory that is removed with its stores.
pub(crate) struct Home {
    directory: TempDir,
    pub(crate) random: Counting,
}

impl Home {
    pub(crate) fn new() -> Self {
        Self { directory: TempDir::new().unwrap(), random: Counting(AtomicU64::new(1)) }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn open(&self) -> SqliteStore {
        self.open_with(&Options::default())
    }

    pub(crate) fn open_with(&self, options: &Options) -> SqliteStore {
        SqliteStore::open(&self.path("loquat.db"), options, &self.random).unwrap()
    }
}
