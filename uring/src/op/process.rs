//! Processes.

use std::os::fd::{AsFd, AsRawFd};

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
    /// Waits for any child until it is as `options` say, `libc::WEXITED` and its like.
    #[inline]
    pub fn any(options: i32) -> Self {
        Self::of(libc::P_ALL, 0, options)
    }

    /// As [`any`](Self::any), for the child with this number.
    #[inline]
    pub fn pid(pid: u32, options: i32) -> Self {
        Self::of(libc::P_PID, pid.cast_signed(), options)
    }

    /// As [`any`](Self::any), for the children of a process group; 0 is that of the process.
    #[inline]
    pub fn group(pgid: u32, options: i32) -> Self {
        Self::of(libc::P_PGID, pgid.cast_signed(), options)
    }

    /// As [`any`](Self::any), for the child that `pidfd_open(2)` has given a descriptor for.
    ///
    /// # Safety
    ///
    /// The [contract](crate::op#contract): `pidfd` stays open.
    #[inline]
    pub unsafe fn pidfd(pidfd: impl AsFd, options: i32) -> Self {
        Self::of(libc::P_PIDFD, pidfd.as_fd().as_raw_fd(), options)
    }

    fn of(idtype: libc::idtype_t, id: i32, options: i32) -> Self {
        Self(Sqe { fd: id, len: idtype, file_index: options.cast_unsigned(), ..Sqe::new(Op::WAITID) })
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
        let expected = |idtype, id| {
            let mut expected = entry(IORING_OP_WAITID, id, 0, idtype, 0);
            expected.__bindgen_anon_5.file_index = libc::WEXITED as u32;
            expected
        };
        same(Waitid::any(libc::WEXITED), &expected(libc::P_ALL, 0));
        same(Waitid::group(0, libc::WEXITED), &expected(libc::P_PGID, 0));
        // SAFETY: nothing is pushed.
        same(unsafe { Waitid::pidfd(std::io::stderr(), libc::WEXITED) }, &expected(libc::P_PIDFD, 2));
        let mut expected = expected(libc::P_PID, 4711);
        same(Waitid::pid(4711, libc::WEXITED), &expected);
        expected.__bindgen_anon_1.addr2 = 0x1000;
        // SAFETY: nothing is pushed.
        let wait = unsafe { Waitid::pid(4711, libc::WEXITED).info(ptr::without_provenance_mut(0x1000)) };
        same(wait, &expected);
    }
}
