//! The engine on all of its back ends.

mod bounce;
mod offload;
mod trace;
