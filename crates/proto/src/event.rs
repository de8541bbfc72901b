//! Events: the entries of a conversation's log.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::conversation::{Permissions, Retention};
use crate::{ConversationId, DeviceId, Format, MessageBody, Nonce, Role, Seq, Timestamp, UserId};

/// What an event is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// A message: the only kind that counts as unread.
    Message,
    /// A new text for a message.
    Edit,
    /// The erasure of a message.
    Delete,
    /// A reaction put on or taken off.
    Reaction,
    /// A member who joined, left, was removed, or has another role.
    Member,
    /// Changed settings of the conversation.
    Settings,
    /// A message pinned or unpinned.
    Pin,
    /// A kind that this version does not know; clients keep it and show nothing.
    #[serde(other)]
    #[cfg_attr(feature = "schema", schemars(skip))]
    Unknown,
}

impl EventKind {
    /// The kind as it stands on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Message => "message",
            Self::Edit => "edit",
            Self::Delete => "delete",
            Self::Reaction => "reaction",
            Self::Member => "member",
            Self::Settings => "settings",
            Self::Pin => "pin",
            Self::Unknown => "unknown",
        }
    }
}

/// One entry of a conversation's log.
///
/// The body stays raw JSON: it is stored, passed on and fanned out as it is, and
/// decoded only by who needs it ([`Event::decode`]).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(description = "One entry of a conversation's log."))]
pub struct Event {
    /// The conversation whose log this is.
    pub conversation: ConversationId,
    /// Position in the log, contiguous from 1.
    pub seq: Seq,
    /// When the service appended it. For people; order is by `seq` alone.
    pub ts: Timestamp,
    /// Who caused it.
    pub sender: UserId,
    /// From which device.
    #[serde(default)]
    pub device: Option<DeviceId>,
    /// The sender's nonce; only the sender sees it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<Nonce>,
    /// What it is about.
    pub kind: EventKind,
    /// The content, by kind; `None` once erased.
    #[cfg_attr(feature = "schema", schemars(with = "Option<AnyBody>"))]
    pub body: Option<Box<RawValue>>,
}

impl PartialEq for Event {
    fn eq(&self, other: &Self) -> bool {
        let raw = |event: &Self| event.body.as_ref().map(|body| body.get().to_owned());
        (self.conversation, self.seq, self.ts, self.sender, self.device, self.kind)
            == (other.conversation, other.seq, other.ts, other.sender, other.device, other.kind)
            && self.nonce == other.nonce
            && raw(self) == raw(other)
    }
}

impl Event {
    /// The body by kind; `None` if it was erased or the kind is unknown.
    ///
    /// # Errors
    /// The body does not have the shape of its kind.
    pub fn decode(&self) -> Result<Option<EventBody>, serde_json::Error> {
        let Some(body) = &self.body else { return Ok(None) };
        EventBody::decode(self.kind, body.get())
    }
}

/// The bodies of all kinds, for descriptions of [`Event`].
#[cfg(feature = "schema")]
#[derive(schemars::JsonSchema)]
#[schemars(untagged, rename = "EventBody")]
#[allow(dead_code, reason = "its schema alone is used")]
enum AnyBody {
    Message(MessageBody),
    Edit(EditBody),
    Reaction(ReactionBody),
    Pin(PinBody),
    Delete(DeleteBody),
    Member(MemberBody),
    Settings(SettingsBody),
}

/// The decoded content of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventBody {
    /// See [`EventKind::Message`].
    Message(MessageBody),
    /// See [`EventKind::Edit`].
    Edit(EditBody),
    /// See [`EventKind::Delete`].
    Delete(DeleteBody),
    /// See [`EventKind::Reaction`].
    Reaction(ReactionBody),
    /// See [`EventKind::Member`].
    Member(MemberBody),
    /// See [`EventKind::Settings`].
    Settings(SettingsBody),
    /// See [`EventKind::Pin`].
    Pin(PinBody),
}

