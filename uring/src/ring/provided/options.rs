//! What a ring of buffers is like.

use super::table::Kind;

/// What a ring of buffers is like: [`Registrar::register_buf_ring`](crate::ring::Registrar::register_buf_ring).
#[derive(Clone, Debug)]
#[must_use]
pub struct BufRingOptions {
    pub(super) entries: usize,
    pub(super) len: usize,
    pub(super) kernel_memory: bool,
    pub(super) min_left: u32,
    pub(super) kind: Kind,
}

impl BufRingOptions {
    /// Has `entries` buffers, a power of two up to 32768, of `len` bytes each.
    pub fn new(entries: usize, len: usize) -> Self {
        Self { entries, len, kernel_memory: false, min_left: 0, kind: Kind::default() }
    }

    /// Has the kernel allocate the ring (`IOU_PBUF_RING_MMAP`, since 6.4); the buffers are the process's all the same.
    pub fn kernel_memory(mut self) -> Self {
        self.kernel_memory = true;
        self
    }

    /// Lets requests use buffers in parts, one after the other, until they are used up (`IOU_PBUF_RING_INC`, since 6.12):
    /// a few large buffers serve many small receives. A completion with [`BUF_MORE`](crate::CqeFlags::BUF_MORE) leaves
    /// the rest of its buffer with the kernel.
    pub fn incremental(mut self) -> Self {
        self.kind.incremental = true;
        self
    }

    /// As [`incremental`](Self::incremental), and the kernel is done with a buffer that has less than `bytes` bytes left;
    /// newer than 6.18, `EINVAL` before.
    pub fn min_left(mut self, bytes: u32) -> Self {
        (self.kind.incremental, self.kind.ends_early, self.min_left) = (true, true, bytes);
        self
    }

    /// Starts with no buffer in the ring, and leaves those that were used with the user: for sends
    /// ([`SendSelect`](crate::op::net::SendSelect), since 6.10). [`BufRing::idle`](super::BufRing::idle) takes one,
    /// [`Buffer::give`](super::Buffer::give) has it sent.
    pub fn outgoing(mut self) -> Self {
        self.kind.outgoing = true;
        self
    }
}
