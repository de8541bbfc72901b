//! Failpoints: places at which a test makes the process die, as if the power went.
//!
//! `LOQUAT_FAILPOINT=name[:n]` aborts the process at the n-th passage (default 1) of the place with that name. Unset,
//! a passage costs one load.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

struct Failpoint {
    name: String,
    passages_left: AtomicU64,
}

static CONFIGURED: OnceLock<Option<Failpoint>> = OnceLock::new();

fn configured() -> Option<Failpoint> {
    let value = std::env::var("LOQUAT_FAILPOINT").ok()?;
    let (name, passages) = value.split_once(':').unwrap_or((&value, "1"));
    let passages = passages.parse().unwrap_or(1);
    Some(Failpoint { name: name.to_owned(), passages_left: AtomicU64::new(passages) })
}

/// A place at which the process may be made to die.
pub fn pass(name: &str) {
    let Some(failpoint) = CONFIGURED.get_or_init(configured) else { return };
    if failpoint.name == name && failpoint.passages_left.fetch_sub(1, Ordering::AcqRel) == 1 {
        std::process::abort();
    }
}
