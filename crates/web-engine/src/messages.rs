//! What travels between the worker and the engine.

use loquat_engine::store::{Operation, Query, Restored};
use loquat_engine::view::{OutboxEntry, SyncState, ViewChange};
use loquat_engine::{BatchId, Command, CommandError, LoadId, RequestId, RestRequest};
use loquat_proto::account::Secret;
use loquat_proto::conversation::Cursor;
use loquat_proto::{
    Conversation, ConversationId, DeviceId, ErrorBody, Event, Nonce, Profile, Seq, Timestamp, UserId,
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// A call of the engine: when, and what.
#[derive(Debug, Deserialize)]
pub struct Call {
    /// Wall time.
    pub wall: Timestamp,
    /// Milliseconds on a clock that never goes back.
    pub monotonic_ms: u64,
    /// What happened.
    pub input: Input,
}

/// What happened. Tagged from outside, because the raw bodies of events do not survive another way.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Input {
    /// Somebody is signed in: an engine from what the store holds. Replaces the one before.
    Start {
        /// Who.
        user: UserId,
        /// From which device.
        device: DeviceId,
        /// 256 random bits as 64 hexadecimal digits.
        seed: String,
        /// What the store holds.
        restored: Box<Restored>,
    },
    /// Nobody is signed in any more.
    Stop,
    /// A socket is open.
    Connected {
        /// What `hello` carries.
        ticket: Secret,
    },
    /// The socket broke or was closed.
    Disconnected,
    /// A text frame came.
    Frame {
        /// The frame.
        text: String,
    },
    /// A REST call of the engine was answered, or failed.
    Answered {
        /// Which.
        id: RequestId,
        /// The body of a good answer.
        body: Option<String>,
        /// The problem, if the server told one. Without a body and a problem there was no answer.
        problem: Option<ErrorBody>,
    },
    /// A batch is written.
    Persisted {
        /// Which.
        batch: BatchId,
    },
    /// Events were loaded.
    Loaded {
        /// Which load.
        id: LoadId,
        /// In order.
        events: Vec<Event>,
    },
    /// Time has passed.
    Tick,
    /// A REST call of the page answered with this conversation.
    Told {
        /// The conversation.
        conversation: Box<Conversation>,
    },
    /// The user wants something.
    Obey {
        /// What.
        command: Command,
    },
    /// A fresh nonce is wanted.
    NewNonce,
    /// Who put which reaction on a message?
    Reactors {
        /// Where.
        conversation: ConversationId,
        /// Which message.
        seq: Seq,
    },
    /// What changed since the last time? Whole snapshots if `whole`.
    Views {
        /// Whether everything is told anew.
        whole: bool,
    },
}

/// The engine's answer to a call.
#[derive(Debug, Default, Serialize)]
pub struct Output {
    /// To be carried out in order.
    pub effects: Vec<HostEffect>,
    /// What just happened, for the page.
    pub happened: Vec<ViewChange>,
    /// Whether [`Input::Views`] would tell something.
    pub stale: bool,
    /// When to call again at the latest, on the monotonic clock.
    pub wakeup: Option<u64>,
    /// The answer, for inputs that ask.
    pub answer: Option<Reply>,
    /// Why a command was not taken.
    pub refused: Option<CommandError>,
    /// Why the input was not understood; nothing was done.
    pub invalid: Option<String>,
}

/// The answer to an input that asks.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Reply {
    /// To [`Input::NewNonce`].
    Nonce {
        /// The nonce.
        nonce: Nonce,
    },
    /// To [`Input::Reactors`].
    Reactors {
        /// Each emoji with who reacted, in the order of first use.
        reactions: Vec<(String, Vec<UserId>)>,
    },
    /// To [`Input::Views`].
    Views {
        /// What changed.
        patch: Box<ViewPatch>,
    },
}

/// Something for the worker to do; see [`loquat_engine::Effect`].
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum HostEffect {
    /// Send this text frame.
    Send {
        /// The frame.
        text: String,
    },
    /// Close the socket and open it again later.
    Close {
        /// Why.
        reason: String,
        /// After that long, in milliseconds; the worker's own back-off where `None`.
        retry_after_ms: Option<u64>,
    },
    /// Make this REST call.
    Request {
        /// To be given back.
        id: RequestId,
        /// The call.
        request: RestRequest,
    },
    /// Write all of these or none.
    Persist {
        /// To be given back.
        batch: BatchId,
        /// In order.
        operations: Vec<Operation>,
    },
    /// Read this.
    Load {
        /// To be given back.
        id: LoadId,
        /// What to read.
        query: Query,
    },
}

/// What changed since the last [`Input::Views`]. An absent part did not change.
#[derive(Debug, Default, Serialize)]
pub struct ViewPatch {
    /// Whether this replaces all that was told before.
    pub whole: bool,
    /// How the engine stands with its server.
    pub sync: Option<SyncState>,
    /// The order of the conversation list, whole.
    pub order: Option<Vec<ConversationId>>,
    /// Lines of the list that changed (`ConversationSummary`).
    pub conversations: Vec<Box<RawValue>>,
    /// Timelines of open conversations that changed.
    pub timelines: Vec<TimelinePatch>,
    /// Open conversations whose settings or cursors changed, whole (`Conversation`).
    pub details: Vec<Box<RawValue>>,
    /// The queue, whole.
    pub outbox: Option<Vec<OutboxEntry>>,
    /// People who became known or changed.
    pub profiles: Vec<Profile>,
}

/// How a timeline changed: `remove` items at `start` give way to `insert`.
#[derive(Debug, Serialize)]
pub struct TimelinePatch {
    /// Which conversation.
    pub conversation: ConversationId,
    /// The version that this applies to; 0 replaces whatever was there.
    pub base: u64,
    /// The version that it leads to.
    pub version: u64,
    /// Where.
    pub start: usize,
    /// How many items leave.
    pub remove: usize,
    /// What comes in their place (`TimelineItem`).
    pub insert: Vec<Box<RawValue>>,
    /// Whether there is more above.
    pub has_older: bool,
    /// Whether events are being fetched.
    pub loading: bool,
    /// The newest event's `seq`.
    pub head: Seq,
    /// The own read cursor.
    pub read: Seq,
    /// Everybody's cursors.
    pub cursors: Vec<Cursor>,
}
