//! The threads that do what would block.

use std::io;
use std::ptr;

use uring_sys::{
    IO_WQ_BOUND, IO_WQ_UNBOUND, IORING_REGISTER_IOWQ_AFF, IORING_REGISTER_IOWQ_MAX_WORKERS,
    IORING_UNREGISTER_IOWQ_AFF,
};

use super::{Registrar, length, refused};
use crate::error::{Error, Result};

/// Limits on the worker threads of a thread that submits; see [`Registrar::set_max_workers`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MaxWorkers {
    /// For what ends in a time that has a bound, as transfers of regular files and disks.
    pub bounded: u32,
    /// For what may take for ever, as reads of pipes and sockets.
    pub unbounded: u32,
}

/// More CPUs than any kernel is built for.
const MAX_CPUS: usize = 1 << 16;

#[cold]
fn workers_refused(error: io::Error) -> Error {
    match error.raw_os_error() {
        Some(libc::EINVAL) => Error::kernel(
            "io_uring_register",
            error,
            "workers: a CPU or a number that cannot be, a thread that has used no ring, or a kernel before 5.14 (CPUs) or \
             5.15 (limits)",
        ),
        _ => refused(error, "workers"),
    }
}

/// The worker threads of the calling thread, which all its rings share; with a
/// [polling thread](crate::ring::Builder::sqpoll), those of that thread.
impl Registrar<'_> {
    /// Binds workers that start from now on to CPUs, by number (`IORING_REGISTER_IOWQ_AFF`, since 5.14). CPUs that there are
    /// not are left out by the kernel.
    ///
    /// # Errors
    ///
    /// `EINVAL` for none, for CPUs that the thread may not run on, and before 5.14.
    pub fn set_worker_cpus(self, cpus: &[usize]) -> Result<()> {
        let Some(&last) = cpus.iter().max() else {
            return Err(Error::invalid("io_uring_register", "workers: no CPU to run on"));
        };
        if last >= MAX_CPUS {
            return Err(Error::invalid("io_uring_register", format!("workers: there is no CPU {last}")));
        }
        // Bit n of the mask is CPU n, in words of the machine, which are little-endian.
        let mut mask = vec![0_u8; last / 8 + 1];
        for cpu in cpus {
            mask[cpu / 8] |= 1 << (cpu % 8);
        }
        // SAFETY: a mask of that many bytes that outlives the call; the kernel only reads it.
        unsafe {
            self.core()?.register(IORING_REGISTER_IOWQ_AFF, mask.as_mut_ptr().cast(), length(mask.len()))
        }
        .map(drop)
        .map_err(workers_refused)
    }

    /// Has workers that start from now on run wherever the thread may (`IORING_UNREGISTER_IOWQ_AFF`, since 5.14).
    ///
    /// # Errors
    ///
    /// `EINVAL` before 5.14.
    pub fn clear_worker_cpus(self) -> Result<()> {
        // SAFETY: the opcode takes no argument.
        unsafe { self.core()?.register(IORING_UNREGISTER_IOWQ_AFF, ptr::null_mut(), 0) }
            .map(drop)
            .map_err(workers_refused)
    }

    /// Limits the number of workers, leaves a limit that is 0 as it is, and returns those that there were
    /// (`IORING_REGISTER_IOWQ_MAX_WORKERS`, since 5.15). Beyond `RLIMIT_NPROC` they are cut to it.
    ///
    /// # Errors
    ///
    /// `EINVAL` beyond 2<sup>31</sup> - 1, and before 5.15.
    pub fn set_max_workers(self, limits: MaxWorkers) -> Result<MaxWorkers> {
        const BOUND: usize = IO_WQ_BOUND as usize;
        const UNBOUND: usize = IO_WQ_UNBOUND as usize;
        let mut counts = [0_u32; 2];
        counts[BOUND] = limits.bounded;
        counts[UNBOUND] = limits.unbounded;
        // SAFETY: two counts, which outlive the call; the kernel reads them and writes others.
        unsafe { self.core()?.register(IORING_REGISTER_IOWQ_MAX_WORKERS, counts.as_mut_ptr().cast(), 2) }
            .map_err(workers_refused)?;
        Ok(MaxWorkers { bounded: counts[BOUND], unbounded: counts[UNBOUND] })
    }

    /// The limits on the number of workers.
    ///
    /// # Errors
    ///
    /// `EINVAL` before 5.15.
    pub fn max_workers(self) -> Result<MaxWorkers> {
        self.set_max_workers(MaxWorkers::default())
    }
}
