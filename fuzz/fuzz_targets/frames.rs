#![no_main]
#![allow(dead_code, reason = "the seeds are for the tests on stable Rust")]
//! See `shared/frames.rs`.

#[path = "../shared/frames.rs"]
mod shared;

libfuzzer_sys::fuzz_target!(|data: &[u8]| shared::run(data));
