//! The bus: wake-ups and live frames between nodes. A hint, never the truth: what it loses costs latency.

use async_trait::async_trait;
use bytes::Bytes;
use loquat_proto::{ConversationId, DeviceId, PresenceState, Timestamp, UserId};

use super::StoreError;

/// Who listens to what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Topic {
    /// A user's own sessions.
    User(UserId),
    /// Those who watch a user's presence.
    Presence(UserId),
    /// The sessions of a channel's members, as [`Signal::Follow`] and [`Signal::Unfollow`] say.
    Conversation(ConversationId),
}

/// What travels on the bus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signal {
    /// A frame for every session of the user but one.
    Frame {
        /// The encoded text frame, shared by reference.
        frame: Bytes,
        /// The session that has this already (the sender's: it has the answer). Session ids are unique over nodes.
        except: Option<u64>,
    },
    /// An account event: a frame, with its position for the sync token.
    Account {
        /// Position in the user's account log.
        pos: u64,
        /// The encoded text frame.
        frame: Bytes,
    },
    /// Close every session of these devices: they were revoked.
    Revoke {
        /// The devices.
        devices: Vec<DeviceId>,
    },
    /// Who may see the user's presence has changed: those who watch are looked at again.
    Audience {
        /// For this watcher; `None`: for any.
        watcher: Option<UserId>,
    },
    /// To a user: their sessions listen to this conversation from now on.
    Follow {
        /// A channel that the user is a member of.
        conversation: ConversationId,
    },
    /// To a user: their sessions listen to this conversation no more.
    Unfollow {
        /// A channel that the user was a member of.
        conversation: ConversationId,
    },
    /// To a conversation: a frame for every session that listens.
    Shared {
        /// The encoded text frame, shared by reference.
        frame: Bytes,
        /// Users whose sessions get another frame instead, or none.
        instead: Vec<(UserId, Option<Bytes>)>,
        /// The session that has this already.
        except: Option<u64>,
    },
    /// To a conversation: it is deleted, nobody listens any more.
    Deleted,
    /// A user came, went or is away.
    Presence {
        /// The state from now on.
        state: PresenceState,
        /// When last seen.
        last_seen: Option<Timestamp>,
    },
}

/// Where a bus delivers what it carries.
pub trait Receiver: Send + Sync {
    /// Takes a signal for who listens to the topic on this node. Returns at once; sessions queue, boundedly.
    fn receive(&self, topic: Topic, signal: &Signal);
}

/// Carries signals to every node on which somebody listens to the topic.
///
/// Order: two signals published one after the other to the same topic by the same caller arrive in that order, where
/// both arrive. Delivery: at most once; a lost signal is repaired by gap detection and sync tokens.
#[async_trait]
pub trait Bus: Send + Sync {
    /// Publishes to who listens to the topic, on whichever node, this one included. Returns at once; if buffers are
    /// full, the signal is dropped and counted.
    fn publish(&self, topic: Topic, signal: &Signal);

    /// Says that somebody on this node listens to the topic from now on. Calls are counted: one [`Bus::leave`] each.
    fn join(&self, topic: Topic);

    /// Takes back one [`Bus::join`].
    fn leave(&self, topic: Topic);

    /// Whether the bus answers.
    ///
    /// # Errors
    /// It does not; the text says why.
    async fn check(&self) -> Result<(), StoreError>;
}
