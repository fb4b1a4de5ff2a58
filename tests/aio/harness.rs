//! Scenarios of libaio's own test harness that apply to a context, by their numbers there.
//!
//! 2, 3: `errors`, `rules::refused`; 7: `limits`; 12: `fork`; 14: `rules::teardown`; 16: `notification`. Not applicable:
//! 19 (`mremap` of the ring changes the context's id, which is the context's own affair) and the signal mask of 22
//! (`io_pgetevents` is not part of the context).

use std::fs::File;
use std::os::fd::AsRawFd;

use aio::{Error, UserData};
use tests::files::{self, AlignedBuf, TempFile};
use tests::or_skip;

use crate::common::*;

const IN: u32 = libc::POLLIN as u32;

#[test]
fn case_4_open_modes_offsets_and_o_append() {
    let file = TempFile::new(512);
    let read_only = File::open(file.path()).unwrap();
    let write_only = File::options().write(true).open(file.path()).unwrap();
    let appending = file.open(libc::O_APPEND);
    let mut buffer = [b'a'; 512];
    let mut context = context(8);
    write(&mut context, &buffer, &read_only, 0, 1);
    assert_eq!(one(&mut context), (1, Err(libc::EBADF)));
    read(&mut context, &mut buffer, &write_only, 0, 2);
    assert_eq!(one(&mut context), (2, Err(libc::EBADF)));
    read(&mut context, &mut buffer, file.file(), -1_i64 as u64, 3);
    assert_eq!(one(&mut context), (3, Err(libc::EINVAL)));
    for nr in 0..4 {
        write(&mut context, &buffer[..100], &appending, 0, nr);
        assert_eq!(one(&mut context), (nr, Ok(100)));
    }
    assert_eq!(files::pread(file.file(), 0, 2000).len(), 512 + 400);
    files::check(&files::pread(file.file(), 0, 512), 0);
}

#[test]
fn case_5_the_buffer_is_a_mapping_of_the_same_file() {
    const LEN: usize = 65536;
    let file = TempFile::new(LEN);
    let map = |protection| {
        let fd = file.file().as_raw_fd();
        let start = unsafe { libc::mmap(std::ptr::null_mut(), LEN, protection, libc::MAP_SHARED, fd, 0) };
        assert_ne!(start, libc::MAP_FAILED);
        start.cast::<u8>()
    };
    let writable = map(libc::PROT_READ | libc::PROT_WRITE);
    let read_only = map(libc::PROT_READ);
    for mut context in both_ways(2) {
        // The file is written from its own pages and read into its own pages: same content.
        let _ = unsafe { context.add_write(writable, LEN, file.file(), 0, 1) }.unwrap();
        assert_eq!(one(&mut context), (1, Ok(LEN as u32)));
        let _ = unsafe { context.add_read(writable, LEN, file.file(), 0, 2) }.unwrap();
        assert_eq!(one(&mut context), (2, Ok(LEN as u32)));
        files::check(&files::pread(file.file(), 0, LEN), 0);
        let _ = unsafe { context.add_write(read_only, LEN, file.file(), 0, 3) }.unwrap();
        assert_eq!(one(&mut context), (3, Ok(LEN as u32)));
        let _ = unsafe { context.add_read(read_only, LEN, file.file(), 0, 4) }.unwrap();
        assert_eq!(one(&mut context), (4, Err(libc::EFAULT)));
    }
    for start in [writable, read_only] {
        unsafe { libc::munmap(start.cast(), LEN) };
    }
}

#[test]
fn case_11_many_one_page_writes_and_then_reads() {
    const PAGES: u64 = 20_000;
    let file = TempFile::empty();
    let mut buffers: Vec<_> = (0..64).map(|_| AlignedBuf::new(4096)).collect();
    let mut context = context(64);
    for batch in 0..PAGES / 64 {
        for (nr, buffer) in (batch * 64..).zip(&mut buffers) {
            files::fill(&mut buffer[..16], nr * 4096);
            write(&mut context, buffer, file.file(), nr % 1024 * 4096, nr);
        }
        context.drain(|_, result| assert_eq!(result.unwrap(), 4096)).unwrap();
        for (nr, buffer) in (batch * 64..).zip(&mut buffers) {
            read(&mut context, buffer, file.file(), nr % 1024 * 4096, nr);
        }
        context.drain(|_, result| assert_eq!(result.unwrap(), 4096)).unwrap();
        for (nr, buffer) in (batch * 64..).zip(&buffers) {
            files::check(&buffer[..16], nr * 4096);
        }
    }
    assert_eq!(context.space(), 64);
}

#[test]
fn case_13_eight_megabyte_writes_in_one_batch_match_their_completions() {
    const LEN: usize = 1 << 20;
    let file = TempFile::empty();
    let data = files::content(0, 8 * LEN);
    for mut context in both_ways(8) {
        file.file().set_len(0).unwrap();
        for (nr, part) in (0..).zip(data.chunks(LEN)) {
            // Lengths tell the completions apart.
            let part = &part[..LEN - nr as usize];
            write(&mut context, part, file.file(), nr * LEN as u64, nr);
        }
        assert_eq!(context.submit().unwrap(), 8);
        for (nr, result) in all(&mut context) {
            assert_eq!(result, Ok(LEN as u32 - nr as u32));
        }
        for nr in 0..8 {
            files::check(&files::pread(file.file(), nr * LEN as u64, LEN - nr as usize), nr * LEN as u64);
        }
    }
}

