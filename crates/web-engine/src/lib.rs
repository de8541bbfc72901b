//! The client engine for browsers: one call takes an [`Input`] as JSON and gives an [`Output`] as JSON.
//!
//! The worker that hosts it (`web/src/worker`) has the socket, REST, the clock and IndexedDB; this crate has the engine
//! and what turns its snapshots into small differences, so that a page is told what changed and not what there is.
//!
//! ```text
//!  Input (JSON) ──> [`Host::call`] ──> Output (JSON): effects to carry out, what happened, when to call again
//!                        │
//!                        └─ Input::Views ──> ViewPatch: conversations, timelines, queue and people that changed
//! ```
//!
//! The binary interface (`abi`) has no generated glue: two buffers in the module's memory, one for each direction. So
//! the build needs a compiler and nothing else, rustup's or Debian's.
//!
//! It must not know browsers: nothing here imports a function of JavaScript. It is tested natively, as the engine is.
//!
//! To extend: a command of the user is a variant of [`loquat_engine::Command`]; a new snapshot is a field of
//! [`ViewPatch`] and a part of `views`. The types in [`messages`] and those of the engine and of the wire become
//! TypeScript by `cargo xtask types`.

mod abi;
mod entropy;
mod host;
pub mod messages;
mod views;

pub use host::Host;
pub use messages::{Input, Output, ViewPatch};
