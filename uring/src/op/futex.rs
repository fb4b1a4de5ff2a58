//! Words of memory to sleep on; see [`futex(2)`](https://man7.org/linux/man-pages/man2/futex.2.html). Since 6.7.

use std::sync::atomic::AtomicU32;

use uring_sys::futex_waitv;

use crate::bits::bits;
use crate::codes::Op;
use crate::entry::Sqe;
use crate::op::address;

bits! {
    /// What a futex is, `FUTEX2_*`.
    FutexFlags(u32), prefix "FUTEX2_";
    /// It has 32 bits, the one size that the kernel takes; since 6.7.
    SIZE_U32 = FUTEX2_SIZE_U32,
    /// A word behind it names the NUMA node where the kernel keeps who sleeps on it; since 6.16.
    NUMA = FUTEX2_NUMA,
    /// The memory's policy says the node, beside `NUMA`; since 6.16.
    MPOL = FUTEX2_MPOL,
    /// Only this process uses it, which is faster; since 6.7.
    PRIVATE = FUTEX2_PRIVATE,
}

/// Every sleeper and every waker (`FUTEX_BITSET_MATCH_ANY`).
const MATCH_ANY: u64 = u32::MAX as u64;

/// An entry on one futex.
#[inline]
fn on(op: Op, futex: *const AtomicU32, val: u32, flags: FutexFlags) -> Sqe {
    Sqe {
        fd: flags.bits().cast_signed(),
        addr: address(futex),
        off: val.into(),
        addr3: MATCH_ANY,
        ..Sqe::new(op)
    }
}

op! {
    /// Sleeps until a futex is woken; since 6.7. The result is 0; `EAGAIN` if it had another value.
    FutexWait
}

impl FutexWait {
    /// Sleeps on `futex` if its value is `val`.
    ///
    /// # Safety
    ///
    /// The [contract](crate::op#contract): `futex` is valid for atomic reads; with [`FutexFlags::NUMA`], so is the word
    /// behind it, also for writes.
    #[inline]
    pub unsafe fn new(futex: *const AtomicU32, val: u32, flags: FutexFlags) -> Self {
        Self(on(Op::FUTEX_WAIT, futex, val, flags))
    }

    /// Is woken by those only whose mask has a bit of this one, of 32; all of them by default. 0 is `EINVAL`.
    #[inline]
    pub fn mask(mut self, mask: u64) -> Self {
        self.0.addr3 = mask;
        self
    }
}

op! {
    /// Wakes those who sleep on a futex; since 6.7. The result is how many.
    FutexWake
}

impl FutexWake {
    /// Wakes `nr` at most of those who sleep on `futex`, whether by a request or by a system call.
    ///
    /// # Safety
    ///
    /// As [`FutexWait::new`]; and whoever sleeps there takes a wake-up for no more than it is.
    #[inline]
    pub unsafe fn new(futex: *const AtomicU32, nr: u32, flags: FutexFlags) -> Self {
        Self(on(Op::FUTEX_WAKE, futex, nr, flags))
    }

    /// Wakes those only whose mask has a bit of this one, of 32; all of them by default. 0 is `EINVAL`.
    #[inline]
    pub fn mask(mut self, mask: u64) -> Self {
        self.0.addr3 = mask;
        self
    }
}

/// One futex of a [`FutexWaitv`], `struct futex_waitv`.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub struct FutexWaiter(futex_waitv);

impl FutexWaiter {
    /// Names `futex`, whose value is to be `val`.
    #[must_use]
    #[inline]
    pub fn new(futex: *const AtomicU32, val: u32, flags: FutexFlags) -> Self {
        let (uaddr, val) = (address(futex), val.into());
        Self(futex_waitv { val, uaddr, flags: flags.bits(), __reserved: 0 })
    }
}

op! {
    /// Sleeps until one of several futexes is woken; see `futex_waitv(2)`; since 6.7. The result is the index of one
    /// that was; `EAGAIN` if one had another value.
    FutexWaitv
}

impl FutexWaitv {
    /// Sleeps on the `nr` futexes that are named at `waiters`, 128 at most.
    ///
    /// # Safety
    ///
    /// The [contract](crate::op#contract): `waiters` is valid for reads of `nr` of them, and what each of them names is
    /// as for [`FutexWait::new`].
    #[inline]
    pub unsafe fn new(waiters: *const FutexWaiter, nr: u32) -> Self {
        // The kernel wants no descriptor, not even -1.
        Self(Sqe { fd: 0, addr: address(waiters), len: nr, ..Sqe::new(Op::FUTEX_WAITV) })
    }
}

#[cfg(test)]
mod tests {
    use std::ptr;

    use uring_sys::{IORING_OP_FUTEX_WAIT, IORING_OP_FUTEX_WAITV, IORING_OP_FUTEX_WAKE};

    use super::*;
    use crate::op::expected::{entry, same};

    #[test]
    fn requests_on_futexes_are_what_liburing_makes_of_them() {
        let futex = ptr::without_provenance(0x1000);
        let flags = FutexFlags::SIZE_U32 | FutexFlags::PRIVATE;
        let mut expected = entry(IORING_OP_FUTEX_WAIT, 2 | 128, 0x1000, 0, 7);
        expected.__bindgen_anon_6.__bindgen_anon_1.addr3 = 0xffff_ffff;
        // SAFETY: nothing is pushed.
        same(unsafe { FutexWait::new(futex, 7, flags) }, &expected);
        let mut expected = entry(IORING_OP_FUTEX_WAKE, 2, 0x1000, 0, 1);
        expected.__bindgen_anon_6.__bindgen_anon_1.addr3 = 4;
        // SAFETY: as above.
        same(unsafe { FutexWake::new(futex, 1, FutexFlags::SIZE_U32) }.mask(4), &expected);
        // SAFETY: as above.
        let waitv = unsafe { FutexWaitv::new(ptr::without_provenance(0x2000), 3) };
        same(waitv, &entry(IORING_OP_FUTEX_WAITV, 0, 0x2000, 3, 0));
    }

    #[test]
    fn a_waiter_names_its_futex() {
        let raw = FutexWaiter::new(ptr::without_provenance(0x1000), 7, FutexFlags::SIZE_U32).0;
        assert_eq!((raw.val, raw.uaddr, raw.flags, raw.__reserved), (7, 0x1000, 2, 0));
    }
}
