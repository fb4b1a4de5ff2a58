//! What a back end is asked to do: addresses and numbers, owned by somebody else.

use std::os::fd::BorrowedFd;

use libc::{c_int, c_short, iovec};
use uring::RwFlags;

use crate::file::IoFile;
use crate::registration::Registration;

/// The file of a request.
#[derive(Clone, Copy, Debug)]
pub struct FileRef<'a> {
    /// Its descriptor.
    pub fd: BorrowedFd<'a>,
    /// Its place in the table of a ring.
    pub registration: Option<Registration>,
}

impl<'a, F: IoFile> From<&'a F> for FileRef<'a> {
    #[inline]
    fn from(file: &'a F) -> Self {
        Self { fd: file.descriptor(), registration: file.registration() }
    }
}

/// One request, as an operation words it and a [`Backend`](crate::Backend) takes it.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// On what.
    pub file: FileRef<'a>,
    /// And what.
    pub action: Action<'a>,
}

/// What is to be done with the file of a [`Request`]. Offsets and lengths are in bytes.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Action<'a> {
    /// `preadv2(2)` of one buffer.
    Read {
        /// Memory to write to.
        ptr: *mut u8,
        /// Bytes to read.
        len: usize,
        /// Where in the file.
        offset: u64,
        /// `RWF_*`.
        flags: RwFlags,
        /// The place of the memory among the registered buffers of a ring.
        registration: Option<Registration>,
    },
    /// `pwritev2(2)` of one buffer.
    Write {
        /// Memory to read from.
        ptr: *const u8,
        /// Bytes to write.
        len: usize,
        /// Where in the file.
        offset: u64,
        /// `RWF_*`.
        flags: RwFlags,
        /// The place of the memory among the registered buffers of a ring.
        registration: Option<Registration>,
    },
    /// `preadv2(2)`.
    ReadVectored {
        /// The buffers.
        iovecs: IoVecs<'a>,
        /// Where in the file.
        offset: u64,
        /// `RWF_*`.
        flags: RwFlags,
    },
    /// `pwritev2(2)`.
    WriteVectored {
        /// The buffers.
        iovecs: IoVecs<'a>,
        /// Where in the file.
        offset: u64,
        /// `RWF_*`.
        flags: RwFlags,
    },
    /// `fsync(2)`, or `fdatasync(2)`.
    Sync {
        /// Only the metadata that reading the data back takes.
        data_only: bool,
    },
    /// `fallocate(2)`.
    Allocate {
        /// `FALLOC_FL_*`.
        mode: c_int,
        /// Where in the file.
        offset: u64,
        /// Bytes.
        len: u64,
    },
    /// Tells the storage that the bytes are not needed any more.
    Discard {
        /// Where in the file.
        offset: u64,
        /// Bytes.
        len: u64,
    },
    /// Makes the bytes zero, by the cheapest way that the file has.
    WriteZeroes {
        /// Where in the file.
        offset: u64,
        /// Bytes.
        len: u64,
        /// The storage may give up the space.
        unmap: bool,
    },
    /// One-shot `poll(2)`.
    Poll {
        /// `POLLIN`, `POLLOUT`, ….
        events: c_short,
    },
}

impl Request<'_> {
    /// Bytes that the request transfers; `None` where the result is not a count of bytes.
    #[inline]
    #[must_use]
    pub fn transfer_len(&self) -> Option<usize> {
        match self.action {
            Action::Read { len, .. } | Action::Write { len, .. } => Some(len),
            Action::ReadVectored { iovecs, .. } | Action::WriteVectored { iovecs, .. } => {
                Some(iovecs.total())
            }
            _ => None,
        }
    }

    /// What is left to transfer after the first `done` bytes.
    #[must_use]
    pub(crate) fn rest(mut self, done: usize) -> Self {
        match &mut self.action {
            Action::Read { ptr, len, offset, .. } => {
                *ptr = ptr.wrapping_add(done);
                *len -= done;
                *offset = offset.wrapping_add(done as u64);
            }
            Action::Write { ptr, len, offset, .. } => {
                *ptr = ptr.wrapping_add(done);
                *len -= done;
                *offset = offset.wrapping_add(done as u64);
            }
            Action::ReadVectored { iovecs, offset, .. } | Action::WriteVectored { iovecs, offset, .. } => {
                iovecs.skip += done;
                *offset = offset.wrapping_add(done as u64);
            }
            _ => {}
        }
        self
    }

    /// The `RWF_*` of a read or write.
    pub(crate) fn flags(&self) -> RwFlags {
        match self.action {
            Action::Read { flags, .. }
            | Action::Write { flags, .. }
            | Action::ReadVectored { flags, .. }
            | Action::WriteVectored { flags, .. } => flags,
            _ => RwFlags::default(),
        }
    }

    /// Whether it writes memory of the caller.
    pub(crate) fn is_read(&self) -> bool {
        matches!(self.action, Action::Read { .. } | Action::ReadVectored { .. })
    }
}

/// The buffers of a vectored request, less the bytes at their start that are done.
#[derive(Clone, Copy, Debug)]
pub struct IoVecs<'a> {
    all: &'a [iovec],
    skip: usize,
}

impl<'a> IoVecs<'a> {
    /// Takes all of these buffers.
    #[must_use]
    pub fn new(all: &'a [iovec]) -> Self {
        Self { all, skip: 0 }
    }

    /// Bytes in all that are left.
    #[must_use]
    pub fn total(&self) -> usize {
        self.all.iter().map(|iovec| iovec.iov_len).sum::<usize>() - self.skip
    }

    /// The buffers that are left.
    pub fn iter(&self) -> impl Iterator<Item = iovec> + use<'a> {
        let mut skip = self.skip;
        self.all.iter().filter_map(move |iovec| {
            let skipped = skip.min(iovec.iov_len);
            skip -= skipped;
            let rest = libc::iovec {
                iov_base: iovec.iov_base.cast::<u8>().wrapping_add(skipped).cast(),
                iov_len: iovec.iov_len - skipped,
            };
            (rest.iov_len > 0).then_some(rest)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_of_a_vector_starts_in_the_middle_of_a_buffer() {
        let bytes = [0_u8; 10];
        let at = |start: usize, len: usize| iovec {
            iov_base: bytes[start..].as_ptr().cast_mut().cast(),
            iov_len: len,
        };
        let all = [at(0, 3), at(3, 0), at(3, 4), at(7, 3)];
        let left = |skip| {
            let iovecs = IoVecs { all: &all, skip };
            let parts: Vec<_> = iovecs
                .iter()
                .map(|iovec| (iovec.iov_base.addr() - bytes.as_ptr().addr(), iovec.iov_len))
                .collect();
            assert_eq!(parts.iter().map(|(_, len)| len).sum::<usize>(), iovecs.total());
            parts
        };
        assert_eq!(left(0), [(0, 3), (3, 4), (7, 3)]);
        assert_eq!(left(3), [(3, 4), (7, 3)]);
        assert_eq!(left(5), [(5, 2), (7, 3)]);
        assert_eq!(left(10), []);
    }
}
