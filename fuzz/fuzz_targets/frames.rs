#![no_main]
//! See `shared/frames.rs`.

#[path = "../shared/frames.rs"]
mod shared;

libfuzzer_sys::fuzz_target!(|data: &[u8]| shared::run(data));
