//! The client engine of Loquat, sans-I/O: one engine for the terminal, the browser, bots and tests.
//!
//! It decides; its host acts. The host hands in what happened (a transport opened or broke, a frame came, a REST
//! call was answered, the store wrote a batch, a timer is due, the user wants something), and then carries out every
//! [`Effect`] in order: send a frame, call REST, write a batch to the device store, load from it, tell the user
//! interface. Time comes in with each input ([`Now`]), randomness through [`Entropy`]; so a test owns both, and the
//! same inputs give the same effects.
//!
//! ```text
//!  connected, frame, disconnected ──┐                       ┌── Send, Close, Request
//!  answered (REST), tick            ├──>  [`Engine`]  ──────┤── Persist (atomic, in order), Load
//!  persisted, loaded (store)        │                       └── View (which snapshot is out of date)
//!  command (user)  ─────────────────┘
//! ```
//!
//! # Invariants
//!
//! - **A log is applied in `seq` order.** Events that come early are held back, a gap is fetched, a duplicate is
//!   ignored. What the store holds of each log is known as ranges without gaps (`Progress::ranges`).
//! - **A sync token is stored only in or after the batch that stores what it covers**: the events, or the knowledge
//!   that they are missing (the conversation's head).
//! - **A change is stored before it is sent**, is sent under one nonce however often, and leaves the queue only when
//!   the server answered for good or its event came back.
//! - **`delivered` is acknowledged only for events that are stored.**
//! - **Memory is bounded**: timelines of a few open conversations, a bounded number of held-back events, frames and
//!   requests in flight; everything else is in the store.
//!
//! # What it must not know
//!
//! Sockets, HTTP, SQL, threads, browsers, clocks. It depends on `loquat-proto` and serde alone and compiles for
//! `wasm32-unknown-unknown` with Rust 1.85.
//!
//! # How to extend it
//!
//! A new change of a log (say, a poll vote) is a variant of [`view::Change`], its frame in `outbox`, its effect on a
//! timeline in `window`. A new push is an arm in `sync`. A new thing to keep is an [`store::Operation`], to be carried
//! out by every store (the suite in `store` holds them together).

mod command;
mod cursors;
mod drafts;
mod effect;
mod engine;
mod entropy;
mod expiry;
mod gaps;
mod log;
mod open;
mod options;
mod outbox;
mod people;
mod ranges;
mod requests;
mod room;
pub mod store;
mod sync;
mod timers;
pub mod view;
mod views;
mod window;

pub use command::{Command, CommandError};
pub use effect::{BatchId, Credential, Effect, LoadId, Method, RequestFailure, RequestId, RestRequest};
pub use engine::{Engine, Setup};
pub use entropy::Entropy;
pub use options::{Now, Options};
