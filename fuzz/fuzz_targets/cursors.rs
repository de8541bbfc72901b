#![no_main]
//! See `shared/cursors.rs`.

#[path = "../shared/cursors.rs"]
mod shared;

libfuzzer_sys::fuzz_target!(|data: &[u8]| shared::run(data));
