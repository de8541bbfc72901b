//! The index of nonces: which event has this nonce of this sender, for as long as the conversation lives.
//!
//! Nonces are random, so an ordinary index dirties one page for each of them; at a million events that is most of
//! the work of an append (decision record 0002 has the figures). So the index is filled late and in key order:
//!
//! - A nonce is shortened to 64 bits by a keyed hash of sender and nonce (SipHash-1-3, the key drawn when the store
//!   was made, so that nobody can craft collisions). Whatever is found by hash is verified against the event itself,
//!   so that a collision costs a lookup and nothing else.
//! - New entries wait in memory, sorted. When more than [`HIGH`] wait, the writer moves some to the table, in key
//!   order, going round the key space in *sweeps*: neighbours share pages.
//! - Nothing is lost with the memory: the events themselves hold the nonces. `store.nonces_complete_to` says up to
//!   which position the table has everything; a start reads the events above it. A whole sweep moves all that waited
//!   when it began, which is how that position advances.
//!
//! Only the writer touches this; whoever asks for a nonce asks the writer, and so sees all that stands before it in
//! the queue.

use std::collections::BTreeSet;
use std::hash::Hasher;

use super::driver::{CachedStatement, Connection, OptionalExtension, params};
use loquat_domain::ports::{NewEvent, Placement};
use loquat_proto::{ConversationId, Nonce, UserId};
use siphasher::sip::SipHasher13;

use super::appender::Tip;
use super::codec::{Columns, Integer};
use super::context::WriteContext;
use super::error::Outcome;

/// So many entries may wait: 40 bytes each.
const HIGH: usize = 32_768;
/// Entries moved at a time, at least.
const SLICE: usize = 64;

/// Where new entries go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Filling {
    /// They wait in memory, as the module says: one writer.
    Late,
    /// To the table at once: many writers, each of which sees what the others have committed.
    AtOnce,
}

/// (conversation, hash, seq), as they stand in the table.
type Entry = (i64, i64, i64);

const FIRST: Entry = (i64::MIN, i64::MIN, i64::MIN);

enum Undo {
    Added(Entry),
    Removed(Entry),
}

/// One round through the key space.
#[derive(Clone, Copy)]
struct Sweep {
    /// Where it goes on.
    from: Entry,
    /// Every event up to here had its entry when the round began.
    began_at: u64,
}

pub struct NonceIndex {
    secret: [u8; 16],
    filling: Filling,
    /// [`HIGH`], but in tests.
    high: usize,
    waiting: BTreeSet<Entry>,
    undo: Vec<Undo>,
    sweep: Sweep,
    committed_sweep: Sweep,
}

