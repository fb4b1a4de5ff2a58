//! Rule 2: how many operations there may be is counted by the context, and exact.

use std::io;

use aio::{AioContext, Error, UserData};
use tests::files::{self, TempFile};

use crate::common::*;

/// Tries to add one of everything, and checks that each is refused for want of space.
#[track_caller]
fn refuses_everything(context: &mut AioContext, buffer: &mut [u8; 16], file: &std::fs::File) {
    let (pointer, len) = (buffer.as_mut_ptr(), buffer.len());
    let vectors = || vec![libc::iovec { iov_base: pointer.cast(), iov_len: len }; 3];
    let queued = context.queued();
    // SAFETY: as said in `main.rs`.
    unsafe {
        assert!(matches!(context.add_read(pointer, len, file, 0, 99), Err(Error::NoSpace)));
        assert!(matches!(context.add_write(pointer, len, file, 0, 99), Err(Error::NoSpace)));
        assert!(matches!(context.add_readv_iter(vectors(), file, 0, 99), Err(Error::NoSpace)));
        assert!(matches!(context.add_writev_iter(vectors(), file, 0, 99), Err(Error::NoSpace)));
        assert!(matches!(context.add_fsync(file, 99), Err(Error::NoSpace)));
        assert!(matches!(context.add_fdatasync(file, 99), Err(Error::NoSpace)));
        assert!(matches!(context.add_poll_fd(file, libc::POLLIN, 99), Err(Error::NoSpace)));
    }
    assert!(matches!(context.cancel(1, 99), Err(Error::NoSpace)));
    assert!(matches!(context.remove_poll_fd(1, 99), Err(Error::NoSpace)));
    let given = vectors();
    let address = given.as_ptr();
    // SAFETY: as said in `main.rs`.
    let back = unsafe { context.add_readv(given, file, 0, 99) }.expect_err("no space");
    assert!(matches!(back.error, Error::NoSpace));
    assert_eq!((back.iovecs.as_ptr(), back.iovecs.len()), (address, 3), "the very iovecs come back");
    // SAFETY: as said in `main.rs`.
    let back = unsafe { context.add_writev(back.iovecs, file, 0, 99) }.expect_err("no space");
    assert_eq!((back.iovecs.as_ptr(), back.iovecs.len()), (address, 3), "the very iovecs come back");
    assert_eq!((context.queued(), context.space()), (queued, 0));
}

#[test]
fn full_queue_returns_no_space_and_keeps_every_op() {
    let file = TempFile::new(4096);
    let mut spare = [0; 16];
    for nr in [1, 2, 10, 16, 17, 63, 64, 65, 500] {
        let mut buffers = vec![[0; 16]; nr];
        let mut context = context(nr);
        assert_eq!(context.space(), nr);
        for (index, buffer) in buffers.iter_mut().enumerate() {
            let user_data = index as UserData;
            read(&mut context, buffer, file.file(), user_data, user_data);
            assert_eq!((context.queued(), context.space()), (index + 1, nr - index - 1));
        }
        refuses_everything(&mut context, &mut spare, file.file());
        let expected: Vec<Taken> = (0..nr as UserData).map(|user_data| (user_data, Ok(16))).collect();
        assert_eq!(all(&mut context), expected);
        for (offset, buffer) in (0..).zip(&buffers) {
            files::check(buffer, offset);
        }
        assert_eq!(context.space(), nr);
    }
}

#[test]
fn operations_in_flight_take_their_space() {
    let pipe = Pipe::new();
    let mut spare = [0; 16];
    let null = dev_null();
    let mut context = context(5);
    for user_data in 0..5 {
        poll(&mut context, &pipe.reader, libc::POLLIN, user_data);
    }
    assert_eq!(context.submit().unwrap(), 5);
    assert_eq!((context.queued(), context.in_flight(), context.space()), (0, 5, 0));
    refuses_everything(&mut context, &mut spare, &null);
    pipe.fill();
    assert_eq!(take_nr(&mut context, 5).len(), 5);
    assert_eq!((context.queued(), context.in_flight(), context.space()), (0, 0, 5));
}

#[test]
fn completions_that_nobody_has_taken_take_their_space() {
    let null = dev_null();
    let mut spare = [0; 16];
    let data = [7; 16];
    let mut context = context(6);
    for user_data in 0..6 {
        write(&mut context, &data, &null, 0, user_data);
    }
    // Writes to the null device are done when `submit` is.
    assert_eq!(context.submit().unwrap(), 6);
    assert_eq!((context.in_flight(), context.space()), (6, 0));
    refuses_everything(&mut context, &mut spare, &null);
    let first = taken(context.completions().unwrap().take(2));
    assert_eq!(first.len(), 2);
    assert_eq!((context.in_flight(), context.space()), (4, 2));
    write(&mut context, &data, &null, 0, 6);
    write(&mut context, &data, &null, 0, 7);
    refuses_everything(&mut context, &mut spare, &null);
    let mut user_data: Vec<_> = first.iter().chain(&all(&mut context)).map(|&(nr, _)| nr).collect();
    user_data.sort_unstable();
    assert_eq!(user_data, [0, 1, 2, 3, 4, 5, 6, 7]);
}

#[test]
fn queued_and_in_flight_and_untaken_together_fill_the_context() {
    let pipe = Pipe::new();
    let null = dev_null();
    let data = [7; 16];
    let mut spare = [0; 16];
    let mut context = context(3);
    poll(&mut context, &pipe.reader, libc::POLLIN, 1);
    write(&mut context, &data, &null, 0, 2);
    assert_eq!(context.submit().unwrap(), 2);
    write(&mut context, &data, &null, 0, 3);
    assert_eq!((context.queued(), context.in_flight(), context.space()), (1, 2, 0));
    refuses_everything(&mut context, &mut spare, &null);
    assert_eq!(take_nr(&mut context, 2), [(2, Ok(16)), (3, Ok(16))]);
    assert_eq!((context.queued(), context.in_flight(), context.space()), (0, 1, 2));
}

#[test]
fn half_a_million_operations_leak_no_slot() {
    let null = dev_null();
    let mut buffer = [0; 1];
    let mut context = context(32);
    for batch in 0..500_000 / 32 {
        for nr in 0..32 {
            read(&mut context, &mut buffer, &null, 0, batch * 32 + nr);
        }
        let mut sum = 0;
        let mut add = |user_data: UserData, result: io::Result<u32>| {
            assert_eq!(result.unwrap(), 0);
            sum += user_data - batch * 32;
        };
        context.drain(&mut add).unwrap();
        assert_eq!(sum, 31 * 32 / 2);
    }
    assert_eq!(context.space(), 32);
}

#[test]
fn statistics_count_what_was_submitted_and_completed() {
    let null = dev_null();
    let data = [1; 8];
    let mut context = context(4);
    let fresh = context.stats();
    assert_eq!((fresh.submitted, fresh.completed), (0, 0));
    for user_data in 0..3 {
        write(&mut context, &data, &null, 0, user_data);
    }
    assert_eq!(context.stats().submitted, 0);
    context.submit().unwrap();
    assert_eq!((context.stats().submitted, context.stats().completed), (3, 0));
    assert_eq!(taken(context.completions().unwrap()).len(), 3);
    assert_eq!((context.stats().submitted, context.stats().completed), (3, 3));
    assert!(context.stats().enters >= 1);
}