#[test]
fn case_15_vectors_at_offsets_agree_with_preadv() {
    let file = TempFile::new(65536);
    let mut parts = [vec![0; 4096], vec![0; 512], vec![0; 8192], vec![0; 1]];
    for mut context in both_ways(4) {
        for offset in [0, 1, 4095, 60_000, 65_535, 65_536] {
            for skipped in 0..parts.len() {
                let vectors = parts[skipped..].iter_mut().map(|part| iovec(part)).collect();
                let _ = unsafe { context.add_readv(vectors, file.file(), offset, offset) }.unwrap();
                let wanted: usize = parts[skipped..].iter().map(Vec::len).sum();
                let oracle = files::pread(file.file(), offset, wanted);
                assert_eq!(one(&mut context), (offset, Ok(oracle.len() as u32)));
                let mut got = parts[skipped..].concat();
                got.truncate(oracle.len());
                assert_eq!(got, oracle);
            }
        }
    }
}

#[test]
fn case_17_more_operations_than_fit_are_pruned_and_never_hang() {
    let null = dev_null();
    for mut context in both_ways(31) {
        for wanted in [30, 31, 32, 62, 124] {
            let (mut added, mut completed): (UserData, usize) = (0, 0);
            while added < wanted {
                // SAFETY: as said in `main.rs`.
                match unsafe { context.add_write(b"x".as_ptr(), 1, &null, 0, added) }.map(drop) {
                    Ok(()) => added += 1,
                    Err(Error::NoSpace) if context.queued() > 0 => assert!(context.submit().unwrap() > 0),
                    Err(Error::NoSpace) => completed += taken(context.completions().unwrap().take(7)).len(),
                    Err(other) => panic!("{other}"),
                }
            }
            completed += all(&mut context).len();
            assert_eq!(completed as UserData, wanted);
            assert_eq!(context.space(), 31);
        }
    }
}

#[test]
fn case_21_nowait_over_the_page_cache() {
    use aio::RwFlags;
    let file = TempFile::new(16384);
    let direct = or_skip!(file.direct());
    let mut buffer = AlignedBuf::filled(4096, 0);
    let mut context = context(2);
    std::os::unix::fs::FileExt::write_all_at(file.file(), &files::content(0, 16384), 0).unwrap();
    let _ =
        unsafe { context.add_write(buffer.as_ptr(), 4096, &direct, 0, 1) }.unwrap().rw_flags(RwFlags::NOWAIT);
    match one(&mut context).1 {
        Err(libc::EAGAIN) => {}
        Err(libc::EINVAL | libc::EOPNOTSUPP) => tests::skip!("no RWF_NOWAIT in the temporary directory"),
        other => tests::skip!(
            "the page cache does not hinder a direct write in the temporary directory: {other:?}"
        ),
    }
    file.file().sync_all().unwrap();
    unsafe { libc::posix_fadvise(file.file().as_raw_fd(), 0, 0, libc::POSIX_FADV_DONTNEED) };
    let _ = unsafe { context.add_read(buffer.as_mut_ptr(), 4096, &direct, 0, 2) }
        .unwrap()
        .rw_flags(RwFlags::NOWAIT);
    let (_, result) = one(&mut context);
    assert!(matches!(result, Ok(4096) | Err(libc::EAGAIN)), "{result:?}");
    read(&mut context, &mut buffer, &direct, 0, 3);
    assert_eq!(one(&mut context), (3, Ok(4096)));
    files::check(&buffer, 0);
}

#[test]
fn case_22_a_poll_sees_what_another_process_writes() {
    tests::in_child!(|| {
        for mut context in both_ways(2) {
            let pipe = Pipe::new();
            poll(&mut context, &pipe.reader, libc::POLLIN, 1);
            context.submit().unwrap();
            let answer = tests::fork::ask(|| {
                pipe.fill();
                String::from("written")
            });
            assert_eq!(answer, "written");
            assert_eq!(one(&mut context), (1, Ok(IN)));
        }
    });
}

#[test]
fn case_22_a_poll_reports_a_hang_up() {
    let pipe = Pipe::new();
    let mut context = context(2);
    poll(&mut context, &pipe.reader, libc::POLLIN, 1);
    context.submit().unwrap();
    drop(pipe.writer);
    assert_eq!(one(&mut context), (1, Ok(libc::POLLHUP as u32)));
}

#[test]
fn case_23_a_poll_misses_nothing_while_another_thread_reads_the_pipe() {
    for mut context in both_ways(4) {
        let Pipe { reader, writer } = Pipe::new();
        let thief = reader.try_clone().unwrap();
        unsafe { libc::fcntl(thief.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) };
        let feeder = std::thread::spawn(move || {
            for _ in 0..2000 {
                std::io::Write::write_all(&mut &writer, b"x").unwrap();
            }
            // Closing the writer ends the polling below with a hang-up.
        });
        let mut polls = 0;
        loop {
            poll(&mut context, &reader, libc::POLLIN, polls);
            let (user_data, result) = one(&mut context);
            assert_eq!(user_data, polls);
            let mask = result.unwrap() as libc::c_short;
            let mut bytes = [0; 7];
            let taken = std::io::Read::read(&mut &thief, &mut bytes);
            if mask & libc::POLLHUP != 0 && matches!(taken, Ok(0)) {
                break;
            }
            polls += 1;
        }
        feeder.join().unwrap();
    }
}
