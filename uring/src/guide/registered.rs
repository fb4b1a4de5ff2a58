//! Files and buffers that the kernel knows beforehand.
//!
//! For each request the kernel looks its descriptor up and takes a reference; for direct I/O it also pins the pages of
//! the buffer. What is registered once, it has at hand; for small direct I/O, buffers alone are about a tenth of its
//! time. A registered file is named by its place in a table, as [`Fixed`](crate::Fixed), and needs no open descriptor
//! any more; a registered buffer by its index beside its address.
//!
//! ```
//! use uring::{Fixed, Ring, op::rw::ReadFixed};
//! use std::os::fd::AsFd;
//!
//! let mut memory = vec![0; 8192];
//! let mut ring: Ring = Ring::new(8)?;
//! let program = std::fs::File::open("/proc/self/exe")?;
//! ring.registrar().register_files(&[program.as_fd().into()])?;
//! // The ring has a file of its own.
//! drop(program);
//!
//! let buffer = libc::iovec { iov_base: memory.as_mut_ptr().cast(), iov_len: memory.len() };
//! // SAFETY: `memory` was declared before the ring, so it goes after it.
//! unsafe { ring.registrar().register_buffers(&[buffer])? };
//!
//! // The second half of buffer 0 is read into, from the beginning of file 0.
//! let half = &mut memory[4096..];
//! // SAFETY: nobody else looks at `memory` before the completion was taken.
//! let read = unsafe { ReadFixed::new(Fixed(0), half.as_mut_ptr(), half.len(), 0, 0) };
//! ring.push(read)?;
//! let completion = ring.wait(1)?.next().expect("one was waited for");
//! assert_eq!(completion.result()?, 4096);
//! assert_eq!(&memory[4096..4100], b"\x7fELF");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A registered file works with every request that takes a file, with `fixed` where a constructor would take a
//! descriptor of its own; nothing about it is `unsafe`, since it cannot be closed under a request. A registered buffer
//! works with [`ReadFixed`](crate::op::rw::ReadFixed), [`WriteFixed`](crate::op::rw::WriteFixed) and their like only.
//!
//! # A table that changes
//!
//! A table has as many places as it was registered with. [`update_files`](crate::ring::Registrar::update_files) fills
//! and clears them, and [`Openat::direct`](crate::op::file::Openat::direct) opens a file into one;
//! [`register_files_sparse`](crate::ring::Registrar::register_files_sparse), since 5.19, leaves all of them empty.
//!
//! ```
//! use uring::{Fixed, Ring, op::rw::Read};
//! use std::os::fd::AsFd;
//!
//! let (zero, program) = (std::fs::File::open("/dev/zero")?, std::fs::File::open("/proc/self/exe")?);
//! let mut magic = [0; 4];
//! let mut ring: Ring = Ring::new(8)?;
//! ring.registrar().register_files(&[zero.as_fd().into()])?;
//! assert_eq!(ring.registrar().update_files(0, &[program.as_fd().into()])?, 1);
//! // SAFETY: `magic` outlives the wait, and nobody looks at it before.
//! ring.push(unsafe { Read::new(Fixed(0), magic.as_mut_ptr(), magic.len(), 0) })?;
//! assert_eq!(ring.wait(1)?.count(), 1);
//! assert_eq!(&magic, b"\x7fELF");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What goes wrong
//!
//! - **`EBADF`** from a request: there is nothing at that place of the table, or no table.
//! - **`EFAULT`** from a request: the range does not lie within the buffer of that index, or there is none.
//! - **`ENOMEM`** from the registration: pinned memory counts against `RLIMIT_MEMLOCK` for who may not lock memory
//!   (`CAP_IPC_LOCK`). By default that is 8 MiB, before 5.16 64 KiB. The error says so.
//! - **`EBUSY`** from the registration: there is a table. It is replaced by unregistering it, or updated.
//! - **A file that stays open.** The table holds it: a pipe has no end of file, a file system cannot be unmounted,
//!   until the place is cleared and requests on it have ended. `/proc/PID/fdinfo/FD` of the ring lists what is
//!   registered.
//! - **No faster.** Buffers gain little for reads from the page cache, where data is copied anyway; measure with direct
//!   I/O.
