//! Flags and priority of one read or write.

use std::fmt;
use std::ops::BitOr;

use libc::c_int;

/// Flags of one read or write: the `RWF_*` of [preadv2(2)].
///
/// Bits without a name here go to the kernel as they are. What it does not know, or the file cannot do,
/// completes with `EOPNOTSUPP`.
///
/// [preadv2(2)]: https://man7.org/linux/man-pages/man2/preadv2.2.html
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct RwFlags(c_int);

impl RwFlags {
    /// Asks for polled completion (`RWF_HIPRI`); kernel AIO accepts it and does not poll.
    pub const HIPRI: Self = Self::from_kernel(aio_sys::RWF_HIPRI);
    /// Completes a write when the data is on stable storage (`RWF_DSYNC`).
    pub const DSYNC: Self = Self::from_kernel(aio_sys::RWF_DSYNC);
    /// Completes a write when data and metadata are on stable storage (`RWF_SYNC`).
    pub const SYNC: Self = Self::from_kernel(aio_sys::RWF_SYNC);
    /// Completes with `EAGAIN` instead of blocking in `submit` (`RWF_NOWAIT`).
    pub const NOWAIT: Self = Self::from_kernel(aio_sys::RWF_NOWAIT);
    /// Writes at the end of the file, whatever the offset (`RWF_APPEND`).
    pub const APPEND: Self = Self::from_kernel(aio_sys::RWF_APPEND);
    /// Writes at the offset, `O_APPEND` or not (`RWF_NOAPPEND`); since 6.9.
    pub const NOAPPEND: Self = Self::from_kernel(aio_sys::RWF_NOAPPEND);
    /// Writes all or nothing, a power cut included (`RWF_ATOMIC`); since 6.11.
    pub const ATOMIC: Self = Self::from_kernel(aio_sys::RWF_ATOMIC);
    /// Leaves nothing in the page cache (`RWF_DONTCACHE`); since 6.14.
    pub const DONTCACHE: Self = Self::from_kernel(aio_sys::RWF_DONTCACHE);
    /// Raises no `SIGPIPE` (`RWF_NOSIGNAL`); since 6.18.
    pub const NOSIGNAL: Self = Self::from_kernel(aio_sys::RWF_NOSIGNAL);

    const fn from_kernel(bits: u32) -> Self {
        Self(bits.cast_signed())
    }

    /// Takes any bits, named or not.
    #[must_use]
    pub const fn from_bits_retain(bits: c_int) -> Self {
        Self(bits)
    }

    /// Returns the bits as the kernel takes them.
    #[must_use]
    pub const fn bits(self) -> c_int {
        self.0
    }

    /// Returns whether all bits of `other` are set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl BitOr for RwFlags {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl fmt::Debug for RwFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RwFlags({:#x})", self.0)
    }
}

/// I/O priority of one read or write, as of [ioprio_set(2)]: a class and a level within it.
///
/// Without one, a request has the priority of the thread that submits it.
///
/// [ioprio_set(2)]: https://man7.org/linux/man-pages/man2/ioprio_set.2.html
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct IoPriority(u16);

impl IoPriority {
    const CLASS_SHIFT: u32 = 13;

    /// Takes a class (1 real time, 2 best effort, 3 idle) and a level, 0 (first) to 7 (last).
    #[must_use]
    pub const fn new(class: u8, level: u8) -> Self {
        Self(((class & 7) as u16) << Self::CLASS_SHIFT | level as u16)
    }

    /// Served before all others; needs `CAP_SYS_ADMIN` or `CAP_SYS_NICE`.
    #[must_use]
    pub const fn real_time(level: u8) -> Self {
        Self::new(1, level)
    }

    /// The class that everybody is in who does not ask.
    #[must_use]
    pub const fn best_effort(level: u8) -> Self {
        Self::new(2, level)
    }

    /// Served when nobody else wants the disk.
    #[must_use]
    pub const fn idle() -> Self {
        Self::new(3, 0)
    }

    /// Takes the kernel's number: the class in the upper three bits.
    #[must_use]
    pub const fn from_raw(raw: u16) -> Self {
        Self(raw)
    }

    /// Returns the kernel's number.
    #[must_use]
    pub const fn raw(self) -> u16 {
        self.0
    }
}
