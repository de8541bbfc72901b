//! What Loquat does: accounts, conversations and their logs, live delivery, receipts, presence, sync.
//!
//! The life of a message: [`messages`] takes a mutation and routes it to its conversation's lane ([`lanes`]); the
//! lane decides, appends to the log through a port ([`ports`]), answers the sender and hands the encoded event to
//! [`fanout`], which puts it into every member session's queue. Cursors ([`receipts`]) flow back the same way;
//! [`sync`] brings back who was away.
//!
//! This crate knows no HTTP, no SQL and no message broker: the world is behind [`ports`]. Every rule and every
//! authorisation check lives here, once.

pub mod accounts;
pub mod admin;
mod app;
mod bounded;
mod caller;
pub mod contacts;
pub mod conversations;
pub mod export;
pub mod failpoint;
pub mod fanout;
pub mod lanes;
pub mod limits;
pub mod messages;
pub mod metrics;
pub mod ports;
pub mod presence;
pub mod receipts;
mod refusal;
pub mod retention;
pub mod sync;
pub mod text;
pub mod workers;

pub use app::{App, AppConfig, AppDeps, Storage};
pub use caller::Caller;
pub use refusal::Refusal;
