//! Contacts, requests for contact, and blocks.
//!
//! Contacts see one another's presence; being one is mutual. A block is one-sided and told to nobody but who blocks:
//! who is blocked is refused with `blocked` when they open a direct conversation, write in it, ask for contact, or add
//! the one who blocked to a conversation, and sees the one who blocked as offline. What stands elsewhere because of a
//! block: the lane of a direct conversation decides by it ([`crate::lanes`]), and [`crate::presence`] asks again who may
//! see whom.

mod service;

pub use service::{ContactDeps, ContactService, Requested};
