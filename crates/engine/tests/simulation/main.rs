//! Property tests of the engine against a simulated server: frames are lost, delayed, doubled and put out of order,
//! connections break at any point, clients crash and start again from their stores. At the end everything must be
//! right; `oracle` says what that is.
//!
//! A run is a function of its seed. `LOQUAT_SEED=n` replays one; `PROPTEST_CASES` sets how many are tried.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a helper that fails is a test that fails; seeds are printed"
)]

mod client;
mod materialise;
mod oracle;
mod random;
mod server;
mod world;

use proptest::prelude::*;
use world::{Faults, World};

fn run(seed: u64, faults: Faults, full_history: bool) {
    println!("LOQUAT_SEED={seed} {faults:?} full_history={full_history}");
    let mut world = World::new(seed, faults, full_history);
    world.trouble();
    world.heal();
    oracle::check(&mut world);
}

fn seeds() -> impl Strategy<Value = u64> {
    // A seed does not get simpler by getting smaller.
    any::<u64>().no_shrink()
}

fn cases() -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(150);
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn whole_logs_converge_under_all_faults(seed in seeds()) {
        run(seed, Faults::ALL, true);
    }

    #[test]
    fn newest_parts_converge_under_all_faults(seed in seeds()) {
        run(seed, Faults::ALL, false);
    }

    #[test]
    fn nothing_breaks_on_a_good_day(seed in seeds()) {
        run(seed, Faults::NONE, false);
    }
}

#[test]
fn a_given_seed_replays() {
    let Some(seed) = std::env::var("LOQUAT_SEED").ok().and_then(|seed| seed.parse().ok()) else { return };
    for full_history in [true, false] {
        run(seed, Faults::ALL, full_history);
        run(seed, Faults::NONE, full_history);
    }
}
