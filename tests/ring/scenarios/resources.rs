//! Registered files and buffers.

use std::io::Write as _;
use std::os::fd::{AsFd, AsRawFd, RawFd};

use tests::files::{self, AlignedBuf, TempFile};
use tests::kernel::is_at_least;
use tests::{or_skip, require};
use uring::op::ring::FilesUpdate;
use uring::op::rw::{Read, ReadFixed, ReadvFixed, Write, WritevFixed};
use uring::{Features, Fixed, Op, Ring, UserData};
use uring_sys::{
    IORING_REGISTER_BUFFERS2, IORING_REGISTER_FILES_UPDATE2, IORING_REGISTER_FILES2, io_uring_rsrc_register,
    io_uring_rsrc_update2,
};

use super::common::*;

fn address<T>(pointer: *const T) -> u64 {
    pointer.expose_provenance() as u64
}

/// Registers resources with tags.
fn register_tagged<T>(ring: &Ring, opcode: u32, data: &[T], tags: &[u64]) -> Result<u32, i32> {
    let (data_at, tags_at) = (address(data.as_ptr()), address(tags.as_ptr()));
    let mut arg =
        io_uring_rsrc_register { nr: tags.len() as u32, data: data_at, tags: tags_at, ..Default::default() };
    register(ring, opcode, &raw mut arg, size_of_val(&arg) as u32)
}

/// Replaces one registered file.
fn update_tagged(ring: &Ring, place: u32, fd: RawFd, tag: u64) -> Result<u32, i32> {
    let (data, tags) = (address(&raw const fd), address(&raw const tag));
    let mut arg = io_uring_rsrc_update2 { offset: place, data, tags, nr: 1, ..Default::default() };
    register(ring, IORING_REGISTER_FILES_UPDATE2, &raw mut arg, size_of_val(&arg) as u32)
}

#[test]
fn a_tag_comes_as_a_completion_once_its_file_is_gone() {
    let (reader, mut writer) = pipe();
    let mut byte = [0];
    let null = std::fs::File::open("/dev/null").unwrap();
    let mut ring = ring(8);
    require!(ring.features().contains(Features::RSRC_TAGS), "Linux 5.13");
    let fds = [reader.as_raw_fd(), null.as_raw_fd(), null.as_raw_fd()];
    assert_eq!(register_tagged(&ring, IORING_REGISTER_FILES2, &fds, &[100, 101, 0]), Ok(0));
    nothing_is_there(&mut ring);
    // A file in use goes when the request has ended.
    read(&mut ring, &mut byte, Fixed(0), 1);
    ring.submit().unwrap();
    assert_eq!(update_tagged(&ring, 0, null.as_raw_fd(), 200), Ok(1));
    nothing_is_there(&mut ring);
    writer.write_all(b"x").unwrap();
    assert_eq!(take_sorted(&mut ring, 2), [(1, Ok(1)), (100, Ok(0))]);
    // One that is not goes at once, and an empty tag says nothing.
    assert_eq!(update_tagged(&ring, 1, -1, 0), Ok(1));
    assert_eq!(take(&mut ring, 1), [(101, Ok(0))]);
    assert_eq!(update_tagged(&ring, 2, null.as_raw_fd(), 202), Ok(1));
    nothing_is_there(&mut ring);
    // An empty place cannot have a tag.
    assert_eq!(update_tagged(&ring, 1, -1, 7), Err(libc::EINVAL));
    ring.registrar().unregister_files().unwrap();
    let last = if is_at_least(6, 13) { 2 } else { 0 };
    assert_eq!(take_sorted(&mut ring, last), [(200, Ok(0)), (202, Ok(0))][..last]);
    nothing_is_there(&mut ring);
}

#[test]
fn a_tag_comes_as_a_completion_once_its_buffer_is_gone() {
    let mut memory = AlignedBuf::new(3 * 4096);
    let iovecs: Vec<_> = memory.chunks_mut(4096).map(iovec).collect();
    let (reader, mut writer) = pipe();
    let mut ring = ring(8);
    require!(ring.features().contains(Features::RSRC_TAGS), "Linux 5.13");
    assert_eq!(register_tagged(&ring, IORING_REGISTER_BUFFERS2, &iovecs, &[100, 0, 102]), Ok(0));
    let start = iovecs[0].iov_base.cast::<u8>();
    push(&mut ring, unsafe { ReadFixed::new(&reader, start, 1, 0, 0) }.user_data(1));
    ring.submit().unwrap();
    // Older kernels wait here for what uses a buffer.
    std::thread::scope(|scope| {
        scope.spawn(|| writer.write_all(b"x").unwrap());
        ring.registrar().unregister_buffers().unwrap();
    });
    let expected: [(UserData, _); 3] = [(1, Ok(1)), (100, Ok(0)), (102, Ok(0))];
    let nr = if is_at_least(6, 13) { 3 } else { 1 };
    assert_eq!(take_sorted(&mut ring, nr), expected[..nr]);
    nothing_is_there(&mut ring);
}

#[test]
fn tags_of_a_ring_that_is_dropped_keep_nothing() {
    let (reader, writer) = pipe();
    let ring = ring(8);
    require!(ring.features().contains(Features::RSRC_TAGS), "Linux 5.13");
    assert_eq!(register_tagged(&ring, IORING_REGISTER_FILES2, &[writer.as_raw_fd()], &[1]), Ok(0));
    drop(writer);
    drop(ring);
    let mut end = [0];
    assert_eq!(std::io::Read::read(&mut &reader, &mut end).unwrap(), 0, "nobody has the other end");
}

