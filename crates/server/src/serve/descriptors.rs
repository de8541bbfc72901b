//! File descriptors: each connection takes one, and systems allow few by default.

use loquat_proto::Limits;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tracing::warn;

/// Descriptors for everything but clients: the database, its readers, listeners, logs.
const RESERVE: u64 = 256;

/// Connections for calls, beside the sockets: what the gateway admits.
const LEAST_CALLS: u64 = 256;

/// Descriptors that the connections which are allowed need, at most.
pub(crate) fn needed(limits: &Limits) -> u64 {
    let sockets = limits.connections as u64;
    sockets.saturating_add(LEAST_CALLS.max(sockets / 8)).saturating_add(RESERVE)
}

/// Descriptors that this process may have after all raising; `None`: any number.
pub(crate) fn hard_limit() -> Option<u64> {
    getrlimit(Resource::Nofile).maximum
}

/// Raises the soft limit to the hard one, and warns where that is too little for the connections that are allowed.
pub(super) fn raise_limit(limits: &Limits) {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    // `None` is unlimited.
    let needed = needed(limits);
    if current.is_none_or(|current| current >= needed) {
        return;
    }
    let raised = match maximum {
        Some(maximum) => maximum.min(needed.max(current.unwrap_or(0))),
        None => needed,
    };
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: Some(raised), maximum }) {
        warn!(%error, "cannot raise the limit of open files");
    }
    let available = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    if available < needed {
        warn!(
            available,
            needed,
            "limits.connections needs more open files than the system allows; raise LimitNOFILE or ulimit -n"
        );
    }
}
