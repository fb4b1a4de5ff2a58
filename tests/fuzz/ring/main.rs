//! Random legal sequences of calls on a ring of the kernel's, under AddressSanitizer.
//!
//! What must hold whatever the calls: each request completes once and for all, with a name that was given to it; what
//! is read is what the file holds and nothing beside it is written; the counts agree; and when the ring has ended, the
//! memory of every request is free, which the sanitizer watches.
//!
//! # Safety of the target
//!
//! Requests name memory and files of the `World`, which keeps the memory of each until it has completed, or, if it
//! never says so, until the ring has ended; the files outlive the ring.
#![no_main]
#![allow(
    clippy::multiple_unsafe_ops_per_block,
    clippy::undocumented_unsafe_blocks,
    reason = "one argument holds for all of them, and stands above"
)]

mod plan;
mod requests;
mod world;

use libfuzzer_sys::{Corpus, fuzz_target};
use uring::{Cqe, Cqe32, MixedCqe, MixedSqe, Sqe, Sqe128};

use crate::plan::{Entry, Plan};
use crate::world::run;

fuzz_target!(|plan: Plan| -> Corpus {
    let has_run = match plan.entry {
        Entry::Usual => run::<Sqe, Cqe>(&plan),
        Entry::Large => run::<Sqe128, Cqe32>(&plan),
        Entry::Mixed => run::<MixedSqe, MixedCqe>(&plan),
    };
    // Rings that cannot be are no use to go on from.
    if has_run { Corpus::Keep } else { Corpus::Reject }
});
