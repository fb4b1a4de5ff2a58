//! Rings that are bound to the thread that first uses them (`defer_taskrun`).

use std::time::Duration;

use tests::files::{self, AlignedBuf, TempFile};
use tests::late::Disk;
use tests::{in_child, or_skip, require};
use uring::{SetupFlags, URingContext};

use crate::common::*;
use crate::sandbox::stderr_of;

fn deferred(nr: usize) -> URingContext {
    build(URingContext::builder(nr).defer_taskrun())
}

fn is_bound(context: &URingContext) -> bool {
    context.setup_flags().contains(SetupFlags::DEFER_TASKRUN)
}

const TOO_OLD: &str = "no IORING_SETUP_DEFER_TASKRUN before 6.1";

#[test]
fn the_flag_is_taken_where_it_exists() {
    assert_eq!(is_bound(&deferred(4)), kernel_is_at_least(6, 1));
}

#[test]
fn everything_works_that_works_on_other_rings() {
    let file = TempFile::new(4096);
    let pipe = Pipe::new();
    let mut buffers = [[0; 16]; 8];
    let mut context = deferred(8);
    for round in 0..10 {
        for (name, buffer) in (0..).zip(&mut buffers) {
            read(&mut context, buffer, file.file(), name * 16 + round, name);
        }
        if round % 2 == 0 {
            assert_eq!(context.submit().unwrap(), 8);
        }
        assert_eq!(all(&mut context), (0..8).map(|name| (name, Ok(16))).collect::<Vec<_>>());
        files::check(buffers.as_flattened(), round);
    }
    poll(&mut context, &pipe.reader, libc::POLLIN, 1);
    assert_eq!(taken(context.wait_timeout(Duration::from_millis(1)).unwrap()), []);
    assert_eq!(taken(context.completions().unwrap()), []);
    pipe.fill();
    assert_eq!(one(&mut context), (1, Ok(libc::POLLIN as u32)));
    context.add_timeout(Duration::from_millis(1), 2).unwrap();
    assert_eq!(one(&mut context), (2, Err(libc::ETIME)));
    unsafe { context.add_readv(too_many_iovecs(), file.file(), 0, 3) }.unwrap();
    context.add_nop(4).unwrap();
    assert_eq!(all(&mut context), [(3, Err(libc::EINVAL)), (4, Ok(0))]);
}

#[test]
fn what_the_kernel_has_deferred_comes_without_waiting_and_makes_the_ring_readable() {
    let pipe = Pipe::new();
    let mut context = deferred(8);
    poll(&mut context, &pipe.reader, libc::POLLIN, 1);
    context.submit().unwrap();
    assert!(!readable(&context, Duration::from_millis(1)));
    pipe.fill();
    assert!(readable(&context, LONG));
    assert_eq!(taken(context.completions().unwrap()), [(1, Ok(libc::POLLIN as u32))]);
    assert!(!readable(&context, Duration::from_millis(1)));
}

#[test]
fn overflow_is_let_in() {
    let pipe = Pipe::new();
    let mut context = build(URingContext::builder(8).cq_entries(8).defer_taskrun());
    for name in 0..40 {
        if context.space() == 0 {
            context.submit().unwrap();
        }
        poll(&mut context, &pipe.reader, libc::POLLIN, name);
    }
    context.submit().unwrap();
    pipe.fill();
    assert_eq!(take_nr(&mut context, 40), (0..40).map(|name| (name, Ok(1))).collect::<Vec<_>>());
}

#[test]
fn made_in_one_thread_and_used_in_another_works() {
    let mut context = deferred(8);
    nops(&mut context, 0, 4);
    std::thread::spawn(move || {
        assert_eq!(all(&mut context).len(), 4);
        nops(&mut context, 0, 8);
        assert_eq!(all(&mut context).len(), 8);
    })
    .join()
    .unwrap();
}

#[test]
fn a_second_thread_is_told_whose_the_ring_is() {
    let mut context = deferred(8);
    require!(is_bound(&context), "{TOO_OLD}");
    context.add_nop(1).unwrap();
    assert_eq!(one(&mut context), (1, Ok(0)));
    let mut context = std::thread::spawn(move || {
        context.add_nop(2).unwrap();
        let error = context.submit().unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EEXIST));
        assert!(error.to_string().contains("defer_taskrun"), "{error}");
        let waited = context.wait().map(Iterator::count);
        assert_eq!(waited.unwrap_err().raw_os_error(), Some(libc::EEXIST));
        let waited = context.wait_timeout(LONG).map(Iterator::count);
        assert_eq!(waited.unwrap_err().raw_os_error(), Some(libc::EEXIST));
        assert_eq!((context.queued(), context.in_flight()), (1, 0));
        context
    })
    .join()
    .unwrap();
    // Its own thread goes on where it was.
    context.add_nop(3).unwrap();
    assert_eq!(all(&mut context), [(2, Ok(0)), (3, Ok(0))]);
}

