//! Reads and writes against `pread` and `pwrite`.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::ptr::NonNull;
use std::sync::Arc;

use engine::operation::{Operations, Read, ReadVectored, Write, WriteVectored};
use engine::{Engine, IoBuf, RwFlags};
use tests::files::{self, TempFile};
use tests::or_skip;

use crate::common::*;

type Anything = Operations<Arc<File>, Vec<u8>>;

fn offsets_and_lengths_of_every_kind(case: &Case) {
    let file = TempFile::new(10_000);
    let mut engine: Engine<Anything> = case.engine(4);
    for offset in [0, 1, 511, 4095, 4096, 9_999, 10_000, 10_001, 1 << 40] {
        for len in [0, 1, 2, 511, 512, 4097, 20_000] {
            let done = run(&mut engine, Read::new(shared(&file), vec![0xee; len], offset));
            let expected = files::pread(file.file(), offset, len);
            assert_eq!((plain(done.result), done.transferred), (Ok(expected.len()), expected.len()));
            assert_eq!(done.operation.into_buffer().unwrap(), expected, "{len} at {offset}");
        }
    }
    for (offset, len) in [(0, 0), (0, 1), (7, 4096), (9_000, 3_000), (20_000, 5)] {
        let (ours, theirs) = (TempFile::new(10_000), TempFile::new(10_000));
        let data = files::content(1 << 20, len);
        theirs.file().write_all_at(&data, offset).unwrap();
        assert_eq!(result(&mut engine, Write::new(shared(&ours), data, offset)), Ok(len));
        assert_eq!(files::pread(ours.file(), 0, 1 << 16), files::pread(theirs.file(), 0, 1 << 16));
    }
}

fn offsets_that_are_none_are_invalid(case: &Case) {
    let file = TempFile::new(100);
    file.file().set_len(1 << 20).unwrap();
    let mut engine: Engine<Anything> = case.engine(4);
    for offset in [u64::MAX, u64::MAX - 1, u64::MAX - 4096, 1 << 63, (1 << 63) + 4096] {
        let invalid = Err(libc::EINVAL);
        let vectors = || vec![vec![7; 5], vec![8; 6]];
        assert_eq!(result(&mut engine, Read::new(shared(&file), vec![0; 8], offset)), invalid, "{offset}");
        assert_eq!(result(&mut engine, Write::new(shared(&file), vec![7; 8], offset)), invalid, "{offset}");
        assert_eq!(result(&mut engine, ReadVectored::new(shared(&file), vectors(), offset)), invalid);
        assert_eq!(result(&mut engine, WriteVectored::new(shared(&file), vectors(), offset)), invalid);
    }
    // At the end of what can be addressed it is as `pread` and `pwrite` have it.
    for offset in [i64::MAX as u64, i64::MAX as u64 - 3, i64::MAX as u64 - 4096] {
        let mut bytes = [0; 8];
        let fd = file.file().as_raw_fd();
        let read = unsafe { libc::pread(fd, bytes.as_mut_ptr().cast(), 8, offset as i64) };
        let expected = plain(if read < 0 { Err(io::Error::last_os_error()) } else { Ok(read as usize) });
        assert_eq!(result(&mut engine, Read::new(shared(&file), vec![0; 8], offset)), expected, "{offset}");
        let wrote = unsafe { libc::pwrite(fd, bytes.as_ptr().cast(), 8, offset as i64) };
        let expected = plain(if wrote < 0 { Err(io::Error::last_os_error()) } else { Ok(wrote as usize) });
        assert_eq!(result(&mut engine, Write::new(shared(&file), vec![0; 8], offset)), expected, "{offset}");
    }
    files::check(&files::pread(file.file(), 0, 100), 0);
    assert_eq!(file.file().metadata().unwrap().len(), 1 << 20);
}

