//! Programs that decide which requests a ring takes.

use std::os::fd::RawFd;

use uring_sys::{
    IO_URING_BPF_CMD_FILTER, IO_URING_BPF_FILTER_DENY_REST, IO_URING_BPF_FILTER_SZ_STRICT,
    IORING_REGISTER_BPF_FILTER, io_uring_bpf, io_uring_bpf__bindgen_ty_1, io_uring_bpf_filter,
    io_uring_register,
};

use super::{Registrar, length};
use crate::codes::Op;
use crate::entry::result;
use crate::error::{Error, Result};

/// What belongs to the calling thread, and to no ring.
const TASK: RawFd = -1;

/// A program in classic BPF that the kernel runs on each request of one operation, before the request is done (since
/// 7.0): one that returns 0 has it fail with `EACCES`.
///
/// The program sees `struct io_uring_bpf_ctx`: name, operation and flags of the request, and of some operations, such as
/// `SOCKET`, `OPENAT` and `CONNECT`, what they are about. It can only be added to, as with `seccomp(2)`: every program of
/// an operation has to let a request pass.
///
/// Let `ASYNC_CANCEL` pass, also beside [`deny_rest`](Self::deny_rest), by a program that returns 1 and is registered
/// before it: the drop of a ring cancels by that, and by that or a `NOP` it tells when all requests have ended. Without
/// them the drop waits until the kernel has freed the ring, and if that takes longer than half a minute, says so and
/// leaks.
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct Filter<'a> {
    op: Op,
    program: &'a [libc::sock_filter],
    flags: u32,
    size: u8,
}

impl<'a> Filter<'a> {
    /// Runs `program` on requests of this operation; the kernel checks it when it is registered.
    pub fn new(op: Op, program: &'a [libc::sock_filter]) -> Self {
        Self { op, program, flags: 0, size: 0 }
    }

    /// Refuses all operations that have no program (`IO_URING_BPF_FILTER_DENY_REST`, since 7.0).
    pub fn deny_rest(self) -> Self {
        Self { flags: self.flags | IO_URING_BPF_FILTER_DENY_REST, ..self }
    }

    /// Says how many bytes the program expects to see of what the operation is about.
    pub fn data_size(self, size: u8) -> Self {
        Self { size, ..self }
    }

    /// Has registration fail with `EMSGSIZE` if the kernel shows another [number of bytes](Self::data_size), also one
    /// that is larger (`IO_URING_BPF_FILTER_SZ_STRICT`, since 7.0).
    pub fn strict_size(self) -> Self {
        Self { flags: self.flags | IO_URING_BPF_FILTER_SZ_STRICT, ..self }
    }

    /// What the kernel takes; it names the program.
    fn to_raw(self) -> io_uring_bpf {
        let filter = io_uring_bpf_filter {
            opcode: self.op.code().into(),
            flags: self.flags,
            filter_len: length(self.program.len()),
            pdu_size: self.size,
            filter_ptr: self.program.as_ptr().expose_provenance() as u64,
            ..Default::default()
        };
        io_uring_bpf {
            cmd_type: IO_URING_BPF_CMD_FILTER as u16,
            cmd_flags: 0,
            resv: 0,
            __bindgen_anon_1: io_uring_bpf__bindgen_ty_1 { filter },
        }
    }
}

impl Registrar<'_> {
    /// Adds a program to this ring (`IORING_REGISTER_BPF_FILTER`, since 7.0).
    ///
    /// # Errors
    ///
    /// `EINVAL` before 7.0, for a program that the kernel does not take, and for an operation that it does not have;
    /// `EMSGSIZE` as [`Filter::strict_size`] has it.
    pub fn register_filter(self, filter: Filter<'_>) -> Result<()> {
        // SAFETY: the opcode takes one of these; the program outlives the call, and the kernel copies it.
        unsafe { self.tell(IORING_REGISTER_BPF_FILTER, &mut filter.to_raw(), 1, refused) }.map(drop)
    }
}

/// Adds a program to all rings that this thread, and its children, make from now on (`IORING_REGISTER_BPF_FILTER`
/// without a ring, since 7.0). It stays for the life of the thread.
///
/// # Errors
///
/// As [`Registrar::register_filter`]; `EACCES` for a thread that may gain privileges: it needs `CAP_SYS_ADMIN` or
/// `PR_SET_NO_NEW_PRIVS`.
pub fn register_task_filter(filter: Filter<'_>) -> Result<()> {
    let mut raw = filter.to_raw();
    // SAFETY: one structure that outlives the call, as the program that it names does.
    let answer = unsafe { io_uring_register(TASK, IORING_REGISTER_BPF_FILTER, (&raw mut raw).cast(), 1) };
    result(answer).map(drop).map_err(refused)
}

fn refused(error: std::io::Error) -> Error {
    let hint = match error.raw_os_error() {
        Some(libc::EINVAL) => {
            "a kernel before 7.0 has no programs that filter requests; a newer one does not take this one"
        }
        Some(libc::EMSGSIZE) => "the program expects to see another number of bytes than there are",
        Some(libc::EACCES) => "a thread that filters its rings needs CAP_SYS_ADMIN or PR_SET_NO_NEW_PRIVS",
        _ => "a program that filters requests",
    };
    Error::kernel("io_uring_register", error, hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_what_the_header_says() {
        let program = [libc::sock_filter { code: 6, jt: 0, jf: 0, k: 1 }; 3];
        let raw = Filter::new(Op::SOCKET, &program).deny_rest().data_size(12).strict_size().to_raw();
        assert_eq!((raw.cmd_type, raw.cmd_flags, raw.resv), (1, 0, 0));
        // SAFETY: the one field of the union.
        let filter = unsafe { raw.__bindgen_anon_1.filter };
        assert_eq!((filter.opcode, filter.flags, filter.filter_len, filter.pdu_size), (45, 3, 3, 12));
        assert_eq!(filter.filter_ptr, program.as_ptr().expose_provenance() as u64);
        assert_eq!((filter.resv, filter.resv2), ([0; 3], [0; 5]));
    }
}
