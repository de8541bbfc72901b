//! One example of every wire type, frozen as a snapshot: a change of the wire is seen in review.
//!
//! Each example is read back and must give the same, so that a snapshot is a test of both directions.

#![allow(clippy::unwrap_used, reason = "a test that fails here fails as it should")]

mod accounts;
mod common;
mod contacts;
mod conversations;
mod errors;
mod events;
mod frames;
mod lists;
mod messages;
