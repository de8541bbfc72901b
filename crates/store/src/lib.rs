//! The storage ports of `loquat-domain` in SQL, and the suite that every engine has to pass.
//!
//! [`SqliteStore`] and [`PostgresStore`] implement [`EventLog`](loquat_domain::ports::EventLog),
//! [`Conversations`](loquat_domain::ports::Conversations), [`Timeline`](loquat_domain::ports::Timeline),
//! [`Presences`](loquat_domain::ports::Presences), [`Accounts`](loquat_domain::ports::Accounts),
//! [`AccountLog`](loquat_domain::ports::AccountLog), [`Devices`](loquat_domain::ports::Devices),
//! [`Administration`](loquat_domain::ports::Administration), [`Inspection`](loquat_domain::ports::Inspection),
//! [`AuditLog`](loquat_domain::ports::AuditLog), [`Outbox`](loquat_domain::ports::Outbox) and
//! [`Retentions`](loquat_domain::ports::Retentions): one in a file, for one process; the other one on a server, for many.
//! [`backup`] and [`restore`] copy the file, [`examine`] looks at it from outside.
//!
//! This crate knows no HTTP and no message broker, and decides nothing: who may do what was decided in the domain;
//! here it is written down, atomically and durably.
//!
//! The statements are in `sql`, once; `sqlite` and `postgres` have connections and transactions. To add an engine that
//! speaks SQL: a module beside these, migrations beside `migrations/sqlite`, and a test that runs the `conformance`
//! suite (feature `conformance`) on it. One that does not implements the ports by itself.
//!
//! For torture tests, writes pass the failpoints (`loquat_domain::failpoint`) `before_append`, `after_append` (rows
//! are written), `before_commit`, `after_commit` (durable, nobody told) and `before_cursor_flush`.

#[cfg(feature = "conformance")]
pub mod conformance;

mod postgres;
mod queue;
mod sql;
mod sqlite;

pub use postgres::{ConnectError, PostgresGauges, PostgresOptions, PostgresStore, check_url};
pub use sqlite::{
    Examination, FatalHandler, Gauges, OpenError, Options, Progress, SqliteStore, backup, begin_act, end_act,
    examine, requeue_jobs, restore,
};
