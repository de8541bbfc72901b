//! The event log: one log per conversation is the truth.

use async_trait::async_trait;
use loquat_proto::event::{EventBody, SettingsBody};
use loquat_proto::{
    AccountEventKind, ConversationId, DeviceId, EventKind, Nonce, Role, Seq, Timestamp, UserId,
};

use super::{AccountEntry, StoreError};

/// What an event does to the directory and the shown messages, in the same transaction as its append.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A message: counts as unread for all but its sender, and as a mention for these.
    Message {
        /// Members who are mentioned (the sender is never one).
        mentions: Vec<UserId>,
    },
    /// The target's shown text is this event's from now on. If the target is erased by the time of the append, the
    /// event is a skeleton without effect; so are reactions and pins.
    Revise {
        /// The message edited.
        target: Seq,
    },
    /// The bodies of the target, its edits and its reactions become null wherever they are copied; rows stay.
    Erase {
        /// The message erased.
        target: Seq,
    },
    /// The sender's reaction.
    React {
        /// The message reacted to.
        target: Seq,
        /// The emoji.
        emoji: String,
        /// Put on, or taken off.
        on: bool,
    },
    /// A pin put on or taken off.
    Pin {
        /// The message pinned.
        target: Seq,
        /// Put on, or taken off.
        on: bool,
    },
    /// A new member, who sees from seq 1 or from this very event (from the next one, if this is not logged).
    Join {
        /// Who.
        user: UserId,
        /// The role.
        role: Role,
        /// Whether the past before this event stays hidden.
        from_here: bool,
    },
    /// A new member by invitation, of which one use is counted: where it works no more, or the user is barred, the
    /// append conflicts. Stands alone in its append.
    Admit {
        /// Who.
        user: UserId,
        /// The code.
        code: String,
        /// Whether the past before this event stays hidden.
        from_here: bool,
    },
    /// A member less; cursors and preferences go with the membership.
    Leave {
        /// Who.
        user: UserId,
    },
    /// The same against the member's will: invitations that they made go too, and none lets them in again; a
    /// [`Change::Join`] does.
    Remove {
        /// Who.
        user: UserId,
    },
    /// A member's new role; `Owner` moves the conversation's ownership.
    Role {
        /// Who.
        user: UserId,
        /// The role.
        role: Role,
    },
    /// Changed settings.
    Settings(SettingsBody),
}

impl Change {
    /// Who joins or leaves by it.
    #[must_use]
    pub const fn moves(&self) -> Option<UserId> {
        match self {
            Self::Join { user, .. }
            | Self::Admit { user, .. }
            | Self::Leave { user }
            | Self::Remove { user } => Some(*user),
            _ => None,
        }
    }

    /// Whether an event of this effect copies something of the message that it is about, or holds on to it. Where the
    /// message was erased since that was decided, nothing of it may come back.
    #[must_use]
    pub const fn is_about_content(&self) -> bool {
        matches!(self, Self::Revise { .. } | Self::React { .. } | Self::Pin { on: true, .. })
    }

    /// What the event with this body and effect is about.
    #[must_use]
    pub const fn target(&self) -> Option<Seq> {
        match self {
            Self::Revise { target }
            | Self::Erase { target }
            | Self::React { target, .. }
            | Self::Pin { target, .. } => Some(*target),
            _ => None,
        }
    }
}

/// An event to append. Its `seq` is given by the log.
///
/// One that is not `logged` takes no `seq` and is never read: it has its effects and its account entries, its
/// placement is the head after the events before it, and the directory version grows by one. Its nonce is known like
/// any other's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEvent {
    /// Who causes it.
    pub sender: UserId,
    /// From which device; `None` for the service's own acts.
    pub device: Option<DeviceId>,
    /// Names it for retries; `None` appends without replay protection.
    pub nonce: Option<Nonce>,
    /// When.
    pub ts: Timestamp,
    /// What it is about.
    pub kind: EventKind,
    /// The body as JSON text.
    pub body: String,
    /// What it does besides standing in the log.
    pub change: Change,
    /// Entries of account logs that are written with it.
    pub account: Vec<(UserId, AccountEventKind, serde_json::Value)>,
    /// Whether it stands in the log. Joins and leaves of channels do not: they are in the directory alone.
    pub logged: bool,
}

