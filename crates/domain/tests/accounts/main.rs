//! Accounts and authentication through their public handles, over storage in memory.

mod devices;
mod idempotency;
mod log_in;
mod memory;
mod profiles;
mod refresh;
mod sign_up;
mod world;
