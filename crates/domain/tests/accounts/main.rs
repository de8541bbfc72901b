//! Accounts and authentication through their public handles, over storage in memory.

#![allow(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

mod devices;
mod idempotency;
mod log_in;
mod memory;
mod profiles;
mod refresh;
mod sign_up;
mod world;
