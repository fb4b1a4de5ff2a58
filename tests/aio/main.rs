//! Black-box tests of `aio::AioContext`: what it promises, on real files, pipes and disks that answer late.
//!
//! # Safety of the tests
//!
//! Adding an operation is `unsafe`. Each test here keeps the buffers and iovecs' memory of its operations alive and
//! untouched until the completion has been taken or the context has been dropped, by declaring them before the context,
//! and keeps descriptors open until `submit`; where a test breaks the latter on purpose, no memory depends on it.
#![allow(
    clippy::multiple_unsafe_ops_per_block,
    clippy::undocumented_unsafe_blocks,
    reason = "one argument holds for all of them, and stands above"
)]

mod common;

mod rules {
    //! One module for each rule that the context keeps.
    mod accounting;
    mod cancellation;
    mod completions;
    mod flags;
    mod priority;
    mod reaping;
    mod refused;
    mod teardown;
    mod waiting;
}

mod allocation;
mod errors;
mod faults;
mod fork;
mod harness;
mod late;
mod limits;
mod notification;
mod seed_ports;
mod signals;
mod split;
mod split_threads;
mod vectors;

/// For `allocation`: counts allocations, thread by thread.
#[global_allocator]
static ALLOCATOR: tests::counting::Counting = tests::counting::Counting;
