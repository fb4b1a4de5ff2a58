//! Durability.

use std::os::fd::{AsFd, AsRawFd};

use tests::files::{TempFile, check, pread};
use uring::Fixed;
use uring::op::sync::{Fsync, SyncFileRange};

use super::common::{closed_descriptor, pipe, ring, run};

#[test]
fn fsync_takes_every_form_and_leaves_the_content() {
    let file = TempFile::new(10_000);
    let mut ring = ring();
    ring.registrar().register_files(&[file.file().as_fd().into()]).unwrap();
    assert_eq!(run(&mut ring, unsafe { Fsync::new(file.file()) }), Ok(0));
    assert_eq!(run(&mut ring, Fsync::fixed(Fixed(0)).datasync()), Ok(0));
    assert_eq!(run(&mut ring, Fsync::fixed(Fixed(0)).range(4096, 100)), Ok(0));
    check(&pread(file.file(), 0, 10_000), 0);
}

#[test]
fn fsync_is_refused_where_the_system_call_is() {
    let (reader, _writer) = pipe();
    let mut ring = ring();
    assert_eq!(unsafe { libc::fsync(reader.as_raw_fd()) }, -1);
    let errno = std::io::Error::last_os_error().raw_os_error().unwrap();
    assert_eq!(run(&mut ring, unsafe { Fsync::new(&reader) }), Err(errno));
    assert_eq!(run(&mut ring, unsafe { Fsync::new(closed_descriptor()) }), Err(libc::EBADF));
}

#[test]
fn sync_file_range_takes_its_flags() {
    let file = TempFile::new(10_000);
    let mut ring = ring();
    ring.registrar().register_files(&[file.file().as_fd().into()]).unwrap();
    let flags = libc::SYNC_FILE_RANGE_WRITE | libc::SYNC_FILE_RANGE_WAIT_AFTER;
    assert_eq!(run(&mut ring, unsafe { SyncFileRange::new(file.file(), 0, 4096, flags) }), Ok(0));
    assert_eq!(run(&mut ring, SyncFileRange::fixed(Fixed(0), 0, 0, flags)), Ok(0));
    assert_eq!(run(&mut ring, SyncFileRange::fixed(Fixed(0), 0, 0, 0x80)), Err(libc::EINVAL));
    let (reader, _writer) = pipe();
    let request = unsafe { SyncFileRange::new(&reader, 0, 0, flags) };
    assert_eq!(run(&mut ring, request), Err(libc::ESPIPE));
}
