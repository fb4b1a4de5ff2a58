//! What the test binaries of this workspace share.
//!
//! * [`skip!`], [`require!`], [`require_newer!`], [`or_skip!`], [`guest_only!`]: a case that this machine cannot run says so instead of
//!   passing silently.
//! * [`late`]: a disk whose reads stay in flight until a test lets them go.
//! * [`in_child!`], [`fork`]: what must not happen in the test process itself.
//! * [`seccomp`]: system calls that fail as a test wants.
//! * [`files`], [`signals`], [`counting`], [`limits`], [`kernel`]: files with checkable content, a storm of signals,
//!   counted allocations, resource limits, the kernel's version.

#![cfg(target_os = "linux")]

/// The README's code, which runs as it stands.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

pub mod child;
pub mod counting;
pub mod files;
pub mod fork;
pub mod kernel;
pub mod late;
pub mod limits;
pub mod seccomp;
pub mod signals;
pub mod skip;
