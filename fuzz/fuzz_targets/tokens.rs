#![no_main]
//! See `shared/tokens.rs`.

#[path = "../shared/tokens.rs"]
mod shared;

libfuzzer_sys::fuzz_target!(|data: &[u8]| shared::run(data));
