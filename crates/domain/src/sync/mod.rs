//! Sync: bringing back who was away, and tokens that say how far somebody is.

mod gate;
mod service;
mod token;
mod watermark;

pub use gate::{FanoutGate, FanoutPass};
pub use service::{SyncDeps, SyncService};
pub use token::SyncToken;
pub use watermark::Watermark;
