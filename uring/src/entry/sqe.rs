//! Submission queue entries, `struct io_uring_sqe`.

use std::mem::offset_of;

use static_assertions::{assert_not_impl_any, const_assert_eq};
use uring_sys::io_uring_sqe;

use super::target::{Resolved, Target};
use crate::UserData;
use crate::bits::bits;
use crate::codes::Op;

bits! {
    /// What holds for an entry whatever its operation, `IOSQE_*`; see `io_uring_enter(2)`.
    SqeFlags(u8), prefix "IOSQE_";
    /// The file is named by its index in the table of registered ones; set by [`Fixed`](crate::Fixed); since 5.1.
    FIXED_FILE = IOSQE_FIXED_FILE,
    /// Starts once all earlier requests have completed, and holds back all later ones; since 5.2.
    IO_DRAIN = IOSQE_IO_DRAIN,
    /// The next entry starts once this one has succeeded; if it fails or falls short, the rest of the chain is
    /// cancelled. A chain ends with a submit at the latest. Since 5.3.
    IO_LINK = IOSQE_IO_LINK,
    /// As [`IO_LINK`](Self::IO_LINK), and this one may fail; since 5.5.
    IO_HARDLINK = IOSQE_IO_HARDLINK,
    /// Goes to a worker at once, instead of being tried without blocking first; since 5.6.
    ASYNC = IOSQE_ASYNC,
    /// Takes its buffer from a group of provided ones when it needs it; since 5.7.
    BUFFER_SELECT = IOSQE_BUFFER_SELECT,
    /// Posts no completion if it succeeds; since 5.17. Its memory is then the kernel's until something else
    /// tells that it is done, such as the completion of a linked request. If it fails, it says so, and what is
    /// linked behind it posts no completion, whatever its own flags are.
    ///
    /// What is in flight in a ring that has had one is known by the kernel's release of the ring only. Drop it in the thread
    /// that first submitted or waited: that keeps a ring until it ends or makes another one, and a drop elsewhere waits for
    /// it, for half a minute at most. Of a [split](crate::Ring::split) ring it is enough that one half is dropped there.
    CQE_SKIP_SUCCESS = IOSQE_CQE_SKIP_SUCCESS,
}

/// One request of 64 bytes, as [`op`](crate::op) makes them, ready to be pushed.
///
/// It is neither `Copy` nor `Clone`: whoever made it has vouched for one request.
// Each union of `struct io_uring_sqe` is named for the part it plays in most requests.
#[derive(Debug, Default)]
#[must_use = "a request does nothing until it is pushed"]
#[repr(C)]
pub struct Sqe {
    pub(crate) opcode: u8,
    pub(crate) flags: u8,
    pub(crate) ioprio: u16,
    pub(crate) fd: i32,
    pub(crate) off: u64,
    pub(crate) addr: u64,
    pub(crate) len: u32,
    pub(crate) op_flags: u32,
    pub(crate) user_data: UserData,
    pub(crate) buf_index: u16,
    pub(crate) personality: u16,
    pub(crate) file_index: u32,
    pub(crate) addr3: u64,
    pub(crate) pad: u64,
}

const_assert_eq!(size_of::<Sqe>(), size_of::<io_uring_sqe>());
const_assert_eq!(align_of::<Sqe>(), align_of::<io_uring_sqe>());
const_assert_eq!(offset_of!(Sqe, opcode), offset_of!(io_uring_sqe, opcode));
const_assert_eq!(offset_of!(Sqe, flags), offset_of!(io_uring_sqe, flags));
const_assert_eq!(offset_of!(Sqe, ioprio), offset_of!(io_uring_sqe, ioprio));
const_assert_eq!(offset_of!(Sqe, fd), offset_of!(io_uring_sqe, fd));
const_assert_eq!(offset_of!(Sqe, off), offset_of!(io_uring_sqe, __bindgen_anon_1));
const_assert_eq!(offset_of!(Sqe, addr), offset_of!(io_uring_sqe, __bindgen_anon_2));
const_assert_eq!(offset_of!(Sqe, len), offset_of!(io_uring_sqe, len));
const_assert_eq!(offset_of!(Sqe, op_flags), offset_of!(io_uring_sqe, __bindgen_anon_3));
const_assert_eq!(offset_of!(Sqe, user_data), offset_of!(io_uring_sqe, user_data));
const_assert_eq!(offset_of!(Sqe, buf_index), offset_of!(io_uring_sqe, __bindgen_anon_4));
const_assert_eq!(offset_of!(Sqe, personality), offset_of!(io_uring_sqe, personality));
const_assert_eq!(offset_of!(Sqe, file_index), offset_of!(io_uring_sqe, __bindgen_anon_5));
const_assert_eq!(offset_of!(Sqe, addr3), offset_of!(io_uring_sqe, __bindgen_anon_6));

assert_not_impl_any!(Sqe: Clone);
assert_not_impl_any!(Sqe128: Clone);

impl Sqe {
    /// Starts a request on no file; every byte that is not named here is zero.
    #[inline]
    pub(crate) const fn new(op: Op) -> Self {
        Self {
            opcode: op.code(),
            flags: 0,
            ioprio: 0,
            fd: -1,
            off: 0,
            addr: 0,
            len: 0,
            op_flags: 0,
            user_data: 0,
            buf_index: 0,
            personality: 0,
            file_index: 0,
            addr3: 0,
            pad: 0,
        }
    }

