//! Rings in more than one process.
//!
//! A ring is not for two processes. After a `fork(2)` both have its descriptor, and either could submit into the one
//! queue and take the other's completions. So the child's copy of a ring does nothing: every call fails with
//! [`Error::Forked`](crate::Error::Forked) or answers with nothing, its drop leaves the parent's requests alone, and
//! the shared memory is not even mapped there (`MADV_DONTFORK`).
//!
//! ```
//! use uring::{Error, Ring, op};
//!
//! let program = std::fs::File::open("/proc/self/exe")?;
//! let mut magic = [0; 4];
//! let mut ring: Ring = Ring::new(8)?;
//!
//! // SAFETY: the child does nothing but try the ring, and ends.
//! let child = unsafe { libc::fork() };
//! if child == 0 {
//!     let refused = ring.push(op::ring::Nop::new()).map_err(|refused| refused.error);
//!     let status = if let Err(Error::Forked) = refused { 0 } else { 1 };
//!     // SAFETY: nothing of the parent's is run on the way out.
//!     unsafe { libc::_exit(status) };
//! }
//! let mut status = -1;
//! // SAFETY: `child` is this process's, and `status` is valid.
//! assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
//! assert_eq!(status, 0, "the child was refused");
//!
//! // The parent's ring is as it was.
//! // SAFETY: `program` and `magic` outlive the wait, and nobody looks at `magic` before.
//! ring.push(unsafe { op::rw::Read::new(&program, magic.as_mut_ptr(), magic.len(), 0) })?;
//! assert_eq!(ring.wait(1)?.count(), 1);
//! assert_eq!(&magic, b"\x7fELF");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A program that serves by forking makes its rings in the children. Starting another program is no concern
//! ([`std::process::Command`]): descriptors of rings are closed by an `exec`.
//!
//! ```
//! use uring::{Ring, op};
//!
//! let mut ring: Ring = Ring::new(8)?;
//! ring.push(op::ring::Nop::new())?;
//! ring.submit()?;
//! assert!(std::process::Command::new("true").status()?.success());
//! assert_eq!(ring.wait(1)?.count(), 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What goes wrong
//!
//! - **[`Error::Forked`](crate::Error::Forked)** where nobody forks knowingly: a daemon that puts itself into the
//!   background *after* it has made its rings, a test harness, a language runtime. Make rings late.
//! - **A ring that lives on.** A child that does not `exec` keeps the descriptor open, so that the parent's close or
//!   death does not end the ring: files that are registered stay open as long as the child lives. `/proc/PID/fd` shows
//!   it as `anon_inode:[io_uring]`.
//! - **Memory with direct I/O in flight.** A `fork` makes private memory copy-on-write, and a page that the kernel is
//!   reading into may end up as the child's alone. Do not fork meanwhile, or exclude the memory (`MADV_DONTFORK`); see
//!   `open(2)` on `O_DIRECT`.
//! - **Memory that is shared on purpose** (`MAP_SHARED`) is the kernel's in the child, too, until the parent has taken
//!   the completion.
