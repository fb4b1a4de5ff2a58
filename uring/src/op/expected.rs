//! What entries look like in C: for tests that compare them with what liburing sets.

use uring_sys::io_uring_sqe;

use crate::entry::{Sqe, Sqe128};

/// An entry with the fields that nearly all have.
pub(super) fn entry(opcode: u32, fd: i32, addr: u64, len: u32, off: u64) -> io_uring_sqe {
    let mut sqe = io_uring_sqe { opcode: u8::try_from(opcode).unwrap(), fd, len, ..Default::default() };
    sqe.__bindgen_anon_1.off = off;
    sqe.__bindgen_anon_2.addr = addr;
    sqe
}

/// The same with the word that holds the flags of the operation.
pub(super) fn flagged(
    opcode: u32,
    fd: i32,
    addr: u64,
    len: u32,
    off: u64,
    flags: impl Into<i64>,
) -> io_uring_sqe {
    let mut sqe = entry(opcode, fd, addr, len, off);
    sqe.__bindgen_anon_3.fsync_flags = flags.into() as u32;
    sqe
}

/// Compares a request with an entry, byte by byte.
#[track_caller]
pub(super) fn same(request: impl Into<Sqe>, expected: &io_uring_sqe) {
    assert_eq!(words(request.into().as_raw()), words(expected));
}

/// Compares a request of 128 bytes with the two halves of an entry.
#[track_caller]
pub(super) fn same_large(request: impl Into<Sqe128>, expected: &io_uring_sqe, more: [u64; 8]) {
    let request = request.into();
    assert_eq!(words(request.sqe().as_raw()), words(expected));
    assert_eq!(request.more, more);
}

fn words(sqe: &io_uring_sqe) -> [u64; 8] {
    // SAFETY: 64 bytes of the alignment of words, without padding.
    unsafe { *(&raw const *sqe).cast() }
}
