//! The port of the device store: what is kept over restarts, as batches to write and queries to load.
//!
//! A store is a sequence of events a conversation, a record a conversation, the queue of own changes, the names of
//! people, and the sync token. It is written by the engine alone, in atomic batches, and knows nothing of what it
//! keeps beyond the fields that it is queried by. Messages are not stored as they are shown: a page is the events of
//! a range and all events that target them, from which the engine folds what is shown. So no write ever reads.
//!
//! [`Store`] is the shape for hosts that call it directly; a host that cannot (a browser with IndexedDB) carries
//! out the same [`Operation`]s and [`Query`]s in its own way. [`MemoryStore`] is the reference; the module
//! `conformance` (feature `conformance`) is the suite that every store passes.

#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod memory;
pub mod search;

pub use crate::ranges::Ranges;
pub use memory::MemoryStore;
pub use search::{Found, Search};

use loquat_proto::{
    Conversation, ConversationId, ErrorBody, Event, EventKind, Nonce, Profile, Seq, Timestamp,
};
use serde::{Deserialize, Serialize};

use crate::view::Change;

/// One write. Each replaces what was there under the same name.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "op", content = "value", rename_all = "snake_case")]
pub enum Operation {
    /// A conversation as it is shown in the list.
    PutConversation(Box<Conversation>),
    /// How far this device has come in a conversation.
    PutProgress(ConversationId, Progress),
    /// Everything of a conversation leaves, queued changes included.
    RemoveConversation(ConversationId),
    /// The events of a conversation leave; record and queue stay.
    ForgetLog(ConversationId),
    /// Events of one log, ascending; those already there are not changed.
    PutEvents(Vec<Event>),
    /// The content of a message and of its edits becomes null; what else is known of them stays.
    Erase {
        /// Where.
        conversation: ConversationId,
        /// The message.
        target: Seq,
    },
    /// The content of all messages up to a `seq`, and of their edits and reactions, becomes null; what else is known
    /// of them stays.
    EraseUpTo {
        /// Where.
        conversation: ConversationId,
        /// The newest of the messages.
        upto: Seq,
    },
    /// A queued change.
    PutChange(Box<QueuedChange>),
    /// A change leaves the queue.
    RemoveChange(Nonce),
    /// What is known of a user.
    PutProfile(Box<Profile>),
    /// How far the device has come with the account.
    PutSync(SyncPoint),
}

/// How far the device has come with the account.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncPoint {
    /// The newest sync token of which everything is stored.
    pub since: Option<String>,
    /// The newest position of the account log.
    pub account_pos: Option<u64>,
}

/// How far this device has come in a conversation.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// The newest `seq` known to exist.
    pub head: Seq,
    /// What is stored of the log.
    pub ranges: Ranges,
    /// Acknowledged as delivered.
    pub delivered: Seq,
    /// Read by the user.
    pub read: Seq,
    /// Whether the cursors must be repeated to the server.
    pub repeat_cursors: bool,
    /// Whether the whole log is wanted.
    #[serde(default)]
    pub whole: bool,
    /// What the user has begun to write.
    pub draft: Option<String>,
    /// Whether the server does not have the draft yet.
    pub draft_unsent: bool,
}

/// A change of the queue, as stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueuedChange {
    /// Its place in the queue, ascending.
    pub order: u64,
    /// Where.
    pub conversation: ConversationId,
    /// Its name.
    pub nonce: Nonce,
    /// What is to be done.
    pub change: Change,
    /// When the user did it.
    pub created_at: Timestamp,
    /// Why the server refused it for good, if it did.
    pub failed: Option<ErrorBody>,
}

/// Everything that an engine starts from, without the logs.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
pub struct Restored {
    /// The sync point.
    pub sync: SyncPoint,
    /// The conversations; a progress without a conversation is left out.
    pub conversations: Vec<(Conversation, Progress)>,
    /// The queue, ascending by `order`.
    pub queue: Vec<QueuedChange>,
    /// The people known.
    pub profiles: Vec<Profile>,
}

/// One read of a log. All answers are events of one conversation, ascending by `seq`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "query", rename_all = "snake_case")]
pub enum Query {
    /// The newest `limit` events below `before` and not below `floor` that are shown by themselves ([`is_shown`]),
    /// and all events that target one of them.
    Page {
        /// Where.
        conversation: ConversationId,
        /// Below this.
        before: Seq,
        /// Not below this.
        floor: Seq,
        /// At most so many that are shown by themselves.
        limit: usize,
    },
    /// The events with these `seq`s, and all events that target one of them.
    Messages {
        /// Where.
        conversation: ConversationId,
        /// Which.
        seqs: Vec<Seq>,
    },
    /// The first `limit` events above `after`, gaps or not.
    Events {
        /// Where.
        conversation: ConversationId,
        /// Above this.
        after: Seq,
        /// At most so many.
        limit: usize,
    },
}

/// A store that is called directly. Calls take effect in order; a batch is atomic and durable when `apply` returns.
pub trait Store {
    /// Why the store failed. After a failed `apply` nothing of the batch is there.
    type Error: std::error::Error;

    /// Writes all of these or none.
    ///
    /// # Errors
    /// The store failed.
    fn apply(&mut self, operations: &[Operation]) -> Result<(), Self::Error>;

    /// Reads a log.
    ///
    /// # Errors
    /// The store failed, or holds what is not readable.
    fn load(&mut self, query: &Query) -> Result<Vec<Event>, Self::Error>;

    /// Finds messages by their words (see [`search`]), the newest first. A message is found by its text of now; one
    /// that was deleted or erased is not.
    ///
    /// # Errors
    /// The store failed, or holds what is not readable.
    fn search(&mut self, search: &Search) -> Result<Vec<Found>, Self::Error>;

    /// Reads what an engine starts from.
    ///
    /// # Errors
    /// The store failed, or holds what is not readable.
    fn restore(&mut self) -> Result<Restored, Self::Error>;
}

/// Whether an event of this kind is an entry of a timeline by itself; others change one.
#[must_use]
pub const fn is_shown(kind: EventKind) -> bool {
    matches!(kind, EventKind::Message | EventKind::Member | EventKind::Settings)
}

/// The message that an event is about, for the index of a store. `None` for erased events too: they change nothing.
#[must_use]
pub fn target(event: &Event) -> Option<Seq> {
    #[derive(Deserialize)]
    struct Targeted {
        target: Seq,
    }
    let targets =
        matches!(event.kind, EventKind::Edit | EventKind::Delete | EventKind::Reaction | EventKind::Pin);
    let body = event.body.as_ref().filter(|_| targets)?;
    serde_json::from_str::<Targeted>(body.get()).ok().map(|body| body.target)
}
