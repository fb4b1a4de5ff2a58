//! Reads and writes.

use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;

use tests::files::{TempFile, byte_at, check, content, pread};
use tests::require;
use uring::op::rw::{PiAttr, Read, ReadFixed, Readv, ReadvFixed, Write, WriteFixed, Writev, WritevFixed};
use uring::ring::FilePlace;
use uring::{Fixed, IoPriority, Op, RwFlags};

use super::common::{NOWHERE, closed_descriptor, has, iovec, kernel_is_at_least, pipe, ring, run};

const LEN: usize = 10_000;

#[test]
fn a_read_gets_what_pread_gets() {
    let file = TempFile::new(LEN);
    let mut buffer = [0; 4096];
    let mut ring = ring();
    for (offset, expected) in [(0, 4096), (7777, LEN - 7777), (LEN as u64, 0)] {
        let read = unsafe { Read::new(file.file(), buffer.as_mut_ptr(), buffer.len(), offset) };
        assert_eq!(run(&mut ring, read), Ok(expected as u32));
        assert_eq!(buffer[..expected], pread(file.file(), offset, buffer.len()));
    }
}

#[test]
fn a_write_is_what_pread_gets() {
    let file = TempFile::new(LEN);
    let data = content(99, 3000);
    let mut ring = ring();
    let write = unsafe { Write::new(file.file(), data.as_ptr(), data.len(), 5000) };
    assert_eq!(run(&mut ring, write.ioprio(IoPriority::best_effort(3))), Ok(3000));
    assert_eq!(pread(file.file(), 5000, 3000), data);
    check(&pread(file.file(), 0, 5000), 0);
    check(&pread(file.file(), 8000, LEN), 8000);
}

#[test]
fn transfers_of_a_closed_descriptor_are_refused() {
    let mut ring = ring();
    assert_eq!(run(&mut ring, unsafe { Read::new(closed_descriptor(), NOWHERE, 1, 0) }), Err(libc::EBADF));
    assert_eq!(run(&mut ring, unsafe { Write::new(closed_descriptor(), NOWHERE, 1, 0) }), Err(libc::EBADF));
    assert_eq!(run(&mut ring, unsafe { Read::new(Fixed(0), NOWHERE, 1, 0) }), Err(libc::EBADF));
    assert_eq!(run(&mut ring, unsafe { Write::new(Fixed(u32::MAX), NOWHERE, 1, 0) }), Err(libc::EBADF));
}

#[test]
fn a_registered_file_is_read_and_written_by_its_place() {
    let file = TempFile::new(LEN);
    let mut buffer = [0; 100];
    let mut ring = ring();
    ring.registrar().register_files(&[FilePlace::Empty, file.file().as_fd().into()]).unwrap();
    let read = unsafe { Read::new(Fixed(1), buffer.as_mut_ptr(), buffer.len(), 50) };
    assert_eq!(run(&mut ring, read), Ok(100));
    check(&buffer, 50);
    let write = unsafe { Write::new(Fixed(1), buffer.as_ptr(), buffer.len(), 0) };
    assert_eq!(run(&mut ring, write), Ok(100));
    check(&pread(file.file(), 0, 100), 50);
}

#[test]
fn flags_of_a_write_are_those_of_pwritev2() {
    let file = TempFile::new(LEN);
    let mut ring = ring();
    let write = unsafe { Write::new(file.file(), b"tail".as_ptr(), 4, 0) };
    assert_eq!(run(&mut ring, write.rw_flags(RwFlags::APPEND | RwFlags::DSYNC)), Ok(4));
    assert_eq!(pread(file.file(), LEN as u64, 10), b"tail");
    assert_eq!(pread(file.file(), 0, 1), [byte_at(0)]);

    let (reader, _writer) = pipe();
    let read = unsafe { Read::new(&reader, NOWHERE, 1, u64::MAX) };
    // Older kernels do not take the flag for a pipe.
    let expected = if kernel_is_at_least(6, 4) { libc::EAGAIN } else { libc::EOPNOTSUPP };
    assert_eq!(run(&mut ring, read.rw_flags(RwFlags::NOWAIT)), Err(expected));
}

#[test]
fn the_position_is_where_the_last_offset_says() {
    let file = TempFile::new(LEN);
    let mut buffer = [0; 10];
    let mut ring = ring();
    for start in [0, 10] {
        let read = unsafe { Read::new(file.file(), buffer.as_mut_ptr(), buffer.len(), u64::MAX) };
        assert_eq!(run(&mut ring, read), Ok(10));
        check(&buffer, start);
    }
}

