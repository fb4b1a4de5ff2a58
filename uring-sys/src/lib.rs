//! Raw bindings of Linux io_uring.
#![no_std]
#![allow(non_camel_case_types, reason = "the names are the kernel's")]

#[cfg(not(target_os = "linux"))]
compile_error!("uring-sys binds an interface that only Linux has");

#[cfg(not(any(
    feature = "bindgen",
    target_arch = "x86_64",
    target_arch = "aarch64",
    target_arch = "riscv64",
    target_arch = "loongarch64",
)))]
compile_error!(
    "the committed bindings are made for x86_64, aarch64, riscv64 and loongarch64; for this target turn on the feature \
     `bindgen` of uring-sys, which makes them from the kernel headers of the build machine or of LINUX_HEADERS=<dir>"
);

mod calls;
mod layout;
mod syscall;
mod wide;

#[allow(
    dead_code,
    missing_debug_implementations,
    missing_docs,
    non_upper_case_globals,
    unreachable_pub,
    clippy::all,
    clippy::missing_safety_doc,
    clippy::multiple_unsafe_ops_per_block,
    clippy::undocumented_unsafe_blocks,
    reason = "generated code in the words of the header"
)]
mod bindings {
    #[cfg(not(feature = "bindgen"))]
    include!("bindings.rs");
    #[cfg(feature = "bindgen")]
    include!(concat!(env!("OUT_DIR"), "/bindings.rs"));
}

pub use bindings::*;
pub use calls::{io_uring_enter, io_uring_register, io_uring_setup};
pub use wide::{IORING_FILE_INDEX_ALLOC, io_uring_cqe32, io_uring_sqe128};
