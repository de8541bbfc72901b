//! What a user asks of the engine.

use loquat_proto::{ConversationId, Nonce, PresenceState, Seq, UserId};

use crate::view::Change;

/// A command of the user. None waits for the network.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(tag = "kind", content = "value", rename_all = "snake_case")]
pub enum Command {
    /// Keep the timeline of this conversation in memory, fetch what it lacks first, and learn its members' names.
    Open(ConversationId),
    /// The timeline is not shown any more.
    Close(ConversationId),
    /// Load one page above the timeline, from the store or the server.
    LoadOlder(ConversationId),
    /// Fetch the whole log of this conversation, and keep it whole.
    Backfill(ConversationId),
    /// Queue a change under this nonce (see [`Engine::new_nonce`](crate::Engine::new_nonce)).
    Change {
        /// Where.
        conversation: ConversationId,
        /// Its name.
        nonce: Nonce,
        /// What is to be done.
        change: Change,
    },
    /// Put a refused change back into the queue.
    Retry(Nonce),
    /// Drop a queued change that is not in flight.
    Discard(Nonce),
    /// Everything up to here has been read.
    MarkRead {
        /// Where.
        conversation: ConversationId,
        /// The newest message shown.
        seq: Seq,
    },
    /// The user writes, or stopped.
    SetTyping {
        /// Where.
        conversation: ConversationId,
        /// Writes, or stopped.
        on: bool,
    },
    /// What the user has begun to write; `None` or empty clears it.
    SetDraft {
        /// Where.
        conversation: ConversationId,
        /// The text.
        text: Option<String>,
    },
    /// Whose presence is shown, up to 500 users; replaces the last list.
    Watch(Vec<UserId>),
    /// The own presence state.
    SetStatus(PresenceState),
    /// Learn who this is.
    LearnProfile(UserId),
}

/// Why a command was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CommandError {
    /// The conversation is not known on this device.
    NoSuchConversation,
    /// The queue of changes is full ([`Options::outbox`](crate::Options::outbox)).
    OutboxFull,
    /// No such change is in the queue, or it is in flight.
    NoSuchChange,
}

impl std::fmt::Display for CommandError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::NoSuchConversation => "no such conversation on this device",
            Self::OutboxFull => "too many changes wait for the server",
            Self::NoSuchChange => "no such change is waiting",
        })
    }
}

impl std::error::Error for CommandError {}
