//! Black-box tests of `uring::URingContext`: what it promises, on real files, pipes and disks that answer late.
//!
//! # Safety of the tests
//!
//! Adding a request is `unsafe`. Each test here keeps the memory of its requests alive and untouched until their
//! completions have been taken or the context has been dropped, by declaring it before the context, and keeps
//! descriptors open until `submit`; where a test breaks the latter on purpose, no memory depends on it.
#![allow(
    clippy::multiple_unsafe_ops_per_block,
    clippy::undocumented_unsafe_blocks,
    reason = "one argument holds for all of them, and stands above"
)]

mod common;

mod rules {
    //! What the context promises, rule by rule.
    mod accounting;
    mod overflow;
    mod queue;
    mod slots;
    mod teardown;
    mod waiting;
}

mod allocation;
mod buffers;
mod cancel;
mod close;
mod cooperative;
mod crosvm;
mod deferred;
mod faults;
mod files_table;
mod flags;
mod fork;
mod fork_iterators;
mod late;
mod lengths;
mod notification;
mod peers;
mod refusals;
mod restricted;
mod ring_fds;
mod sandbox;
mod seed_ports;
mod setup;
mod split;
mod split_ends;

/// For `allocation`: counts allocations, thread by thread.
#[global_allocator]
static ALLOCATOR: tests::counting::Counting = tests::counting::Counting;
