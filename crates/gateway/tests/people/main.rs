//! Contacts, blocks, privacy, mentions, and the end of an account, over real connections to the real store: a test for
//! each row of the protocol, and for what others had to learn the hard way.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../support/mod.rs"]
mod support;

mod blocks;
mod contacts;
mod deletion;
mod lessons;
mod mentions;
mod presence;
mod privacy;
mod tools;
