//! To submit without system calls.
//!
//! With [`Builder::sqpoll`](crate::ring::Builder::sqpoll) a thread of the kernel's watches the submission queue and
//! takes what is pushed. A submit then is a store to shared memory, and a program that looks for completions with
//! [`completions`](crate::Ring::completions) makes no system call at all, while the thread is awake. It sleeps after a
//! time without requests, and the next submit wakes it, which is a system call.
//!
//! It is for programs that are busy all the time and have a core to spare: the thread takes all of one while it is
//! awake, and the request itself gets no faster.
//!
//! ```
//! use std::os::fd::AsFd;
//! use std::time::Duration;
//! use uring::{Fixed, Ring, op::rw::Read};
//!
//! let program = std::fs::File::open("/proc/self/exe")?;
//! let mut magic = [0; 4];
//! let mut ring: Ring = Ring::builder(8).sqpoll(Duration::from_millis(50)).build()?;
//! // Before 5.11 the thread takes registered files only, and later they are still the better choice.
//! ring.registrar().register_files(&[program.as_fd().into()])?;
//! // SAFETY: `magic` outlives the completion, and nobody looks at it before.
//! ring.push(unsafe { Read::new(Fixed(0), magic.as_mut_ptr(), magic.len(), 0) })?;
//! ring.submit()?;
//! // A loop has other things to do here.
//! let completion = loop {
//!     if let Some(completion) = ring.completions()?.next() {
//!         break completion;
//!     }
//!     std::hint::spin_loop();
//! };
//! assert_eq!(completion.result()?, 4);
//! assert_eq!(&magic, b"\x7fELF");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # A full queue
//!
//! After a submit the places of the queue are taken until the thread has read them, so a push may find it full at once.
//! [`wait_for_space`](crate::Ring::wait_for_space) sleeps until it has:
//!
//! ```
//! # use std::time::Duration;
//! # use uring::{Error, PushError, Ring, Sqe, op::ring::Nop};
//! # let mut ring: Ring = Ring::builder(4).sqpoll(Duration::from_millis(50)).build()?;
//! let mut taken = 0;
//! for name in 0..100 {
//!     let mut request = Sqe::from(Nop::new().user_data(name));
//!     while let Err(PushError { entry, .. }) = ring.push(request) {
//!         request = entry;
//!         ring.submit()?;
//!         ring.wait_for_space()?;
//!         taken += ring.completions()?.count();
//!     }
//! }
//! while taken < 100 {
//!     taken += ring.wait(1)?.count();
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What goes wrong
//!
//! - **A core at 100 %**, of a thread `iou-sqp-PID` in `top -H`: the idle time is too long for how seldom requests
//!   come.
//! - **More system calls than without.** The idle time is too short and each submit wakes the thread.
//!   [`stats`](crate::Ring::stats) counts the calls.
//! - **Slower than without.** The thread and the program share a core, or the memory goes from one to the other across
//!   sockets. [`sqpoll_cpu`](crate::ring::Builder::sqpoll_cpu) binds the thread; several rings share one with
//!   [`attach_wq`](crate::ring::Builder::attach_wq).
//! - **`EPERM`** from `build`: before 5.13 the thread takes `CAP_SYS_NICE`, before 5.11 `CAP_SYS_ADMIN`.
//! - **`EBADF`** from a request on a descriptor: a kernel before 5.11, see above.
//! - **`EOWNERDEAD`**: the thread is gone, and with it the ring. Make a new one.
//! - **No way to tell what was submitted.** `submit` returns how many requests the thread was shown; only completions
//!   tell what it has done.