fn vectors_of_odd_sizes(case: &Case) {
    let file = TempFile::new(100_000);
    let mut engine: Engine<Anything> = case.engine(4);
    for lens in [vec![], vec![0], vec![1], vec![0, 3, 0, 4097, 1], vec![13; 1024], vec![511; 100]] {
        let total: usize = lens.iter().sum();
        let buffers = lens.iter().map(|&len| vec![0; len]).collect();
        let done = run(&mut engine, ReadVectored::new(shared(&file), buffers, 77));
        assert_eq!(plain(done.result), Ok(total));
        let Anything::ReadVectored(read) = done.operation else { panic!("another operation") };
        files::check(&read.into_parts().1.concat(), 77);
        let ours = TempFile::empty();
        let buffers = lens.iter().scan(0, |at, &len| {
            *at += len as u64;
            Some(files::content(*at - len as u64, len))
        });
        let write = WriteVectored::new(shared(&ours), buffers.collect(), 5);
        assert_eq!(result(&mut engine, write), Ok(total));
        files::check(&files::pread(ours.file(), 5, total), 0);
    }
    let many = || vec![vec![7; 1]; 1025];
    assert_eq!(result(&mut engine, ReadVectored::new(shared(&file), many(), 0)), Err(libc::EINVAL));
    assert_eq!(result(&mut engine, WriteVectored::new(shared(&file), many(), 0)), Err(libc::EINVAL));
    files::check(&files::pread(file.file(), 0, 2000), 0);
}

fn direct_transfers_end_where_the_file_does(case: &Case) {
    let file = TempFile::new(10_000);
    let direct = Arc::new(or_skip!(file.direct()));
    let mut engine: Engine<Operations<Arc<File>, engine::AlignedBuf>> = case.engine(2);
    for (offset, len, expected) in
        [(0, 4096, 4096), (8192, 4096, 1808), (4096, 16384, 5904), (12288, 4096, 0)]
    {
        let done = run(&mut engine, Read::new(direct.clone(), engine::AlignedBuf::new(len), offset));
        assert_eq!((plain(done.result), done.transferred), (Ok(expected), expected), "{len} at {offset}");
        files::check(&done.operation.into_buffer().unwrap(), offset);
    }
    let write = Write::new(direct, engine::AlignedBuf::from_slice(&[7; 4096]), 4096);
    assert_eq!(result(&mut engine, write), Ok(4096));
    assert_eq!(files::pread(file.file(), 4096, 4096), [7; 4096]);
}

/// Address space, and no memory behind it before it is touched.
struct Vast(NonNull<u8>, usize);

impl Drop for Vast {
    fn drop(&mut self) {
        assert_eq!(unsafe { libc::munmap(self.0.as_ptr().cast(), self.1) }, 0);
    }
}

// The mapping stays where it is until it is dropped.
unsafe impl IoBuf for Vast {
    fn stable_ptr(&self) -> *const u8 {
        self.0.as_ptr()
    }

    fn bytes_init(&self) -> usize {
        self.1
    }
}

fn more_than_the_kernel_takes_at_once_is_continued(case: &Case) {
    const LEN: usize = 5 << 30;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    let start = unsafe { libc::mmap(std::ptr::null_mut(), LEN, libc::PROT_READ, flags, -1, 0) };
    assert_ne!(start, libc::MAP_FAILED, "mmap: {}", io::Error::last_os_error());
    let vast = Vast(NonNull::new(start.cast()).unwrap(), LEN);
    let nul = File::options().write(true).open("/dev/null").unwrap();
    let mut engine: Engine<Write<File, Vast>> = case.engine(1);
    let done = run(&mut engine, Write::new(nul, vast, 0));
    assert_eq!((plain(done.result), done.transferred), (Ok(LEN), LEN));
    assert_eq!(engine.stats().short_transfers, 2);
}

fn flags_do_what_they_say(case: &Case) {
    let file = TempFile::new(100);
    let mut engine: Engine<Anything> = case.engine(4);
    for flags in [RwFlags::DSYNC, RwFlags::SYNC, RwFlags::DSYNC | RwFlags::APPEND] {
        let before = file.file().metadata().unwrap().len();
        let write = Write::new(shared(&file), vec![7; 10], 0).flags(flags);
        assert_eq!(result(&mut engine, write), Ok(10), "{flags:?}");
        let grown = file.file().metadata().unwrap().len() - before;
        assert_eq!(grown, if flags.contains(RwFlags::APPEND) { 10 } else { 0 });
    }
    let append = WriteVectored::new(shared(&file), vec![vec![1], vec![2]], 0).flags(RwFlags::APPEND);
    assert_eq!(result(&mut engine, append), Ok(2));
    assert_eq!(files::pread(file.file(), 110, 10), [1, 2]);
    // What this kernel or file system may not have is refused as a whole or done as a whole.
    for flags in [RwFlags::DONTCACHE, RwFlags::ATOMIC, RwFlags::from_bits_retain(1 << 30)] {
        let write = Write::new(shared(&file), vec![9; 16], 0).flags(flags);
        let done = run(&mut engine, write);
        match plain(done.result) {
            Ok(16) => assert_eq!(files::pread(file.file(), 0, 16), [9; 16]),
            Err(libc::EOPNOTSUPP | libc::EINVAL) => assert_eq!(done.transferred, 0),
            other => panic!("{flags:?}: {other:?}"),
        }
    }
    assert_eq!(engine.stats().retries, 0);
}

