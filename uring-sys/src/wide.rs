//! The wide queue entries, which the header has only as flexible array members, and the constant that bindgen
//! cannot type.

use crate::bindings::{__IncompleteArrayField, __u8, __u32, __u64, io_uring_cqe, io_uring_sqe};

/// Stands in `file_index` of a submission and asks the kernel to choose a free slot for the new direct
/// descriptor.
///
/// `IORING_FILE_INDEX_ALLOC` of
/// [io_uring_enter(2)](https://man7.org/linux/man-pages/man2/io_uring_enter.2.html), since Linux 5.19. The
/// slot comes back as the completion's `res`.
pub const IORING_FILE_INDEX_ALLOC: __u32 = !0;

/// Is an entry of 128 bytes in the submission queue: all of them in a ring with `IORING_SETUP_SQE128` (since
/// 5.19), the ones with a 128-byte opcode in a ring with `IORING_SETUP_SQE_MIXED` (since 6.19).
///
/// The 80 bytes of command data that `cmd` is in C begin as the last 16 bytes of [`sqe`](Self::sqe) and
/// continue in [`cmd_tail`](Self::cmd_tail).
#[repr(C)]
#[derive(Copy, Clone)]
pub struct io_uring_sqe128 {
    /// The half that is a submission like every other.
    pub sqe: io_uring_sqe,
    /// The last 64 of the 80 bytes of command data.
    pub cmd_tail: [__u8; 64],
}

impl Default for io_uring_sqe128 {
    fn default() -> Self {
        Self { sqe: io_uring_sqe::default(), cmd_tail: [0; 64] }
    }
}

impl core::fmt::Debug for io_uring_sqe128 {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("io_uring_sqe128")
            .field("opcode", &self.sqe.opcode)
            .field("user_data", &self.sqe.user_data)
            .field("cmd_tail", &self.cmd_tail)
            .finish_non_exhaustive()
    }
}

/// Is an entry of 32 bytes in the completion queue: all of them in a ring with `IORING_SETUP_CQE32` (since
/// 5.19), the ones with `IORING_CQE_F_32` in their flags in a ring with `IORING_SETUP_CQE_MIXED` (since
/// 6.18).
#[repr(C)]
#[derive(Copy, Clone, Debug, Default)]
pub struct io_uring_cqe32 {
    /// The half that is a completion like every other.
    pub cqe: io_uring_cqe,
    /// The 16 bytes more. What they hold is the operation's affair.
    pub big_cqe: [__u64; 2],
}

// The flexible members at the end of io_uring_cqe and others have no length and no content: a copy of the
// struct is a copy of what stands before them. bindgen leaves these two impls out, and io_uring_cqe could not
// be copied without them.
impl<T: Copy> Clone for __IncompleteArrayField<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: Copy> Copy for __IncompleteArrayField<T> {}
