//! Frames from client to server.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::FrameId;
use crate::account::Secret;
use crate::presence::Heartbeat;
use crate::{ConversationId, Format, MessageBody, Nonce, Seq, UserId};

/// Who the client says it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ClientInfo {
    /// The client's name.
    #[serde(default)]
    pub name: String,
    /// The client's version.
    #[serde(default)]
    pub version: String,
}

/// The first frame: who I am, and what I have.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Hello {
    /// A ticket of `POST /v1/connect`; this or `token`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<Secret>,
    /// An access token; this or `ticket`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<Secret>,
    /// The newest sync token that the client has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// Who the client says it is.
    #[serde(default)]
    pub client: ClientInfo,
}

/// A mutation of one message that needs nothing but its target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Target {
    /// Where.
    pub conversation: ConversationId,
    /// Names the change; a retry carries the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<Nonce>,
    /// Which message.
    pub target: Seq,
}

/// A reaction put on or taken off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct React {
    /// Where.
    pub conversation: ConversationId,
    /// Names the change; a retry carries the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<Nonce>,
    /// Which message.
    pub target: Seq,
    /// The emoji.
    pub emoji: String,
    /// Put on, or taken off.
    pub on: bool,
}

/// A range of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Fetch {
    /// Where.
    pub conversation: ConversationId,
    /// Events above this `seq`, oldest first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Seq>,
    /// Events below this `seq`, the nearest; ascending in the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Seq>,
    /// 1 to 200; 50 if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// A frame from a client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum ClientFrame {
    /// The first frame.
    Hello(Hello),
    /// Send a message.
    Send {
        /// Where to.
        conversation: ConversationId,
        /// Names this send; a retry carries the same.
        nonce: Nonce,
        /// The content.
        body: MessageBody,
    },
    /// Give a message a new text.
    Edit {
        /// Where.
        conversation: ConversationId,
        /// Names the change; a retry carries the same.
        #[serde(skip_serializing_if = "Option::is_none")]
        nonce: Option<Nonce>,
        /// Which message.
        target: Seq,
        /// The new text.
        text: String,
        /// How the text is written.
        #[serde(default)]
        format: Format,
        /// Whom the new text mentions.
        #[serde(default)]
        mentions: Vec<UserId>,
    },
    /// Erase a message for everyone.
    Delete(Target),
    /// Put a reaction on or take it off.
    React(React),
    /// Pin or unpin a message.
    Pin {
        /// Which message, and where.
        #[serde(flatten)]
        target: Target,
        /// Pin, or unpin.
        on: bool,
    },
    /// Move the own cursors.
    Ack {
        /// Where.
        conversation: ConversationId,
        /// Everything up to here has reached this device.
        #[serde(skip_serializing_if = "Option::is_none")]
        delivered: Option<Seq>,
        /// Everything up to here has been read.
        #[serde(skip_serializing_if = "Option::is_none")]
        read: Option<Seq>,
    },
    /// The user writes, or stopped.
    Typing {
        /// Where.
        conversation: ConversationId,
        /// Writes, or stopped.
        on: bool,
    },
    /// Whose presence this socket shows; replaces the last list.
    Watch {
        /// Up to `limits.watched_users`.
        users: Vec<UserId>,
    },
    /// The own presence state.
    Status(Heartbeat),
    /// Read a range of a log.
    Fetch(Fetch),
    /// Are you there?
    Ping {},
}

/// A frame with the id under which it wants an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParsedFrame {
    /// The client's id; `None` where no answer is wanted.
    pub id: Option<FrameId>,
    /// The frame.
    pub frame: ClientFrame,
}

/// Why a text is no frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FrameError {
    /// No JSON object with a string `op`: the socket is closed (4000).
    Malformed(String),
    /// A frame, but not a valid one: answered with `invalid`.
    Invalid {
        /// The id to answer under, if there was one.
        id: Option<FrameId>,
        /// What is wrong.
        detail: String,
    },
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(detail) | Self::Invalid { detail, .. } => f.write_str(detail),
        }
    }
}

impl std::error::Error for FrameError {}

#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow)]
    op: Cow<'a, str>,
    #[serde(default)]
    id: Option<FrameId>,
}

#[derive(Deserialize)]
struct SendFields {
    conversation: ConversationId,
    nonce: Nonce,
    body: MessageBody,
}

#[derive(Deserialize)]
struct EditFields {
    conversation: ConversationId,
    #[serde(default)]
    nonce: Option<Nonce>,
    target: Seq,
    text: String,
    #[serde(default)]
    format: Format,
    #[serde(default)]
    mentions: Vec<UserId>,
}