impl NonceIndex {
    /// Reads what the table lacks from the events. `last_pos` is at or above the position of every event.
    pub(crate) fn load(connection: &Connection, last_pos: u64) -> Outcome<Self> {
        let (secret, complete_to): ([u8; 16], i64) =
            connection.query_row("SELECT nonce_secret, nonces_complete_to FROM store", [], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?;
        let sweep = Sweep { from: FIRST, began_at: last_pos };
        let mut index = Self {
            secret,
            filling: Filling::Late,
            high: HIGH,
            waiting: BTreeSet::new(),
            undo: Vec::new(),
            sweep,
            committed_sweep: sweep,
        };
        let mut events = connection.prepare_cached(
            "SELECT conversation_id, seq, sender, nonce FROM events WHERE pos > ?1 AND nonce IS NOT NULL",
        )?;
        let mut rows = events.query([complete_to])?;
        while let Some(row) = rows.next()? {
            let nonce = row.text(3)?.unwrap_or_default();
            let hash = index.hash(row.int(2)?, nonce);
            index.waiting.insert((row.get(0)?, hash, row.get(1)?));
        }
        Ok(index)
    }

    /// An index that is filled at once, for many writers.
    pub(crate) const fn shared(secret: [u8; 16]) -> Self {
        let sweep = Sweep { from: FIRST, began_at: 0 };
        Self {
            secret,
            filling: Filling::AtOnce,
            high: HIGH,
            waiting: BTreeSet::new(),
            undo: Vec::new(),
            sweep,
            committed_sweep: sweep,
        }
    }

    /// What stands in the table for a nonce.
    pub(crate) fn hash(&self, sender: UserId, nonce: &str) -> i64 {
        let mut hasher = SipHasher13::new_with_key(&self.secret);
        hasher.write_u64(sender.get());
        hasher.write(nonce.as_bytes());
        i64::from_ne_bytes(hasher.finish().to_ne_bytes())
    }

    fn add(&mut self, entry: Entry) {
        if self.waiting.insert(entry) {
            self.undo.push(Undo::Added(entry));
        }
    }

    /// Forgets a deleted conversation.
    pub(crate) fn forget(&mut self, conversation: ConversationId) {
        let id = conversation.sql();
        let entries: Vec<Entry> =
            self.waiting.range((id, i64::MIN, i64::MIN)..=(id, i64::MAX, i64::MAX)).copied().collect();
        for entry in entries {
            self.remove(entry);
        }
    }

    fn remove(&mut self, entry: Entry) {
        self.waiting.remove(&entry);
        self.undo.push(Undo::Removed(entry));
    }

    /// Moves what is too much to the table, within the transaction. `last_pos` is the position given out last.
    pub(crate) fn settle(&mut self, connection: &Connection, last_pos: u64) -> Outcome<()> {
        let excess = self.waiting.len().saturating_sub(self.high);
        if excess < SLICE { Ok(()) } else { self.move_entries(connection, last_pos, excess) }
    }

    /// Moves everything to the table, so that the next start has nothing to read.
    pub(crate) fn settle_all(&mut self, connection: &Connection, last_pos: u64) -> Outcome<()> {
        self.sweep = Sweep { from: FIRST, began_at: last_pos };
        self.move_entries(connection, last_pos, self.waiting.len())?;
        if self.waiting.is_empty() { complete_to(connection, last_pos) } else { Ok(()) }
    }

    fn move_entries(&mut self, connection: &Connection, last_pos: u64, count: usize) -> Outcome<()> {
        let mut insert = connection.prepare_cached(
            "INSERT INTO nonces (conversation_id, hash, seq) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
        )?;
        let mut entries: Vec<Entry> = self.waiting.range(self.sweep.from..).take(count).copied().collect();
        let round_ends = entries.len() < count;
        if round_ends {
            complete_to(connection, self.sweep.began_at)?;
            self.sweep = Sweep { from: FIRST, began_at: last_pos };
            let rest = count - entries.len();
            entries.extend(self.waiting.range(..self.sweep_start(&entries)).take(rest).copied());
        }
        for entry in entries {
            insert.execute(params![entry.0, entry.1, entry.2])?;
            self.remove(entry);
            self.sweep.from = entry;
        }
        Ok(())
    }

    /// Where the round that ends has taken its last entries from.
    fn sweep_start(&self, taken: &[Entry]) -> Entry {
        taken.first().copied().unwrap_or((i64::MAX, i64::MAX, i64::MAX))
    }

    /// How much could be undone now.
    pub(crate) const fn mark(&self) -> usize {
        self.undo.len()
    }

    pub(crate) fn roll_back_to(&mut self, mark: usize) {
        for undo in self.undo.drain(mark..).rev() {
            match undo {
                Undo::Added(entry) => self.waiting.remove(&entry),
                Undo::Removed(entry) => self.waiting.insert(entry),
            };
        }
    }

    pub(crate) fn committed(&mut self) {
        self.undo.clear();
        self.committed_sweep = self.sweep;
    }

    pub(crate) fn rolled_back(&mut self) {
        self.roll_back_to(0);
        self.sweep = self.committed_sweep;
    }
}

/// The entry of an event that stands in the log now.
pub(crate) fn add(
    context: &mut WriteContext<'_>,
    conversation: ConversationId,
    (hash, seq): (i64, u64),
) -> Outcome<()> {
    let entry = (conversation.sql(), hash, seq.sql());
    match context.nonces.filling {
        Filling::Late => context.nonces.add(entry),
        Filling::AtOnce => insert(context, entry)?,
    }
    Ok(())
}

fn insert(context: &WriteContext<'_>, (conversation, hash, seq): Entry) -> Outcome<()> {
    context
        .statement(
            "INSERT INTO nonces (conversation_id, hash, seq) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
        )?
        .execute([conversation, hash, seq])?;
    Ok(())
}

/// Keeps the nonce of a change that stands in no log. The index gets its entry at once: a start could not find it in
/// the events.
pub(crate) fn keep_unlogged(
    context: &WriteContext<'_>,
    tip: &Tip,
    (event, nonce): (&NewEvent, &Nonce),
    hash: i64,
) -> Outcome<()> {
    let conversation = tip.conversation.sql();
    context
        .statement(
            "INSERT INTO unlogged_nonces (conversation_id, sender, nonce, seq, ts) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![conversation, event.sender.sql(), nonce.as_str(), tip.head.sql(), event.ts])?;
    insert(context, (conversation, hash, tip.head.sql()))
}

fn complete_to(connection: &Connection, pos: u64) -> Outcome<()> {
    connection.prepare_cached("UPDATE store SET nonces_complete_to = ?1")?.execute([pos.sql()])?;
    Ok(())
}

/// Looks nonces up: the statements of a run of lookups.
pub(crate) struct NonceLookup<'c> {
    settled: CachedStatement<'c>,
    verify: CachedStatement<'c>,
    unlogged: CachedStatement<'c>,
}

/// What a lookup comes to.
pub(crate) enum Lookup {
    /// The sender used this nonce before.
    Known(Placement),
    /// New: the hash to add the event with.
    New(i64),
}

impl<'c> NonceLookup<'c> {
    pub(crate) fn new(connection: &'c Connection) -> Outcome<Self> {
        Ok(Self {
            settled: connection
                .prepare_cached("SELECT seq FROM nonces WHERE conversation_id = ?1 AND hash = ?2")?,
            verify: connection.prepare_cached(
                "SELECT ts FROM events WHERE conversation_id = ?1 AND seq = ?2 AND sender = ?3 AND nonce = ?4",
            )?,
            unlogged: connection.prepare_cached(
                "SELECT seq, ts FROM unlogged_nonces WHERE conversation_id = ?1 AND sender = ?2 AND nonce = ?3",
            )?,
        })
    }

