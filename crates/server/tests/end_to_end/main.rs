//! The real binary, from outside.

mod client;
mod commands;
mod serve;
mod support;
mod threats;
mod tls;
