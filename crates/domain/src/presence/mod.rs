//! Presence: who is there now, told only to those who watch and may see.
//!
//! A user is online while any device is: by a live session, or by a heartbeat that has not expired. When the last
//! one goes, the user was last seen then.

mod service;
mod table;
mod watchers;

pub use service::{PresenceDeps, PresenceService};
