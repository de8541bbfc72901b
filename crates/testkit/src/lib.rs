//! What tests of Loquat stand on: an in-memory engine, faults, a clock and randomness that tests own.
//!
//! [`MemoryStore`] implements every storage port and passes the conformance suite of `loquat-store`, so that a test
//! over it tells the truth about the real engines. It can be made to yield at random, to fail, to stall, and to
//! outlive a crash of the service above it ([`Faults`], [`MemoryStore::after_crash`]). With [`SeededRandom`],
//! [`TestClock`] and a [`deterministic`] runtime, a seed replays a whole schedule.
//!
//! [`PostgresServer`] is a real database of a test's own.
//!
//! [`TestApp`] is the domain, wired over any storage; [`TestSession`] is a live session with its frames parsed.
//!
//! Nothing that ships depends on this crate. To add a storage port: a module in `memory`, named after the port, and a
//! field or two in its state.

mod app;
mod bus;
mod clock;
mod faults;
mod memory;
mod postgres;
mod random;
mod runtime;
mod session;

pub use app::{TestApp, TestSettings, text, unlimited};
pub use bus::Tap;
pub use clock::TestClock;
pub use faults::{Faults, WriteFailure};
pub use memory::{MemoryStore, Stay};
pub use postgres::PostgresServer;
pub use random::{Dice, SeededRandom};
pub use runtime::deterministic;
pub use session::{Received, TestSession};
