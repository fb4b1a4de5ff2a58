//! Flags and priorities of a single read or write.

use std::fmt;
use std::ops::BitOr;

use libc::c_int;

/// Flags of one read or write, `RWF_*` of [`preadv2(2)`](https://man7.org/linux/man-pages/man2/preadv2.2.html).
///
/// Bits that are unknown here go to the kernel as they are; it answers `EOPNOTSUPP` to what it does not
/// know.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct RwFlags(c_int);

impl RwFlags {
    /// Polled completion (`RWF_HIPRI`, since 5.1); `EINVAL` on a ring without `IORING_SETUP_IOPOLL`.
    pub const HIPRI: Self = Self(uring_sys::RWF_HIPRI as c_int);
    /// The write is durable, with the metadata to read it back, when it completes (`RWF_DSYNC`, since 5.1).
    pub const DSYNC: Self = Self(uring_sys::RWF_DSYNC as c_int);
    /// The write is durable with all metadata when it completes (`RWF_SYNC`, since 5.1).
    pub const SYNC: Self = Self(uring_sys::RWF_SYNC as c_int);
    /// Fails with `EAGAIN` rather than block (`RWF_NOWAIT`, since 5.1).
    pub const NOWAIT: Self = Self(uring_sys::RWF_NOWAIT as c_int);
    /// Appends, whatever the offset says (`RWF_APPEND`, since 5.1).
    pub const APPEND: Self = Self(uring_sys::RWF_APPEND as c_int);
    /// Writes at the offset even if the file was opened with `O_APPEND` (`RWF_NOAPPEND`); since 6.9.
    pub const NOAPPEND: Self = Self(uring_sys::RWF_NOAPPEND as c_int);
    /// All or nothing, also across power loss (`RWF_ATOMIC`); since 6.11.
    pub const ATOMIC: Self = Self(uring_sys::RWF_ATOMIC as c_int);
    /// Drops the pages from the page cache when done (`RWF_DONTCACHE`); since 6.14.
    pub const DONTCACHE: Self = Self(uring_sys::RWF_DONTCACHE as c_int);
    /// No `SIGPIPE` (`RWF_NOSIGNAL`); since 6.18.
    pub const NOSIGNAL: Self = Self(uring_sys::RWF_NOSIGNAL as c_int);

    const NAMES: [(Self, &str); 9] = [
        (Self::HIPRI, "HIPRI"),
        (Self::DSYNC, "DSYNC"),
        (Self::SYNC, "SYNC"),
        (Self::NOWAIT, "NOWAIT"),
        (Self::APPEND, "APPEND"),
        (Self::NOAPPEND, "NOAPPEND"),
        (Self::ATOMIC, "ATOMIC"),
        (Self::DONTCACHE, "DONTCACHE"),
        (Self::NOSIGNAL, "NOSIGNAL"),
    ];

    /// Takes any bits, known or not.
    #[must_use]
    pub const fn from_bits_retain(bits: c_int) -> Self {
        Self(bits)
    }

    /// The bits as the kernel takes them.
    #[must_use]
    pub const fn bits(self) -> c_int {
        self.0
    }

    /// Whether every bit of `other` is set.
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
        let mut names = Self::NAMES.iter().filter(|(flag, _)| self.contains(*flag)).map(|(_, name)| *name);
        write!(f, "RwFlags({:#x}", self.0)?;
        if let Some(first) = names.next() {
            write!(f, " = {first}")?;
        }
        for name in names {
            write!(f, " | {name}")?;
        }
        f.write_str(")")
    }
}

/// I/O priority of one read or write, as of [`ioprio_set(2)`](https://man7.org/linux/man-pages/man2/ioprio_set.2.html).
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

    /// Real-time class, levels 0 (highest) to 7; needs `CAP_SYS_ADMIN` or `CAP_SYS_NICE`.
    #[must_use]
    pub const fn real_time(level: u8) -> Self {
        Self::new(1, level)
    }

    /// Best-effort class, levels 0 (highest) to 7.
    #[must_use]
    pub const fn best_effort(level: u8) -> Self {
        Self::new(2, level)
    }

    /// Idle class: served when nobody else wants the disk.
    #[must_use]
    pub const fn idle() -> Self {
        Self::new(3, 0)
    }

    /// Takes a raw priority, class in the upper three bits.
    #[must_use]
    pub const fn from_raw(raw: u16) -> Self {
        Self(raw)
    }

    /// The priority as the kernel takes it.
    #[must_use]
    pub const fn raw(self) -> u16 {
        self.0
    }
}