#[derive(Deserialize)]
struct PinFields {
    conversation: ConversationId,
    #[serde(default)]
    nonce: Option<Nonce>,
    target: Seq,
    on: bool,
}

#[derive(Deserialize)]
struct AckFields {
    conversation: ConversationId,
    #[serde(default)]
    delivered: Option<Seq>,
    #[serde(default)]
    read: Option<Seq>,
}

#[derive(Deserialize)]
struct TypingFields {
    conversation: ConversationId,
    on: bool,
}

#[derive(Deserialize)]
struct WatchFields {
    users: Vec<UserId>,
}

impl ClientFrame {
    /// Parses one text frame. Unknown fields are ignored.
    ///
    /// # Errors
    /// [`FrameError::Malformed`] where it is no JSON object with a string `op`; [`FrameError::Invalid`] where a
    /// field is missing or wrong, or the `op` is unknown.
    pub fn parse(text: &str) -> Result<ParsedFrame, FrameError> {
        // A derived decoder takes an array for an object, too.
        if !text.trim_start_matches([' ', '\t', '\n', '\r']).starts_with('{') {
            return Err(FrameError::Malformed("a frame is a JSON object".to_owned()));
        }
        let head: Head<'_> =
            serde_json::from_str(text).map_err(|error| malformed_or_invalid(text, &error))?;
        let id = head.id;
        if id == Some(0) {
            return Err(FrameError::Invalid { id: None, detail: "id is a positive integer".to_owned() });
        }
        let frame = Self::parse_fields(&head.op, text)
            .map_err(|error| FrameError::Invalid { id, detail: format!("{}: {error}", head.op) })?;
        let Some(frame) = frame else {
            let op: String = head.op.chars().take(32).collect();
            return Err(FrameError::Invalid { id, detail: format!("unknown op {op:?}") });
        };
        Ok(ParsedFrame { id, frame })
    }

    fn parse_fields(op: &str, text: &str) -> Result<Option<Self>, serde_json::Error> {
        Ok(Some(match op {
            "send" => {
                let SendFields { conversation, nonce, body } = serde_json::from_str(text)?;
                Self::Send { conversation, nonce, body }
            }
            "ack" => {
                let AckFields { conversation, delivered, read } = serde_json::from_str(text)?;
                Self::Ack { conversation, delivered, read }
            }
            "edit" => {
                let fields: EditFields = serde_json::from_str(text)?;
                Self::Edit {
                    conversation: fields.conversation,
                    nonce: fields.nonce,
                    target: fields.target,
                    text: fields.text,
                    format: fields.format,
                    mentions: fields.mentions,
                }
            }
            "pin" => {
                let PinFields { conversation, nonce, target, on } = serde_json::from_str(text)?;
                Self::Pin { target: Target { conversation, nonce, target }, on }
            }
            "typing" => {
                let TypingFields { conversation, on } = serde_json::from_str(text)?;
                Self::Typing { conversation, on }
            }
            "watch" => Self::Watch { users: serde_json::from_str::<WatchFields>(text)?.users },
            "delete" => Self::Delete(serde_json::from_str(text)?),
            "react" => Self::React(serde_json::from_str(text)?),
            "hello" => Self::Hello(serde_json::from_str(text)?),
            "status" => Self::Status(serde_json::from_str(text)?),
            "fetch" => Self::Fetch(serde_json::from_str(text)?),
            "ping" => Self::Ping {},
            _ => return Ok(None),
        }))
    }

    /// The frame as text, under this id.
    #[must_use]
    pub fn encode(&self, id: Option<FrameId>) -> String {
        #[derive(Serialize)]
        struct Envelope<'a> {
            #[serde(flatten)]
            frame: &'a ClientFrame,
            #[serde(skip_serializing_if = "Option::is_none")]
            id: Option<FrameId>,
        }
        serde_json::to_string(&Envelope { frame: self, id })
            .expect("frames have string keys and serialise infallibly")
    }
}

/// JSON that is an object with a string `op` but has, say, a fractional id, is invalid rather than malformed.
fn malformed_or_invalid(text: &str, error: &serde_json::Error) -> FrameError {
    let op_is_there = serde_json::from_str::<serde_json::Value>(text)
        .is_ok_and(|value| value.get("op").is_some_and(serde_json::Value::is_string));
    if op_is_there {
        FrameError::Invalid { id: None, detail: error.to_string() }
    } else {
        FrameError::Malformed(error.to_string())
    }
}
