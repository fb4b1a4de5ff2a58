//! Completion queue entries, `struct io_uring_cqe`.

use std::fmt;
use std::io;
use std::mem::offset_of;
use std::ptr::NonNull;

use static_assertions::const_assert_eq;
use uring_sys::{IORING_CQE_BUFFER_SHIFT, IORING_SETUP_CQE_MIXED, IORING_SETUP_CQE32, io_uring_cqe};

use crate::UserData;
use crate::bits::bits;

bits! {
    /// What a completion says beside its result, `IORING_CQE_F_*`; see `io_uring_enter(2)`.
    CqeFlags(u32), prefix "IORING_CQE_F_";
    /// The upper 16 bits tell the provided buffer that was used: [`Cqe::buffer_id`]; since 5.7.
    BUFFER = IORING_CQE_F_BUFFER,
    /// The request goes on and posts further completions; since 5.13.
    MORE = IORING_CQE_F_MORE,
    /// The socket has more to read; since 5.19.
    SOCK_NONEMPTY = IORING_CQE_F_SOCK_NONEMPTY,
    /// The second completion of a zero-copy send: the memory is the caller's again; since 6.0.
    NOTIF = IORING_CQE_F_NOTIF,
    /// The provided buffer is used in part only and goes on; since 6.12.
    BUF_MORE = IORING_CQE_F_BUF_MORE,
    /// A filler of mixed rings, which no iterator here hands out; since 6.18.
    SKIP = IORING_CQE_F_SKIP,
    /// A transmit timestamp of the hardware's, not of software; since 6.17.
    TSTAMP_HW = IORING_CQE_F_TSTAMP_HW,
    /// The completion has 32 bytes, in a ring of mixed ones; since 6.18.
    LARGE = IORING_CQE_F_32,
}

/// One completion.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Cqe {
    pub(crate) user_data: UserData,
    pub(crate) res: i32,
    pub(crate) flags: u32,
}

const_assert_eq!(size_of::<Cqe>(), 16);
const_assert_eq!(offset_of!(Cqe, user_data), offset_of!(io_uring_cqe, user_data));
const_assert_eq!(offset_of!(Cqe, res), offset_of!(io_uring_cqe, res));
const_assert_eq!(offset_of!(Cqe, flags), offset_of!(io_uring_cqe, flags));

/// Turns a kernel result, a count or a negated errno, into a `Result` with a positive errno.
#[inline]
pub(crate) fn result(res: i32) -> io::Result<u32> {
    if res >= 0 { Ok(res.cast_unsigned()) } else { Err(negated(res)) }
}

#[cold]
fn negated(res: i32) -> io::Error {
    io::Error::from_raw_os_error(res.wrapping_neg())
}

impl Cqe {
    /// The name that the request was pushed with.
    #[must_use]
    #[inline]
    pub const fn user_data(&self) -> UserData {
        self.user_data
    }

    /// What became of the request: a count of bytes, a descriptor, a mask or 0, as its operation has it.
    ///
    /// # Errors
    ///
    /// The request's errno.
    #[inline]
    pub fn result(&self) -> io::Result<u32> {
        result(self.res)
    }

    /// The result as the kernel has it: negative for an errno.
    #[must_use]
    #[inline]
    pub const fn raw_result(&self) -> i32 {
        self.res
    }

    /// What there is to know beside the result.
    #[must_use]
    #[inline]
    pub const fn flags(&self) -> CqeFlags {
        CqeFlags::from_bits_retain(self.flags)
    }

    /// Whether the request goes on and posts further completions: until the last one, what it names is the
    /// kernel's.
    #[must_use]
    #[inline]
    pub const fn has_more(&self) -> bool {
        self.flags().contains(CqeFlags::MORE)
    }

    /// Whether this is the second completion of a zero-copy send.
    #[must_use]
    #[inline]
    pub const fn is_notification(&self) -> bool {
        self.flags().contains(CqeFlags::NOTIF)
    }

    /// The provided buffer that was used, if one was; since 5.7.
    #[must_use]
    #[inline]
    pub const fn buffer_id(&self) -> Option<u16> {
        if self.flags().contains(CqeFlags::BUFFER) {
            Some((self.flags >> IORING_CQE_BUFFER_SHIFT) as u16)
        } else {
            None
        }
    }
}

/// One completion of 32 bytes, of rings made for them (`IORING_SETUP_CQE32`, since 5.19).
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Cqe32 {
    cqe: Cqe,
    extra: [u64; 2],
}

const_assert_eq!(size_of::<Cqe32>(), 32);

impl Cqe32 {
    /// What the operation says in the second half; zero, mostly.
    #[must_use]
    #[inline]
    pub const fn extra(&self) -> [u64; 2] {
        self.extra
    }
}

/// One completion of either size, of rings that have both (`IORING_SETUP_CQE_MIXED`, since 6.18).
#[derive(Clone, Copy, Debug)]
pub struct MixedCqe {
    cqe: Cqe,
    extra: [u64; 2],
}

