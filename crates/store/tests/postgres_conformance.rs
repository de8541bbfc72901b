//! The conformance suite on PostgreSQL.

mod support;

use loquat_store::PostgresStore;
use loquat_store::conformance;
use support::postgres::Place;

impl conformance::Fixture for Place {
    type Store = PostgresStore;

    fn fresh() -> Self {
        Self::new()
    }

    fn store(&self) -> &PostgresStore {
        self.store()
    }
}

loquat_store::conformance_suite!(Place);
