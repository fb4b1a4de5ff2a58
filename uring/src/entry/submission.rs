//! Entries of 64 and of 128 bytes, as queues take them.

use std::fmt;
use std::ptr::NonNull;

use uring_sys::{IORING_SETUP_SQE_MIXED, IORING_SETUP_SQE128};

use super::sqe::{MixedSqe, Sqe, Sqe128};
use crate::codes::Op;

/// What the entries of a ring's submission queue are: [`Sqe`], [`Sqe128`] or [`MixedSqe`].
///
/// # Safety
///
/// The trait is sealed. `write` writes `places` times `STRIDE` entries of 64 bytes, and each byte of them.
pub unsafe trait Submission: sealed::Sealed + fmt::Debug + Sized {
    /// Flags that make such a ring.
    #[doc(hidden)]
    const SETUP: u32;

    /// Size of a place, in units of 64 bytes.
    #[doc(hidden)]
    const STRIDE: usize;

    /// An entry of 64 bytes.
    #[doc(hidden)]
    fn small(sqe: Sqe) -> Self;

    /// How many places the entry takes: the larger ones of a mixed ring take two.
    #[doc(hidden)]
    #[inline]
    fn places(&self) -> u32 {
        1
    }

    /// The 64 bytes that all have.
    #[doc(hidden)]
    fn first(&self) -> &Sqe;

    /// Whether the kernel takes the entry for what it is. Of a large entry in a mixed ring it takes the second half for an
    /// entry of its own, unless the operation has 128 bytes.
    #[doc(hidden)]
    #[inline]
    fn is_whole(&self) -> bool {
        true
    }

    /// Puts the entry into its place.
    ///
    /// # Safety
    ///
    /// As many places as it takes, from `place` on, are valid for writes, and nobody else looks at them.
    #[doc(hidden)]
    unsafe fn write(self, place: NonNull<Sqe>);
}

// SAFETY: one place of 64 bytes, which are all written.
unsafe impl Submission for Sqe {
    const SETUP: u32 = 0;
    const STRIDE: usize = 1;

    #[inline]
    fn small(sqe: Sqe) -> Self {
        sqe
    }

    #[inline]
    fn first(&self) -> &Sqe {
        self
    }

    #[inline]
    unsafe fn write(self, place: NonNull<Sqe>) {
        // Word by word: as a whole, what most requests leave zero is put on the stack to be copied from there.
        for (index, word) in self.into_words().into_iter().enumerate() {
            // SAFETY: this fn's contract: 64 bytes are eight words.
            let place = unsafe { place.cast::<u64>().add(index) };
            // SAFETY: as above.
            unsafe { place.write(word) };
        }
    }
}

// SAFETY: one place of 128 bytes, which are all written.
unsafe impl Submission for Sqe128 {
    const SETUP: u32 = IORING_SETUP_SQE128;
    const STRIDE: usize = 2;

    #[inline]
    fn small(sqe: Sqe) -> Self {
        sqe.into()
    }

    #[inline]
    fn first(&self) -> &Sqe {
        &self.sqe
    }

    #[inline]
    unsafe fn write(self, place: NonNull<Sqe>) {
        // SAFETY: this fn's contract: a place has room for both halves.
        unsafe { place.cast().write(self) };
    }
}

// SAFETY: one or two places of 64 bytes, which are all written.
unsafe impl Submission for MixedSqe {
    const SETUP: u32 = IORING_SETUP_SQE_MIXED;
    const STRIDE: usize = 1;

    #[inline]
    fn small(sqe: Sqe) -> Self {
        Self::Small(sqe)
    }

    #[inline]
    fn first(&self) -> &Sqe {
        match self {
            Self::Small(sqe) => sqe,
            Self::Large(large) => &large.sqe,
        }
    }

    #[inline]
    fn places(&self) -> u32 {
        match self {
            Self::Small(_) => 1,
            Self::Large(_) => 2,
        }
    }

    #[inline]
    fn is_whole(&self) -> bool {
        matches!(self, Self::Small(_)) || matches!(self.first().op(), Op::NOP128 | Op::URING_CMD128)
    }

    #[inline]
    unsafe fn write(self, place: NonNull<Sqe>) {
        match self {
            // SAFETY: this fn's contract.
            Self::Small(sqe) => unsafe { place.write(sqe) },
            // SAFETY: this fn's contract: there are two places.
            Self::Large(large) => unsafe { place.cast().write(large) },
        }
    }
}

pub(super) mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Sqe {}
    impl Sealed for super::Sqe128 {}
    impl Sealed for super::MixedSqe {}
}
