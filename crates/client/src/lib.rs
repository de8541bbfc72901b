//! The native SDK of Loquat.
mod client;
mod config;
mod error;
mod events;

pub use client::{Client, LogStream};
pub use config::{ClientConfig, Storage};
pub use error::Error;
pub use events::{ClientEvent, ConnectionState, Subscription};
pub use loquat_engine::view;
pub use loquat_proto as proto;
