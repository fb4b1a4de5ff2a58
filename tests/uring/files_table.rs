//! Registered files.

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use tests::files::{self, TempFile};
use tests::{in_child, or_skip};
use uring::{Fixed, URingContext};

use crate::common::*;

/// Fails with that errno and a text that says more than the number.
#[track_caller]
fn refused<T: std::fmt::Debug>(result: uring::Result<T>, errno: i32, text: &str) {
    let error = result.unwrap_err();
    assert_eq!(error.raw_os_error(), Some(errno), "{error}");
    assert!(error.to_string().contains(text), "{error}");
}

/// A context with a table of as many files, whose descriptors are closed again.
fn with_files(nr: usize) -> URingContext {
    let mut context = context(16);
    let files: Vec<_> = (0..nr).map(|nr| TempFile::new(1000 + nr)).collect();
    let files: Vec<_> = files.iter().map(|file| file.file().as_fd()).collect();
    context.register_files(&files).unwrap();
    context
}

/// The sizes of the table's files by reading them, which the number of each gives away.
fn sizes(context: &mut URingContext, indices: std::ops::Range<u32>) -> Vec<Result<u32, i32>> {
    let mut buffer = vec![0; 5000];
    indices
        .map(|index| {
            buffer.fill(0);
            read(context, &mut buffer, Fixed(index), 0, index.into());
            let (name, result) = one(context);
            assert_eq!(name, u64::from(index));
            files::check(&buffer[..result.unwrap_or(0) as usize], 0);
            result
        })
        .collect()
}

#[test]
fn files_are_named_by_index_and_need_no_descriptor() {
    let mut context = with_files(3);
    let bad = Err(libc::EBADF);
    assert_eq!(sizes(&mut context, 0..5), [Ok(1000), Ok(1001), Ok(1002), bad, bad]);
}

#[test]
fn an_index_past_every_table_is_refused() {
    for mut context in [with_files(2), context(16)] {
        let mut byte = [0];
        for index in [2, 3, 1000, 1 << 20, i32::MAX as u32, 1 << 31, u32::MAX - 1, u32::MAX] {
            read(&mut context, &mut byte, Fixed(index), 0, 1);
            assert_eq!(one(&mut context), (1, Err(libc::EBADF)), "index {index}");
        }
    }
}

#[test]
fn every_request_takes_a_registered_file() {
    let file = TempFile::new(4096);
    let mut buffer = vec![0; 64];
    let data = files::content(1000, 64);
    let mut context = context(16);
    context.register_files(&[dev_null().as_fd(), file.file().as_fd()]).unwrap();
    let target = Fixed(1);
    unsafe {
        context.add_write(data.as_ptr(), 64, target, 0, 0).unwrap();
        context.add_writev(vec![iovec_of(&data)], target, 64, 1).unwrap();
        context.add_writev_iter([iovec_of(&data)], target, 128, 2).unwrap();
        context.add_fsync(target, 3).unwrap();
        context.add_fdatasync(target, 4).unwrap();
        context.add_fallocate(target, 0, 10_000, 0, 5).unwrap();
        context.add_poll_fd(target, libc::POLLIN, 6).unwrap();
    }
    let expected = [Ok(64), Ok(64), Ok(64), Ok(0), Ok(0), Ok(0), Ok(libc::POLLIN as u32)];
    assert_eq!(all(&mut context), (0..).zip(expected).collect::<Vec<_>>());
    assert_eq!(file.file().metadata().unwrap().len(), 10_000);
    for offset in [0, 64, 128] {
        files::check(&files::pread(file.file(), offset, 64), 1000);
    }
    unsafe { context.add_readv(vec![iovec(&mut buffer)], target, 128, 7) }.unwrap();
    assert_eq!(one(&mut context), (7, Ok(64)));
    files::check(&buffer, 1000);
    unsafe { context.add_readv_iter([iovec(&mut buffer)], target, 500, 8) }.unwrap();
    assert_eq!(one(&mut context), (8, Ok(64)));
    files::check(&buffer, 500);
}

#[test]
fn a_second_table_is_refused_until_the_first_is_gone() {
    let mut context = with_files(2);
    let zero = dev_zero();
    refused(context.register_files(&[zero.as_fd()]), libc::EBUSY, "unregister");
    assert_eq!(sizes(&mut context, 0..2), [Ok(1000), Ok(1001)]);
    context.unregister_files().unwrap();
    assert_eq!(sizes(&mut context, 0..1), [Err(libc::EBADF)]);
    refused(context.unregister_files(), libc::ENXIO, "none are registered");
    context.register_files(&[zero.as_fd()]).unwrap();
    let mut buffer = [1; 10];
    read(&mut context, &mut buffer, Fixed(0), 0, 1);
    assert_eq!((one(&mut context), buffer), ((1, Ok(10)), [0; 10]));
}

#[test]
fn tables_that_make_no_sense_are_refused() {
    let mut context = context(4);
    refused(context.register_files(&[]), libc::EINVAL, "files");
    refused(context.register_files(&[dev_zero().as_fd(), closed_descriptor()]), libc::EBADF, "files");
    // A table with a bad file is no table.
    refused(context.unregister_files(), libc::ENXIO, "none are registered");
    refused(context.update_files(0, &[None]), libc::ENXIO, "none are registered");
}

