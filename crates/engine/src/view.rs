//! What a user interface shows: snapshots without behaviour, made by the engine on request.
//!
//! A snapshot is owned and does not change; a [`ViewChange`] says which one is out of date. Lists are ordered as they
//! are to be shown, and texts are what their writers wrote: a user interface cleans control characters by itself.

use loquat_proto::conversation::Cursor;
use loquat_proto::event::{MemberBody, SettingsBody};
use loquat_proto::{
    AccountEvent, ConversationId, ConversationKind, ErrorBody, Message, MessageBody, Nonce, Presence, Role,
    Seq, Timestamp, UserId,
};
use serde::Serialize;

/// One line of the conversation list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConversationSummary {
    /// Which conversation.
    pub id: ConversationId,
    /// What sort.
    pub kind: ConversationKind,
    /// The title; of a direct conversation the peer's display name.
    pub title: String,
    /// The other one, in a direct conversation.
    pub peer: Option<UserId>,
    /// The peer's presence, where it is watched and known.
    pub presence: Option<Presence>,
    /// How many members.
    pub member_count: u64,
    /// The own role.
    pub role: Role,
    /// The newest message, the own ones in the queue included.
    pub last: Option<LastMessage>,
    /// When something happened last.
    pub last_activity: Timestamp,
    /// Messages of others that are not read yet.
    pub unread: u64,
    /// How many of those mention the own user.
    pub mentions: u64,
    /// No notifications until then.
    pub muted_until: Option<Timestamp>,
    /// Kept on top of the list.
    pub pinned: bool,
    /// Out of the way.
    pub archived: bool,
    /// What the user has begun to write.
    pub draft: Option<String>,
    /// Who writes at this moment, without the own user.
    pub typing: Vec<UserId>,
    /// Own changes that wait for the server.
    pub queued: usize,
    /// Own changes that the server refused for good.
    pub failed: usize,
}

/// The newest message of a conversation, for the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LastMessage {
    /// Where it stands; `None` while it is in the queue.
    pub seq: Option<Seq>,
    /// When it was appended, or entered the queue.
    pub ts: Timestamp,
    /// Who wrote it.
    pub sender: UserId,
    /// The sender's display name, where known.
    pub sender_name: Option<String>,
    /// The text; `None` once erased.
    pub text: Option<String>,
    /// How far an own message has come; `None` for messages of others.
    pub status: Option<MessageStatus>,
}

/// How far an own message has come, in the order in which it goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", content = "error", rename_all = "snake_case")]
pub enum MessageStatus {
    /// In the queue: it is sent, or will be once there is a connection.
    Queued,
    /// Refused for good; the user may retry or discard it.
    Failed(ErrorBody),
    /// The server has it durably.
    Sent,
    /// It has reached every other member.
    Delivered,
    /// Every other member has read it.
    Read,
}

/// The newest part of a conversation, as far down as it was loaded, ascending; own queued messages come last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Timeline {
    /// Which conversation.
    pub conversation: ConversationId,
    /// What is shown, ascending.
    pub items: Vec<TimelineItem>,
    /// Whether there is more above: [`Command::LoadOlder`](crate::Command::LoadOlder) gets it.
    pub has_older: bool,
    /// Whether events are being fetched now, above or below.
    pub loading: bool,
    /// The newest event's `seq`.
    pub head: Seq,
    /// The own read cursor: the divider of unread messages comes after it.
    pub read: Seq,
    /// Everybody's cursors, for who has read what.
    pub cursors: Vec<Cursor>,
}

/// One entry of a timeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", content = "value", rename_all = "snake_case")]
pub enum TimelineItem {
    /// A message.
    Message(Box<MessageView>),
    /// Something that happened to the conversation.
    Notice(Notice),
}

impl TimelineItem {
    /// Where it stands; `None` for an own message in the queue.
    #[must_use]
    pub fn seq(&self) -> Option<Seq> {
        match self {
            Self::Message(view) => view.seq(),
            Self::Notice(notice) => Some(notice.seq),
        }
    }

    /// When it was appended, or entered the queue.
    #[must_use]
    pub fn ts(&self) -> Timestamp {
        match self {
            Self::Message(view) => view.message.ts,
            Self::Notice(notice) => notice.ts,
        }
    }
}

/// A message as it is shown, the own changes that are still in the queue applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MessageView {
    /// The message. `seq` is 0 while it is in the queue.
    pub message: Message,
    /// The own name of a message in the queue, for retry and discard.
    pub nonce: Option<Nonce>,
    /// How far an own message has come; `None` for messages of others.
    pub status: Option<MessageStatus>,
    /// The sender's display name, where known.
    pub sender_name: Option<String>,
    /// What it answers, where that is known on this device.
    pub reply: Option<ReplyPreview>,
    /// Whether an own edit, deletion, reaction or pin of it is still in the queue.
    pub change_queued: bool,
}

