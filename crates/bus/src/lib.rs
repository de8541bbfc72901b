//! The bus port ([`loquat_domain::ports::Bus`]): [`InProcessBus`] for one process, where what is published is delivered
//! before the call returns, without a queue, a task or a copy; [`NatsBus`] for many.
//!
//! This crate must not know SQL or HTTP. To add a bus: a module beside these that passes every function of
//! `conformance` (feature `conformance`), and a setting in `loquat-server` that chooses it.

#[cfg(feature = "conformance")]
pub mod conformance;
mod in_process;
mod nats;

pub use in_process::{AlreadyBound, InProcessBus};
pub use nats::{Dropped, NatsBus, NatsError, NatsOptions};
