//! Extended attributes.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd, AsRawFd};

use tests::files::TempFile;
use tests::require;
use uring::op::file::{Fgetxattr, Fsetxattr, Getxattr, Setxattr};
use uring::{Fixed, Op};

use super::common::{c_path, has, kernel_is_at_least, ring, run};

const NAME: &CStr = c"user.uring";

/// Says whether the temporary directory has attributes.
fn has_attributes(file: &TempFile) -> bool {
    let fd = file.file().as_raw_fd();
    let set = unsafe { libc::fsetxattr(fd, c"user.probe".as_ptr(), b"x".as_ptr().cast(), 1, 0) };
    set == 0 || io::Error::last_os_error().raw_os_error() != Some(libc::EOPNOTSUPP)
}

/// Reads the attribute as the system call does.
fn value(file: &TempFile) -> Vec<u8> {
    let mut buffer = vec![0; 100];
    let fd = file.file().as_raw_fd();
    let len = unsafe { libc::fgetxattr(fd, NAME.as_ptr(), buffer.as_mut_ptr().cast(), buffer.len()) };
    buffer.truncate(usize::try_from(len).expect("fgetxattr"));
    buffer
}

#[test]
fn attributes_are_set_and_read_by_path() {
    let file = TempFile::empty();
    let path = c_path(file.path());
    let mut buffer = [0; 10];
    let mut ring = ring();
    require!(has(&ring, Op::SETXATTR), "Linux 5.19");
    require!(has_attributes(&file), "no extended attributes in the temporary directory");
    let set = |value: &'static [u8], flags| unsafe {
        Setxattr::new(path.as_ptr(), NAME.as_ptr(), value.as_ptr(), value.len() as u32).xattr_flags(flags)
    };
    assert_eq!(run(&mut ring, set(b"first", libc::XATTR_CREATE)), Ok(0));
    assert_eq!(value(&file), b"first");
    assert_eq!(run(&mut ring, set(b"second", libc::XATTR_CREATE)), Err(libc::EEXIST));
    let get = |name: &'static CStr, buffer: &mut [u8]| unsafe {
        Getxattr::new(path.as_ptr(), name.as_ptr(), buffer.as_mut_ptr(), buffer.len() as u32)
    };
    assert_eq!(run(&mut ring, get(NAME, &mut buffer)), Ok(5));
    assert_eq!(&buffer[..5], b"first");
    assert_eq!(run(&mut ring, get(NAME, &mut [])), Ok(5), "its size only");
    assert_eq!(run(&mut ring, get(NAME, &mut buffer[..2])), Err(libc::ERANGE));
    assert_eq!(run(&mut ring, get(c"user.none", &mut buffer)), Err(libc::ENODATA));
}

#[test]
fn attributes_are_set_and_read_by_file() {
    let file = TempFile::empty();
    let mut buffer = [0; 10];
    let mut ring = ring();
    require!(has(&ring, Op::FSETXATTR), "Linux 5.19");
    require!(has_attributes(&file), "no extended attributes in the temporary directory");
    ring.registrar().register_files(&[file.file().as_fd().into()]).unwrap();
    let set = unsafe { Fsetxattr::new(file.file(), NAME.as_ptr(), b"first".as_ptr(), 5) };
    assert_eq!(run(&mut ring, set.xattr_flags(libc::XATTR_REPLACE)), Err(libc::ENODATA));
    let set = unsafe { Fsetxattr::new(file.file(), NAME.as_ptr(), b"first".as_ptr(), 5) };
    assert_eq!(run(&mut ring, set), Ok(0));
    assert_eq!(value(&file), b"first");
    let get = unsafe { Fgetxattr::new(file.file(), NAME.as_ptr(), buffer.as_mut_ptr(), 10) };
    assert_eq!(run(&mut ring, get), Ok(5));
    assert_eq!(&buffer[..5], b"first");

    let registered = if kernel_is_at_least(6, 13) { Ok(()) } else { Err(libc::EBADF) };
    let set = unsafe { Fsetxattr::new(Fixed(0), NAME.as_ptr(), b"second".as_ptr(), 6) };
    assert_eq!(run(&mut ring, set).map(drop), registered);
    let get = unsafe { Fgetxattr::new(Fixed(0), NAME.as_ptr(), buffer.as_mut_ptr(), 10) };
    assert_eq!(run(&mut ring, get).map(drop), registered);
    assert_eq!(&buffer[..value(&file).len()], value(&file));
}