impl NewEvent {
    /// An event with this body and effect, without account entries.
    #[must_use]
    pub fn new(sender: UserId, ts: Timestamp, body: &EventBody, change: Change) -> Self {
        Self {
            sender,
            device: None,
            nonce: None,
            ts,
            kind: body.kind(),
            body: body.encode(),
            change,
            account: Vec::new(),
            logged: true,
        }
    }
}

/// Events to append to one conversation, in this order, if its head and directory version are as expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Append {
    /// The conversation.
    pub conversation: ConversationId,
    /// The head that the caller's state was built from.
    pub expected_head: Seq,
    /// The directory version that the caller's state was built from ([`super::ConversationFacts::version`]).
    pub expected_version: u64,
    /// The events, at least one.
    pub events: Vec<NewEvent>,
}

/// Where one event of an append stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placement {
    /// Its place in the log.
    pub seq: Seq,
    /// When it was appended.
    pub ts: Timestamp,
    /// Whether it stood there before: the sender's nonce was known. Nothing was appended for it.
    pub replayed: bool,
    /// Whether only its skeleton was stored: the message that it is about was erased after it was decided.
    pub erased: bool,
}

/// What became of one append.
#[derive(Debug, Clone, PartialEq)]
pub enum AppendOutcome {
    /// Every event stands in the log, durably: placements in the order of the events.
    Appended {
        /// One for each event.
        placements: Vec<Placement>,
        /// Account events written with it, with their owners, in order.
        account: Vec<AccountEntry>,
    },
    /// Head or version were not as expected, the conversation is gone, an invitation admits nobody any more, or somebody
    /// whom the sender lets in (a [`Change::Join`]) blocks the sender: nothing of it was appended. Reload.
    Conflict,
}

/// What a mutation needs to know of the message that it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TargetFacts {
    /// The kind of the event.
    pub kind: EventKind,
    /// Who wrote it.
    pub sender: UserId,
    /// Whether its body is gone.
    pub erased: bool,
    /// Whether it is pinned.
    pub pinned: bool,
}

/// An event as workers meet it: in the order of `pos`, over all conversations.
#[derive(Debug, Clone, PartialEq)]
pub struct TailedEvent {
    /// Position in the store; grows, not contiguous.
    pub pos: u64,
    /// The event, with its nonce.
    pub event: loquat_proto::Event,
}

/// That something happened, without what: for workers that read the rest when they get to it, since it may be erased by
/// then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TailMark {
    /// Position in the store; grows, not contiguous.
    pub pos: u64,
    /// Where.
    pub conversation: ConversationId,
    /// Where in its log.
    pub seq: Seq,
    /// When.
    pub ts: Timestamp,
    /// What it is about.
    pub kind: EventKind,
}

/// The logs of all conversations.
///
/// Atomicity: each [`Append`] is appended whole or not at all, with all its [`Change`]s. Appends in one call are
/// independent: a conflict or a replay in one never costs its neighbours. Order: the events of one append get
/// consecutive `seq`, replays left out. `seq` is contiguous from 1 for as long as the conversation lives.
#[async_trait]
pub trait EventLog: Send + Sync {
    /// Appends; durable when it returns. Outcomes stand in the order of the appends.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]: nothing was appended, or (a lost connection) it is unknown; a retry with the
    /// same nonces is safe.
    async fn append_many(&self, appends: Vec<Append>) -> Result<Vec<AppendOutcome>, StoreError>;

    /// Where the event with this nonce of this sender stands, for as long as the conversation lives.
    async fn find_nonce(
        &self,
        conversation: ConversationId,
        sender: UserId,
        nonce: &Nonce,
    ) -> Result<Option<Placement>, StoreError>;

    /// What a mutation needs to know of the event at `seq`; `None` if there is none.
    async fn target(&self, conversation: ConversationId, seq: Seq)
    -> Result<Option<TargetFacts>, StoreError>;

    /// The reaction event by which this user's emoji stands on the target; `None` if it does not.
    async fn reaction(
        &self,
        conversation: ConversationId,
        target: Seq,
        user: UserId,
        emoji: &str,
    ) -> Result<Option<Placement>, StoreError>;

    /// Up to `limit` events above `pos`, ascending, over all conversations: for workers with durable cursors.
    async fn tail(&self, pos: u64, limit: usize) -> Result<Vec<TailedEvent>, StoreError>;

    /// The same without content.
    async fn tail_marks(&self, pos: u64, limit: usize) -> Result<Vec<TailMark>, StoreError>;
}
