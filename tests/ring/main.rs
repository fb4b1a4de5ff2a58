//! The whole kernel interface: `uring::Ring`.

#![allow(clippy::undocumented_unsafe_blocks, clippy::multiple_unsafe_ops_per_block, reason = "test code")]
#![allow(missing_docs, reason = "test code")]

mod common;
mod ends;
mod entries;
mod halves;
mod setup;
mod waits;
