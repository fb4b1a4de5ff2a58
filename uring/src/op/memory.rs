//! Memory of the process.

use crate::codes::Op;
use crate::entry::Sqe;
use crate::op::address;

op! {
    /// Says how memory will be used, or changes what it is; see `madvise(2)`; since 5.6. The result is 0.
    Madvise
}

impl Madvise {
    /// Gives `advice`, `libc::MADV_*`, on `len` bytes at `addr`, the start of a page. More than 32 bits of length take
    /// Linux 6.11, and are `EINVAL` before.
    ///
    /// # Safety
    ///
    /// The memory is mapped, and nobody relies on what the advice changes of it: `MADV_DONTNEED` discards contents, for
    /// example.
    #[inline]
    pub unsafe fn new(addr: *mut u8, len: usize, advice: i32) -> Self {
        // The short field is what older kernels know, and the newer ones look there if the long one is zero.
        let (short, long) = u32::try_from(len).map_or((0, len as u64), |short| (short, 0));
        let op_flags = advice.cast_unsigned();
        Self(Sqe { addr: address(addr), len: short, off: long, op_flags, ..Sqe::new(Op::MADVISE) })
    }
}

#[cfg(test)]
mod tests {
    use std::ptr;

    use uring_sys::IORING_OP_MADVISE;

    use super::*;
    use crate::op::expected::{flagged, same};

    #[test]
    fn advice_on_many_bytes_takes_the_long_field() {
        let addr = ptr::without_provenance_mut(0x1000);
        // SAFETY: nothing is pushed.
        let advise = |len| unsafe { Madvise::new(addr, len, libc::MADV_COLD) };
        let expected = |len, off| flagged(IORING_OP_MADVISE, -1, 0x1000, len, off, libc::MADV_COLD);
        same(advise(4096), &expected(4096, 0));
        same(advise(1 << 32), &expected(0, 1 << 32));
    }
}
