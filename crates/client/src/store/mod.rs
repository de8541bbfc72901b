//! The device store on SQLite: the engine's port, the session, and the thread that owns the connection.
//!
//! One table for each thing of the port (`schema.sql`), and an index of words (`schema_2.sql`, `search`). WAL with `synchronous=FULL`: what the engine was told is
//! written survives a power loss. Batches that wait together share one transaction, and so one sync of the disk.

mod search;
mod sqlite;
mod thread;

pub(crate) use sqlite::{DeviceStore, StoreError};
pub(crate) use thread::{StoreHandle, Written};
