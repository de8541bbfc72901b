//! The fuzz target of text rendering, on stable Rust and for a second.

#[path = "../../../fuzz/shared/mutate.rs"]
mod mutate;
#[path = "../../../fuzz/shared/text.rs"]
mod shared;

#[test]
fn nothing_that_comes_in_reaches_the_terminal_unless_harmless() {
    mutate::run(shared::SEEDS, 1_000, shared::run);
}
