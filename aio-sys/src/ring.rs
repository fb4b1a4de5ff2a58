//! What no UAPI header declares: the completion ring in user memory, and the signal argument of
//! `io_pgetevents`.

use core::ffi::c_uint;

use crate::bindings::io_event;

/// Stands in [`aio_ring::magic`] of every ring.
pub const AIO_RING_MAGIC: c_uint = 0xa10a_10a1;

/// Is what the kernel writes to [`aio_ring::compat_features`].
pub const AIO_RING_COMPAT_FEATURES: c_uint = 1;

/// Is what the kernel writes to [`aio_ring::incompat_features`]: a reader that finds another value there does
/// not know the ring and has to leave it to `io_getevents`.
pub const AIO_RING_INCOMPAT_FEATURES: c_uint = 0;

/// Is the head of the ring in which a context's events appear; its address is the context's handle.
///
/// Events may be taken from it without a system call, under these rules:
///
/// - [`magic`](Self::magic) and [`incompat_features`](Self::incompat_features) have the values above,
///   and the kernel is 3.17 or newer.
/// - The events are those from `head` up to, not including, `tail`, both of them indices below `nr`, which
///   begin again at 0.
/// - There is one consumer at a time, and [`io_getevents`](crate::io_getevents) is one.
/// - The kernel writes an event before it writes `tail`: read `tail` with acquire ordering. It reuses a slot
///   after it has read `head`: write `head` with release ordering, when the events are copied.
/// - Kernel and process write here at the same time, so no reference to the struct may exist: go through a
///   raw pointer, with atomics for `head` and `tail`.
///
/// A forked child inherits the mapping and would take its parent's events: `madvise(MADV_DONTFORK)` prevents
/// it.
#[repr(C)]
#[derive(Debug)]
pub struct aio_ring {
    /// Is the kernel's own index of the context; nothing for others.
    pub id: c_uint,
    /// Is the number of slots, which is larger than what `io_setup` was asked for.
    pub nr: c_uint,
    /// Is the slot of the next event to take; written by the consumer.
    pub head: c_uint,
    /// Is the slot behind the newest event; written by the kernel.
    pub tail: c_uint,
    /// Is [`AIO_RING_MAGIC`].
    pub magic: c_uint,
    /// Is [`AIO_RING_COMPAT_FEATURES`]; others do not hinder a reader.
    pub compat_features: c_uint,
    /// Is [`AIO_RING_INCOMPAT_FEATURES`] or the ring is of another kind.
    pub incompat_features: c_uint,
    /// Is the number of bytes from the start of the ring to its first event: 32.
    pub header_length: c_uint,
    /// Are the events, [`nr`](Self::nr) of them.
    pub io_events: [io_event; 0],
}

/// Is the last argument of [`io_pgetevents`](crate::io_pgetevents): a signal mask and its size.
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct __aio_sigset {
    /// Points to the mask that replaces the thread's for the time of the wait; null leaves it as it is.
    pub sigmask: *const libc::sigset_t,
    /// Is the size of the kernel's mask: 8 bytes, whatever the size of `sigset_t` in user space.
    pub sigsetsize: usize,
}
