//! What a write works with.

use super::driver::{CachedStatement, Connection};
use super::error::Outcome;
use super::nonces::NonceIndex;
use super::positions::Positions;

/// An open transaction, and what its engine knows by heart.
pub struct WriteContext<'c> {
    pub(crate) connection: &'c Connection,
    pub(crate) positions: &'c mut Positions,
    pub(crate) nonces: &'c mut NonceIndex,
}

impl<'c> WriteContext<'c> {
    /// A prepared statement, from the connection's cache.
    pub(crate) fn statement(&self, sql: &str) -> Outcome<CachedStatement<'c>> {
        self.connection.prepare_cached(sql)
    }

    /// A position for a change: larger than that of every change that is settled.
    pub(crate) fn next_pos(&mut self) -> Outcome<u64> {
        self.positions.next(self.connection)
    }
}

/// Work that goes on in slices, one a transaction; each returns whether it was the last.
pub(crate) type Slices = Box<dyn FnMut(&Connection) -> Outcome<bool> + Send>;
