//! The fuzz target of frames, on stable Rust and for a second.

#[path = "../../../fuzz/shared/mutate.rs"]
mod mutate;
#[path = "../../../fuzz/shared/frames.rs"]
mod shared;

#[test]
fn nothing_that_comes_in_breaks_the_reading_of_frames() {
    mutate::run(shared::SEEDS, 2_000, shared::run);
}
