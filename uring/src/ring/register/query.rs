//! What the kernel has.

use std::io;
use std::os::fd::RawFd;
use std::ptr;

use uring_sys::{
    IO_URING_QUERY_OPCODES, IO_URING_QUERY_SCQ, IO_URING_QUERY_ZCRX, IO_URING_QUERY_ZCRX_EVENT,
    IORING_REGISTER_IOWQ_MAX_WORKERS, IORING_REGISTER_MEM_REGION, IORING_REGISTER_PROBE,
    IORING_REGISTER_QUERY, io_uring_probe_op, io_uring_query_hdr, io_uring_query_opcode, io_uring_query_scq,
    io_uring_query_zcrx, io_uring_query_zcrx_event, io_uring_register,
};

use super::length;
use crate::entry::result;
use crate::probe::{OPS_OF_A_PROBE, OpTable};
use crate::ring::core::Core;

impl Core {
    /// Asks which opcodes this ring has (`IORING_REGISTER_PROBE`, since 5.6).
    pub(crate) fn probe_ops(&self) -> io::Result<OpTable> {
        /// `struct io_uring_probe` with as many operations as an opcode can number.
        #[repr(C)]
        struct Answer {
            last_op: u8,
            ops_len: u8,
            resv: u16,
            resv2: [u32; 3],
            ops: [io_uring_probe_op; OPS_OF_A_PROBE],
        }
        // The kernel wants zeroes.
        let mut answer = Answer {
            last_op: 0,
            ops_len: 0,
            resv: 0,
            resv2: [0; 3],
            ops: [io_uring_probe_op::default(); OPS_OF_A_PROBE],
        };
        let nr = length(OPS_OF_A_PROBE);
        // SAFETY: `answer` has room for `nr` operations behind its header and outlives the call.
        unsafe { self.register(IORING_REGISTER_PROBE, (&raw mut answer).cast(), nr)? };
        let told = usize::from(answer.ops_len).min(OPS_OF_A_PROBE);
        Ok(OpTable::from_probe(&answer.ops[..told]))
    }

    /// Whether the kernel knows memory regions, by a call that names none and that it refuses either way.
    pub(crate) fn knows_regions(&self) -> bool {
        self.looks_at_argument(IORING_REGISTER_MEM_REGION, 1)
    }

    /// Whether the kernel has `IORING_REGISTER_IOWQ_MAX_WORKERS`, which some kernels have that are older by number.
    pub(crate) fn knows_limits_of_workers(&self) -> bool {
        self.looks_at_argument(IORING_REGISTER_IOWQ_MAX_WORKERS, 2)
    }

    /// Whether an operation is known, by a trial that changes nothing.
    fn looks_at_argument(&self, op: u32, nr: u32) -> bool {
        // SAFETY: nothing is at the address, which is in the first page; the kernel says so where it looks.
        let answer = unsafe { self.register(op, ptr::without_provenance_mut(1), nr) };
        answer.is_err_and(|error| error.raw_os_error() == Some(libc::EFAULT))
    }
}

/// Asks the kernel, not a ring, what it has (`IORING_REGISTER_QUERY`, since 6.18).
pub(crate) fn query() -> io::Result<io_uring_query_opcode> {
    ask(IO_URING_QUERY_OPCODES)
}

/// What receiving without copies needs of memory, and can do.
pub(crate) fn query_zcrx() -> io::Result<io_uring_query_zcrx> {
    ask(IO_URING_QUERY_ZCRX)
}

pub(crate) fn query_zcrx_event() -> io::Result<io_uring_query_zcrx_event> {
    ask(IO_URING_QUERY_ZCRX_EVENT)
}

/// How much memory rings need beside their entries.
pub(crate) fn query_scq() -> io::Result<io_uring_query_scq> {
    ask(IO_URING_QUERY_SCQ)
}

/// Plain structures of integers that answer a query.
trait Answer: Default {}

impl Answer for io_uring_query_opcode {}
impl Answer for io_uring_query_zcrx {}
impl Answer for io_uring_query_zcrx_event {}
impl Answer for io_uring_query_scq {}

fn ask<T: Answer>(what: u32) -> io::Result<T> {
    const NO_RING: RawFd = -1;
    let mut answer = T::default();
    let mut query = io_uring_query_hdr {
        query_data: (&raw mut answer).expose_provenance() as u64,
        query_op: what,
        size: length(size_of_val(&answer)),
        ..Default::default()
    };
    // SAFETY: the header and the answer that it names outlive the call; their size is given, the kernel
    // writes no more than that.
    result(unsafe { io_uring_register(NO_RING, IORING_REGISTER_QUERY, (&raw mut query).cast(), 0) })?;
    result(query.result)?;
    Ok(answer)
}