#[test]
fn a_request_names_the_file_that_is_in_its_place_when_it_starts() {
    let (one, other) = (TempFile::new(10), TempFile::new(20));
    let mut bytes = [0; 32];
    let mut ring = ring(8);
    ring.registrar().register_files(&[one.file().as_fd().into()]).unwrap();
    let fds = [other.file().as_raw_fd()];
    let mut read = |name| unsafe { Read::new(Fixed(0), bytes.as_mut_ptr(), 32, 0) }.user_data(name);
    // A short read goes on in a chain that is hard.
    push(&mut ring, read(1).flags(uring::SqeFlags::IO_HARDLINK));
    let update = unsafe { FilesUpdate::new(Fixed(0), fds.as_ptr(), 1) };
    push(&mut ring, update.user_data(2).flags(uring::SqeFlags::IO_HARDLINK));
    push(&mut ring, read(3));
    let after = if ring.features().contains(Features::LINKED_FILE) { 20 } else { 10 };
    assert_eq!(take(&mut ring, 3), [(1, Ok(10)), (2, Ok(1)), (3, Ok(after))]);
}

#[test]
fn a_registered_buffer_that_starts_anywhere_is_read_into_anywhere() {
    const LEN: usize = 128 * 1024;
    let file = TempFile::new(LEN);
    let direct = or_skip!(file.direct());
    let mut memory = AlignedBuf::new(LEN);
    let start = memory.as_mut_ptr();
    let mut ring = ring(8);
    for skipped in [0, 512, 3584] {
        let part = libc::iovec { iov_base: unsafe { start.add(skipped) }.cast(), iov_len: LEN - skipped };
        unsafe { ring.registrar().register_buffers(&[part]) }.unwrap();
        for (at, len) in [(skipped, 4096), (4096, 8192), (4096, 4096), (65536, 16384)] {
            let at = unsafe { start.add(at.max(skipped)) };
            push(&mut ring, unsafe { ReadFixed::new(&direct, at, len, 0, 0) });
            assert_eq!(take(&mut ring, 1), [(0, Ok(len as u32))], "{skipped} skipped");
            files::check(unsafe { std::slice::from_raw_parts(at, len) }, 0);
        }
        ring.registrar().unregister_buffers().unwrap();
    }
}

#[test]
fn many_parts_of_a_registered_buffer_are_written_and_read() {
    const LEN: usize = 64 * 1024;
    let file = TempFile::empty();
    let mut memory = AlignedBuf::filled(LEN, 0);
    let start = memory.as_mut_ptr();
    let mut ring = ring(8);
    require!(ring.probe().unwrap().supports(Op::READV_FIXED), "Linux 6.15");
    let part = |at: usize, len| libc::iovec { iov_base: unsafe { start.add(at) }.cast(), iov_len: len };
    unsafe { ring.registrar().register_buffers(&[part(0, LEN)]) }.unwrap();
    // Parts of all sizes, one behind the other; then the same memory in another order.
    let mut parts = Vec::new();
    let mut at = 0;
    for nth in 0..200_usize {
        parts.push(part(at, 1 + nth * 3 % 401));
        at += 1 + nth * 3 % 401;
    }
    let all = parts.iter().map(|part| part.iov_len).sum::<usize>();
    let nr = parts.len() as u32;
    push(&mut ring, unsafe { WritevFixed::new(file.file(), parts.as_ptr(), nr, 0, 0) });
    assert_eq!(take(&mut ring, 1), [(0, Ok(all as u32))]);
    files::check(&files::pread(file.file(), 0, all), 0);
    parts.reverse();
    push(&mut ring, unsafe { ReadvFixed::new(file.file(), parts.as_ptr(), nr, 0, 0) });
    assert_eq!(take(&mut ring, 1), [(0, Ok(all as u32))]);
    let mut offset = 0;
    for part in &parts {
        let read = unsafe { std::slice::from_raw_parts(part.iov_base.cast::<u8>(), part.iov_len) };
        files::check(read, offset);
        offset += part.iov_len as u64;
    }
    // A part outside spoils the whole, and so does an empty one.
    for spoilt in [[part(0, 8), part(LEN - 8, 9)], [part(0, 8), part(8, 0)]] {
        push(&mut ring, unsafe { ReadvFixed::new(file.file(), spoilt.as_ptr(), 2, 0, 0) });
        assert_eq!(take(&mut ring, 1), [(0, Err(libc::EFAULT))]);
    }
}

#[test]
fn a_table_is_not_left_while_a_request_uses_its_file() {
    let file = TempFile::empty();
    let (reader, mut writer) = pipe();
    let mut byte = [0];
    let mut ring = ring(8);
    ring.registrar().register_files(&[reader.as_fd().into(), file.file().as_fd().into()]).unwrap();
    read(&mut ring, &mut byte, Fixed(0), 1);
    ring.submit().unwrap();
    drop(reader);
    // Older kernels wait here for what uses a file.
    std::thread::scope(|scope| {
        scope.spawn(|| writer.write_all(b"x").unwrap());
        ring.registrar().unregister_files().unwrap();
    });
    assert_eq!(take(&mut ring, 1), [(1, Ok(1))]);
    // No place is left.
    push(&mut ring, unsafe { Write::new(Fixed(1), byte.as_ptr(), 1, 0) });
    assert_eq!(take(&mut ring, 1), [(0, Err(libc::EBADF))]);
}
