#![no_main]
#![allow(dead_code, reason = "the seeds are for the tests on stable Rust")]
//! See `shared/text.rs`.

#[path = "../shared/text.rs"]
mod shared;

libfuzzer_sys::fuzz_target!(|data: &[u8]| shared::run(data));
