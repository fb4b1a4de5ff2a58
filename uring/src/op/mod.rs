//! Requests, a type for each operation of the kernel.
//!
//! Each is made by a constructor with what it cannot do without, refined by methods, one for each flag that the
//! kernel takes for it, and pushed to a [`Ring`](crate::Ring):
//!
//! ```
//! use uring::{Ring, op};
//!
//! let file = std::fs::File::open("/proc/self/exe")?;
//! let mut magic = [0; 4];
//! let mut ring: Ring = Ring::new(8)?;
//! // SAFETY: `magic` and `file` outlive the wait below, and nobody looks at `magic` before.
//! let read = unsafe { op::rw::Read::new(&file, magic.as_mut_ptr(), magic.len(), 0) };
//! ring.push(read.user_data(7))?;
//! let completion = ring.wait(1)?.next().expect("one was waited for");
//! assert_eq!((completion.user_data(), completion.result()?), (7, 4));
//! assert_eq!(&magic, b"\x7fELF");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Contract
//!
//! A constructor that is `unsafe` makes a request that names memory or a descriptor of the caller's, and asks for
//! one thing: **from the push until the last completion of the request has been taken, memory that it names lives,
//! and nobody else writes what it reads or touches what it writes; a descriptor that it names stays open.** The last
//! completion is the one without [`MORE`](crate::CqeFlags::MORE). A request that was never pushed, or was never
//! consumed by the kernel before its ring was dropped, asks for nothing. A dropped ring waits for these requests, so
//! afterwards memory is the caller's again; where it cannot, it says so ([`Ring::close`](crate::Ring::close) tells).
//!
//! A request with [`CQE_SKIP_SUCCESS`](crate::SqeFlags::CQE_SKIP_SUCCESS) has no completion to be taken if it
//! succeeds: its memory lives until something else proves that it has ended.
//!
//! Constructors that name neither are safe, and so is each push. Registered files, which the kernel holds by itself, and
//! groups of provided buffers, which whoever provides them vouches for, are neither.
//!
//! # Since when
//!
//! Each type says since which kernel it is there, and each flag since which kernel it is taken; a method that says
//! nothing is as old as its type. What is older than 5.10 is on every kernel that this crate runs on. A request that
//! the kernel does not have completes with `EINVAL`; [`Capabilities`](crate::Capabilities) tells beforehand.

use crate::UserData;
use crate::entry::{Sqe, SqeFlags};

/// Declares the type of a request and what all requests have in common.
macro_rules! op {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug)]
        #[must_use = "a request does nothing until it is pushed"]
        #[repr(transparent)]
        pub struct $name($crate::entry::Sqe);

        impl_common!($name, 0);

        impl From<$name> for $crate::entry::Sqe {
            #[inline]
            fn from(request: $name) -> Self {
                request.0
            }
        }
    };
}

/// Declares the type of a request of 128 bytes.
macro_rules! op128 {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug)]
        #[must_use = "a request does nothing until it is pushed"]
        pub struct $name($crate::entry::Sqe128);

        impl_common!($name, 0.sqe);

        impl From<$name> for $crate::entry::Sqe128 {
            #[inline]
            fn from(request: $name) -> Self {
                request.0
            }
        }
    };
}

/// The methods of every request, whose first 64 bytes are the named field.
macro_rules! impl_common {
    ($name:ident, $($field:tt)+) => {
        impl $name {
            /// Names the request; its completions have the same name. 0 by default.
            #[inline]
            pub fn user_data(mut self, user_data: $crate::UserData) -> Self {
                self.$($field)+.user_data = user_data;
                self
            }

            /// Adds flags that every request takes.
            #[inline]
            pub fn flags(mut self, flags: $crate::SqeFlags) -> Self {
                self.$($field)+.flags |= flags.bits();
                self
            }

            /// Runs the request with registered credentials instead of the submitter's.
            #[inline]
            pub fn personality(mut self, personality: $crate::ring::Personality) -> Self {
                self.$($field)+.personality = personality.raw();
                self
            }
        }
    };
}

/// The constructors of a request that names nothing of the caller's but one file.
macro_rules! impl_on_file {
    ($name:ident, $(#[$doc:meta])* ($($arg:ident: $type:ty),*) => $sqe:expr) => {
        impl $name {
            $(#[$doc])*
            ///
            /// # Safety
            ///
            /// The [contract](crate::op#contract): `fd` stays open.
            #[inline]
            pub unsafe fn new(fd: impl $crate::Target $(, $arg: $type)*) -> Self {
                Self($sqe.on(&fd))
            }

            /// As [`new`](Self::new), for a registered file, which the kernel holds by itself.
            #[inline]
            pub fn fixed(file: $crate::Fixed $(, $arg: $type)*) -> Self {
                Self($sqe.on(&file))
            }
        }
    };
}

/// Where a file goes that a request makes.
macro_rules! impl_direct {
    ($name:ident) => {
        impl $name {
            /// Puts the file into the table of registered ones, without a descriptor; since 5.15. The result is then 0,
            /// or the place for [`FileIndex::ALLOC`](crate::FileIndex::ALLOC). With `O_CLOEXEC`, or `SOCK_CLOEXEC`, it
            /// is `EINVAL`; there is nothing to close.
            #[inline]
            pub fn direct(mut self, place: impl Into<$crate::FileIndex>) -> Self {
                self.0.file_index = place.into().raw();
                self
            }
        }
    };
}

pub mod buffers;
pub mod cancel;
pub mod command;
#[cfg(test)]
mod expected;
pub mod file;
pub mod futex;
pub mod memory;
pub mod net;
pub mod poll;
pub mod process;
pub mod ring;
pub mod rw;
pub mod sync;
pub mod timeout;

impl Sqe {
    /// Names the request; its completions have the same name.
    #[inline]
    pub fn with_user_data(mut self, user_data: UserData) -> Self {
        self.user_data = user_data;
        self
    }

    /// Adds flags.
    #[inline]
    pub fn with_flags(mut self, flags: SqeFlags) -> Self {
        self.flags |= flags.bits();
        self
    }
}

/// An address as entries have it.
#[inline]
pub(crate) fn address<T>(pointer: *const T) -> u64 {
    pointer.expose_provenance() as u64
}
