//! The driver: callbacks, merging, chains, shutdown. Black box, on each back end that there is.

mod common;

mod allocation;
mod back_pressure;
mod callbacks;
mod chains;
mod failures;
mod merging;
mod merging_errors;
mod operations;
mod seed_defects;
mod shutdown;

/// For `allocation`: counts allocations, thread by thread.
#[global_allocator]
static ALLOCATOR: tests::counting::Counting = tests::counting::Counting;
