//! The fuzz target of cursors, on stable Rust and for a second.

#[path = "../../../fuzz/shared/mutate.rs"]
mod mutate;
#[path = "../../../fuzz/shared/cursors.rs"]
mod shared;

#[test]
fn nothing_that_comes_in_breaks_the_reading_of_cursors() {
    mutate::run(shared::SEEDS, 5_000, shared::run);
}