impl EventBody {
    /// Decodes the JSON of a body of this kind; `None` if the kind is unknown.
    ///
    /// # Errors
    /// The text is not JSON, or not of the kind's shape.
    pub fn decode(kind: EventKind, json: &str) -> Result<Option<Self>, serde_json::Error> {
        Ok(Some(match kind {
            EventKind::Message => Self::Message(serde_json::from_str(json)?),
            EventKind::Edit => Self::Edit(serde_json::from_str(json)?),
            EventKind::Delete => Self::Delete(serde_json::from_str(json)?),
            EventKind::Reaction => Self::Reaction(serde_json::from_str(json)?),
            EventKind::Member => Self::Member(serde_json::from_str(json)?),
            EventKind::Settings => Self::Settings(serde_json::from_str(json)?),
            EventKind::Pin => Self::Pin(serde_json::from_str(json)?),
            EventKind::Unknown => return Ok(None),
        }))
    }

    /// The kind of this body.
    #[must_use]
    pub const fn kind(&self) -> EventKind {
        match self {
            Self::Message(_) => EventKind::Message,
            Self::Edit(_) => EventKind::Edit,
            Self::Delete(_) => EventKind::Delete,
            Self::Reaction(_) => EventKind::Reaction,
            Self::Member(_) => EventKind::Member,
            Self::Settings(_) => EventKind::Settings,
            Self::Pin(_) => EventKind::Pin,
        }
    }

    /// The message that this body is about, if it is about one.
    #[must_use]
    pub const fn target(&self) -> Option<Seq> {
        match self {
            Self::Edit(EditBody { target, .. })
            | Self::Delete(DeleteBody { target })
            | Self::Reaction(ReactionBody { target, .. })
            | Self::Pin(PinBody { target, .. }) => Some(*target),
            Self::Message(_) | Self::Member(_) | Self::Settings(_) => None,
        }
    }

    /// The body as JSON text.
    #[must_use]
    pub fn encode(&self) -> String {
        let json = match self {
            Self::Message(body) => serde_json::to_string(body),
            Self::Edit(body) => serde_json::to_string(body),
            Self::Delete(body) => serde_json::to_string(body),
            Self::Reaction(body) => serde_json::to_string(body),
            Self::Member(body) => serde_json::to_string(body),
            Self::Settings(body) => serde_json::to_string(body),
            Self::Pin(body) => serde_json::to_string(body),
        };
        json.expect("bodies have string keys and serialise infallibly")
    }
}

/// Body of an edit: the whole new text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EditBody {
    /// The message that is edited.
    pub target: Seq,
    /// The new text.
    pub text: String,
    /// How the text is written.
    #[serde(default)]
    pub format: Format,
    /// Whom the new text mentions.
    #[serde(default)]
    pub mentions: Vec<UserId>,
}

/// Body of a deletion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DeleteBody {
    /// The message that is erased.
    pub target: Seq,
}

/// Body of a reaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReactionBody {
    /// The message reacted to.
    pub target: Seq,
    /// The emoji, 1 to 64 bytes.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 64)))]
    pub emoji: String,
    /// Put on, or taken off.
    pub on: bool,
}

/// Body of a pin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PinBody {
    /// The message pinned.
    pub target: Seq,
    /// Pinned, or unpinned.
    pub on: bool,
}

/// How a membership changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum MemberChange {
    /// The user is a member now.
    Joined,
    /// The user left.
    Left,
    /// The user was removed by another.
    Removed,
    /// The user has another role.
    Role,
}

/// Body of a membership change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MemberBody {
    /// The member concerned.
    pub user: UserId,
    /// What changed.
    pub change: MemberChange,
    /// The role from now on (the last one, if the user left).
    pub role: Role,
    /// Who did it.
    pub by: UserId,
}

/// Body of a settings change: the changed fields only.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SettingsBody {
    /// The new title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The new description.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The new avatar; `Some(None)` takes it away.
    #[serde(default, with = "crate::double_option", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub avatar: Option<Option<String>>,
    /// The new retention.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention: Option<Retention>,
    /// The new permissions, whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permissions: Option<Permissions>,
    /// The new slow mode, in milliseconds between two messages of a member; 0 is off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slow_mode_ms: Option<u64>,
}

impl SettingsBody {
    /// Whether nothing is changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
