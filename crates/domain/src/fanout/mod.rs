//! Fan-out: from one encoded frame to the queues of every session that should have it.
//!
//! A [`Session`] is one live connection: a bounded outbound queue with an owner who drains it. The [`Registry`] knows
//! the sessions of this node by user and is the [`crate::ports::Receiver`] of the bus.

mod announce;
mod outbound;
mod registry;
mod session;
mod topics;

pub use announce::Announcer;
pub use outbound::{Outbound, OutboundLimits};
pub use registry::{Registry, SessionObserver};
pub use session::{Session, SessionId};
