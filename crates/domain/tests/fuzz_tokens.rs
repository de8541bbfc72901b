//! The fuzz target of access tokens, on stable Rust and for a second.

#[path = "../../../fuzz/shared/mutate.rs"]
mod mutate;
#[path = "../../../fuzz/shared/tokens.rs"]
mod shared;

#[test]
fn nothing_but_what_was_issued_is_let_in() {
    shared::run(shared::valid().as_bytes());
    let seeds: Vec<&str> = shared::SEEDS.iter().copied().chain([shared::valid()]).collect();
    mutate::run(&seeds, 1_000, shared::run);
}
