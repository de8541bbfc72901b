//! The real binary, from outside.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod admin;
mod client;
mod commands;
mod on_postgres;
mod operate;
mod serve;
mod support;
mod threats;
mod tls;
#[cfg(feature = "otlp")]
mod traces;
mod upkeep;
mod websocket;
