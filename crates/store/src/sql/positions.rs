//! Positions: one ascending number for every change of a log, a cursor or a preference. They are not contiguous.
//!
//! - Where one process writes, they are counted in memory and reserved in blocks, so that no position is ever given
//!   twice, whatever was deleted and whenever the process died: a start goes on above the reservation.
//! - Where many write, a position is the number of its transaction (PostgreSQL's 64-bit `xid8`), shifted, and the
//!   number of the change in it. Whoever reads asks for the oldest transaction that is still on its way
//!   (`pg_snapshot_xmin`): everything below is settled and seen, and nothing will ever be committed there. So
//!   neither a worker's cursor nor a sync token can pass over what is committed late.

use super::codec::{Columns, Integer};
use super::driver::Connection;
use super::error::{Outcome, corrupt};

/// Positions reserved at a time.
const BLOCK: u64 = 1 << 20;

/// Bits of a position that number the changes of one transaction.
pub(crate) const CHANGE_BITS: u32 = 18;

/// Where positions come from.
pub enum Positions {
    /// One process counts.
    Counted(Counter),
    /// The open transaction's.
    Numbered {
        /// Its own number; `None` until it is asked for.
        transaction: Option<u64>,
        /// Changes so far.
        changes: u64,
    },
}

/// Counted positions.
pub struct Counter {
    last: u64,
    reserved: u64,
    reserved_durably: u64,
}

impl Positions {
    pub(crate) fn load(connection: &Connection) -> Outcome<Self> {
        let reserved = connection.query_row("SELECT reserved_pos FROM store", [], |row| row.int(0))?;
        Ok(Self::Counted(Counter { last: reserved, reserved, reserved_durably: reserved }))
    }

    /// Those of a transaction that begins.
    pub(crate) const fn of_transaction(transaction: Option<u64>) -> Self {
        Self::Numbered { transaction, changes: 0 }
    }

    /// The position given out last.
    pub(crate) const fn last(&self) -> u64 {
        match self {
            Self::Counted(counter) => counter.last,
            Self::Numbered { transaction: Some(transaction), changes } => {
                (*transaction << CHANGE_BITS) + *changes
            }
            Self::Numbered { transaction: None, .. } => 0,
        }
    }

    pub(crate) fn next(&mut self, connection: &Connection) -> Outcome<u64> {
        match self {
            Self::Counted(counter) => {
                if counter.last == counter.reserved {
                    let reserved = counter.reserved + BLOCK;
                    connection
                        .prepare_cached("UPDATE store SET reserved_pos = ?1")?
                        .execute([reserved.sql()])?;
                    counter.reserved = reserved;
                }
                counter.last += 1;
            }
            Self::Numbered { transaction, changes } => {
                if transaction.is_none() {
                    let number = "SELECT CAST(CAST(pg_current_xact_id() AS TEXT) AS BIGINT)";
                    *transaction = Some(connection.query_row(number, [], |row| row.int(0))?);
                }
                *changes += 1;
                if *changes >> CHANGE_BITS != 0 {
                    return Err(corrupt("a transaction has too many changes"));
                }
            }
        }
        Ok(self.last())
    }

    /// What may have been given out, to be rolled back to.
    pub(crate) const fn reserved(&self) -> u64 {
        match self {
            Self::Counted(counter) => counter.reserved,
            Self::Numbered { .. } => 0,
        }
    }

    /// The reservation was rolled back to this.
    pub(crate) const fn roll_back_to(&mut self, reserved: u64) {
        if let Self::Counted(counter) = self {
            counter.reserved = reserved;
            if counter.last > reserved {
                counter.last = reserved;
            }
        }
    }

    pub(crate) const fn committed(&mut self) {
        if let Self::Counted(counter) = self {
            counter.reserved_durably = counter.reserved;
        }
    }

    pub(crate) const fn rolled_back(&mut self) {
        if let Self::Counted(counter) = self {
            let durably = counter.reserved_durably;
            self.roll_back_to(durably);
        }
    }
}
