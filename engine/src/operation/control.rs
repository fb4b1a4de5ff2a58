//! Operations without data.

use libc::{c_int, c_short};

use super::Operation;
use crate::file::IoFile;
use crate::request::{Action, Request};

/// Makes what was written durable: `fsync(2)`, or `fdatasync(2)`.
///
/// It covers writes that have *completed* before it is submitted. The result is 0.
#[derive(Clone, Debug)]
pub struct Sync<F> {
    /// What.
    pub file: F,
    /// Only the metadata that reading the data back takes (`fdatasync`).
    pub data_only: bool,
}

/// Allocates space, punches holes, zeroes and shifts ranges: `fallocate(2)`, as the mode says. The result is 0.
///
/// Kernel AIO has no such request: there a helper thread makes the call.
#[derive(Clone, Debug)]
pub struct Allocate<F> {
    /// In what.
    pub file: F,
    /// `libc::FALLOC_FL_*`; 0 allocates.
    pub mode: c_int,
    /// Where in the file, in bytes.
    pub offset: u64,
    /// Bytes.
    pub len: u64,
}

/// Tells the storage that a range is not needed any more: `FALLOC_FL_PUNCH_HOLE` for a file, `BLKDISCARD` for a block
/// device.
///
/// A file reads zeroes there afterwards, a device what it likes. The result is 0, and `EOPNOTSUPP` where the storage has
/// nothing of the kind, whatever it calls that. A helper thread makes the call.
#[derive(Clone, Debug)]
pub struct Discard<F> {
    /// Of what.
    pub file: F,
    /// Where in the file, in bytes.
    pub offset: u64,
    /// Bytes.
    pub len: u64,
}

/// Makes a range read as zeroes by the cheapest way that the file has.
///
/// In this order, each where the one before is not supported: giving up the space, if `unmap` allows it
/// (`FALLOC_FL_PUNCH_HOLE`); `FALLOC_FL_ZERO_RANGE`; `BLKZEROOUT` of a block device; writing zeroes. A file that ends before the
/// range does grows. The result is 0. A helper thread makes the calls.
#[derive(Clone, Debug)]
pub struct WriteZeroes<F> {
    /// In what.
    pub file: F,
    /// Where in the file, in bytes.
    pub offset: u64,
    /// Bytes.
    pub len: u64,
    /// The storage may give up the space.
    pub unmap: bool,
}

/// Waits once until something can be done with a file: `poll(2)`. The result is the mask of what can.
#[derive(Clone, Debug)]
pub struct Poll<F> {
    /// What to wait for.
    pub file: F,
    /// `libc::POLLIN`, `libc::POLLOUT`, ….
    pub events: c_short,
}

/// Implements [`Operation`] for what names no memory.
macro_rules! control {
    ($($name:ident $this:ident => $action:expr),* $(,)?) => {$(
        // SAFETY: the request names no memory, and the operation owns its file.
        unsafe impl<F: IoFile> Operation for $name<F> {
            #[inline]
            fn request(&mut self) -> Request<'_> {
                let $this = &*self;
                Request { file: (&$this.file).into(), action: $action }
            }

            #[inline]
            unsafe fn finish(&mut self, _transferred: usize) {}
        }
    )*};
}

control! {
    Sync this => Action::Sync { data_only: this.data_only },
    Allocate this => Action::Allocate { mode: this.mode, offset: this.offset, len: this.len },
    Discard this => Action::Discard { offset: this.offset, len: this.len },
    WriteZeroes this => Action::WriteZeroes { offset: this.offset, len: this.len, unmap: this.unmap },
    Poll this => Action::Poll { events: this.events },
}

impl<F> Sync<F> {
    /// Makes data and metadata durable.
    pub fn all(file: F) -> Self {
        Self { file, data_only: false }
    }

    /// Makes data durable, and what it takes to read it back.
    pub fn data(file: F) -> Self {
        Self { file, data_only: true }
    }
}

impl<F> Allocate<F> {
    /// Allocates a range, and makes the file longer if it ends before the range does.
    pub fn new(file: F, offset: u64, len: u64) -> Self {
        Self { file, mode: 0, offset, len }
    }

    /// Takes the space of a range back (`FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE`).
    pub fn punch_hole(file: F, offset: u64, len: u64) -> Self {
        Self { file, mode: libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE, offset, len }
    }

    /// Makes a range zero without writing it (`FALLOC_FL_ZERO_RANGE`).
    pub fn zero_range(file: F, offset: u64, len: u64) -> Self {
        Self { file, mode: libc::FALLOC_FL_ZERO_RANGE, offset, len }
    }
}