fn a_read_that_must_not_wait_is_told_so_once(case: &Case) {
    let file = TempFile::new(1 << 20);
    let mut engine: Engine<Anything> = case.engine(4);
    file.file().sync_all().unwrap();
    let advised = unsafe { libc::posix_fadvise(file.file().as_raw_fd(), 0, 0, libc::POSIX_FADV_DONTNEED) };
    assert_eq!(advised, 0);
    let read = || Read::new(shared(&file), vec![0; 4096], 512 << 10).flags(RwFlags::NOWAIT);
    let cold = run(&mut engine, read());
    match plain(cold.result) {
        // A file system may keep its pages, and one may not know the flag.
        Ok(4096) | Err(libc::EOPNOTSUPP) => {}
        outcome => assert_eq!(outcome, Err(libc::EAGAIN)),
    }
    assert_eq!(engine.stats().retries, 0);
    assert_eq!(files::pread(file.file(), 512 << 10, 4096).len(), 4096);
    let warm = run(&mut engine, read());
    assert!(matches!(plain(warm.result), Ok(4096) | Err(libc::EOPNOTSUPP)));
}

fn streams_give_what_they_have(case: &Case) {
    let (reader, mut writer) = io::pipe().unwrap();
    let read_end = Arc::new(File::from(OwnedFd::from(reader)));
    let write_end = Arc::new(File::from(OwnedFd::from(writer.try_clone().unwrap())));
    let mut engine: Engine<Anything> = case.engine(4);
    writer.write_all(b"some").unwrap();
    let done = run(&mut engine, Read::new(read_end.clone(), vec![0; 4096], 0));
    assert_eq!((plain(done.result), done.operation.into_buffer().unwrap()), (Ok(4), b"some".to_vec()));
    assert_eq!(result(&mut engine, Write::new(write_end.clone(), vec![7; 9], 0)), Ok(9));
    let vectors = vec![vec![0; 4], vec![0; 4], vec![0; 4]];
    let done = run(&mut engine, ReadVectored::new(read_end.clone(), vectors, 0));
    assert_eq!(plain(done.result), Ok(9));
    let Anything::ReadVectored(read) = done.operation else { panic!("another operation") };
    assert_eq!(read.buffers().iter().map(Vec::len).collect::<Vec<_>>(), [4, 4, 1]);
    assert_eq!(engine.stats().short_transfers, 0);
    let asked = Read::new(read_end.clone(), vec![0; 1], 0).flags(RwFlags::NOWAIT);
    assert_eq!(result(&mut engine, asked), Err(libc::EAGAIN));
    // A descriptor that never waits is not waited for, except by io_uring, which polls it.
    let flags = unsafe { libc::fcntl(read_end.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) };
    assert_eq!(flags, 0);
    engine.add(Read::new(read_end.clone(), vec![0; 1], 0).into()).unwrap();
    engine.submit().unwrap();
    if case.is_uring() {
        writer.write_all(b"x").unwrap();
    }
    let expected = if case.is_uring() { Ok(1) } else { Err(libc::EAGAIN) };
    assert_eq!(plain(one(&mut engine).result), expected);
    assert_eq!(engine.stats().retries, 0);
    drop((writer, write_end));
    assert_eq!(result(&mut engine, Read::new(read_end, vec![0; 1], 0)), Ok(0));
}

fn a_write_into_a_pipe_that_nobody_reads_is_an_error_and_no_signal(case: &Case) {
    // The runtime ignores SIGPIPE; this is about the errno.
    let (reader, writer) = io::pipe().unwrap();
    drop(reader);
    let mut engine: Engine<Anything> = case.engine(1);
    let writer = Arc::new(File::from(OwnedFd::from(writer)));
    assert_eq!(result(&mut engine, Write::new(writer, vec![0; 10], 0)), Err(libc::EPIPE));
}

on_each!(
    offsets_and_lengths_of_every_kind,
    offsets_that_are_none_are_invalid,
    vectors_of_odd_sizes,
    direct_transfers_end_where_the_file_does,
    more_than_the_kernel_takes_at_once_is_continued,
    flags_do_what_they_say,
    a_read_that_must_not_wait_is_told_so_once,
    streams_give_what_they_have,
    a_write_into_a_pipe_that_nobody_reads_is_an_error_and_no_signal,
);
