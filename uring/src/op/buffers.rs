//! Buffers provided one by one, the older way: a request that has
//! [`BUFFER_SELECT`](crate::SqeFlags::BUFFER_SELECT) takes one when it needs it, and it is provided again when the data
//! is no longer needed.
//!
//! A ring of buffers ([`BufRing`](crate::ring::BufRing), since 5.19) does the same without a request for each turn.

use crate::codes::Op;
use crate::entry::Sqe;
use crate::op::address;

op! {
    /// Provides buffers to a group, which is made if it is not there; since 5.7. The result is not negative; `E2BIG` if
    /// a number would be past 65535, `EINVAL` if the group is a ring of buffers.
    ProvideBuffers
}

impl ProvideBuffers {
    /// Provides `nr` buffers of `len` bytes, which lie one after the other from `addr` on, to the group `buf_group`; the
    /// first is number `first`. In which order they are taken is the kernel's business.
    ///
    /// # Safety
    ///
    /// The memory is valid for reads and writes, and nobody else touches it, until the completion of a request tells
    /// that it took the buffer, a [`RemoveBuffers`] has removed it, or the ring has been dropped.
    #[inline]
    pub unsafe fn new(addr: *mut u8, len: u32, nr: u16, buf_group: u16, first: u16) -> Self {
        Self(Sqe {
            fd: nr.into(),
            addr: address(addr),
            len,
            off: first.into(),
            buf_index: buf_group,
            ..Sqe::new(Op::PROVIDE_BUFFERS)
        })
    }
}

op! {
    /// Removes buffers from a group, of the kernel's choice; since 5.7. The result is their count; `ENOENT` if there is
    /// no such group, `EINVAL` if it is a ring of buffers.
    RemoveBuffers
}

impl RemoveBuffers {
    /// Removes up to `nr` buffers from the group `buf_group`.
    #[inline]
    pub fn new(nr: u16, buf_group: u16) -> Self {
        Self(Sqe { fd: nr.into(), buf_index: buf_group, ..Sqe::new(Op::REMOVE_BUFFERS) })
    }
}

#[cfg(test)]
mod tests {
    use std::ptr;

    use uring_sys::{IORING_OP_PROVIDE_BUFFERS, IORING_OP_REMOVE_BUFFERS};

    use super::*;
    use crate::op::expected::{entry, same};

    #[test]
    fn buffers_are_provided_and_removed_as_liburing_does() {
        let mut expected = entry(IORING_OP_PROVIDE_BUFFERS, 8, 0x1000, 512, 3);
        expected.__bindgen_anon_4.buf_group = 5;
        // SAFETY: nothing is pushed.
        same(unsafe { ProvideBuffers::new(ptr::without_provenance_mut(0x1000), 512, 8, 5, 3) }, &expected);
        let mut expected = entry(IORING_OP_REMOVE_BUFFERS, 8, 0, 0, 0);
        expected.__bindgen_anon_4.buf_group = 5;
        same(RemoveBuffers::new(8, 5), &expected);
    }
}
