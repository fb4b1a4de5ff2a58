//! Rule 3: RWF flags stand where the kernel looks for them.

use std::os::fd::AsFd;
use std::sync::{Arc, Mutex};

use aio::{AioContext, RwFlags, UserData};
use tests::files::{self, TempFile};
use tests::seccomp::{self, Call, Verdict};
use tests::{in_child, or_skip, skip};

use crate::common::*;

/// The kernel's own flags of an iocb that the context may use: a completion eventfd and a priority.
const KNOWN_FLAGS: u32 = aio_sys::IOCB_FLAG_RESFD | aio_sys::IOCB_FLAG_IOPRIO;

fn write_with(
    context: &mut AioContext,
    data: &[u8],
    fd: impl AsFd,
    offset: u64,
    flags: RwFlags,
    user_data: UserData,
) {
    // SAFETY: as said in `main.rs`.
    let queued = unsafe { context.add_write(data.as_ptr(), data.len(), fd.as_fd(), offset, user_data) };
    let _ = queued.expect("add_write").rw_flags(flags);
}

fn read_with(context: &mut AioContext, buffer: &mut [u8], fd: impl AsFd, offset: u64, flags: RwFlags) {
    // SAFETY: as said in `main.rs`.
    let queued = unsafe { context.add_read(buffer.as_mut_ptr(), buffer.len(), fd.as_fd(), offset, 0) };
    let _ = queued.expect("add_read").rw_flags(flags);
}

#[test]
fn append_really_appends() {
    let file = TempFile::new(1000);
    let mut context = context(4);
    write_with(&mut context, b"tail", file.file(), 0, RwFlags::APPEND, 1);
    assert_eq!(one(&mut context), (1, Ok(4)));
    let content = files::pread(file.file(), 0, 2000);
    assert_eq!(content.len(), 1004);
    files::check(&content[..1000], 0);
    assert_eq!(&content[1000..], b"tail");
}

#[test]
fn append_works_on_vectors_too() {
    let file = TempFile::new(10);
    let mut data = *b"vector";
    let mut context = context(4);
    let vectors = vec![iovec(&mut data)];
    // SAFETY: as said in `main.rs`.
    let _ = unsafe { context.add_writev(vectors, file.file(), 0, 1) }.unwrap().rw_flags(RwFlags::APPEND);
    assert_eq!(one(&mut context), (1, Ok(6)));
    assert_eq!(&files::pread(file.file(), 10, 100), b"vector");
}

#[test]
fn noappend_overrides_a_descriptor_that_appends() {
    let file = TempFile::new(100);
    let appending = file.open(libc::O_APPEND);
    let mut context = context(4);
    write_with(&mut context, b"end", &appending, 5, RwFlags::from_bits_retain(0), 1);
    assert_eq!(one(&mut context), (1, Ok(3)));
    assert_eq!(files::pread(file.file(), 0, 200).len(), 103, "O_APPEND appends without a flag");
    write_with(&mut context, b"in", &appending, 5, RwFlags::NOAPPEND, 2);
    match one(&mut context) {
        (2, Err(libc::EOPNOTSUPP)) => skip!("this kernel has no RWF_NOAPPEND (Linux 6.9 has)"),
        result => assert_eq!(result, (2, Ok(2))),
    }
    assert_eq!(&files::pread(file.file(), 5, 2), b"in");
    assert_eq!(files::pread(file.file(), 0, 200).len(), 103);
}

#[test]
fn an_unknown_flag_completes_with_eopnotsupp() {
    let file = TempFile::new(100);
    for mut context in both_ways(4) {
        write_with(&mut context, b"no", file.file(), 0, RwFlags::from_bits_retain(1 << 30), 1);
        write_with(&mut context, b"yes", file.file(), 10, RwFlags::from_bits_retain(0), 2);
        assert_eq!(take_nr(&mut context, 2), [(1, Err(libc::EOPNOTSUPP)), (2, Ok(3))]);
        files::check(&files::pread(file.file(), 0, 10), 0);
    }
}

#[test]
fn nowait_on_an_empty_pipe_completes_with_eagain_instead_of_blocking_submit() {
    let pipe = Pipe::new();
    let mut buffer = [0; 4];
    for mut context in both_ways(1) {
        read_with(&mut context, &mut buffer, &pipe.reader, 0, RwFlags::NOWAIT);
        match one(&mut context) {
            (0, Err(libc::EOPNOTSUPP)) => {
                skip!("this kernel's pipes have no RWF_NOWAIT (newer than Linux 6.1 have)")
            }
            result => assert_eq!(result, (0, Err(libc::EAGAIN))),
        }
        pipe.fill();
        read_with(&mut context, &mut buffer, &pipe.reader, 0, RwFlags::NOWAIT);
        assert_eq!(one(&mut context), (0, Ok(1)));
    }
}

#[test]
fn nowait_direct_read_over_the_page_cache_is_an_answer_and_never_lost() {
    let file = TempFile::new(65536);
    let direct = or_skip!(file.direct());
    let mut buffer = files::AlignedBuf::new(4096);
    let mut context = context(4);
    // The pages are in the cache and dirty now.
    std::os::unix::fs::FileExt::write_all_at(file.file(), &files::content(0, 4096), 0).unwrap();
    read_with(&mut context, &mut buffer, &direct, 0, RwFlags::NOWAIT);
    let (_, result) = one(&mut context);
    assert!(matches!(result, Ok(4096) | Err(libc::EAGAIN | libc::EOPNOTSUPP)), "{result:?}");
    file.file().sync_all().unwrap();
    // SAFETY: numbers only.
    unsafe {
        libc::posix_fadvise(std::os::fd::AsRawFd::as_raw_fd(file.file()), 0, 0, libc::POSIX_FADV_DONTNEED)
    };
    read_with(&mut context, &mut buffer, &direct, 0, RwFlags::from_bits_retain(0));
    assert_eq!(one(&mut context), (0, Ok(4096)));
    files::check(&buffer, 0);
}

