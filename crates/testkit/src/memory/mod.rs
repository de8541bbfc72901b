//! The storage ports in memory: plain collections behind one lock, no cleverness.
//!
//! Each port has its module; `state` is what they share, `changes` what an event does, `materialise` how a message is
//! shown. Each call is one critical section, hence atomic; everything is committed at once.

mod account_log;
mod accounts;
mod administration;
mod changes;
mod contacts;
mod conversations;
mod devices;
mod invites;
mod log;
mod materialise;
mod outbox;
mod presences;
mod retention;
mod state;
mod timeline;
mod views;

use std::future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use loquat_domain::ports::{Append, AppendOutcome, NewEvent, StoreError};
use loquat_proto::{ConversationId, UserId};
use parking_lot::Mutex;

use crate::faults::{self, Faults, WriteFailure};
use state::State;

pub use state::Stay;

/// An in-memory engine of all storage ports: a cheap handle, to be cloned.
#[derive(Debug, Clone)]
pub struct MemoryStore {
    shared: Arc<Shared>,
    /// Whether the process that holds this handle crashed.
    dead: Arc<AtomicBool>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    faults: Faults,
}

impl MemoryStore {
    /// An empty store; the seed determines its random faults.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let shared = Shared { state: Mutex::new(State::new(seed)), faults: Faults::new(seed) };
        Self { shared: Arc::new(shared), dead: Arc::default() }
    }

    /// What the store is made to suffer.
    #[must_use]
    pub fn faults(&self) -> &Faults {
        &self.shared.faults
    }

    /// Crashes whoever works with this handle or a clone of it, and returns a handle for the life after: what was
    /// committed is there, calls under way end nowhere, and calls by the dead never return.
    #[must_use]
    pub fn after_crash(&self) -> Self {
        self.dead.store(true, Ordering::Release);
        Self { shared: self.shared.clone(), dead: Arc::default() }
    }

    /// Appends at the end of a log as another node would, behind the back of the lanes over this store. `false` if
    /// there is no such conversation.
    pub fn append_elsewhere(&self, conversation: ConversationId, events: Vec<NewEvent>) -> bool {
        let mut state = self.shared.state.lock();
        let Some(room) = state.rooms.get(&conversation) else { return false };
        let append =
            Append { conversation, expected_head: room.head(), expected_version: room.version, events };
        matches!(log::append(&mut state, append), AppendOutcome::Appended { .. })
    }

    /// The events of a log with all nonces and nobody's eyes: for oracles.
    #[must_use]
    pub fn whole_log(&self, conversation: ConversationId) -> Vec<loquat_proto::Event> {
        let state = self.shared.state.lock();
        let room = state.rooms.get(&conversation);
        room.into_iter().flat_map(|room| &room.events).map(|stored| stored.event.clone()).collect()
    }

    /// The conversations of a user: for oracles.
    #[must_use]
    pub fn conversations_of(&self, user: UserId) -> Vec<ConversationId> {
        let state = self.shared.state.lock();
        let own = state.rooms.values().filter(|room| room.members.contains_key(&user));
        own.map(|room| room.id).collect()
    }

    /// Who was a member of a conversation when: for oracles.
    #[must_use]
    pub fn stays(&self, conversation: ConversationId) -> Vec<Stay> {
        let state = self.shared.state.lock();
        state.rooms.get(&conversation).map_or_else(Vec::new, |room| room.stays.clone())
    }

    /// The members of a conversation: for oracles.
    #[must_use]
    pub fn members_of(&self, conversation: ConversationId) -> Vec<UserId> {
        let state = self.shared.state.lock();
        state.rooms.get(&conversation).into_iter().flat_map(|room| room.members.keys().copied()).collect()
    }

    async fn read<T>(&self, work: impl FnOnce(&State) -> T) -> Result<T, StoreError> {
        self.turn().await;
        let result = work(&self.shared.state.lock());
        self.turn().await;
        Ok(result)
    }

    async fn write<T>(&self, work: impl FnOnce(&mut State) -> T) -> Result<T, StoreError> {
        self.turn().await;
        let failure = self.shared.faults.begin_write().await;
        self.die_if_dead().await;
        if failure == Some(WriteFailure::Refused) {
            return Err(faults::injected());
        }
        let result = work(&mut self.shared.state.lock());
        self.turn().await;
        if failure == Some(WriteFailure::AnswerLost) { Err(faults::injected()) } else { Ok(result) }
    }

    async fn turn(&self) {
        self.shared.faults.take_turns().await;
        self.die_if_dead().await;
    }

    async fn die_if_dead(&self) {
        if self.dead.load(Ordering::Acquire) {
            future::pending::<()>().await;
        }
    }
}
