//! Bad requests complete with what the kernel says, each for itself.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use tests::files::{self, AlignedBuf, TempFile};
use tests::or_skip;

use crate::common::*;

const NOWHERE: *mut u8 = std::ptr::without_provenance_mut(8);

/// What a read or write comes to, by `pread` or `pwrite`.
fn oracle(result: io::Result<usize>) -> Result<u32, i32> {
    result.map(|count| count as u32).map_err(|error| error.raw_os_error().unwrap())
}

#[test]
fn a_closed_descriptor_completes_with_ebadf() {
    let mut byte = [0];
    let part = iovec(&mut byte);
    let closed = closed_descriptor();
    let mut context = context(16);
    read(&mut context, &mut byte, closed, 0, 0);
    write(&mut context, &[1], closed, 0, 1);
    unsafe {
        context.add_readv(vec![part], closed, 0, 2).unwrap();
        context.add_writev(vec![part], closed, 0, 3).unwrap();
        context.add_fsync(closed, 4).unwrap();
        context.add_fdatasync(closed, 5).unwrap();
        context.add_fallocate(closed, 0, 1, 0, 6).unwrap();
        context.add_poll_fd(closed, libc::POLLIN, 7).unwrap();
    }
    context.add_nop(8).unwrap();
    let mut expected = vec![Err(libc::EBADF); 8];
    expected.push(Ok(0));
    assert_eq!(all(&mut context), (0..).zip(expected).collect::<Vec<_>>());
}

#[test]
fn a_descriptor_closed_between_add_and_submit_completes_with_ebadf() {
    let null = high_descriptor();
    let mut context = context(4);
    context.add_nop(1).unwrap();
    write(&mut context, b"x", &null, 0, 2);
    context.add_nop(3).unwrap();
    drop(null);
    assert_eq!(all(&mut context), [(1, Ok(0)), (2, Err(libc::EBADF)), (3, Ok(0))]);
}

#[test]
fn a_directory_completes_with_eisdir() {
    let directory = File::open("/").unwrap();
    let mut byte = [0];
    let mut context = context(4);
    read(&mut context, &mut byte, &directory, 0, 1);
    assert_eq!(oracle(directory.read_at(&mut [0], 0)), Err(libc::EISDIR));
    assert_eq!(one(&mut context), (1, Err(libc::EISDIR)));
}

#[test]
fn the_wrong_open_mode_completes_with_ebadf() {
    let file = TempFile::new(16);
    let reader = File::open(file.path()).unwrap();
    let writer = File::options().write(true).open(file.path()).unwrap();
    let mut byte = [0];
    let mut context = context(4);
    read(&mut context, &mut byte, &writer, 0, 1);
    write(&mut context, &[1], &reader, 0, 2);
    assert_eq!(all(&mut context), [(1, Err(libc::EBADF)), (2, Err(libc::EBADF))]);
    files::check(&files::pread(file.file(), 0, 16), 0);
}

#[test]
fn misaligned_direct_requests_come_to_what_pread_says() {
    let file = TempFile::new(65536);
    let direct = or_skip!(file.direct());
    let mut buffer = AlignedBuf::new(8192);
    let mut context = context(16);
    for (at, len, offset) in
        [(0, 4096, 0), (1, 4096, 0), (0, 100, 0), (0, 4096, 7), (3, 5, 9), (0, 4096, 65536)]
    {
        let expected = oracle(direct.read_at(&mut buffer[at..at + len], offset));
        read(&mut context, &mut buffer[at..at + len], &direct, offset, 1);
        assert_eq!(one(&mut context), (1, expected), "{len} bytes at {offset} into address +{at}");
    }
    // Misaligned and aligned ones in a batch.
    let refused = oracle(direct.read_at(&mut buffer[1..513], 0));
    let (first, second) = buffer.split_at_mut(4096);
    read(&mut context, first, &direct, 4096, 1);
    read(&mut context, &mut second[1..513], &direct, 0, 2);
    assert_eq!(all(&mut context), [(1, Ok(4096)), (2, refused)]);
    files::check(first, 4096);
}

#[test]
fn reads_at_and_past_the_end_are_short_or_empty() {
    let file = TempFile::new(1000);
    let mut buffer = [0xee; 100];
    let mut context = context(4);
    for (offset, count) in [(900, 100), (901, 99), (999, 1), (1000, 0), (1001, 0), (1 << 40, 0)] {
        buffer.fill(0xee);
        read(&mut context, &mut buffer, file.file(), offset, 1);
        assert_eq!(one(&mut context), (1, Ok(count)));
        let (done, rest) = buffer.split_at(count as usize);
        files::check(done, offset);
        assert!(rest.iter().all(|&byte| byte == 0xee));
    }
}

