//! The bus: wake-ups and live frames between nodes. A hint, never the truth: what it loses costs latency.

use async_trait::async_trait;
use bytes::Bytes;
use loquat_proto::{DeviceId, UserId};

use super::StoreError;

/// What travels on the bus to the sessions of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signal {
    /// A frame for every session of the user, but for the one of `except`.
    Frame {
        /// The encoded text frame, shared by reference.
        frame: Bytes,
        /// A device that has this already (the sender's: it has the answer).
        except: Option<DeviceId>,
    },
    /// A frame for the sessions of one device only.
    DeviceFrame {
        /// The device.
        device: DeviceId,
        /// The encoded text frame.
        frame: Bytes,
    },
    /// An account event: a frame, with its position for the sync token.
    Account {
        /// Position in the user's account log.
        pos: u64,
        /// The encoded text frame.
        frame: Bytes,
    },
    /// The user's presence may have changed for those who watch.
    Presence {
        /// The encoded `presence` frame.
        frame: Bytes,
    },
    /// Close every session of these devices: they were revoked.
    Revoke {
        /// The devices.
        devices: Vec<DeviceId>,
    },
}

/// Where a bus delivers what it carries: the session registry of this node.
pub trait Receiver: Send + Sync {
    /// Takes a signal for a user's sessions. Returns at once; sessions queue, boundedly.
    fn receive(&self, user: UserId, signal: &Signal);
}

/// Carries signals to every node on which a user has a session.
///
/// Order: two signals published one after the other to the same user by the same caller arrive in that order, where
/// both arrive. Delivery: at most once; a lost signal is repaired by gap detection and sync tokens.
#[async_trait]
pub trait Bus: Send + Sync {
    /// Publishes to the sessions of a user, on whichever nodes. Returns at once; if buffers are full, the signal is
    /// dropped and counted.
    fn publish(&self, user: UserId, signal: &Signal);

    /// Says that this node has sessions of the user from now on.
    fn join(&self, user: UserId);

    /// Says that this node has no session of the user any more.
    fn leave(&self, user: UserId);

    /// Whether the bus answers.
    ///
    /// # Errors
    /// It does not; the text says why.
    async fn check(&self) -> Result<(), StoreError>;
}
