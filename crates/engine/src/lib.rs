//! The client engine of Loquat, sans-I/O.
mod command;
pub mod view;
pub use command::Command;