#[test]
fn a_slot_does_not_keep_the_flags_of_its_last_operation() {
    let file = TempFile::new(100);
    let mut context = context(1);
    for round in 0..4 {
        write_with(&mut context, b"x", file.file(), 0, RwFlags::APPEND, round);
        assert_eq!(one(&mut context), (round, Ok(1)));
        write(&mut context, b"y", file.file(), 0, round);
        assert_eq!(one(&mut context), (round, Ok(1)));
        // SAFETY: as said in `main.rs`. A sync with leftovers of a write would be EINVAL.
        unsafe { context.add_fdatasync(file.file(), round) }.unwrap();
        assert_eq!(one(&mut context), (round, Ok(0)));
        let pipe = Pipe::new();
        poll(&mut context, &pipe.writer, libc::POLLOUT, round);
        assert_eq!(one(&mut context), (round, Ok(libc::POLLOUT as u32)));
    }
    assert_eq!(files::pread(file.file(), 0, 200).len(), 104);
}

#[test]
fn every_flag_gets_an_answer_on_buffered_and_direct_files() {
    let file = TempFile::new(8192);
    let direct = or_skip!(file.direct());
    let mut data = files::AlignedBuf::filled(4096, 0);
    let flags = [
        RwFlags::HIPRI,
        RwFlags::DSYNC,
        RwFlags::SYNC,
        RwFlags::NOWAIT,
        RwFlags::NOAPPEND,
        RwFlags::ATOMIC,
        RwFlags::DONTCACHE,
        RwFlags::NOSIGNAL,
        RwFlags::DSYNC | RwFlags::HIPRI,
    ];
    for mut context in both_ways(4) {
        for flag in flags {
            for file in [file.file(), &direct] {
                write_with(&mut context, &data, file, 0, flag, 1);
                let (_, result) = one(&mut context);
                let refused = libc::EOPNOTSUPP | libc::EAGAIN | libc::EINVAL;
                assert!(
                    result == Ok(4096) || result.is_err_and(|errno| errno & refused != 0),
                    "{flag:?}: {result:?}"
                );
                read_with(&mut context, &mut data, file, 0, flag);
                let (_, result) = one(&mut context);
                assert!(result == Ok(4096) || result.is_err(), "{flag:?}: {result:?}");
            }
        }
        files::check(&data, 0);
    }
    for flag in [RwFlags::DSYNC, RwFlags::SYNC] {
        let mut context = context(1);
        write_with(&mut context, &data, file.file(), 0, flag, 1);
        assert_eq!(one(&mut context), (1, Ok(4096)), "{flag:?} is supported everywhere");
    }
}

/// What the kernel was shown of an iocb.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Shown {
    rw_flags: i32,
    flags: u32,
    priority: i16,
}

fn look(call: &Call) -> Vec<Shown> {
    let nr = usize::try_from(call.arguments[1]).unwrap();
    let list = call.arguments[2] as *const *const aio_sys::iocb;
    (0..nr)
        .map(|index| {
            // SAFETY: the supervised thread of this process waits inside `io_submit` with these pointers.
            let iocb = unsafe { list.add(index).read().read() };
            Shown { rw_flags: iocb.aio_rw_flags, flags: iocb.aio_flags, priority: iocb.aio_reqprio }
        })
        .collect()
}

#[test]
fn flags_reach_aio_rw_flags_and_never_aio_flags() {
    in_child!(|| {
        let null = dev_null();
        let mut context = context(16);
        let shown = Arc::new(Mutex::new(Vec::new()));
        let record = {
            let shown = Arc::clone(&shown);
            move |call: &Call| {
                shown.lock().unwrap().extend(look(call));
                Verdict::Pass
            }
        };
        let _supervisor = or_skip!(seccomp::supervise(&[libc::SYS_io_submit], record));
        for bit in [0, 1, 2, 3, 4, 5, 6, 7, 8, 20] {
            write_with(&mut context, b"x", &null, 0, RwFlags::from_bits_retain(1 << bit), bit);
        }
        write(&mut context, b"x", &null, 0, 100);
        // Refused ones make the context call again with the rest, so the first sight of each is looked for.
        assert_eq!(all(&mut context).len(), 11);
        let shown = shown.lock().unwrap();
        for bit in [0, 1, 2, 3, 4, 5, 6, 7, 8, 20] {
            assert!(shown.iter().any(|shown| shown.rw_flags == 1 << bit), "bit {bit}: {shown:?}");
        }
        assert!(shown.iter().any(|shown| shown.rw_flags == 0));
        for shown in shown.iter() {
            assert_eq!(shown.flags & !KNOWN_FLAGS, 0, "{shown:?}");
            assert_eq!(shown.flags & aio_sys::IOCB_FLAG_IOPRIO, 0, "no priority was asked for: {shown:?}");
            assert_eq!(shown.priority, 0, "{shown:?}");
        }
    });
}