    pub(crate) fn find(
        &mut self,
        index: &NonceIndex,
        conversation: ConversationId,
        (sender, nonce): (UserId, &Nonce),
    ) -> Outcome<Lookup> {
        let id = conversation.sql();
        let hash = index.hash(sender, nonce.as_str());
        for (_, _, seq) in index.waiting.range((id, hash, i64::MIN)..=(id, hash, i64::MAX)) {
            if let Some(known) = self.verified(id, *seq, (sender, nonce))? {
                return Ok(Lookup::Known(known));
            }
        }
        // Nearly always nothing, more than one only on a collision.
        let mut candidates: smallvec::SmallVec<[i64; 2]> = smallvec::SmallVec::new();
        let mut rows = self.settled.query(params![id, hash])?;
        while let Some(row) = rows.next()? {
            candidates.push(row.get(0)?);
        }
        drop(rows);
        let is_new = candidates.is_empty();
        for seq in candidates {
            if let Some(known) = self.verified(id, seq, (sender, nonce))? {
                return Ok(Lookup::Known(known));
            }
        }
        // A hash that no event accounts for: a collision, or a change beside the log.
        if !is_new && let Some(known) = self.unlogged(id, (sender, nonce))? {
            return Ok(Lookup::Known(known));
        }
        Ok(Lookup::New(hash))
    }

    fn unlogged(
        &mut self,
        conversation: i64,
        (sender, nonce): (UserId, &Nonce),
    ) -> Outcome<Option<Placement>> {
        let found = self.unlogged.query_row(params![conversation, sender.sql(), nonce.as_str()], |row| {
            Ok(Placement { seq: row.int(0)?, ts: row.get(1)?, replayed: true, erased: false })
        });
        found.optional()
    }

    fn verified(
        &mut self,
        conversation: i64,
        seq: i64,
        (sender, nonce): (UserId, &Nonce),
    ) -> Outcome<Option<Placement>> {
        let found = self.verify.query_row(params![conversation, seq, sender.sql(), nonce.as_str()], |row| {
            Ok(Placement { seq: seq.unsigned_abs(), ts: row.get(0)?, replayed: true, erased: false })
        });
        found.optional()
    }
}

#[cfg(test)]
mod tests;
