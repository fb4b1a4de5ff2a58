//! The original ChromeOS context's tests, as far as kernel AIO has the operation, and its successor's by description.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::time::Duration;

use aio::Error;
use tests::files::{self, TempFile};

use crate::common::*;

#[test]
fn read_parallel() {
    const DEPTH: usize = 10;
    const LEN: usize = 4096;
    let file = TempFile::new(DEPTH * LEN);
    let mut bytes = vec![0; DEPTH * LEN];
    let mut context = context(DEPTH);
    let (mut added, mut completed) = (0, 0);
    // Many times round the queue; the original never submitted and never noticed.
    while added < DEPTH * 64 {
        let slot = added % DEPTH * LEN;
        let part = &mut bytes[slot..slot + LEN];
        let (pointer, len) = (part.as_mut_ptr(), part.len());
        match unsafe { context.add_read(pointer, len, file.file(), slot as u64, added as u64) }.map(drop) {
            Ok(()) => added += 1,
            Err(Error::NoSpace) => {
                // All of them, so that no two reads in flight share a part of the buffer.
                let done = take_nr(&mut context, DEPTH);
                assert!(done.iter().all(|(_, result)| *result == Ok(LEN as u32)));
                completed += done.len();
                files::check(&bytes, 0);
                bytes.fill(0);
            }
            Err(error) => panic!("{error}"),
        }
    }
    completed += all(&mut context).len();
    assert_eq!(completed, DEPTH * 64);
    files::check(&bytes, 0);
}

#[test]
fn read_readv() {
    let file = TempFile::new(0x2000);
    let mut buffer = vec![0; 0x1000];
    let mut context = context(128);
    for index in 0..256 {
        let offset = index % 2 * 0x1000;
        read(&mut context, &mut buffer, file.file(), offset, index);
        assert_eq!(one(&mut context), (index, Ok(0x1000)));
        files::check(&buffer, offset);
        buffer.fill(0);
        let _ = unsafe { context.add_readv_iter([iovec(&mut buffer)], file.file(), offset, index) }.unwrap();
        assert_eq!(one(&mut context), (index, Ok(0x1000)));
        files::check(&buffer, offset);
        buffer.fill(0);
    }
}

#[test]
fn readv_vec() {
    const LEN: usize = 0x2000;
    let file = TempFile::new(LEN * 6);
    let mut buffers = vec![vec![0; LEN]; 3];
    let mut context = context(128);
    let vectors = buffers.iter_mut().map(|buffer| iovec(buffer)).collect();
    let _ = unsafe { context.add_readv(vectors, file.file(), 0, 55) }.unwrap();
    assert_eq!(one(&mut context), (55, Ok(3 * LEN as u32)));
    files::check(&buffers.concat(), 0);
}

#[test]
fn write_one_block() {
    let file = TempFile::new(2 * 4096);
    let block = [0; 4096];
    let mut context = context(16);
    write(&mut context, &block, file.file(), 0, 55);
    assert_eq!(one(&mut context), (55, Ok(4096)));
    assert_eq!(files::pread(file.file(), 0, 4096), block);
    files::check(&files::pread(file.file(), 4096, 4096), 4096);
}

#[test]
fn write_one_submit_poll() {
    let file = TempFile::new(2 * 4096);
    let block = [0; 4096];
    let mut context = context(16);
    assert!(!readable(&context, Duration::from_millis(1)), "readable before anything is complete");
    write(&mut context, &block, file.file(), 0, 55);
    context.submit().unwrap();
    assert!(readable(&context, LONG));
    assert_eq!(one(&mut context), (55, Ok(4096)));
}

#[test]
fn writev_vec() {
    const LEN: usize = 0x2000;
    const OFFSET: u64 = 0x2000;
    let file = TempFile::new(LEN * 6);
    let mut buffers = [vec![0xaa; LEN], vec![0xff; LEN], vec![0x55; LEN]];
    let mut context = context(128);
    let vectors: Vec<_> = buffers.iter_mut().map(|buffer| iovec(buffer)).collect();
    let _ = unsafe { context.add_writev_iter(vectors, file.file(), OFFSET, 55) }.unwrap();
    assert_eq!(one(&mut context), (55, Ok(3 * LEN as u32)));
    assert_eq!(files::pread(file.file(), OFFSET, 3 * LEN), buffers.concat());
    files::check(&files::pread(file.file(), 0, LEN), 0);
}

/// `fallocate_fsync` without `fallocate`, which kernel AIO does not have: three writes and a sync in one batch.
#[test]
fn write_and_fsync_in_one_batch() {
    let file = TempFile::empty();
    let data = files::content(0, 3 * 4096);
    let mut context = context(16);
    for (nr, part) in (0..).zip(data.chunks(4096)) {
        write(&mut context, part, file.file(), nr * 4096, nr);
    }
    unsafe { context.add_fsync(file.file(), 66) }.unwrap();
    unsafe { context.add_fdatasync(file.file(), 67) }.unwrap();
    let expected = [(0, Ok(4096)), (1, Ok(4096)), (2, Ok(4096)), (66, Ok(0)), (67, Ok(0))];
    assert_eq!(take_nr(&mut context, 5), expected);
    files::check(&files::pread(file.file(), 0, 4 * 4096), 0);
    assert_eq!(file.file().metadata().unwrap().len(), 3 * 4096);
}

#[test]
fn dev_zero_readable() {
    let zero = File::open("/dev/zero").unwrap();
    let mut context = context(16);
    poll(&mut context, &zero, libc::POLLIN, 454);
    assert_eq!(one(&mut context), (454, Ok(libc::POLLIN as u32)));
}

/// More than a completion queue's worth in several submits, taken by two waits and what follows.
#[test]
fn queue_many_and_take_late() {
    let zero = dev_zero();
    let mut bytes = vec![[1; 8]; 500];
    let mut context = context(500);
    for (nr, buffer) in (0..).zip(&mut bytes) {
        read(&mut context, buffer, &zero, 0, nr);
        if nr % 64 == 63 {
            assert_eq!(context.submit().unwrap(), 64);
        }
    }
    let mut seen = taken(context.wait().unwrap());
    seen.extend(taken(context.wait().unwrap()));
    seen.extend(all(&mut context));
    seen.sort_unstable();
    assert_eq!(seen, (0..500).map(|nr| (nr, Ok(8))).collect::<Vec<_>>());
    assert_eq!(bytes.as_flattened(), [0; 4000]);
}

#[test]
fn reads_at_the_end_of_a_batch_see_the_writes_before_once_those_are_complete() {
    let file = TempFile::empty();
    let mut back = [0; 5];
    let mut context = context(2);
    write(&mut context, b"hello", file.file(), 0, 1);
    assert_eq!(one(&mut context), (1, Ok(5)));
    read(&mut context, &mut back, file.file(), 0, 2);
    assert_eq!(one(&mut context), (2, Ok(5)));
    assert_eq!(&back, b"hello");
    let mut oracle = [0; 5];
    file.file().read_exact_at(&mut oracle, 0).unwrap();
    assert_eq!(oracle, back);
}
