//! The real binary, from outside.

mod commands;
mod serve;
mod support;