#[test]
fn a_ring_whose_thread_has_ended_is_of_use_to_nobody_and_can_be_dropped() {
    let mut context = deferred(8);
    require!(is_bound(&context), "{TOO_OLD}");
    let mut context = std::thread::spawn(move || {
        nops(&mut context, 0, 8);
        assert_eq!(all(&mut context).len(), 8);
        context
    })
    .join()
    .unwrap();
    context.add_nop(1).unwrap();
    assert_eq!(context.wait().map(Iterator::count).unwrap_err().raw_os_error(), Some(libc::EEXIST));
}

#[test]
fn a_split_is_refused_with_the_reason() {
    let pipe = Pipe::new();
    let mut byte = [0];
    let mut context = deferred(8);
    require!(is_bound(&context), "{TOO_OLD}");
    read(&mut context, &mut byte, &pipe.reader, 0, 1);
    context.submit().unwrap();
    let error = context.split().map(drop).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::EINVAL));
    assert!(error.to_string().contains("defer_taskrun"), "{error}");
    // The context is gone, and with it the read.
    pipe.fill();
    pipe.empty();
}

#[test]
fn drop_waits_until_the_disk_has_answered() {
    let mut buffer = AlignedBuf::new(4096);
    let context = deferred(4);
    let disk = or_skip!(Disk::held(65536));
    let file = disk.open();
    let address = buffer.as_mut_ptr().expose_provenance();
    std::thread::scope(|scope| {
        let (disk, file) = (&disk, &file);
        let dropper = scope.spawn(move || {
            let mut context = context;
            let place = std::ptr::with_exposed_provenance_mut(address);
            unsafe { context.add_read(place, 4096, file, 4096, 1) }.unwrap();
            context.submit().unwrap();
            drop(context);
        });
        disk.wait_for_requests(1);
        std::thread::sleep(Duration::from_millis(150));
        assert!(!dropper.is_finished());
        disk.release();
        dropper.join().unwrap();
    });
    assert_eq!(disk.answered(), 1);
    files::check(&buffer, 4096);
}

#[test]
fn an_idle_ring_can_be_dropped_by_another_thread() {
    in_child!(|| {
        let mut context = deferred(4);
        context.add_nop(1).unwrap();
        assert_eq!(one(&mut context), (1, Ok(0)));
        context.add_nop(2).unwrap();
        let said = stderr_of(|| std::thread::spawn(move || drop(context)).join().unwrap());
        assert_eq!(said, "");
    });
}

#[test]
fn a_busy_ring_dropped_by_another_thread_says_that_it_cannot_wait() {
    in_child!(|| {
        let pipe = Pipe::new();
        let mut byte = [0];
        let mut context = deferred(4);
        require!(is_bound(&context), "{TOO_OLD}");
        read(&mut context, &mut byte, &pipe.reader, 0, 1);
        context.submit().unwrap();
        let said = stderr_of(|| std::thread::spawn(move || drop(context)).join().unwrap());
        assert!(said.contains("leaked"), "{said:?}");
    });
}

#[test]
fn files_and_buffers_are_registered_before_and_after_the_first_use() {
    let file = TempFile::new(4096);
    let mut buffer = vec![0; 512];
    for used in [false, true] {
        let mut context = deferred(4);
        if used {
            context.add_nop(1).unwrap();
            assert_eq!(one(&mut context), (1, Ok(0)));
        }
        context.register_files(&[std::os::fd::AsFd::as_fd(file.file())]).unwrap();
        unsafe { context.register_buffers(&[iovec(&mut buffer)]) }.unwrap();
        buffer.fill(0);
        unsafe { context.add_read_fixed(buffer.as_mut_ptr(), 512, 0, uring::Fixed(0), 5, 2) }.unwrap();
        assert_eq!(one(&mut context), (2, Ok(512)));
        files::check(&buffer, 5);
    }
}
