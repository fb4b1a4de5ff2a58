//! Provided buffers: rings of them, and those that are provided one by one.

mod bundle;
mod classic;
mod ends;
mod incremental;
mod rings;
