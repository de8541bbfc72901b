//! Text as a terminal shows it: made harmless, measured in columns, wrapped, and times in words.
//!
//! Everything that came from other people passes [`sanitise`] before it is measured or drawn. Nothing in here knows
//! the screens or the client.

pub mod links;
pub mod sanitise;
pub mod time;
pub mod width;
pub mod wrap;
