//! What an operator does to a running service: accounts, conversations, devices, figures, and the record of all that.
//!
//! [`AdminCall`] is the closed set of calls and [`AdminAnswer`] of answers; [`AdminService::perform`] does one of them.
//! How a call comes here (a local socket, a command that opened the store) and who may make it is not known here: the
//! caller has proved to be the operator before. Privacy and membership do not bind an operator; content of messages
//! is not shown all the same.
//!
//! A call that changes anything is put on record before it is done, and its outcome after (`audit`): what cannot be put
//! on record is not done.
//!
//! To add a call: a variant in `call`, whether it is an act and about what ([`AdminCall::act`]), and its arm in
//! `service`.

mod call;
mod service;

pub use call::{Act, AdminAnswer, AdminCall, Listed, Live, NewPassword};
pub use service::{Actor, AdminDeps, AdminService};
