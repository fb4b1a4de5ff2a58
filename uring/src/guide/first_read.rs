//! A request, from its making to its result.
//!
//! A ring is two queues in memory that the process shares with the kernel: requests go into the one, completions come
//! out of the other. A request is made by a type in [`op`](crate::op), **pushed** to the ring, handed over by a
//! **submit** or by a **wait**, which submits as well, and answered by one completion, with the name that the request
//! was given.
//!
//! ```
//! use uring::{Ring, op::rw::Read};
//!
//! let program = std::fs::File::open("/proc/self/exe")?;
//! let mut magic = [0; 4];
//! let mut ring: Ring = Ring::new(8)?;
//!
//! // SAFETY: `program` and `magic` outlive the wait, and nobody looks at `magic` before.
//! let read = unsafe { Read::new(&program, magic.as_mut_ptr(), magic.len(), 0) };
//! ring.push(read.user_data(42))?;
//!
//! for completion in ring.wait(1)? {
//!     assert_eq!(completion.user_data(), 42);
//!     assert_eq!(completion.result()?, 4);
//! }
//! assert_eq!(&magic, b"\x7fELF");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Three kinds of errors
//!
//! [`push`](crate::Ring::push) fails if the queue is full, and gives the request back. [`wait`](crate::Ring::wait) and
//! [`submit`](crate::Ring::submit) fail if the system call does. What becomes of the *request* is in its completion:
//! the two calls succeed however wrong the request is.
//!
//! ```
//! use uring::{Ring, op::rw::Read};
//!
//! let directory = std::fs::File::open("/proc/self")?;
//! let mut buffer = [0; 4];
//! let mut ring: Ring = Ring::new(8)?;
//! // SAFETY: as above.
//! ring.push(unsafe { Read::new(&directory, buffer.as_mut_ptr(), buffer.len(), 0) })?;
//! let completion = ring.wait(1)?.next().expect("one was waited for");
//! assert_eq!(completion.result().unwrap_err().raw_os_error(), Some(libc::EISDIR));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What goes wrong
//!
//! - **Fewer bytes than asked for.** A transfer may be short, at the end of a file and elsewhere, and that is no error:
//!   look at the count, and ask for the rest. A read that is 0 is at the end.
//! - **No ring at all.** Containers and hardened hosts forbid io_uring. [`Ring::new`](crate::Ring::new) then fails with
//!   a text that names what forbids it, mostly as `EPERM` or `ENOSYS`. A program that runs anywhere has another way
//!   ready, such as the crates `aio` or `engine`.
//! - **A wait for ever.** `wait(n)` waits for `n` completions, also where fewer requests are in flight. A program that
//!   hangs in `io_uring_enter` (`cat /proc/PID/stack` as root, `strace -p`) counts wrongly. A
//!   [timeout](crate::ring::Wait::timeout) finds that out.
//! - **A buffer that goes away too early.** Memory is the kernel's until the completion has been *taken*, not until the
//!   function returns. Declare what requests name before the ring: it is then dropped after the ring, and the drop of a
//!   ring waits for what is in flight. Memory that is written after it was freed shows as corruption elsewhere, which
//!   neither the compiler nor Miri sees, since it is the kernel that writes.
//! - **The file's position.** The offset `u64::MAX` stands for it, as in `read(2)`. With several requests in flight,
//!   who reads which part is then anyone's guess: give offsets.
