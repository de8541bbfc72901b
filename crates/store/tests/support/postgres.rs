//! Stores on a PostgreSQL server.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use loquat_store::{PostgresOptions, PostgresStore};
use loquat_testkit::PostgresServer;

use super::Counting;

/// The server that all tests of a process share; its databases are copies of one that is migrated.
pub(crate) fn shared() -> &'static PostgresServer {
    static SERVER: OnceLock<PostgresServer> = OnceLock::new();
    SERVER.get_or_init(|| {
        let server = PostgresServer::start(&[]);
        server.create("ready");
        open(&server, "ready").close();
        server
    })
}

/// Opens the store in a database.
pub(crate) fn open(server: &PostgresServer, database: &str) -> PostgresStore {
    PostgresStore::open(&server.url(database), &options(), &Counting(AtomicU64::new(1))).unwrap()
}

/// Few connections: tests are many.
pub(crate) fn options() -> PostgresOptions {
    PostgresOptions { readers: 2, writers: 3, appenders: 2, ..PostgresOptions::default() }
}

/// A store in a database of its own, alone on the server for as long as it lives: what one transaction on its way holds
/// back would be held back for all databases.
pub(crate) struct Place {
    store: Option<PostgresStore>,
    database: String,
    _alone: MutexGuard<'static, ()>,
}

/// Keeps everybody else off the shared server.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Place {
    pub(crate) fn new() -> Self {
        let alone = alone();
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let server = shared();
        let database = format!("store{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        server.psql("postgres", &format!("CREATE DATABASE {database} TEMPLATE ready STRATEGY FILE_COPY"));
        Self { store: Some(open(server, &database)), database, _alone: alone }
    }

    pub(crate) fn store(&self) -> &PostgresStore {
        self.store.as_ref().unwrap()
    }

    pub(crate) fn database(&self) -> &str {
        &self.database
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(store) = self.store.take() {
            store.close();
        }
        shared().psql("postgres", &format!("DROP DATABASE {} WITH (FORCE)", self.database));
    }
}
