//! A runtime whose schedule is determined.

use std::future::Future;

/// Runs a future, and all that it spawns, on this thread with paused time: tasks take turns in the order in which
/// they are woken, and time passes only when nothing else can happen. With seeded faults the whole schedule follows
/// from the seed. Tasks still alive at the end are dropped.
///
/// # Panics
/// The runtime cannot be built.
pub fn deterministic<F: Future>(work: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without drivers but time needs nothing from the system");
    runtime.block_on(work)
}
