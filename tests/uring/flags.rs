//! Flags and priority of a single read or write.

use std::io;
use std::os::fd::AsRawFd;

use tests::files::{self, TempFile};
use tests::require;
use uring::{IoPriority, RwFlags};

use crate::common::*;

#[test]
fn append_goes_to_the_end_whatever_the_offset() {
    let file = TempFile::new(100);
    let data = files::content(100, 50);
    let mut context = context(4);
    let queued = unsafe { context.add_write(data.as_ptr(), 50, file.file(), 7, 1) }.unwrap();
    queued.rw_flags(RwFlags::APPEND);
    assert_eq!(one(&mut context), (1, Ok(50)));
    unsafe { context.add_writev(vec![iovec_of(&data)], file.file(), 7, 2) }
        .unwrap()
        .rw_flags(RwFlags::APPEND);
    assert_eq!(one(&mut context), (2, Ok(50)));
    let content = files::pread(file.file(), 0, 1000);
    assert_eq!(content.len(), 200);
    files::check(&content[..150], 0);
    files::check(&content[150..], 100);
}

#[test]
fn noappend_overrules_the_files_mode() {
    let file = TempFile::new(100);
    let appending = file.open(libc::O_APPEND);
    let mut context = context(4);
    let queued = unsafe { context.add_write([1; 5].as_ptr(), 0, &appending, 0, 0) }.unwrap();
    queued.rw_flags(RwFlags::NOAPPEND);
    require!(one(&mut context).1 == Ok(0), "no RWF_NOAPPEND before 6.9");
    let data = [0xaa; 10];
    unsafe { context.add_write(data.as_ptr(), 10, &appending, 20, 1) }.unwrap().rw_flags(RwFlags::NOAPPEND);
    assert_eq!(one(&mut context), (1, Ok(10)));
    let content = files::pread(file.file(), 0, 1000);
    assert_eq!(content.len(), 100);
    assert_eq!(content[20..30], data);
    // Without the flag it appends.
    write(&mut context, &data, &appending, 20, 2);
    assert_eq!(one(&mut context), (2, Ok(10)));
    assert_eq!(file.file().metadata().unwrap().len(), 110);
}

#[test]
fn durable_writes_are_taken() {
    let file = TempFile::new(4096);
    let data = files::content(77, 512);
    let mut context = context(4);
    for flags in [RwFlags::DSYNC, RwFlags::SYNC, RwFlags::DSYNC | RwFlags::APPEND] {
        unsafe { context.add_write(data.as_ptr(), 512, file.file(), 0, 1) }.unwrap().rw_flags(flags);
        assert_eq!(one(&mut context), (1, Ok(512)), "{flags:?}");
    }
    files::check(&files::pread(file.file(), 0, 512), 77);
    files::check(&files::pread(file.file(), 4096, 512), 77);
}

#[test]
fn nowait_fails_rather_than_wait() {
    let pipe = Pipe::new();
    let mut byte = [0];
    let mut context = context(4);
    let queued = unsafe { context.add_read(byte.as_mut_ptr(), 1, &pipe.reader, u64::MAX, 1) }.unwrap();
    queued.rw_flags(RwFlags::NOWAIT);
    let expected = if kernel_is_at_least(6, 4) { libc::EAGAIN } else { nowait_errno(&pipe) };
    assert_eq!(one(&mut context), (1, Err(expected)));
    // With data there is nothing to wait for.
    pipe.fill();
    if expected == libc::EAGAIN {
        let queued = unsafe { context.add_read(byte.as_mut_ptr(), 1, &pipe.reader, u64::MAX, 2) }.unwrap();
        queued.rw_flags(RwFlags::NOWAIT);
        assert_eq!(one(&mut context), (2, Ok(1)));
        assert_eq!(&byte, b"x");
    }
}

/// What `preadv2` says: before 6.4 pipes do not know the flag.
fn nowait_errno(pipe: &Pipe) -> i32 {
    let mut byte = [0];
    let part = iovec(&mut byte);
    let read = unsafe { libc::preadv2(pipe.reader.as_raw_fd(), &raw const part, 1, -1, libc::RWF_NOWAIT) };
    assert_eq!(read, -1);
    io::Error::last_os_error().raw_os_error().unwrap()
}

