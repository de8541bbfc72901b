//! Positions: one ascending number for every change of a log, a cursor or a preference.
//!
//! They are counted in memory and reserved in blocks, so that no position is ever given twice, whatever was deleted
//! and whenever the process died: a start goes on above the reservation. So positions are not contiguous.

use rusqlite::Connection;

use super::codec::{Columns, Integer};
use super::error::Outcome;

/// Positions reserved at a time.
const BLOCK: u64 = 1 << 20;

pub(super) struct Positions {
    last: u64,
    reserved: u64,
    reserved_durably: u64,
}

impl Positions {
    pub(super) fn load(connection: &Connection) -> Outcome<Self> {
        let reserved = connection.query_row("SELECT reserved_pos FROM store", [], |row| row.int(0))?;
        Ok(Self { last: reserved, reserved, reserved_durably: reserved })
    }

    /// The position given out last.
    pub(super) const fn last(&self) -> u64 {
        self.last
    }

    pub(super) fn next(&mut self, connection: &Connection) -> Outcome<u64> {
        if self.last == self.reserved {
            let reserved = self.reserved + BLOCK;
            connection.prepare_cached("UPDATE store SET reserved_pos = ?1")?.execute([reserved.sql()])?;
            self.reserved = reserved;
        }
        self.last += 1;
        Ok(self.last)
    }

    pub(super) const fn reserved(&self) -> u64 {
        self.reserved
    }

    /// The reservation was rolled back to this.
    pub(super) const fn roll_back_to(&mut self, reserved: u64) {
        self.reserved = reserved;
        if self.last > reserved {
            self.last = reserved;
        }
    }

    pub(super) const fn committed(&mut self) {
        self.reserved_durably = self.reserved;
    }

    pub(super) const fn rolled_back(&mut self) {
        self.roll_back_to(self.reserved_durably);
    }
}
