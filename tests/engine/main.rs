//! The engine on all of its back ends.

mod bounce;
mod trace;
