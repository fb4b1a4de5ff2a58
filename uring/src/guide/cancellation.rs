//! To end what is in flight.
//!
//! A request that waits for somebody else, on a pipe, a socket, a timer or a futex, can be cancelled:
//! [`AsyncCancel`](crate::op::cancel::AsyncCancel) is a request itself, which names another one by its user data, its
//! file or its operation. Both complete.
//!
//! ```
//! use uring::{Ring, op};
//!
//! let (silent, _writer) = std::io::pipe()?;
//! let mut byte = [0];
//! let mut ring: Ring = Ring::new(8)?;
//! // SAFETY: `silent` and `byte` outlive the completion, and nobody looks at `byte` before.
//! let read = unsafe { op::rw::Read::new(&silent, byte.as_mut_ptr(), 1, u64::MAX) };
//! ring.push(read.user_data(1))?;
//! ring.submit()?;
//!
//! ring.push(op::cancel::AsyncCancel::new(1).user_data(2))?;
//! for completion in ring.wait(2)? {
//!     match completion.user_data() {
//!         1 => assert_eq!(completion.result().unwrap_err().raw_os_error(), Some(libc::ECANCELED)),
//!         _ => assert_eq!(completion.result()?, 0),
//!     }
//! }
//! // Now, and not before, `byte` is ours again.
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What cannot be cancelled
//!
//! What is done already, and a transfer that the disk has begun. The cancellation then says `ENOENT`, as if there were
//! no such request, and the request completes as usual. So a cancellation is never the end: *the completion is*.
//!
//! ```
//! use uring::{Ring, op};
//!
//! let program = std::fs::File::open("/proc/self/exe")?;
//! let mut block = vec![0; 4096];
//! let mut ring: Ring = Ring::new(8)?;
//! // SAFETY: `program` and `block` outlive the completion, and nobody looks at `block` before.
//! let read = unsafe { op::rw::Read::new(&program, block.as_mut_ptr(), block.len(), 0) };
//! ring.push(read.user_data(1))?;
//! ring.push(op::cancel::AsyncCancel::new(1).user_data(2))?;
//! let mut was_read = false;
//! for completion in ring.wait(2)? {
//!     match (completion.user_data(), completion.raw_result()) {
//!         (1, read) => was_read = read == 4096,
//!         (_, cancelled) => assert!([0, -libc::ENOENT, -libc::EALREADY].contains(&cancelled)),
//!     }
//! }
//! assert!(was_read, "which is what happens");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # The end of a ring
//!
//! A drop cancels everything and waits for all completions, so nothing has to be cancelled before. It takes as long as
//! the slowest request that cannot be cancelled. [`close`](crate::Ring::close) does the same and tells if it fails.
//!
//! # What goes wrong
//!
//! - **The buffer is freed with the cancellation's completion.** That of the request may come later: the kernel writes
//!   into memory that is somebody else's by then.
//! - **The wrong request.** User data that is used twice names either of them. A cancellation that comes late names
//!   whatever was given the same name since; do not reuse names while one is under way.
//! - **`EALREADY`.** A worker thread is at it. It may be interrupted and end with `EINTR` or `ECANCELED`, or be done.
//! - **Timeouts and polls** have requests of their own that say more clearly what was found:
//!   [`TimeoutRemove`](crate::op::timeout::TimeoutRemove), [`PollRemove`](crate::op::poll::PollRemove).