impl MixedCqe {
    /// What the operation says in the second half, if there is one.
    #[must_use]
    #[inline]
    pub const fn extra(&self) -> Option<[u64; 2]> {
        if self.cqe.flags().contains(CqeFlags::LARGE) { Some(self.extra) } else { None }
    }
}

macro_rules! is_a_cqe {
    ($($type:ty),*) => {$(
        impl std::ops::Deref for $type {
            type Target = Cqe;

            #[inline]
            fn deref(&self) -> &Cqe {
                &self.cqe
            }
        }
    )*};
}

is_a_cqe!(Cqe32, MixedCqe);

/// What the entries of a ring's completion queue are: [`Cqe`], [`Cqe32`] or [`MixedCqe`].
///
/// # Safety
///
/// The trait is sealed. `read` reads no more than `STRIDE` units of 16 bytes, two in a mixed ring if the first
/// one says so.
pub unsafe trait Completion: sealed::Sealed + fmt::Debug + Copy {
    /// Flags that make such a ring.
    #[doc(hidden)]
    const SETUP: u32;

    /// Size of a place, in units of 16 bytes.
    #[doc(hidden)]
    const STRIDE: usize;

    /// Whether some completions take two places, and some say nothing.
    #[doc(hidden)]
    const IS_MIXED: bool = false;

    /// The 16 bytes that all have.
    fn first(&self) -> &Cqe;

    /// How many places it took: the larger ones of a mixed ring took two.
    #[doc(hidden)]
    #[inline]
    fn places(&self) -> u32 {
        1
    }

    /// Copies a completion out of the ring.
    ///
    /// # Safety
    ///
    /// At `place` there is a completion that the kernel has posted and that was not given back.
    #[doc(hidden)]
    unsafe fn read(place: NonNull<Cqe>) -> Self;
}

// SAFETY: 16 bytes are read.
unsafe impl Completion for Cqe {
    const SETUP: u32 = 0;
    const STRIDE: usize = 1;

    #[inline]
    fn first(&self) -> &Cqe {
        self
    }

    #[inline]
    unsafe fn read(place: NonNull<Cqe>) -> Self {
        // SAFETY: this fn's contract.
        unsafe { place.read() }
    }
}

// SAFETY: 32 bytes are read, which are two units.
unsafe impl Completion for Cqe32 {
    const SETUP: u32 = IORING_SETUP_CQE32;
    const STRIDE: usize = 2;

    #[inline]
    fn first(&self) -> &Cqe {
        &self.cqe
    }

    #[inline]
    unsafe fn read(place: NonNull<Cqe>) -> Self {
        // SAFETY: this fn's contract: every place of such a ring has 32 bytes.
        unsafe { place.cast().read() }
    }
}

// SAFETY: 16 bytes are read, and 32 where the first 16 say that it is as many.
unsafe impl Completion for MixedCqe {
    const SETUP: u32 = IORING_SETUP_CQE_MIXED;
    const STRIDE: usize = 1;
    const IS_MIXED: bool = true;

    #[inline]
    fn first(&self) -> &Cqe {
        &self.cqe
    }

    #[inline]
    fn places(&self) -> u32 {
        if self.cqe.flags().contains(CqeFlags::LARGE) { 2 } else { 1 }
    }

    #[inline]
    unsafe fn read(place: NonNull<Cqe>) -> Self {
        // SAFETY: this fn's contract.
        let cqe = unsafe { place.read() };
        if cqe.flags().contains(CqeFlags::LARGE) {
            // SAFETY: the kernel puts the second half of a large completion into the place that follows, and
            // never begins one in the last place of the ring.
            let Cqe32 { cqe, extra } = unsafe { place.cast().read() };
            Self { cqe, extra }
        } else {
            Self { cqe, extra: [0; 2] }
        }
    }
}

pub(super) mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Cqe {}
    impl Sealed for super::Cqe32 {}
    impl Sealed for super::MixedCqe {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_negative_result_becomes_an_error_with_a_positive_errno() {
        assert_eq!(result(-libc::EINVAL).unwrap_err().raw_os_error(), Some(libc::EINVAL));
        assert_eq!(result(-1).unwrap_err().raw_os_error(), Some(libc::EPERM));
        assert_eq!(result(0).unwrap(), 0);
        assert_eq!(result(i32::MAX).unwrap(), 0x7fff_ffff);
    }

    #[test]
    fn no_kernel_result_panics() {
        assert!(result(i32::MIN).is_err());
    }

    #[test]
    fn a_buffer_is_named_only_where_one_was_used() {
        let cqe = |flags| Cqe { user_data: 0, res: 0, flags };
        assert_eq!(cqe(7 << 16 | 1).buffer_id(), Some(7));
        assert_eq!(cqe(7 << 16).buffer_id(), None);
        assert_eq!(cqe(u32::MAX).buffer_id(), Some(u16::MAX));
    }
}
