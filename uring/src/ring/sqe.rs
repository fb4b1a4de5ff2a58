//! A submission queue entry, `struct io_uring_sqe`.

use std::mem::offset_of;
use std::os::fd::{AsFd, AsRawFd};

use static_assertions::const_assert_eq;
use uring_sys::{IOSQE_FIXED_FILE, io_uring_sqe};

use crate::UserData;
use crate::codes::Op;

/// The 64 bytes of one request, each union of `struct io_uring_sqe` named for the part it plays in most
/// requests.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub(crate) struct Sqe {
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

impl Sqe {
    /// Starts a request on no file; every byte that is not named here is zero.
    #[inline]
    pub(crate) fn new(op: Op, user_data: UserData) -> Self {
        Self { opcode: op.code(), fd: -1, user_data, ..Self::default() }
    }

    /// Names the file of the request.
    #[inline]
    pub(crate) fn on(mut self, target: &impl Target) -> Self {
        let Resolved { fd, flags } = target.resolve();
        self.fd = fd;
        self.flags |= flags;
        self
    }
}

/// A file registered with [`URingContext::register_files`](crate::URingContext::register_files), named
/// by its index in the table.
///
/// It stands wherever a descriptor may stand and saves the kernel the look-up and the reference count of
/// each request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fixed(pub u32);

/// What a request may act on: anything with a descriptor ([`AsFd`]), or a registered file ([`Fixed`]).
///
/// The trait is sealed; it is implemented for all that there is.
pub trait Target: sealed::Sealed {
    #[doc(hidden)]
    fn resolve(&self) -> Resolved;
}

/// The two fields of an entry that name a file.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Resolved {
    fd: i32,
    flags: u8,
}

impl<T: AsFd> Target for T {
    #[inline]
    fn resolve(&self) -> Resolved {
        Resolved { fd: self.as_fd().as_raw_fd(), flags: 0 }
    }
}

impl Target for Fixed {
    #[inline]
    fn resolve(&self) -> Resolved {
        // An index past i32::MAX is past every table (the kernel takes 2^20 files); it stays positive, so
        // the kernel answers EBADF instead of taking it for something else.
        let fd = i32::try_from(self.0).unwrap_or(i32::MAX);
        Resolved { fd, flags: IOSQE_FIXED_FILE as u8 }
    }
}

mod sealed {
    use super::{AsFd, Fixed};

    pub trait Sealed {}
    impl<T: AsFd> Sealed for T {}
    impl Sealed for Fixed {}
}
