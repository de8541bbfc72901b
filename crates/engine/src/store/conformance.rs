//! The suite that every device store passes.

pub fn check<S: super::Store>(_open: impl Fn() -> S) {}
