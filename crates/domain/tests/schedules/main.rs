//! Ordering and removal races under a deterministic scheduler.
//!
//! Each schedule is a small world: a few users with sessions, two conversations, random acts, slow and failing
//! storage, another node that appends behind the lanes' back. Time is paused, so that the seed alone decides what
//! happens in which order. When all is quiet again, the oracle compares what everybody saw with the logs.
//!
//! `LOQUAT_SCHEDULES` says how many schedules run (10,000 by default); `LOQUAT_SEED=n` runs only that one.

#![allow(clippy::print_stdout, reason = "seeds are printed")]

mod blocks;
mod client;
mod ledger;
mod oracle;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use loquat_testkit::deterministic;

/// Schedules of a run, if nothing else is said.
const SCHEDULES: u64 = 10_000;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|value| value.parse().expect("a number"))
}

#[test]
fn every_schedule_keeps_the_promises() {
    every(1, |seed| deterministic(world::run(seed)));
}

#[test]
fn every_block_takes_effect_at_once() {
    every(5, |seed| deterministic(blocks::run(seed)));
}

/// Runs one of so many schedules of a run.
fn every(share: u64, run: impl Fn(u64)) {
    if let Some(seed) = number("LOQUAT_SEED") {
        return run(seed);
    }
    for seed in 0..number("LOQUAT_SCHEDULES").unwrap_or(SCHEDULES).div_ceil(share) {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| run(seed))) {
            println!("schedule {seed} broke a promise: LOQUAT_SEED={seed} replays it");
            resume_unwind(panic);
        }
    }
}

#[test]
fn a_seed_replays_its_schedule() {
    for seed in 0..20 {
        let [once, again] = [(); 2].map(|()| deterministic(world::trace(seed)));
        assert_eq!(once, again, "seed {seed}");
    }
}
