//! Black-box tests of `uring::Ring` and of every request that it takes.
//!
//! # Safety of the tests
//!
//! Making a request is `unsafe`. Each test here keeps the memory of its requests alive and untouched until their
//! completions have been taken or the ring has been dropped, by declaring it before the ring or by waiting before it
//! looks, and keeps descriptors open as long; where a test breaks the latter on purpose, no memory depends on it.
#![allow(
    clippy::multiple_unsafe_ops_per_block,
    clippy::undocumented_unsafe_blocks,
    reason = "one argument holds for all of them, and stands above"
)]

mod common;
mod control;
mod devices;
mod ends;
mod entries;
mod halves;
mod net;
mod ops;
mod provided;
mod register;
mod scenarios;
mod setup;
mod setup_sets;
mod waits;
