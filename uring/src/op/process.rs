//! Processes.

use crate::codes::Op;
use crate::entry::Sqe;
use crate::op::address;

op! {
    /// Waits for a child to change its state; see `waitid(2)`. Since 6.7. The result is 0; `ECHILD` if there is no such
    /// child.
    ///
    /// It waits for children of the process that submits it, and reaps them, as the system call does: unless
    /// `libc::WNOWAIT` says otherwise, nobody else can wait for that child afterwards.
    Waitid
}

impl Waitid {
    /// Waits for the children that `idtype`, `libc::P_*`, and `id` name, until one of them is as `options` say,
    /// `libc::WEXITED` and its like.
    #[inline]
    pub fn new(idtype: libc::idtype_t, id: libc::id_t, options: i32) -> Self {
        let (fd, file_index) = (id.cast_signed(), options.cast_unsigned());
        Self(Sqe { fd, len: idtype, file_index, ..Sqe::new(Op::WAITID) })
    }

    /// Has written who it was, and what became of it.
    ///
    /// # Safety
    ///
    /// The [contract](crate::op#contract): `info` is valid for writes.
    #[inline]
    pub unsafe fn info(mut self, info: *mut libc::siginfo_t) -> Self {
        self.0.off = address(info);
        self
    }
}

#[cfg(test)]
mod tests {
    use std::ptr;

    use uring_sys::IORING_OP_WAITID;

    use super::*;
    use crate::op::expected::{entry, same};

    #[test]
    fn waiting_is_what_liburing_makes_of_it() {
        let mut expected = entry(IORING_OP_WAITID, 4711, 0, libc::P_PID, 0);
        expected.__bindgen_anon_5.file_index = libc::WEXITED as u32;
        same(Waitid::new(libc::P_PID, 4711, libc::WEXITED), &expected);
        expected.__bindgen_anon_1.addr2 = 0x1000;
        // SAFETY: nothing is pushed.
        let wait = unsafe {
            Waitid::new(libc::P_PID, 4711, libc::WEXITED).info(ptr::without_provenance_mut(0x1000))
        };
        same(wait, &expected);
    }
}