#[test]
fn offsets_that_no_file_has_come_to_what_pread_says() {
    let file = TempFile::new(1000);
    let mut buffer = [0; 8];
    let mut context = context(4);
    for offset in [i64::MAX as u64 - 8, i64::MAX as u64, 1 << 63, u64::MAX - 1] {
        let expected = oracle(file.file().read_at(&mut [0; 8], offset));
        read(&mut context, &mut buffer, file.file(), offset, 1);
        assert_eq!(one(&mut context), (1, expected), "read at {offset:#x}");
        let expected = oracle(file.file().write_at(&[0; 8], offset));
        write(&mut context, &[0; 8], file.file(), offset, 1);
        assert_eq!(one(&mut context), (1, expected), "write at {offset:#x}");
    }
    assert_eq!(file.file().metadata().unwrap().len(), 1000);
}

#[test]
fn the_greatest_offset_is_the_files_position() {
    let file = TempFile::new(1000);
    let mut buffer = [0; 100];
    let mut context = context(4);
    for position in [0, 100, 200] {
        read(&mut context, &mut buffer, file.file(), u64::MAX, 1);
        assert_eq!(one(&mut context), (1, Ok(100)));
        files::check(&buffer, position);
    }
}

#[test]
fn a_bad_pointer_fails_its_request_and_no_other() {
    let file = TempFile::new(4096);
    let empty = TempFile::empty();
    let mut buffers = vec![vec![0; 64]; 8];
    let nowhere = libc::iovec { iov_base: NOWHERE.cast(), iov_len: 64 };
    let mut context = context(16);
    for (name, buffer) in (0..).zip(&mut buffers) {
        let offset = name * 64;
        unsafe {
            match name {
                2 => drop(context.add_read(NOWHERE, 64, file.file(), offset, name).unwrap()),
                4 => drop(context.add_readv(vec![nowhere], file.file(), offset, name).unwrap()),
                6 => drop(context.add_write(NOWHERE, 64, empty.file(), offset, name).unwrap()),
                _ => read(&mut context, buffer, file.file(), offset, name),
            }
        }
    }
    let expected = |name| if matches!(name, 2 | 4 | 6) { Err(libc::EFAULT) } else { Ok(64) };
    assert_eq!(all(&mut context), (0..8).map(|name| (name, expected(name))).collect::<Vec<_>>());
    for (name, buffer) in (0..).zip(&buffers).filter(|(name, _)| expected(*name).is_ok()) {
        files::check(buffer, name * 64);
    }
}

#[test]
fn a_vector_that_is_partly_good_gives_what_came_before() {
    let file = TempFile::new(4096);
    let mut good = vec![0; 64];
    let nowhere = libc::iovec { iov_base: NOWHERE.cast(), iov_len: 64 };
    let mut context = context(4);
    unsafe { context.add_readv(vec![iovec(&mut good), nowhere], file.file(), 3, 1) }.unwrap();
    assert_eq!(one(&mut context), (1, Ok(64)));
    files::check(&good, 3);
}

#[test]
fn an_unknown_operation_of_fallocate_is_refused() {
    let file = TempFile::new(4096);
    let mut context = context(4);
    unsafe {
        context.add_fallocate(file.file(), 0, 10, 0x4000_0000, 1).unwrap();
        context.add_fallocate(file.file(), 0, 0, 0, 2).unwrap();
        context.add_fallocate(file.file(), u64::MAX, 10, 0, 3).unwrap();
    }
    let (unknown, invalid) = (Err(libc::EOPNOTSUPP), Err(libc::EINVAL));
    assert_eq!(all(&mut context), [(1, unknown), (2, invalid), (3, invalid)]);
    assert_eq!(file.file().metadata().unwrap().len(), 4096);
}

#[test]
fn a_pipe_without_reader_or_writer_says_so() {
    let mut byte = [0];
    let Pipe { reader, writer } = Pipe::new();
    let mut context = context(4);
    drop(writer);
    read(&mut context, &mut byte, &reader, 0, 1);
    assert_eq!(one(&mut context), (1, Ok(0)));
    // The test harness ignores SIGPIPE.
    let Pipe { reader, writer } = Pipe::new();
    drop(reader);
    write(&mut context, b"x", &writer, 0, 2);
    assert_eq!(one(&mut context), (2, Err(libc::EPIPE)));
}

#[test]
fn a_write_beyond_the_limit_of_file_sizes_is_short_then_refused() {
    tests::in_child!(|| {
        tests::limits::ignore(libc::SIGXFSZ);
        tests::limits::set(libc::RLIMIT_FSIZE, 1000);
        let file = TempFile::empty();
        let data = [7; 600];
        let mut context = context(4);
        for (offset, expected) in [(0, Ok(600)), (600, Ok(400)), (1000, Err(libc::EFBIG))] {
            write(&mut context, &data, file.file(), offset, 1);
            assert_eq!(one(&mut context), (1, expected));
        }
    });
}

#[test]
fn a_full_device_says_so() {
    let full = File::options().write(true).open("/dev/full").unwrap();
    let mut context = context(4);
    write(&mut context, b"x", &full, 0, 1);
    assert_eq!(one(&mut context), (1, Err(libc::ENOSPC)));
}
