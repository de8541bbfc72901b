//! Frames from server to client.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::FrameId;
use crate::conversation::Cursor;
use crate::{
    AccountEvent, ConversationId, ErrorBody, Event, Presence, PresenceState, Seq, Timestamp, UserId,
};

/// A push: what the server sends unasked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum Push {
    /// An event of a log; in `seq` order within a conversation.
    // Its raw body cannot pass through serde's buffered tags: `ServerFrame::parse` reads it by itself.
    #[serde(skip_deserializing)]
    Event {
        /// The event.
        event: Event,
    },
    /// Cursors that moved.
    Receipt {
        /// Where.
        conversation: ConversationId,
        /// Whose, and how far.
        items: Vec<Cursor>,
    },
    /// Retention has erased messages. The same numbers stand in the conversation: who missed this finds them in
    /// `ready`.
    Erased {
        /// Where.
        conversation: ConversationId,
        /// [`Conversation::erased_to`](crate::Conversation::erased_to), from now on.
        erased_to: Seq,
        /// [`Conversation::expired_to`](crate::Conversation::expired_to), from now on.
        expired_to: Seq,
    },
    /// Somebody writes, or stopped. Expires after 6 s.
    Typing {
        /// Where.
        conversation: ConversationId,
        /// Who.
        user: UserId,
        /// Writes, or stopped.
        on: bool,
    },
    /// A watched user came, went, or is away.
    Presence {
        /// Who.
        user: UserId,
        /// How present.
        state: PresenceState,
        /// When last connected.
        last_seen: Option<Timestamp>,
    },
    /// An event of the own account log.
    Account {
        /// The event.
        event: AccountEvent,
    },
    /// The newest sync token, never ahead of what this socket was sent.
    Tick {
        /// The token.
        since: String,
    },
    /// The node stops: reconnect after that delay.
    Drain {
        /// How long to wait, in milliseconds.
        retry_after_ms: u64,
        /// Where to.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        url: Option<String>,
    },
    /// A frame without an id was wrong.
    Error {
        /// What was wrong.
        error: ErrorBody,
    },
    /// A push that this version does not know.
    #[serde(other)]
    #[cfg_attr(feature = "schema", schemars(skip))]
    Unknown,
}

/// An answer to a frame with an id.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The id of the frame that is answered.
    pub re: FrameId,
    /// The content, by the frame's `op`, or the error.
    pub result: Result<Box<RawValue>, ErrorBody>,
}

/// Answer to `watch`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WatchAnswer {
    /// The presence of those watched, now.
    pub items: Vec<Presence>,
}

/// A frame from the server.
#[derive(Debug, Clone)]
pub enum ServerFrame {
    /// An answer.
    Answer(Answer),
    /// A push.
    Push(Box<Push>),
}

#[derive(Deserialize)]
struct Fields<'a> {
    #[serde(default, borrow)]
    op: Option<Cow<'a, str>>,
    #[serde(default)]
    event: Option<&'a RawValue>,
    re: Option<FrameId>,
    ok: Option<Box<RawValue>>,
    error: Option<ErrorBody>,
}

impl ServerFrame {
    /// Parses one text frame. Unknown fields are ignored, unknown pushes are [`Push::Unknown`].
    ///
    /// # Errors
    /// It is neither an answer nor a push, or a known push with a wrong shape.
    pub fn parse(text: &str) -> Result<Self, serde_json::Error> {
        let fields: Fields<'_> = serde_json::from_str(text)?;
        match (fields.re, fields.ok, fields.error) {
            (Some(re), _, Some(error)) => Ok(Self::Answer(Answer { re, result: Err(error) })),
            (Some(re), Some(ok), None) => Ok(Self::Answer(Answer { re, result: Ok(ok) })),
            _ => match (fields.op.as_deref(), fields.event) {
                (Some("event"), Some(event)) => {
                    let event = serde_json::from_str(event.get())?;
                    Ok(Self::Push(Box::new(Push::Event { event })))
                }
                _ => serde_json::from_str(text).map(|push| Self::Push(Box::new(push))),
            },
        }
    }
}