    /// The entry in words.
    #[inline]
    pub(super) const fn into_words(self) -> [u64; 8] {
        let first = pair_u16(u16::from_ne_bytes([self.opcode, self.flags]), self.ioprio);
        [
            pair_u32(first, self.fd.cast_unsigned()),
            self.off,
            self.addr,
            pair_u32(self.len, self.op_flags),
            self.user_data,
            pair_u32(pair_u16(self.buf_index, self.personality), self.file_index),
            self.addr3,
            self.pad,
        ]
    }

    /// Names the file of the request.
    #[inline]
    pub(crate) fn on(mut self, target: &impl Target) -> Self {
        let Resolved { fd, flags } = target.resolve();
        self.fd = fd;
        self.flags |= flags;
        self
    }

    /// Takes an entry as the kernel has it, for what this crate has no word for yet.
    ///
    /// # Safety
    ///
    /// Memory that the entry names lives and is not otherwise touched until the last completion of the request
    /// has been taken; a descriptor that it names stays open that long.
    pub const unsafe fn from_raw(raw: io_uring_sqe) -> Self {
        // SAFETY: both are plain 64 bytes of the same layout (asserted above), and any bits are valid in `Self`.
        unsafe { std::mem::transmute(raw) }
    }

    /// The entry as the kernel has it.
    #[must_use]
    pub const fn as_raw(&self) -> &io_uring_sqe {
        // SAFETY: same size, alignment and offsets (asserted above); the kernel's type takes any bits.
        unsafe { &*(&raw const *self).cast() }
    }

    /// The entry as the kernel has it, to be changed.
    ///
    /// # Safety
    ///
    /// As [`from_raw`](Self::from_raw), for what is written.
    #[must_use]
    pub const unsafe fn as_raw_mut(&mut self) -> &mut io_uring_sqe {
        // SAFETY: as in `as_raw`, and any bits are valid in `Self`.
        unsafe { &mut *(&raw mut *self).cast() }
    }

    /// The operation.
    #[must_use]
    #[inline]
    pub const fn op(&self) -> Op {
        Op::new(self.opcode)
    }

    /// The name that the request's completions will have.
    #[must_use]
    #[inline]
    pub const fn user_data(&self) -> UserData {
        self.user_data
    }

    /// The flags, `IOSQE_*`.
    #[must_use]
    #[inline]
    pub const fn flags(&self) -> SqeFlags {
        SqeFlags::from_bits_retain(self.flags)
    }
}

/// Two numbers side by side in memory.
#[inline]
const fn pair_u16(first: u16, second: u16) -> u32 {
    let (first, second) = (first as u32, second as u32);
    if cfg!(target_endian = "big") { first << 16 | second } else { second << 16 | first }
}

/// Two numbers side by side in memory.
#[inline]
const fn pair_u32(first: u32, second: u32) -> u64 {
    let (first, second) = (first as u64, second as u64);
    if cfg!(target_endian = "big") { first << 32 | second } else { second << 32 | first }
}

/// One request of 128 bytes, for rings with [`Sqe128`] or [`MixedSqe`] entries; since 5.19.
///
/// The second half belongs to the operations NOP128 and URING_CMD128 and to commands of drivers.
#[derive(Debug)]
#[must_use = "a request does nothing until it is pushed"]
#[repr(C)]
pub struct Sqe128 {
    pub(crate) sqe: Sqe,
    pub(crate) more: [u64; 8],
}

const_assert_eq!(size_of::<Sqe128>(), 128);

impl Sqe128 {
    /// The first half.
    pub const fn sqe(&self) -> &Sqe {
        &self.sqe
    }

    /// The first half, to be changed, with the second one.
    ///
    /// # Safety
    ///
    /// As [`Sqe::from_raw`], for what is written.
    #[must_use]
    pub const unsafe fn as_raw_mut(&mut self) -> (&mut io_uring_sqe, &mut [u64; 8]) {
        // SAFETY: this fn's contract.
        (unsafe { self.sqe.as_raw_mut() }, &mut self.more)
    }
}

impl<T: Into<Sqe>> From<T> for Sqe128 {
    #[inline]
    fn from(sqe: T) -> Self {
        Self { sqe: sqe.into(), more: [0; 8] }
    }
}

/// One request of either size, for rings that take both (`IORING_SETUP_SQE_MIXED`, since 6.19).
#[derive(Debug)]
#[must_use = "a request does nothing until it is pushed"]
#[allow(
    clippy::large_enum_variant,
    reason = "it is taken apart on the way to the ring, and a box would cost more than the copy"
)]
pub enum MixedSqe {
    /// 64 bytes.
    Small(Sqe),
    /// 128 bytes: two places of the queue. It is pushed for the operations NOP128 and URING_CMD128 only, and `EINVAL` for
    /// others. Where the end of the queue is between the two, another request lies before it that does nothing and says
    /// nothing, unless it is in a chain that is cancelled: then it completes as well, by the name 0.
    Large(Sqe128),
}

impl<T: Into<Sqe>> From<T> for MixedSqe {
    #[inline]
    fn from(sqe: T) -> Self {
        Self::Small(sqe.into())
    }
}

impl From<Sqe128> for MixedSqe {
    #[inline]
    fn from(sqe: Sqe128) -> Self {
        Self::Large(sqe)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_an_entry_are_its_bytes() {
        let bytes: [u8; 64] = std::array::from_fn(|index| index as u8 + 1);
        // SAFETY: 64 bytes without padding, and any bits are valid.
        let sqe: Sqe = unsafe { std::mem::transmute(bytes) };
        let words: Vec<u8> = sqe.into_words().into_iter().flat_map(u64::to_ne_bytes).collect();
        assert_eq!(words, bytes);
    }
}
