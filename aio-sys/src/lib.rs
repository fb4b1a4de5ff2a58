//! Raw bindings of Linux kernel AIO: every struct, constant and system call under the name that C has for it.
//!
//! Use it to write a context of your own. For everything else there is the crate `aio`, in which the rules of
//! the shared memory are kept for you: this one keeps none. It has no logic, allocates nothing and does not
//! need `std`.
//!
//! # What is here
//!
//! - **Types and constants** of `linux/aio_abi.h` as of Linux 7.2 ([`LINUX_VERSION_CODE`]), with `RWF_*` from
//!   `linux/fs.h`.
//! - **System calls**: [`io_setup`], [`io_destroy`], [`io_submit`], [`io_cancel`], [`io_getevents`],
//!   [`io_pgetevents`]. Each returns what the kernel returns: 0 or more, or a negated errno.
//! - **The completion ring**: [`aio_ring`], which no header declares. Events can be taken out of it without a
//!   system call.
//!
//! # The rules that are yours
//!
//! 1. What an [`iocb`] names belongs to the kernel until its event has been taken or [`io_destroy`] has
//!    returned.
//! 2. [`io_submit`] stops at the first operation that it refuses, and tells the reason only if that is the
//!    first of all.
//! 3. Every operation has one event, and [`io_event::res`] is a byte count or a negated errno.
//! 4. Flags of an operation go into [`aio_rw_flags`](iocb::aio_rw_flags), where an unknown one is an error.
//!    In [`aio_flags`](iocb::aio_flags) the kernel ignores what it does not know.
//! 5. The kernel writes to the mapped ring while you read there: see [`aio_ring`].
//!
//! # Example
//!
//! One read, without a check for anything that goes well on an ordinary day:
//!
//! ```
//! use aio_sys::*;
//! use std::os::fd::AsRawFd;
//! use std::ptr;
//!
//! let file = std::fs::File::open("/proc/self/exe")?;
//! let mut buffer = [0_u8; 4];
//! let mut read = iocb {
//!     aio_data: 42,
//!     aio_lio_opcode: IOCB_CMD_PREAD as u16,
//!     aio_fildes: file.as_raw_fd() as u32,
//!     aio_buf: buffer.as_mut_ptr().expose_provenance() as u64,
//!     aio_nbytes: buffer.len() as u64,
//!     aio_offset: 0,
//!     ..Default::default()
//! };
//!
//! let mut context = 0;
//! let mut event = io_event::default();
//! // SAFETY: Every pointer is to a local variable, and these outlive the context. Nobody touches `buffer`
//! // before the event of its read has been taken.
//! unsafe {
//!     let answer = io_setup(1, &mut context);
//!     assert_eq!(answer, 0, "{}", std::io::Error::from_raw_os_error(-answer));
//!     assert_eq!(io_submit(context, 1, [&raw mut read].as_mut_ptr()), 1);
//!     assert_eq!(io_getevents(context, 1, 1, &mut event, ptr::null_mut()), 1);
//!     assert_eq!(io_destroy(context), 0);
//! }
//! assert_eq!((event.data, event.res), (42, 4));
//! assert_eq!(&buffer, b"\x7fELF");
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! # Where the bindings come from
//!
//! `src/bindings.rs` is generated, committed, and the same on x86_64, aarch64, riscv64 and loongarch64: to
//! build this crate takes neither libclang nor kernel headers. The feature `bindgen` makes the bindings anew,
//! from the headers of the build machine or of `LINUX_HEADERS=<dir>`: for other targets, and for kernels that
//! are newer than this crate.

#![no_std]

#[cfg(not(target_os = "linux"))]
compile_error!("aio-sys binds an interface that only Linux has");

#[cfg(not(any(
    feature = "bindgen",
    all(
        target_pointer_width = "64",
        target_endian = "little",
        any(
            target_arch = "x86_64",
            target_arch = "aarch64",
            target_arch = "riscv64",
            target_arch = "loongarch64",
        ),
    ),
)))]
compile_error!(
    "the committed bindings are for 64-bit little-endian x86_64, aarch64, riscv64 and loongarch64; for this \
     target turn on the feature `bindgen` of aio-sys, which makes them from the kernel headers of the build \
     machine or of LINUX_HEADERS=<dir>"
);

mod calls;
mod layout;
mod ring;
mod syscall;

#[allow(
    dead_code,
    missing_debug_implementations,
    missing_docs,
    non_camel_case_types,
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
pub use calls::{io_cancel, io_destroy, io_getevents, io_pgetevents, io_setup, io_submit};
pub use ring::{
    __aio_sigset, AIO_RING_COMPAT_FEATURES, AIO_RING_INCOMPAT_FEATURES, AIO_RING_MAGIC, aio_ring,
};
