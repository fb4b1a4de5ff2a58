//! Raw bindings of Linux io_uring: every struct, constant and system call under the name that C has for it.
//!
//! Use it to write a ring of your own, or for a part of the interface that a wrapper does not have yet. For
//! everything else there is the crate `uring`, in which the rules of the shared memory are kept for you: this
//! one keeps none. It has no logic, allocates nothing and does not need `std`.
//!
//! # What is here
//!
//! - **Types and constants** of `linux/io_uring.h` and `linux/io_uring/*.h` as of Linux 7.2
//!   ([`LINUX_VERSION_CODE`]), and what their users need from other headers: `RWF_*`, [`__kernel_timespec`],
//!   [`open_how`] with `RESOLVE_*`, [`futex_waitv`] with `FUTEX2_*`. Anonymous unions are called
//!   `__bindgen_anon_1` and so on, in the order of the header.
//! - **System calls**: [`io_uring_setup`], [`io_uring_enter`], [`io_uring_register`]. Each returns what the
//!   kernel returns: 0 or more, or a negated errno.
//! - **Wide entries**: [`io_uring_sqe128`], [`io_uring_cqe32`].
//!
//! Newer constants than the running kernel do no harm: it answers `-EINVAL` to what it does not know, and
//! `IORING_REGISTER_PROBE` tells beforehand.
//!
//! # The rules that are yours
//!
//! 1. The kernel reads and writes the mapped rings while you do. No reference and no slice may point there:
//!    copy entries through raw pointers, and use atomics for heads and tails.
//! 2. Write an entry, then its index, then the tail with release ordering. Read the completion tail with
//!    acquire ordering, then the entry, then write the head with release ordering.
//! 3. Heads and tails are free-running `u32`: they wrap, and only their difference and the masked value mean
//!    something.
//! 4. What an entry names belongs to the kernel until its completion is there. To close the ring does not end
//!    that.
//!
//! # Example
//!
//! One entry through a ring, without a check for anything that goes well on an ordinary day:
//!
//! ```
//! use std::os::fd::{FromRawFd, OwnedFd};
//! use std::ptr;
//! use std::sync::atomic::{AtomicU32, Ordering};
//! use uring_sys::*;
//!
//! let mut params = io_uring_params::default();
//! // SAFETY: `params` is ours, and no flag in it names memory.
//! let fd = unsafe { io_uring_setup(1, &mut params) };
//! assert!(fd >= 0, "{}", std::io::Error::from_raw_os_error(-fd));
//! // SAFETY: The call has made the descriptor, for us alone. It is closed when `_ring` goes.
//! let _ring = unsafe { OwnedFd::from_raw_fd(fd) };
//! let map = |offset: u64| {
//!     let (protection, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED);
//!     // SAFETY: A new mapping, at an address of the kernel's choice. A ring of one entry fits into a page.
//!     let start = unsafe { libc::mmap(ptr::null_mut(), 4096, protection, flags, fd, offset as i64) };
//!     assert_ne!(start, libc::MAP_FAILED);
//!     start
//! };
//! let (sq, sqes, cq) = (map(IORING_OFF_SQ_RING), map(IORING_OFF_SQES), map(IORING_OFF_CQ_RING));
//!
//! let nop = io_uring_sqe { opcode: IORING_OP_NOP as u8, user_data: 42, ..Default::default() };
//! // SAFETY: All of it lies in the three mappings, at the offsets that the kernel gave. Slot 0 and entry 0 of
//! // the index array, which is zeroed, are free: nothing has been submitted before.
//! let cqe = unsafe {
//!     sqes.cast::<io_uring_sqe>().write(nop);
//!     let tail = AtomicU32::from_ptr(sq.byte_add(params.sq_off.tail as usize).cast());
//!     tail.store(1, Ordering::Release);
//!
//!     assert_eq!(io_uring_enter(fd, 1, 1, IORING_ENTER_GETEVENTS, ptr::null(), 0), 1);
//!
//!     let tail = AtomicU32::from_ptr(cq.byte_add(params.cq_off.tail as usize).cast());
//!     assert_eq!(tail.load(Ordering::Acquire), 1);
//!     cq.byte_add(params.cq_off.cqes as usize).cast::<io_uring_cqe>().read()
//! };
//! assert_eq!((cqe.user_data, cqe.res), (42, 0));
//! # for mapping in [sq, sqes, cq] {
//! #     // SAFETY: Mapped above with this length, and not used any more.
//! #     unsafe { libc::munmap(mapping, 4096) };
//! # }
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
compile_error!("uring-sys binds an interface that only Linux has");

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
     target turn on the feature `bindgen` of uring-sys, which makes them from the kernel headers of the build \
     machine or of LINUX_HEADERS=<dir>"
);

mod calls;
mod layout;
mod syscall;
mod wide;

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
pub use calls::{io_uring_enter, io_uring_register, io_uring_setup};
pub use wide::{IORING_FILE_INDEX_ALLOC, io_uring_cqe32, io_uring_sqe128};