#[test]
fn vectored_transfers_go_through_all_buffers() {
    let file = TempFile::new(LEN);
    let (mut first, mut second) = ([0; 10], [0; 1000]);
    let iovecs = [iovec(&mut first), iovec(&mut second)];
    let mut ring = ring();
    let readv = unsafe { Readv::new(file.file(), iovecs.as_ptr(), 2, 100) };
    assert_eq!(run(&mut ring, readv), Ok(1010));
    check(&first, 100);
    check(&second, 110);
    let writev = unsafe { Writev::new(file.file(), iovecs.as_ptr(), 2, 0) };
    assert_eq!(run(&mut ring, writev), Ok(1010));
    check(&pread(file.file(), 0, 1010), 100);

    let readv = unsafe { Readv::new(file.file(), iovecs.as_ptr(), 1025, 0) };
    assert_eq!(run(&mut ring, readv), Err(libc::EINVAL));
    let writev = unsafe { Writev::new(file.file(), iovecs.as_ptr(), 1025, 0) };
    assert_eq!(run(&mut ring, writev), Err(libc::EINVAL));
}

#[test]
fn transfers_of_a_registered_buffer_stay_inside_it() {
    let file = TempFile::new(LEN);
    let mut memory = vec![0; 8192];
    let mut ring = ring();
    unsafe { ring.registrar().register_buffers(&[iovec(&mut memory[..4096])]) }.unwrap();
    let start = memory.as_mut_ptr();
    let read = |from: usize, len| unsafe { ReadFixed::new(file.file(), start.wrapping_add(from), len, 0, 7) };
    assert_eq!(run(&mut ring, read(96, 4000)), Ok(4000));
    assert_eq!(run(&mut ring, read(97, 4000)), Err(libc::EFAULT));
    let write =
        |from: usize, len| unsafe { WriteFixed::new(file.file(), start.wrapping_add(from), len, 0, 0) };
    assert_eq!(run(&mut ring, write(96, 4000)), Ok(4000));
    assert_eq!(run(&mut ring, write(4096, 1)), Err(libc::EFAULT));
    let write = unsafe { WriteFixed::new(file.file(), start, 1, 1, 0) };
    assert_eq!(run(&mut ring, write), Err(libc::EFAULT), "there is no second buffer");
    drop(ring);
    check(&memory[96..4096], 7);
    check(&pread(file.file(), 0, 4000), 7);
}

#[test]
fn vectored_transfers_of_a_registered_buffer_stay_inside_it() {
    let file = TempFile::new(LEN);
    let mut memory = vec![0; 8192];
    let mut ring = ring();
    require!(has(&ring, Op::READV_FIXED), "Linux 6.15");
    unsafe { ring.registrar().register_buffers(&[iovec(&mut memory[..4096])]) }.unwrap();
    let (inside, outside) = memory.split_at_mut(4096);
    let (first, second) = inside.split_at_mut(1000);
    let iovecs = [iovec(second), iovec(first), iovec(outside)];
    let read = |nr| unsafe { ReadvFixed::new(file.file(), iovecs.as_ptr(), nr, 0, 0) };
    assert_eq!(run(&mut ring, read(2)), Ok(4096));
    assert_eq!(run(&mut ring, read(3)), Err(libc::EFAULT));
    let write = |nr| unsafe { WritevFixed::new(file.file(), iovecs.as_ptr(), nr, 0, 5000) };
    assert_eq!(run(&mut ring, write(2)), Ok(4096));
    assert_eq!(run(&mut ring, write(3)), Err(libc::EFAULT));
    drop(ring);
    check(&memory[1000..4096], 0);
    check(&memory[..1000], 3096);
    check(&pread(file.file(), 5000, 4096), 0);
}

#[test]
fn a_stream_is_ignored_where_there_are_none() {
    let file = TempFile::new(LEN);
    let mut ring = ring();
    let write = unsafe { Write::new(file.file(), b"data".as_ptr(), 4, 0) };
    if kernel_is_at_least(6, 16) {
        assert_eq!(run(&mut ring, write.write_stream(1)), Ok(4));
        assert_eq!(pread(file.file(), 0, 4), b"data");
    }
}

#[test]
fn integrity_metadata_takes_a_file_that_has_some() {
    let file = TempFile::new(LEN);
    let (mut buffer, mut metadata) = ([0; 512], [0; 8]);
    let attr = PiAttr::new(metadata.as_mut_ptr(), 8).check_guard();
    let mut ring = ring();
    require!(ring.features().contains(uring::Features::RW_ATTR), "Linux 6.14");
    let read = unsafe { Read::new(file.file(), buffer.as_mut_ptr(), 512, 0).attr_pi(&raw const attr) };
    assert_eq!(run(&mut ring, read), Err(libc::EINVAL));
    let write = unsafe { Write::new(file.file(), buffer.as_ptr(), 512, 0).attr_pi(std::ptr::null()) };
    assert_eq!(run(&mut ring, write), Err(libc::EFAULT));
    let mut byte = [0];
    file.file().read_exact_at(&mut byte, 0).unwrap();
    assert_eq!(byte, [byte_at(0)], "nothing was written");
}
