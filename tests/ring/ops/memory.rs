//! Memory of the process.

use tests::files::AlignedBuf;
use uring::op::memory::Madvise;

use super::common::{kernel_is_at_least, ring, run};

#[test]
fn discarded_pages_are_zero() {
    let mut memory = AlignedBuf::filled(8192, 0);
    let mut ring = ring();
    let advice = unsafe { Madvise::new(memory.as_mut_ptr(), 4096, libc::MADV_DONTNEED) };
    assert_eq!(run(&mut ring, advice), Ok(0));
    assert_eq!(memory[..4096], [0; 4096]);
    tests::files::check(&memory[4096..], 4096);
}

#[test]
fn advice_is_refused_where_madvise_refuses_it() {
    let mut memory = AlignedBuf::new(8192);
    let start = memory.as_mut_ptr();
    let mut ring = ring();
    let unaligned = unsafe { Madvise::new(start.wrapping_add(1), 4096, libc::MADV_NORMAL) };
    assert_eq!(run(&mut ring, unaligned), Err(libc::EINVAL));
    assert_eq!(run(&mut ring, unsafe { Madvise::new(start, 4096, 4711) }), Err(libc::EINVAL));
    // Not all of it is mapped, which it takes to have read all of the length.
    let long = unsafe { Madvise::new(start, 1 << 45, libc::MADV_NORMAL) };
    let expected = if kernel_is_at_least(6, 11) { libc::ENOMEM } else { libc::EINVAL };
    assert_eq!(run(&mut ring, long), Err(expected));
}