impl MessageView {
    /// Where it stands; `None` while it is in the queue.
    #[must_use]
    pub fn seq(&self) -> Option<Seq> {
        (self.message.seq > 0).then_some(self.message.seq)
    }
}

/// The quoted message of a reply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReplyPreview {
    /// Where it stands.
    pub seq: Seq,
    /// Who wrote it.
    pub sender: UserId,
    /// The writer's display name, where known.
    pub sender_name: Option<String>,
    /// The text of now; `None` once erased.
    pub text: Option<String>,
}

/// An entry of the log that is shown as a line of its own and is no message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Notice {
    /// Where it stands.
    pub seq: Seq,
    /// When it was appended.
    pub ts: Timestamp,
    /// Who caused it.
    pub sender: UserId,
    /// The display name of who caused it, where known.
    pub sender_name: Option<String>,
    /// What happened.
    pub what: NoticeKind,
}

/// What a notice is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", content = "body", rename_all = "snake_case")]
pub enum NoticeKind {
    /// Somebody joined, left, was removed or has another role. With the member's display name, where known.
    Member(MemberBody, Option<String>),
    /// Settings of the conversation changed.
    Settings(SettingsBody),
}

/// A change to a conversation's log that the user makes.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Change {
    /// A new message.
    Send {
        /// The content.
        body: MessageBody,
    },
    /// A new text for an own message.
    Edit {
        /// Which message.
        target: Seq,
        /// The new text, format and mentions; the other fields are not sent.
        body: MessageBody,
    },
    /// Erase a message for everyone.
    Delete {
        /// Which message.
        target: Seq,
    },
    /// Put a reaction on or take it off.
    React {
        /// Which message.
        target: Seq,
        /// The emoji, 1 to 64 bytes.
        emoji: String,
        /// Put on, or taken off.
        on: bool,
    },
    /// Pin or unpin a message.
    Pin {
        /// Which message.
        target: Seq,
        /// Pin, or unpin.
        on: bool,
    },
}

/// An own change that the server has not acknowledged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OutboxEntry {
    /// Where.
    pub conversation: ConversationId,
    /// Its name: every try carries the same.
    pub nonce: Nonce,
    /// What is to be done.
    pub change: Change,
    /// When the user did it.
    pub created_at: Timestamp,
    /// How far it has come.
    pub state: OutboxState,
}

/// How far a queued change has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", content = "error", rename_all = "snake_case")]
pub enum OutboxState {
    /// It waits for its turn, for a connection or for the time that the server asked for.
    Waiting,
    /// It was sent and is not answered yet.
    InFlight,
    /// Refused for good; it stays until the user retries or discards it.
    Failed(ErrorBody),
}

/// How the engine stands with its server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SyncState {
    /// No transport.
    Disconnected,
    /// A transport, but `ready` has not come.
    Connecting,
    /// Live, and catching up with what was missed.
    CatchingUp,
    /// Live, and nothing known is missing (older history aside).
    Live,
}

/// Which snapshot is out of date, or what just happened.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", content = "value", rename_all = "snake_case")]
pub enum ViewChange {
    /// The engine stands differently with its server.
    Sync(SyncState),
    /// The conversation list: order, last messages, unread counts, presence, typing, drafts.
    Conversations,
    /// The timeline of an open conversation.
    Timeline(ConversationId),
    /// The contiguous log of a conversation reaches to this `seq` in the store now.
    LogAdvanced {
        /// Which conversation.
        conversation: ConversationId,
        /// The newest stored `seq` without a gap below it, down to where this device's log starts.
        seq: Seq,
    },
    /// A message of another user arrived live: what a bot answers and a bell rings for. Not sent for what was
    /// missed while away; that is in [`ConversationSummary::unread`].
    MessageArrived(Box<Message>),
    /// An own change was acknowledged.
    Acknowledged {
        /// Where.
        conversation: ConversationId,
        /// Its name.
        nonce: Nonce,
        /// Where it stands in the log; where it changed nothing, up to where the log was looked at.
        seq: Seq,
        /// When it was appended.
        ts: Timestamp,
    },
    /// An own change was refused for good.
    Refused {
        /// Where.
        conversation: ConversationId,
        /// Its name.
        nonce: Nonce,
        /// Why.
        error: ErrorBody,
    },
    /// The queue of own changes.
    Outbox,
    /// Somebody writes, or stopped.
    Typing(ConversationId),
    /// A watched user came, went, or is away.
    Presence(Presence),
    /// An event of the own account log: contacts, devices, profile.
    Account(AccountEvent),
    /// The own user is no member any more; everything of the conversation has left this device.
    ConversationLeft(ConversationId),
    /// Names of users became known.
    Profiles,
    /// The server refused the credentials of `hello`.
    Unauthorized,
}
