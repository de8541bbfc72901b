#![no_main]
#![allow(dead_code, unused_imports, reason = "the settings of a program, of which this uses a part")]
//! See `shared/configuration.rs`. The settings are the program's own: it is no library.

#[path = "../../crates/server/src/settings/mod.rs"]
mod settings;
#[path = "../shared/configuration.rs"]
mod shared;

libfuzzer_sys::fuzz_target!(|data: &[u8]| shared::run(data));
