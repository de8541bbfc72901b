//! What travels over the admin socket: lines of JSON. The service greets; each request line gets one answer line.

use loquat_domain::admin::{AdminAnswer, AdminCall};
use loquat_proto::{ErrorBody, Timestamp};
use serde::{Deserialize, Serialize};

/// The most bytes of a request's line.
pub(super) const REQUEST_BYTES: u64 = 64 * 1024;

/// The service's first line: who answers here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Greeting {
    /// The version that runs.
    pub(crate) version: String,
    /// The node's name.
    pub(crate) node: String,
    /// The process.
    pub(crate) pid: u32,
    /// Since when it serves.
    pub(crate) started_at: Timestamp,
    /// Where clients connect.
    pub(crate) listen: String,
    /// Where metrics are served, if they are.
    pub(crate) metrics: Option<String>,
}

/// One request.
pub(super) type Request = AdminCall;

/// One answer.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Response {
    /// It is done.
    Ok(AdminAnswer),
    /// It is refused.
    Error(ErrorBody),
}
