//! Messages: everything that appends to a conversation's log, and reading what was said.
//!
//! A mutation goes: validate, rate limit, lane. A replay (a nonce that stands in the log already) returns its first
//! result before any permission or rate check, for as long as the conversation lives.

mod act;
mod order;
mod reply;
mod service;
mod validate;

pub use act::{Act, Mutation};
pub use order::SendOrder;
pub use service::{MessageDeps, MessageService};

pub(crate) use reply::{Reply, Ticket};
pub(crate) use service::refuse_unless_replayed;
pub(crate) use validate::{check_retention_of, check_settings};
