#![no_main]
//! See `shared/text.rs`.

#[path = "../shared/text.rs"]
mod shared;

libfuzzer_sys::fuzz_target!(|data: &[u8]| shared::run(data));
