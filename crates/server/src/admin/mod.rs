//! `loquat admin`: looking after a service, whether it runs or not.
//!
//! A command becomes calls ([`loquat_domain::admin`]) that go through a [`link`]: to the running service over its admin
//! [`socket`], so that caches, live sockets and lanes take part, or, where none runs, to the domain over the store that
//! this process opens. Either way the same code does it and puts it on record. Answers are printed by `print`, as
//! tables or, with `--json`, as the JSON that travelled.
//!
//! To add a command: its arguments, its arm in `commands`, how its answer looks in `print`; the call itself is the
//! domain's.

mod actor;
mod arguments;
mod commands;
mod link;
mod path;
mod print;
mod socket;
mod table;
mod wire;

pub(crate) use actor::of_this_process as operator;
pub(crate) use arguments::{AuditArgs, Common, ConversationsCommand, DevicesCommand, UsersCommand};
pub(crate) use commands::{audit, conversations, devices, stats, users};
pub(crate) use link::{Connection, running};
pub(crate) use print::{bytes, moment};
pub(crate) use socket::serve;
pub(crate) use table::{Table, plain};
pub(crate) use wire::Greeting;
