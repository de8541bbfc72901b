//! The conformance suite of the storage ports on the engine in memory.

use loquat_store::conformance;
use loquat_testkit::MemoryStore;

struct Fixture(MemoryStore);

impl conformance::Fixture for Fixture {
    type Store = MemoryStore;

    fn fresh() -> Self {
        Self(MemoryStore::new(1))
    }

    fn store(&self) -> &MemoryStore {
        &self.0
    }
}

loquat_store::conformance_suite!(Fixture);
