//! The six system calls.
//!
//! Each returns what the kernel returns: a failure is a negated errno, never -1 with `errno` set. glibc has
//! no function for any of them, and the ones of libaio answer in the same way.

use core::ffi::{c_int, c_long, c_uint};

use libc::timespec;

use crate::bindings::{aio_context_t, io_event, iocb};
use crate::ring::__aio_sigset;
use crate::syscall::syscall;

/// The call's number where libc does not have it for every target: the common table, and the older ones of
/// their own.
const IO_PGETEVENTS: c_long = if cfg!(target_arch = "x86_64") {
    333
} else if cfg!(target_arch = "powerpc64") {
    388
} else if cfg!(target_arch = "s390x") {
    382
} else if cfg!(any(target_arch = "aarch64", target_arch = "riscv64", target_arch = "loongarch64")) {
    292
} else {
    panic!("the number of io_pgetevents is not written down for this target")
};

/// Makes a context for at least `nr_events` operations in flight and stores its handle at `ctx_idp`.
///
/// `int io_setup(unsigned int nr_events, aio_context_t *ctx_idp)`, [io_setup(2)]. Since Linux 2.5.
///
/// The handle is the address of the context's completion ring, an [`aio_ring`](crate::aio_ring), in this
/// process.
///
/// # Errors
///
/// The [man page][io_setup(2)] has the list. `-EINVAL`: 0 events, far too many, or a handle that was not 0
/// before; `-EAGAIN`: the system's allowance, `/proc/sys/fs/aio-max-nr`, is used up; `-ENOSYS`: a kernel
/// without AIO, or a seccomp filter.
///
/// # Safety
///
/// `ctx_idp` is valid for reads and writes.
///
/// [io_setup(2)]: https://man7.org/linux/man-pages/man2/io_setup.2.html
#[inline]
pub unsafe fn io_setup(nr_events: c_uint, ctx_idp: *mut aio_context_t) -> c_int {
    let args = [nr_events as usize, ctx_idp.expose_provenance(), 0, 0, 0, 0];
    // SAFETY: The kernel reads and writes one handle at the second argument; the caller vouches for it.
    unsafe { syscall(libc::SYS_io_setup, args) }
}

/// Cancels what can be cancelled, waits for the rest and destroys the context, with the events that nobody
/// took.
///
/// `int io_destroy(aio_context_t ctx_id)`, [io_destroy(2)]. Since Linux 2.5.
///
/// It takes tens of milliseconds even when nothing is in flight, and the handle's value may be given out
/// again at once.
///
/// # Errors
///
/// `-EINVAL`: there is no such context, or somebody else is destroying it.
///
/// # Safety
///
/// - The context belongs to the caller: nobody goes on to use the handle, which may soon be another
///   context's.
/// - Nobody reads or writes the mapped ring any longer: it is gone when the call returns.
///
/// [io_destroy(2)]: https://man7.org/linux/man-pages/man2/io_destroy.2.html
#[inline]
pub unsafe fn io_destroy(ctx_id: aio_context_t) -> c_int {
    // SAFETY: The ring's mapping goes away, which the caller is prepared for.
    unsafe { syscall(libc::SYS_io_destroy, [ctx_id as usize, 0, 0, 0, 0, 0]) }
}

/// Submits the first operations of an array of `nr` and returns how many were accepted.
///
/// `int io_submit(aio_context_t ctx_id, long nr, struct iocb **iocbpp)`, [io_submit(2)]. Since Linux 2.5.
///
/// It stops at the first operation that it refuses. Only if that is the very first one, the answer is its
/// error; else the answer is the number before it, and the error shows when the rest is submitted again. The
/// kernel writes [`aio_key`](iocb::aio_key) into what it accepts, and has read everything else of an `iocb`
/// when the call returns.
///
/// # Errors
///
/// The [man page][io_submit(2)] has the list. `-EAGAIN`: no room for more in flight, take events first;
/// `-EINVAL`: no such context, a negative `nr`, or an operation that makes no sense, with unknown `RWF_*` as
/// `-EOPNOTSUPP`; `-EBADF`, `-EFAULT`: of the first operation.
///
/// # Safety
///
/// - `iocbpp` is valid for reads of `nr` pointers.
/// - Each of them is valid for reads and writes of an [`iocb`], or `-EFAULT` is what the caller wants to see.
///   For [`io_cancel`] it stays where it is until its event has been taken.
/// - The memory that each operation names is valid for what the operation does with it, and not otherwise
///   touched, until its event has been taken or [`io_destroy`] has returned. An iovec array may go when this
///   call returns.
/// - The descriptors in them belong to the caller, for the operation that is asked for.
///
/// [io_submit(2)]: https://man7.org/linux/man-pages/man2/io_submit.2.html
#[inline]
pub unsafe fn io_submit(ctx_id: aio_context_t, nr: c_long, iocbpp: *mut *mut iocb) -> c_int {
    let args = [ctx_id as usize, nr as usize, iocbpp.expose_provenance(), 0, 0, 0];
    // SAFETY: The kernel reads the array, reads and writes what it points to, and then the memory of each
    // operation; all of it is under the caller's contract.
    unsafe { syscall(libc::SYS_io_submit, args) }
}

