//! Space and contents of files.

use crate::codes::Op;
use crate::entry::Sqe;

op! {
    /// Allocates or frees space of a file; see `fallocate(2)`; since 5.6. The result is 0.
    Fallocate
}

impl_on_file!(
    Fallocate,
    /// Does what `mode` says, `libc::FALLOC_FL_*`, with `len` bytes at `offset` of `fd`; the mode 0 allocates them.
    (mode: i32, offset: u64, len: u64) => Sqe {
        off: offset,
        addr: len,
        len: mode.cast_unsigned(),
        ..Sqe::new(Op::FALLOCATE)
    }
);

op! {
    /// Says how a part of a file will be used; see `posix_fadvise(2)`; since 5.6. The result is 0.
    Fadvise
}

impl_on_file!(
    Fadvise,
    /// Gives `advice`, `libc::POSIX_FADV_*`, on `len` bytes at `offset` of `fd`; the length 0 is up to the end. More than
    /// 32 bits of it take Linux 6.11, and are `EINVAL` before.
    (offset: u64, len: u64, advice: i32) => {
        // The short field is what older kernels know, and the newer ones look there if the long one is zero.
        let (short, long) = u32::try_from(len).map_or((0, len), |short| (short, 0));
        Sqe { off: offset, addr: long, len: short, op_flags: advice.cast_unsigned(), ..Sqe::new(Op::FADVISE) }
    }
);

op! {
    /// Sets the length of a file; see `ftruncate(2)`. Since 6.9. The result is 0.
    Ftruncate
}

impl_on_file!(
    Ftruncate,
    /// Cuts `fd` to `len` bytes, or extends it with zeroes.
    (len: u64) => Sqe { off: len, ..Sqe::new(Op::FTRUNCATE) }
);

#[cfg(test)]
mod tests {
    use uring_sys::{IORING_OP_FADVISE, IORING_OP_FALLOCATE, IORING_OP_FTRUNCATE, IOSQE_FIXED_FILE};

    use super::*;
    use crate::entry::Fixed;
    use crate::op::expected::{entry, flagged, same};

    #[test]
    fn requests_on_space_are_what_liburing_makes_of_them() {
        let fd = std::io::stdin;
        // SAFETY: nothing is pushed.
        let allocate = unsafe { Fallocate::new(fd(), libc::FALLOC_FL_KEEP_SIZE, 7, 1 << 33) };
        same(allocate, &entry(IORING_OP_FALLOCATE, 0, 1 << 33, 1, 7));
        let mut expected = entry(IORING_OP_FTRUNCATE, 3, 0, 0, 1 << 33);
        expected.flags = IOSQE_FIXED_FILE as u8;
        same(Ftruncate::fixed(Fixed(3), 1 << 33), &expected);
    }

    #[test]
    fn advice_on_many_bytes_takes_the_long_field() {
        // SAFETY: nothing is pushed.
        let advise = |len| unsafe { Fadvise::new(std::io::stdin(), 7, len, libc::POSIX_FADV_WILLNEED) };
        let expected = |addr, len| flagged(IORING_OP_FADVISE, 0, addr, len, 7, libc::POSIX_FADV_WILLNEED);
        same(advise(u64::from(u32::MAX)), &expected(0, u32::MAX));
        same(advise(1 << 32), &expected(1 << 32, 0));
    }
}
