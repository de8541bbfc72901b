//! The terminal client of Loquat: `loquat chat`, and `loquat send` and `loquat tail` for scripts and pipes.
//!
//! Built on the native SDK ([`loquat_client`]), which owns sync, the queue and the device store; here is only what a
//! person sees and types. The parts, from the inside out:
//!
//! - [`text`]: other people's text made harmless, columns, wrapping, times; [`editor`]: text under edit;
//! - [`app`]: the state and its pure `update(message) -> effects`; [`screens`]: what each screen holds and draws;
//! - [`runtime`]: the loop that feeds messages in and carries effects out; [`terminal`]: the terminal's modes;
//! - [`send`], [`tail`], [`cli`], [`settings`]: the commands and their options.
//!
//! This crate must not know SQL, sockets or wire frames. To add a screen, see [`screens`].

pub mod app;
pub mod cli;
pub mod editor;
pub mod keys;
pub mod preferences;
pub mod runtime;
pub mod screens;
pub mod send;
pub mod session;
pub mod settings;
pub mod tail;
pub mod terminal;
pub mod text;
pub mod theme;
pub mod words;

mod input;

pub use input::InputError;
pub use runtime::{ChatError, chat};
pub use send::{SendError, send};
pub use tail::{TailError, tail};

#[cfg(test)]
mod testing;