#[test]
fn nowait_reads_what_is_cached() {
    let file = TempFile::new(4096);
    drop(files::pread(file.file(), 0, 4096));
    let mut buffer = vec![0; 4096];
    let mut context = context(4);
    let queued = unsafe { context.add_read(buffer.as_mut_ptr(), 4096, file.file(), 0, 1) }.unwrap();
    queued.rw_flags(RwFlags::NOWAIT);
    assert_eq!(one(&mut context), (1, Ok(4096)));
    files::check(&buffer, 0);
}

#[test]
fn unknown_bits_reach_the_kernel_and_are_refused() {
    let file = TempFile::new(100);
    let data = [0; 10];
    let mut context = context(4);
    for bits in [0x4000_0000, i32::MIN] {
        let flags = RwFlags::from_bits_retain(bits);
        unsafe { context.add_write(data.as_ptr(), 10, file.file(), 0, 1) }.unwrap().rw_flags(flags);
        unsafe { context.add_writev(vec![iovec_of(&data)], file.file(), 0, 2) }.unwrap().rw_flags(flags);
        context.add_nop(3).unwrap();
        let refused = Err(libc::EOPNOTSUPP);
        assert_eq!(all(&mut context), [(1, refused), (2, refused), (3, Ok(0))]);
    }
    files::check(&files::pread(file.file(), 0, 100), 0);
}

#[test]
fn hipri_is_refused_on_a_ring_that_does_not_poll() {
    let file = TempFile::new(100);
    let mut buffer = [0; 10];
    let mut context = context(4);
    let queued = unsafe { context.add_read(buffer.as_mut_ptr(), 10, file.file(), 0, 1) }.unwrap();
    queued.rw_flags(RwFlags::HIPRI);
    assert_eq!(one(&mut context), (1, Err(libc::EINVAL)));
}

#[test]
fn every_class_of_priority_is_taken() {
    let file = TempFile::new(1000);
    let mut buffer = [0; 10];
    let mut context = context(4);
    let mut classes = vec![IoPriority::default(), IoPriority::idle()];
    classes.extend((0..8).map(IoPriority::best_effort));
    if unsafe { libc::geteuid() } == 0 {
        classes.extend((0..8).map(IoPriority::real_time));
    }
    for (offset, class) in (0..).zip(classes) {
        unsafe { context.add_read(buffer.as_mut_ptr(), 10, file.file(), offset, 1) }.unwrap().ioprio(class);
        assert_eq!(one(&mut context), (1, Ok(10)), "{class:?}");
        files::check(&buffer, offset);
    }
}

#[test]
fn a_class_that_does_not_exist_is_refused_alone() {
    let file = TempFile::new(1000);
    let mut buffers = [[0; 10]; 3];
    let mut context = context(4);
    for (name, buffer) in (0..).zip(&mut buffers) {
        let queued = unsafe { context.add_read(buffer.as_mut_ptr(), 10, file.file(), name, name) }.unwrap();
        queued.ioprio(if name == 1 { IoPriority::from_raw(5 << 13) } else { IoPriority::best_effort(3) });
    }
    assert_eq!(all(&mut context), [(0, Ok(10)), (1, Err(libc::EINVAL)), (2, Ok(10))]);
    files::check(&buffers[0], 0);
    files::check(&buffers[2], 2);
}

#[test]
fn flags_and_priority_go_together() {
    let file = TempFile::new(10);
    let data = files::content(10, 10);
    let mut context = context(4);
    let queued = unsafe { context.add_write(data.as_ptr(), 10, file.file(), 0, 1) }.unwrap();
    queued.ioprio(IoPriority::best_effort(7)).rw_flags(RwFlags::APPEND | RwFlags::DSYNC);
    assert_eq!(one(&mut context), (1, Ok(10)));
    files::check(&files::pread(file.file(), 0, 20), 0);
    assert_eq!(file.file().metadata().unwrap().len(), 20);
}
