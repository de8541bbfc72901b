//! What Loquat does.
pub mod ports;
