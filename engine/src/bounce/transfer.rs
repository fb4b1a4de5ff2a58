//! What a transfer is about, whichever operation it is.

use libc::iovec;
use uring::RwFlags;

use crate::direct::DirectIo;
use crate::request::{Action, Request};

/// What a transfer is about.
pub(super) struct Transfer {
    pub(super) read: bool,
    pub(super) offset: u64,
    pub(super) len: usize,
    pub(super) flags: RwFlags,
    parts: Vec<iovec>,
}

impl Transfer {
    pub(super) fn of(request: &Request<'_>) -> Option<Self> {
        let one = |base: *mut u8, len| vec![iovec { iov_base: base.cast(), iov_len: len }];
        let (read, offset, flags, parts) = match request.action {
            Action::Read { ptr, len, offset, flags, .. } => (true, offset, flags, one(ptr, len)),
            Action::Write { ptr, len, offset, flags, .. } => (false, offset, flags, one(ptr.cast_mut(), len)),
            Action::ReadVectored { iovecs, offset, flags } => (true, offset, flags, iovecs.iter().collect()),
            Action::WriteVectored { iovecs, offset, flags } => {
                (false, offset, flags, iovecs.iter().collect())
            }
            _ => return None,
        };
        let len = parts.iter().map(|part| part.iov_len).sum();
        Some(Self { read, offset, len, flags, parts })
    }

    /// Whether the file takes it as it is.
    pub(super) fn suits(&self, direct: &DirectIo) -> bool {
        let mut offset = self.offset;
        self.parts.iter().all(|part| {
            let at = offset;
            offset += part.iov_len as u64;
            direct.suits(part.iov_base.cast_const().cast(), part.iov_len, at, self.read)
        })
    }

    /// The parts of memory that hold the bytes from `from` on.
    pub(super) fn memory_from(&self, from: usize) -> impl Iterator<Item = (*mut u8, usize)> + '_ {
        let mut skip = from;
        self.parts.iter().filter_map(move |part| {
            let skipped = skip.min(part.iov_len);
            skip -= skipped;
            let left = part.iov_len - skipped;
            (left > 0).then(|| (part.iov_base.cast::<u8>().wrapping_add(skipped), left))
        })
    }
}
