//! The load: sockets that speak the protocol as cheaply as possible, and the audit of what comes back.
//!
//! All of it runs on one thread. Sockets are driven by hand-written poll loops that read everything that
//! has come, queue every frame that follows from it, and flush once, so that a burst costs one system
//! call each way. Nothing here knows which system it loads.

pub(crate) mod audit;
pub(crate) mod body;
mod gathered;
pub(crate) mod group;
pub(crate) mod histogram;
pub(crate) mod pair;
pub(crate) mod presence;
pub(crate) mod run;
pub(crate) mod socket;
pub(crate) mod storm;

#[cfg(test)]
mod tests;