/// Asks for the cancellation of an operation in flight.
///
/// `int io_cancel(aio_context_t ctx_id, struct iocb *iocb, struct io_event *result)`, [io_cancel(2)]. Since
/// Linux 2.5.
///
/// Of the operations of today, only `IOCB_CMD_POLL` can be cancelled. Success is `-EINPROGRESS`: the event
/// arrives in the ring like every other, and nothing is written to `result` (since Linux 3.11).
///
/// # Errors
///
/// `-EINPROGRESS`: it is cancelled; `-EINVAL`: no such context, no such operation in flight, or one that
/// cannot be cancelled, which is so for every read and write; `-EFAULT`: `iocb` is no readable memory.
///
/// # Safety
///
/// - `iocb` is the address that was submitted, and still valid for reads.
/// - `result` is valid for writes, or null where no kernel before 3.11 is to be met.
///
/// [io_cancel(2)]: https://man7.org/linux/man-pages/man2/io_cancel.2.html
#[inline]
pub unsafe fn io_cancel(ctx_id: aio_context_t, iocb: *mut iocb, result: *mut io_event) -> c_int {
    let args = [ctx_id as usize, iocb.expose_provenance(), result.expose_provenance(), 0, 0, 0];
    // SAFETY: The kernel reads at the second and may write at the third argument; the caller vouches for
    // both.
    unsafe { syscall(libc::SYS_io_cancel, args) }
}

/// Waits for at least `min_nr` events and takes up to `nr`; returns how many it took.
///
/// `int io_getevents(aio_context_t ctx_id, long min_nr, long nr, struct io_event *events, struct timespec
/// *timeout)`, [io_getevents(2)]. Since Linux 2.5.
///
/// Without a `timeout` (null) it waits for as long as it takes. When the time is up, the answer is what there
/// is, which may be 0; the kernel does not write the rest of the time back.
///
/// # Errors
///
/// `-EINTR`: a signal came before the first event; `-EINVAL`: no such context, or not
/// 0 ≤ `min_nr` ≤ `nr`; `-EFAULT`: no writable memory.
///
/// # Safety
///
/// - `events` is valid for writes of `nr` events.
/// - `timeout` is null or valid for reads.
/// - Nobody takes events out of the mapped ring at the same time.
///
/// [io_getevents(2)]: https://man7.org/linux/man-pages/man2/io_getevents.2.html
#[inline]
pub unsafe fn io_getevents(
    ctx_id: aio_context_t,
    min_nr: c_long,
    nr: c_long,
    events: *mut io_event,
    timeout: *mut timespec,
) -> c_int {
    let args = [
        ctx_id as usize,
        min_nr as usize,
        nr as usize,
        events.expose_provenance(),
        timeout.expose_provenance(),
        0,
    ];
    // SAFETY: The kernel writes up to `nr` events and reads the timeout; the caller vouches for both.
    unsafe { syscall(libc::SYS_io_getevents, args) }
}

/// Waits as [`io_getevents`] does, with another signal mask for the time of the wait.
///
/// `int io_pgetevents(aio_context_t ctx_id, long min_nr, long nr, struct io_event *events, struct timespec
/// *timeout, const struct __aio_sigset *usig)`. Since Linux 4.18. It is to [`io_getevents`] what ppoll is to
/// poll.
///
/// # Errors
///
/// Those of [`io_getevents`], and `-EINVAL` for a signal set whose size is not the kernel's (8 bytes).
///
/// # Safety
///
/// Those of [`io_getevents`], and:
///
/// - `usig` is null or valid for reads, and so is the signal set that it points to.
#[inline]
pub unsafe fn io_pgetevents(
    ctx_id: aio_context_t,
    min_nr: c_long,
    nr: c_long,
    events: *mut io_event,
    timeout: *mut timespec,
    usig: *const __aio_sigset,
) -> c_int {
    let args = [
        ctx_id as usize,
        min_nr as usize,
        nr as usize,
        events.expose_provenance(),
        timeout.expose_provenance(),
        usig.expose_provenance(),
    ];
    // SAFETY: The kernel writes up to `nr` events, reads the timeout, the struct and the set that it points
    // to; the caller vouches for all of them.
    unsafe { syscall(IO_PGETEVENTS, args) }
}
