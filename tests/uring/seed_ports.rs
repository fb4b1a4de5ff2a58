//! The tests that the first `URingContext` came with, under their names, with what they left unchecked checked.

use std::time::Duration;

use tests::files::{self, TempFile};
use uring::Error;

use crate::common::*;

#[test]
fn read_parallel() {
    const DEPTH: usize = 10;
    const BLOCK: usize = 0x1000;
    const READS: u64 = DEPTH as u64 * 64;
    let file = TempFile::new(BLOCK * DEPTH);
    let mut buffers = vec![vec![0; BLOCK]; DEPTH];
    let mut context = context(DEPTH);
    let mut completed = Vec::new();
    for name in 0..READS {
        let slot = name as usize % DEPTH;
        loop {
            let buffer = buffers[slot].as_mut_ptr();
            match unsafe { context.add_read(buffer, BLOCK, file.file(), (slot * BLOCK) as u64, name) } {
                Ok(_) => break,
                Err(Error::NoSpace) => completed.extend(taken(context.wait().unwrap())),
                Err(error) => panic!("add_read: {error}"),
            }
        }
    }
    completed.extend(all(&mut context));
    let expected: Vec<Taken> = (0..READS).map(|name| (name, Ok(BLOCK as u32))).collect();
    assert_eq!(sorted(completed), expected);
    for (slot, buffer) in buffers.iter().enumerate() {
        files::check(buffer, (slot * BLOCK) as u64);
    }
}

#[test]
fn read_readv() {
    const BLOCK: usize = 0x1000;
    let file = TempFile::new(BLOCK * 2);
    let mut buffer = vec![0; BLOCK];
    let mut context = context(128);
    for name in 0..256 {
        let offset = name % 2 * BLOCK as u64;
        read(&mut context, &mut buffer, file.file(), offset, name);
        assert_eq!(one(&mut context), (name, Ok(BLOCK as u32)));
        files::check(&buffer, offset);
        buffer.fill(0);
        unsafe { context.add_readv_iter([iovec(&mut buffer)], file.file(), offset, name) }.unwrap();
        assert_eq!(one(&mut context), (name, Ok(BLOCK as u32)));
        files::check(&buffer, offset);
        buffer.fill(0);
    }
}

#[test]
fn readv_vec() {
    const PART: usize = 0x2000;
    let file = TempFile::new(PART * 6);
    let mut buffers = vec![vec![0; PART]; 3];
    let mut context = context(128);
    let iovecs: Vec<_> = buffers.iter_mut().map(|buffer| iovec(buffer)).collect();
    unsafe { context.add_readv(iovecs, file.file(), 0, 55) }.unwrap();
    assert_eq!(one(&mut context), (55, Ok(3 * PART as u32)));
    files::check(&buffers.concat(), 0);
}

#[test]
fn write_one_block() {
    let file = TempFile::empty();
    file.file().set_len(8192).unwrap();
    let block = files::content(77, 4096);
    let mut context = context(16);
    write(&mut context, &block, file.file(), 0, 55);
    assert_eq!(one(&mut context), (55, Ok(4096)));
    assert_eq!(files::pread(file.file(), 0, 8192), [block, vec![0; 4096]].concat());
}

#[test]
fn write_one_submit_poll() {
    let file = TempFile::new(8192);
    let block = files::content(77, 4096);
    let mut context = context(16);
    assert!(!readable(&context, Duration::from_millis(1)));
    write(&mut context, &block, file.file(), 0, 55);
    assert!(!readable(&context, Duration::from_millis(1)));
    assert_eq!(context.submit().unwrap(), 1);
    assert!(readable(&context, LONG));
    assert_eq!(one(&mut context), (55, Ok(4096)));
    assert!(!readable(&context, Duration::from_millis(1)));
    files::check(&files::pread(file.file(), 0, 4096), 77);
}

#[test]
fn writev_vec() {
    const PART: usize = 0x2000;
    let file = TempFile::empty();
    file.file().set_len(PART as u64 * 6).unwrap();
    let buffers = [[0xaa; PART], [0xff; PART], [0x55; PART]];
    let mut context = context(128);
    let iovecs = buffers.iter().map(|buffer| iovec_of(buffer));
    unsafe { context.add_writev_iter(iovecs, file.file(), PART as u64, 55) }.unwrap();
    assert_eq!(one(&mut context), (55, Ok(3 * PART as u32)));
    let expected = [vec![0; PART], buffers.concat(), vec![0; 2 * PART]].concat();
    assert!(files::pread(file.file(), 0, 6 * PART) == expected);
}

#[test]
fn fallocate_fsync() {
    const INITIAL: u64 = 4096;
    const ENLARGED: u64 = INITIAL + 50 * 1024 * 1024;
    let file = TempFile::new(INITIAL as usize);
    let mut context = context(16);
    unsafe { context.add_fallocate(file.file(), 0, ENLARGED, 0, 66) }.unwrap();
    assert_eq!(one(&mut context), (66, Ok(0)));
    assert_eq!(file.file().metadata().unwrap().len(), ENLARGED);
    let allocated = blocks(&file);
    assert!(allocated >= ENLARGED);

    unsafe { context.add_fsync(file.file(), 67) }.unwrap();
    assert_eq!(one(&mut context), (67, Ok(0)));

    let mode = libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE;
    unsafe { context.add_fallocate(file.file(), INITIAL, ENLARGED - INITIAL, mode, 68) }.unwrap();
    assert_eq!(one(&mut context), (68, Ok(0)));
    assert_eq!(file.file().metadata().unwrap().len(), ENLARGED);
    assert!(blocks(&file) < allocated);
    files::check(&files::pread(file.file(), 0, INITIAL as usize), 0);
}

/// The bytes that a file occupies on its disk.
fn blocks(file: &TempFile) -> u64 {
    std::os::unix::fs::MetadataExt::blocks(&file.file().metadata().unwrap()) * 512
}

#[test]
fn dev_zero_readable() {
    let zero = dev_zero();
    let mut context = context(16);
    poll(&mut context, &zero, libc::POLLIN, 454);
    assert_eq!(one(&mut context), (454, Ok(libc::POLLIN as u32)));
}
