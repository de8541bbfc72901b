//! Wire types of the Loquat protocol, version 1.
//!
//! What is here is what travels: identifiers, the events of a conversation's log, the frames of the socket, the
//! bodies of REST calls, and the error codes. Every shape has a committed snapshot (`tests/snapshots`), so that a
//! change of the wire is seen in review.
//!
//! This crate knows neither I/O nor storage nor a web framework; it compiles for `wasm32`.
//!
//! To add an event kind: a variant of [`EventKind`], its body in [`event`], and a snapshot. To add a frame: a
//! variant of [`ClientFrame`] or [`ServerFrame`] with its `op`, and a snapshot.

pub mod account;
pub mod contact;
pub mod conversation;
pub mod error;
pub mod event;
pub mod frame;
pub mod id;
pub mod invite;
pub mod message;
pub mod nonce;
pub mod presence;
pub mod server_info;
pub mod sync;

mod double_option;

pub use account::{Device, OwnProfile, Privacy, Profile, Session, UserKind};
pub use contact::{Block, Contact, ContactAnswer, ContactRequest, ContactStatus, Direction};
pub use conversation::{Conversation, ConversationKind, History, Member, Permissions, Retention, Role};
pub use error::{ErrorBody, ErrorCode, Problem};
pub use event::{Event, EventBody, EventKind};
pub use frame::{ClientFrame, CloseCode, ServerFrame};
pub use id::{ConversationId, DeviceId, MediaId, UserId};
pub use invite::{Invite, InvitePreview};
pub use message::{Format, Message, MessageBody, Reaction};
pub use nonce::Nonce;
pub use presence::{Presence, PresenceState};
pub use server_info::{Limits, ServerInfo};
pub use sync::{AccountEvent, AccountEventKind, Ready, SyncAnswer};

use serde::{Deserialize, Serialize};

/// Milliseconds since the Unix epoch.
pub type Timestamp = i64;

/// Position of an event in its conversation's log: contiguous from 1. 0 stands for "before the first event".
pub type Seq = u64;

/// The WebSocket subprotocol of this version.
pub const SUBPROTOCOL: &str = "loquat.v1.json";

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "{T}Page"))]
pub struct Page<T> {
    /// The entries, in the order that the call documents.
    pub items: Vec<T>,
    /// Opaque; passed as `?cursor=` for the next page. `None` on the last page.
    pub next_cursor: Option<String>,
}

/// A list that is always answered whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "{T}Items"))]
pub struct Items<T> {
    /// The entries.
    pub items: Vec<T>,
}
