//! Black-box tests of `engine::Engine`, each on every back end: `name::uring`, `name::aio`, `name::threads`.
//!
//! # Safety of the tests
//!
//! What is `unsafe` here is a system call on memory of the test that outlives it, or the implementation of a trait whose
//! promises stand beside it.
#![allow(
    clippy::multiple_unsafe_ops_per_block,
    clippy::undocumented_unsafe_blocks,
    reason = "one argument holds for all of them, and stands above"
)]

mod common;
mod faulty;

mod allocation;
mod bounce;
mod buffers;
mod choice;
mod completions;
mod continued;
mod durability;
mod ends;
mod files;
mod fork;
mod leaks;
mod no_space;
mod offload;
mod panics;
mod polls;
mod ranges;
mod readiness;
mod scope;
mod scope_ends;
mod trace;
mod transfers;

/// For `allocation`: counts allocations, thread by thread.
#[global_allocator]
static ALLOCATOR: tests::counting::Counting = tests::counting::Counting;
