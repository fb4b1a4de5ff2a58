//! liburing, in C.

use std::ffi::{c_int, c_uint};
use std::io;
use std::os::fd::AsRawFd;
use std::ptr::{self, NonNull};

use anyhow::Context;

use super::ring::{Ring, Setup};
use crate::cli::{MicroOp, RingFlags};
use crate::micro::{Draw, Reads};

/// Which liburing this is, as its package says.
pub(super) const VERSION: &str = env!("LIBURING_VERSION");

/// `struct bench_ring` of liburing.c.
#[derive(Debug)]
#[repr(C)]
struct BenchRing {
    _opaque: [u8; 0],
}

unsafe extern "C" {
    fn bench_liburing_new(batch: c_uint, best: c_int, fd: c_int, made: *mut *mut BenchRing) -> c_int;
    fn bench_liburing_nops(ring: *mut BenchRing, batches: u64) -> c_int;
    fn bench_liburing_reads(ring: *mut BenchRing, batches: u64, draw: *mut Draw) -> c_int;
    fn bench_liburing_drop(ring: *mut BenchRing);
}

/// # Invariants
///
/// The pointer came from `bench_liburing_new` and goes to `bench_liburing_drop` in `drop` only.
#[derive(Debug)]
pub(super) struct Liburing(NonNull<BenchRing>);

impl<'a> Ring<'a> for Liburing {
    fn new(setup: &Setup<'a>) -> anyhow::Result<Self> {
        let best = c_int::from(setup.flags == RingFlags::Best);
        let fd = if setup.op == MicroOp::Read { setup.file.as_raw_fd() } else { -1 };
        let mut made = ptr::null_mut();
        // SAFETY: `made` is a place for a pointer and outlives the call; the rest are numbers, and the file
        // stays open for `'a`, longer than the ring.
        check(unsafe { bench_liburing_new(setup.batch as c_uint, best, fd, &raw mut made) })
            .context("io_uring_queue_init_params, or a registration")?;
        Ok(Self(NonNull::new(made).context("no ring was made")?))
    }

    fn nops(&mut self, batches: u64) -> anyhow::Result<()> {
        // SAFETY: the ring is one that lives (type invariant), and `&mut self` keeps others away.
        check(unsafe { bench_liburing_nops(self.0.as_ptr(), batches) }).context("NOPs")
    }

    unsafe fn reads(&mut self, reads: &mut Reads, batches: u64) -> anyhow::Result<()> {
        let mut draw = reads.draw();
        // SAFETY: as above. `draw` has as many blocks as the ring has entries; all of its reads are done when
        // the call returns 0, and otherwise the blocks are kept (contract of this function).
        check(unsafe { bench_liburing_reads(self.0.as_ptr(), batches, &raw mut draw) }).context("reads")?;
        reads.resume(draw);
        Ok(())
    }
}

impl Drop for Liburing {
    fn drop(&mut self) {
        // SAFETY: the ring is one that lives, and this is its end (type invariant).
        unsafe { bench_liburing_drop(self.0.as_ptr()) };
    }
}

/// Turns a negative errno into an error.
fn check(result: c_int) -> io::Result<()> {
    if result < 0 { Err(io::Error::from_raw_os_error(-result)) } else { Ok(()) }
}
