//! Extended attributes; see [`xattr(7)`](https://man7.org/linux/man-pages/man7/xattr.7.html).

use std::ffi::c_char;

use crate::codes::Op;
use crate::entry::{Sqe, Target};
use crate::op::address;

/// An entry with a name, a value and a path, if it has one; the kernel takes any descriptor beside a path.
#[inline]
fn attribute(op: Op, path: *const c_char, name: *const c_char, value: *const u8, len: u32) -> Sqe {
    Sqe { fd: 0, addr: address(name), off: address(value), len, addr3: address(path), ..Sqe::new(op) }
}

op! {
    /// Reads an attribute of a file by its path; see `getxattr(2)`. Since 5.19. The result is the size of the value in
    /// bytes; `ENODATA` if there is none, `ERANGE` if it is larger than asked for.
    Getxattr
}

impl Getxattr {
    /// Reads the value of `name`, of `len` bytes at most, to `value`; the length 0 asks for its size only. A relative
    /// path starts at the working directory.
    ///
    /// # Safety
    ///
    /// The [contract](crate::op#contract): `path` and `name` are C strings, and `value` is valid for writes of `len`
    /// bytes.
    #[inline]
    pub unsafe fn new(path: *const c_char, name: *const c_char, value: *mut u8, len: u32) -> Self {
        Self(attribute(Op::GETXATTR, path, name, value, len))
    }
}

op! {
    /// Reads an attribute of an open file; see `fgetxattr(2)`. Since 5.19, of [`Fixed`](crate::Fixed) ones since 6.13.
    /// The result is as that of [`Getxattr`].
    Fgetxattr
}

impl Fgetxattr {
    /// Reads the value of `name`, of `len` bytes at most, to `value`; the length 0 asks for its size only.
    ///
    /// # Safety
    ///
    /// The [contract](crate::op#contract): `name` is a C string, `value` is valid for writes of `len` bytes, and `fd`
    /// stays open.
    #[inline]
    pub unsafe fn new(fd: impl Target, name: *const c_char, value: *mut u8, len: u32) -> Self {
        Self(attribute(Op::FGETXATTR, std::ptr::null(), name, value, len).on(&fd))
    }
}

op! {
    /// Sets an attribute of a file by its path; see `setxattr(2)`. Since 5.19. The result is 0.
    Setxattr
}

impl Setxattr {
    /// Sets `name` to the `len` bytes at `value`. A relative path starts at the working directory.
    ///
    /// # Safety
    ///
    /// The [contract](crate::op#contract): `path` and `name` are C strings, and `value` is valid for reads of `len`
    /// bytes.
    #[inline]
    pub unsafe fn new(path: *const c_char, name: *const c_char, value: *const u8, len: u32) -> Self {
        Self(attribute(Op::SETXATTR, path, name, value, len))
    }

    /// Sets flags: `libc::XATTR_CREATE` fails with `EEXIST` if there is one, `libc::XATTR_REPLACE` with `ENODATA` if
    /// there is none.
    #[inline]
    pub fn xattr_flags(mut self, flags: i32) -> Self {
        self.0.op_flags = flags.cast_unsigned();
        self
    }
}

op! {
    /// Sets an attribute of an open file; see `fsetxattr(2)`. Since 5.19, of [`Fixed`](crate::Fixed) ones since 6.13.
    /// The result is 0.
    Fsetxattr
}

impl Fsetxattr {
    /// Sets `name` to the `len` bytes at `value`.
    ///
    /// # Safety
    ///
    /// The [contract](crate::op#contract): `name` is a C string, `value` is valid for reads of `len` bytes, and `fd`
    /// stays open.
    #[inline]
    pub unsafe fn new(fd: impl Target, name: *const c_char, value: *const u8, len: u32) -> Self {
        Self(attribute(Op::FSETXATTR, std::ptr::null(), name, value, len).on(&fd))
    }

    /// Sets flags, as [`Setxattr::xattr_flags`].
    #[inline]
    pub fn xattr_flags(mut self, flags: i32) -> Self {
        self.0.op_flags = flags.cast_unsigned();
        self
    }
}

#[cfg(test)]
mod tests {
    use std::ptr;

    use uring_sys::{
        IORING_OP_FGETXATTR, IORING_OP_FSETXATTR, IORING_OP_GETXATTR, IORING_OP_SETXATTR, IOSQE_FIXED_FILE,
    };

    use super::*;
    use crate::entry::Fixed;
    use crate::op::expected::{entry, flagged, same};

    #[test]
    fn requests_on_attributes_are_what_liburing_makes_of_them() {
        let (name, path) = (ptr::without_provenance(0x1000), ptr::without_provenance(0x3000));
        let value = ptr::without_provenance_mut(0x2000);

        let mut expected = entry(IORING_OP_GETXATTR, 0, 0x1000, 10, 0x2000);
        expected.__bindgen_anon_6.__bindgen_anon_1.addr3 = 0x3000;
        // SAFETY: nothing is pushed.
        same(unsafe { Getxattr::new(path, name, value, 10) }, &expected);
        let mut expected = flagged(IORING_OP_SETXATTR, 0, 0x1000, 10, 0x2000, libc::XATTR_CREATE);
        expected.__bindgen_anon_6.__bindgen_anon_1.addr3 = 0x3000;
        // SAFETY: as above.
        let set = unsafe { Setxattr::new(path, name, value, 10) };
        same(set.xattr_flags(libc::XATTR_CREATE), &expected);

        // SAFETY: as above.
        let get = unsafe { Fgetxattr::new(std::io::stdout(), name, value, 10) };
        same(get, &entry(IORING_OP_FGETXATTR, 1, 0x1000, 10, 0x2000));
        let mut expected = flagged(IORING_OP_FSETXATTR, 7, 0x1000, 10, 0x2000, libc::XATTR_REPLACE);
        expected.flags = IOSQE_FIXED_FILE as u8;
        // SAFETY: as above.
        let set = unsafe { Fsetxattr::new(Fixed(7), name, value, 10) };
        same(set.xattr_flags(libc::XATTR_REPLACE), &expected);
    }
}
