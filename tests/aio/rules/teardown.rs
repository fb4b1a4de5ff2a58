//! Rule 6: a dropped context holds nothing of the caller's any more, and nothing of the system's.

use aio::AioContext;
use tests::files::{self, AlignedBuf, TempFile};
use tests::{in_child, or_skip};

use crate::common::*;

#[test]
fn dropping_with_polls_pending_comes_back() {
    let pipe = Pipe::new();
    for mut context in both_ways(16) {
        for user_data in 0..16 {
            poll(&mut context, &pipe.reader, libc::POLLIN, user_data);
        }
        assert_eq!(context.submit().unwrap(), 16);
        drop(context);
    }
    // The poll's reference to the pipe is gone too: its write end sees no reader.
    let Pipe { reader, writer } = pipe;
    drop(reader);
    let mut entry = libc::pollfd { fd: std::os::fd::AsRawFd::as_raw_fd(&writer), events: 0, revents: 0 };
    // SAFETY: one entry that outlives the call.
    assert_eq!(unsafe { libc::poll(&raw mut entry, 1, 50_000) }, 1);
    assert_eq!(entry.revents & libc::POLLERR, libc::POLLERR);
}

#[test]
fn dropping_in_mid_flight_of_a_large_direct_read_leaves_no_late_byte() {
    const LEN: usize = 8 << 20;
    let file = TempFile::new(LEN);
    let direct = or_skip!(file.direct());
    let mut buffer = AlignedBuf::new(LEN);
    for _ in 0..20 {
        let mut context = context(8);
        for (offset, part) in (0..).step_by(LEN / 8).zip(buffer.chunks_mut(LEN / 8)) {
            read(&mut context, part, &direct, offset, offset);
        }
        assert_eq!(context.submit().unwrap(), 8);
        drop(context);
        // All of it has arrived before the drop came back: what is written now stays.
        files::check(&buffer, 0);
        buffer.fill(0xee);
        let again = files::pread(file.file(), 0, LEN);
        assert_eq!(again.len(), LEN);
        assert!(buffer.iter().all(|&byte| byte == 0xee), "the kernel wrote after the drop");
    }
}

#[test]
fn dropping_does_not_start_what_was_only_queued() {
    let file = TempFile::new(100);
    let mut context = context(4);
    write(&mut context, b"never", file.file(), 0, 1);
    drop(context);
    files::check(&files::pread(file.file(), 0, 100), 0);
}

#[test]
fn dropping_with_completions_untaken_comes_back() {
    let null = dev_null();
    for mut context in both_ways(100) {
        for user_data in 0..100 {
            write(&mut context, b"x", &null, 0, user_data);
        }
        context.submit().unwrap();
        drop(context);
    }
}

#[test]
fn contexts_come_and_go_without_using_up_the_system() {
    // Together they ask for at least twice what the system allows at a time; each gives back what it took.
    let limit = usize::try_from(or_skip!(files::aio_max_nr())).unwrap();
    let each = limit / 8;
    for _ in 0..16 {
        drop(context(each));
    }
}

#[test]
fn a_dropped_context_unmaps_its_ring() {
    in_child!(|| {
        assert_eq!(files::aio_rings(), 0);
        let contexts: Vec<AioContext> = (0..4).map(|_| context(4)).collect();
        assert_eq!(files::aio_rings(), 4);
        drop(contexts);
        assert_eq!(files::aio_rings(), 0);
    });
}

#[test]
fn a_dropped_context_closes_its_descriptors() {
    in_child!(|| {
        let count = || std::fs::read_dir("/proc/self/fd").unwrap().count();
        let before = count();
        let mut one = context(4);
        let null = dev_null();
        write(&mut one, b"x", &null, 0, 1);
        assert_eq!(all(&mut one).len(), 1);
        let (submitter, completer) = context(4).split().unwrap();
        assert!(count() > before);
        drop((one, null, submitter, completer));
        assert_eq!(count(), before);
    });
}

#[test]
fn the_descriptor_is_close_on_exec() {
    let context = context(4);
    let fd = std::os::fd::AsRawFd::as_raw_fd(&context);
    // SAFETY: numbers only.
    let flags = unsafe { libc::fcntl(fd, libc::F_GETFD) };
    assert_eq!(flags & libc::FD_CLOEXEC, libc::FD_CLOEXEC);
}

#[test]
fn a_process_that_exits_with_io_in_flight_exits() {
    in_child!(|| {
        let file = TempFile::new(16 << 20);
        let direct = or_skip!(file.direct());
        let mut buffer = AlignedBuf::new(16 << 20);
        let pipe = Pipe::new();
        let mut context = context(4);
        read(&mut context, &mut buffer, &direct, 0, 1);
        poll(&mut context, &pipe.reader, libc::POLLIN, 2);
        assert_eq!(context.submit().unwrap(), 2);
        // The process ends here without a drop.
        std::mem::forget((context, buffer, pipe));
    });
}
