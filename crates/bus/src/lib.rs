//! The bus port ([`loquat_domain::ports::Bus`]) for one process: what is published is delivered before the call
//! returns, without a queue, a task or a copy.
//!
//! This crate must not know SQL or HTTP. To add a bus (over NATS, say): a module beside [`InProcessBus`] that passes
//! every function of `conformance` (feature `conformance`), and a setting in `loquat-server` that chooses it.

#[cfg(feature = "conformance")]
pub mod conformance;
mod in_process;

pub use in_process::{AlreadyBound, InProcessBus};