#[test]
fn an_update_replaces_and_empties_places() {
    let mut context = with_files(4);
    let (small, large) = (TempFile::new(10), TempFile::new(20));
    let update = [Some(small.file().as_fd()), None, Some(large.file().as_fd())];
    assert_eq!(context.update_files(1, &update).unwrap(), 3);
    assert_eq!(sizes(&mut context, 0..4), [Ok(1000), Ok(10), Err(libc::EBADF), Ok(20)]);
    // Emptied places may be filled, and emptied again.
    assert_eq!(context.update_files(2, &[Some(small.file().as_fd())]).unwrap(), 1);
    assert_eq!(context.update_files(0, &[None]).unwrap(), 1);
    assert_eq!(context.update_files(0, &[None]).unwrap(), 1);
    assert_eq!(sizes(&mut context, 0..4), [Err(libc::EBADF), Ok(10), Ok(10), Ok(20)]);
}

#[test]
fn an_update_out_of_range_or_with_a_bad_file_is_refused() {
    let mut context = with_files(4);
    let zero = dev_zero();
    let zero = Some(zero.as_fd());
    refused(context.update_files(4, &[zero]), libc::EINVAL, "files");
    refused(context.update_files(3, &[zero, zero]), libc::EINVAL, "files");
    refused(context.update_files(u32::MAX, &[zero]).map_err(overflow_is_invalid), libc::EINVAL, "files");
    refused(context.update_files(0, &[Some(closed_descriptor())]), libc::EBADF, "files");
    assert_eq!(sizes(&mut context, 1..4), [Ok(1001), Ok(1002), Ok(1003)]);
    // What comes before a bad one is replaced, and counted; what comes after it is not.
    assert_eq!(context.update_files(1, &[None, Some(closed_descriptor()), None]).unwrap(), 1);
    assert_eq!(sizes(&mut context, 3..4), [Ok(1003)]);
}

/// The sum of place and count is `EOVERFLOW` on some kernels, and past the end on others.
fn overflow_is_invalid(error: uring::Error) -> uring::Error {
    assert!(matches!(error.raw_os_error(), Some(libc::EINVAL | libc::EOVERFLOW)), "{error}");
    let mut context = with_files(1);
    context.update_files(1, &[None]).unwrap_err()
}

#[test]
fn a_sparse_table_is_empty_until_it_is_filled() {
    let mut context = context(16);
    if let Err(error) = context.register_files_sparse(3) {
        assert_eq!(error.raw_os_error(), Some(libc::EINVAL));
        assert!(!kernel_is_at_least(5, 19), "{error}");
        tests::skip!("no sparse tables before 5.19: {error}");
    }
    let bad = Err(libc::EBADF);
    assert_eq!(sizes(&mut context, 0..4), [bad, bad, bad, bad]);
    let file = TempFile::new(77);
    assert_eq!(context.update_files(1, &[Some(file.file().as_fd())]).unwrap(), 1);
    assert_eq!(sizes(&mut context, 0..4), [bad, Ok(77), bad, bad]);
    refused(context.register_files_sparse(1), libc::EBUSY, "unregister");
    context.unregister_files().unwrap();
    refused(context.register_files_sparse(0), libc::EINVAL, "files");
}

#[test]
fn more_files_than_descriptors_are_allowed_name_the_limit() {
    in_child!(|| {
        let mut context = context(4);
        let zero = dev_zero();
        tests::limits::set(libc::RLIMIT_NOFILE, 64);
        let files: Vec<BorrowedFd<'_>> = vec![zero.as_fd(); 65];
        match context.register_files(&files) {
            Err(error) => {
                assert_eq!(error.raw_os_error(), Some(libc::EMFILE));
                assert!(error.to_string().contains("RLIMIT_NOFILE"), "{error}");
            }
            Ok(()) => or_skip!(Err::<(), _>("this kernel counts registered files by no limit")),
        }
        context.register_files(&files[..64]).unwrap();
    });
}

#[test]
fn a_request_in_flight_keeps_its_file_when_the_place_is_emptied() {
    let Pipe { reader, writer } = Pipe::new();
    let mut byte = [0];
    let mut context = context(4);
    context.register_files(&[reader.as_fd()]).unwrap();
    read(&mut context, &mut byte, Fixed(0), 0, 1);
    context.submit().unwrap();
    drop(reader);
    assert_eq!(context.update_files(0, &[None]).unwrap(), 1);
    std::io::Write::write_all(&mut &writer, b"x").unwrap();
    assert_eq!(one(&mut context), (1, Ok(1)));
    assert_eq!(&byte, b"x");
}

#[test]
fn registered_files_are_closed_by_the_drop() {
    let Pipe { reader, writer } = Pipe::new();
    let mut context = context(4);
    context.register_files(&[writer.as_fd()]).unwrap();
    write(&mut context, b"x", Fixed(0), 0, 1);
    assert_eq!(one(&mut context), (1, Ok(1)));
    drop(writer);
    std::io::Read::read_exact(&mut &reader, &mut [0]).unwrap();
    assert!(!end_of_file(&reader, Duration::from_millis(1)));
    drop(context);
    assert!(end_of_file(&reader, LONG));
}

/// Says whether the last writer of a pipe goes within the time.
fn end_of_file(reader: &File, within: Duration) -> bool {
    let mut entry =
        libc::pollfd { fd: std::os::fd::AsRawFd::as_raw_fd(reader), events: libc::POLLIN, revents: 0 };
    let ready = unsafe { libc::poll(&raw mut entry, 1, within.as_millis() as i32) };
    ready == 1 && entry.revents & libc::POLLHUP != 0
}
