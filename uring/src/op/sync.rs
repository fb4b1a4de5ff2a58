//! Durability.

use uring_sys::IORING_FSYNC_DATASYNC;

use crate::codes::Op;
use crate::entry::Sqe;

op! {
    /// Makes what was written durable; see `fsync(2)`; since 5.1. The result is 0.
    ///
    /// It covers writes that have *completed*: it is no barrier for those in flight.
    Fsync
}

impl_on_file!(
    Fsync,
    /// Makes data and metadata of `fd` durable.
    () => Sqe::new(Op::FSYNC)
);

impl Fsync {
    /// Leaves out the metadata that reading the data back does not take, as `fdatasync(2)` does
    /// (`IORING_FSYNC_DATASYNC`, since 5.1).
    #[inline]
    pub fn datasync(mut self) -> Self {
        self.0.op_flags = IORING_FSYNC_DATASYNC;
        self
    }

    /// Limits this to `len` bytes at `offset`, for file systems that can; the length 0 is up to the end.
    #[inline]
    pub fn range(mut self, offset: u64, len: u32) -> Self {
        self.0.off = offset;
        self.0.len = len;
        self
    }
}

op! {
    /// Starts to write pages of a file to its disk, or waits for that; see `sync_file_range(2)`, also for why this
    /// makes nothing durable. Since 5.2. The result is 0.
    SyncFileRange
}

impl_on_file!(
    SyncFileRange,
    /// Does what `flags` say, `libc::SYNC_FILE_RANGE_*`, with `len` bytes at `offset` of `fd`; the length 0 is up to the
    /// end.
    (offset: u64, len: u32, flags: u32) => Sqe {
        off: offset,
        len,
        op_flags: flags,
        ..Sqe::new(Op::SYNC_FILE_RANGE)
    }
);

#[cfg(test)]
mod tests {
    use uring_sys::{IORING_OP_FSYNC, IORING_OP_SYNC_FILE_RANGE, IOSQE_FIXED_FILE};

    use super::*;
    use crate::entry::Fixed;
    use crate::op::expected::{flagged, same};

    #[test]
    fn requests_for_durability_are_what_liburing_makes_of_them() {
        // SAFETY: nothing is pushed.
        let fsync = unsafe { Fsync::new(std::io::stdin()) };
        same(fsync.datasync().range(7, 8), &flagged(IORING_OP_FSYNC, 0, 0, 8, 7, IORING_FSYNC_DATASYNC));
        let mut expected = flagged(IORING_OP_SYNC_FILE_RANGE, 3, 0, 8, 7, libc::SYNC_FILE_RANGE_WRITE);
        expected.flags = IOSQE_FIXED_FILE as u8;
        same(SyncFileRange::fixed(Fixed(3), 7, 8, libc::SYNC_FILE_RANGE_WRITE), &expected);
    }
}
