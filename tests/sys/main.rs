//! The `-sys` crates as a user of direct FFI meets them, and the bindings against the headers that they come
//! from.
#![allow(
    clippy::multiple_unsafe_ops_per_block,
    clippy::undocumented_unsafe_blocks,
    reason = "raw FFI is the subject here: each test is one safety argument, which its first comment makes"
)]

mod aio;
mod coverage;
mod uring;

/// Runs `call` with a known errno in this thread and returns its answer and the errno after it.
fn with_errno<T>(errno: i32, call: impl FnOnce() -> T) -> (T, i32) {
    unsafe { *libc::__errno_location() = errno };
    let answer = call();
    (answer, unsafe { *libc::__errno_location() })
}
