//! The conformance suite on SQLite.

mod support;

use loquat_store::SqliteStore;
use loquat_store::conformance;
use support::Home;

struct Fixture {
    store: SqliteStore,
    _home: Home,
}

impl conformance::Fixture for Fixture {
    type Store = SqliteStore;

    fn fresh() -> Self {
        let home = Home::new();
        Self { store: home.open(), _home: home }
    }

    fn store(&self) -> &SqliteStore {
        &self.store
    }
}

loquat_store::conformance_suite!(Fixture);
