//! Messages: as they are sent, and as they are shown (materialised from the log).

use serde::{Deserialize, Serialize};

use crate::{ConversationId, Seq, Timestamp, UserId};

/// How a text is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// As it stands.
    #[default]
    Plain,
    /// Markdown (CommonMark), rendered by the client to nodes, never to HTML.
    Markdown,
}

/// The content of a message.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MessageBody {
    /// The text, UTF-8, up to `limits.text_bytes`.
    pub text: String,
    /// How the text is written.
    #[serde(default)]
    pub format: Format,
    /// The message that this one answers.
    #[serde(default)]
    pub reply_to: Option<Seq>,
    /// Members who are mentioned.
    #[serde(default)]
    pub mentions: Vec<UserId>,
    /// Files that belong to the message.
    #[serde(default)]
    pub attachments: Vec<Attachment>,
}

impl MessageBody {
    /// A plain text message.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }
}

/// A file that belongs to a message, kept as the client wrote it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct Attachment(pub serde_json::Value);

/// One emoji's reactions to a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Reaction {
    /// The emoji.
    pub emoji: String,
    /// How many members reacted with it.
    pub count: u64,
    /// Whether the caller did.
    pub me: bool,
}

/// A message as it is shown: edits, deletion, reactions and pins of the log applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Message {
    /// The conversation that it stands in.
    pub conversation: ConversationId,
    /// Its place in the log.
    pub seq: Seq,
    /// When it was appended.
    pub ts: Timestamp,
    /// Who wrote it.
    pub sender: UserId,
    /// The newest text; `None` once erased.
    pub text: Option<String>,
    /// How the text is written.
    #[serde(default)]
    pub format: Format,
    /// The message that this one answers.
    #[serde(default)]
    pub reply_to: Option<Seq>,
    /// Members who are mentioned.
    #[serde(default)]
    pub mentions: Vec<UserId>,
    /// Files that belong to the message.
    #[serde(default)]
    pub attachments: Vec<Attachment>,
    /// When it was last edited.
    pub edited_at: Option<Timestamp>,
    /// Whether it was erased.
    pub deleted: bool,
    /// Whether it is pinned.
    pub pinned: bool,
    /// Reactions, in the order of their first use.
    pub reactions: Vec<Reaction>,
}

/// Body of `POST …/messages`: a nonce and the content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SendMessage {
    /// Names this send; a retry carries the same.
    pub nonce: crate::Nonce,
    /// The content.
    #[serde(flatten)]
    pub body: MessageBody,
}

/// Body of `PATCH …/messages/{seq}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EditMessage {
    /// Names this edit; a retry carries the same.
    #[serde(default)]
    pub nonce: Option<crate::Nonce>,
    /// The new text.
    pub text: String,
    /// How the text is written.
    #[serde(default)]
    pub format: Format,
    /// Whom the new text mentions.
    #[serde(default)]
    pub mentions: Vec<UserId>,
}

/// The answer to everything that appends: where the event stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Appended {
    /// The conversation appended to.
    pub conversation: ConversationId,
    /// The event's place in its log.
    pub seq: Seq,
    /// When it was appended.
    pub ts: Timestamp,
}

/// Answer to `GET …/messages`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MessagePage {
    /// Ascending by `seq`.
    pub items: Vec<Message>,
    /// The newest event's `seq`.
    pub head: Seq,
    /// The first `seq` that the caller may read.
    pub visible_from: Seq,
}

/// Answer to `GET …/events` and to `fetch`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EventPage {
    /// Ascending by `seq`, contiguous.
    pub items: Vec<crate::Event>,
    /// The newest event's `seq`.
    pub head: Seq,
    /// The first `seq` that the caller may read.
    pub visible_from: Seq,
}
