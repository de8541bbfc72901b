//! Retention and workers, whole: the domain over the in-memory engine, with the clock of the test.

#![allow(clippy::unwrap_used, reason = "a test helper that fails is a test that fails")]

mod crashes;
mod delivered;
mod jobs;
mod ttl;
mod world;
