//! What is queued is submitted once, whatever the kernel says of it; full is full, and changes nothing.

use tests::files::{self, TempFile};
use uring::{Error, Rejected};

use crate::common::*;

#[test]
fn a_refused_request_in_the_middle_of_a_batch_holds_up_nothing() {
    let zero = dev_zero();
    let mut context = context(8);
    nops(&mut context, 0, 3);
    unsafe { context.add_readv(too_many_iovecs(), &zero, 0, 3) }.unwrap();
    nops(&mut context, 4, 4);
    assert_eq!(context.submit().unwrap(), 8);
    assert_eq!((context.queued(), context.in_flight(), context.space()), (0, 8, 8));
    let expected: Vec<Taken> =
        (0..8).map(|name| (name, if name == 3 { Err(libc::EINVAL) } else { Ok(0) })).collect();
    assert_eq!(take_nr(&mut context, 8), expected);
    assert_eq!(all(&mut context), []);
}

#[test]
fn refused_requests_everywhere_in_every_batch_lose_and_double_nothing() {
    let zero = dev_zero();
    let mut context = context(8);
    let mut completed = Vec::new();
    for round in 0..100 {
        for place in 0..8 {
            let name = round * 8 + place;
            // A different pattern each round, all eight requests refused in some.
            if round >> place & 1 == 1 {
                refused(&mut context, &zero, name);
            } else {
                context.add_nop(name).unwrap();
            }
        }
        match round % 3 {
            0 => completed.extend(taken(context.wait().unwrap())),
            1 => completed.extend(taken(context.wait_nr(8).unwrap())),
            _ => drop(context.submit().unwrap()),
        }
        assert_eq!(context.queued(), 0, "round {round}");
    }
    completed.extend(all(&mut context));
    let expected = |name: u64| if (name / 8) >> (name % 8) & 1 == 1 { Err(libc::EINVAL) } else { Ok(0) };
    assert_eq!(sorted(completed), (0..800).map(|name| (name, expected(name))).collect::<Vec<_>>());
}

/// Queues a request that the kernel refuses, before or after it has looked at all of it.
fn refused(context: &mut uring::URingContext, file: &std::fs::File, name: u64) {
    let nothing = std::ptr::null();
    unsafe {
        match name % 2 {
            0 => context.add_writev(too_many_iovecs(), file, 0, name).map(drop).unwrap(),
            _ => drop(
                context
                    .add_write(nothing, 0, file, 0, name)
                    .unwrap()
                    .ioprio(uring::IoPriority::from_raw(0xa000)),
            ),
        }
    }
}

#[test]
fn ten_entries_are_sixteen_and_full_queue_returns_no_space_and_keeps_every_op() {
    let mut context = context(10);
    for name in 0..16 {
        assert_eq!((context.space(), context.queued()), (16 - name as usize, name as usize));
        context.add_nop(name).unwrap();
    }
    for _ in 0..3 {
        assert!(matches!(context.add_nop(99), Err(Error::NoSpace)));
        assert!(matches!(context.cancel(1, 99), Err(Error::NoSpace)));
        assert_eq!((context.queued(), context.in_flight(), context.space()), (16, 0, 0));
    }
    assert_eq!(context.submit().unwrap(), 16);
    assert_eq!((context.queued(), context.in_flight(), context.space()), (0, 16, 16));
    assert_eq!(all(&mut context), (0..16).map(|name| (name, Ok(0))).collect::<Vec<_>>());
}

#[test]
fn every_size_takes_exactly_what_it_was_rounded_up_to() {
    for entries in [1, 2, 3, 4, 5, 8, 9, 100, 128, 1000] {
        let mut context = context(entries);
        let expected = entries.next_power_of_two();
        // Twice, so that the second time starts in the middle of the ring.
        for round in 0..2 {
            assert_eq!(context.space(), expected);
            let added = (0..).take_while(|&name| context.add_nop(name).is_ok()).count();
            assert_eq!(added, expected, "{entries} entries, round {round}");
            assert_eq!(all(&mut context).len(), expected);
            context.add_nop(0).unwrap();
            assert_eq!(all(&mut context).len(), 1);
        }
    }
}

#[test]
fn a_full_queue_gives_the_iovecs_back_and_takes_nothing_from_an_iterator() {
    let file = TempFile::new(4096);
    let (mut first, mut second) = (vec![0; 16], vec![0; 16]);
    let mut context = context(2);
    nops(&mut context, 0, 2);
    let iovecs = vec![iovec(&mut first), iovec(&mut second)];
    let address = iovecs.as_ptr();
    let rejected = unsafe { context.add_readv(iovecs, file.file(), 0, 2) }.map(drop).unwrap_err();
    let Rejected { error: Error::NoSpace, iovecs } = rejected else {
        panic!("not NoSpace: {rejected}");
    };
    assert_eq!((iovecs.as_ptr(), iovecs.len()), (address, 2));

    let mut parts = iovecs.into_iter();
    let refused = unsafe { context.add_readv_iter(parts.by_ref(), file.file(), 0, 2) }.map(drop);
    assert!(matches!(refused, Err(Error::NoSpace)));
    assert_eq!(parts.len(), 2);

    context.submit().unwrap();
    unsafe { context.add_readv_iter(parts, file.file(), 7, 2) }.unwrap();
    assert_eq!(all(&mut context), [(0, Ok(0)), (1, Ok(0)), (2, Ok(32))]);
    files::check(&[first, second].concat(), 7);
}

#[test]
fn more_requests_than_entries_are_in_flight() {
    let pipe = Pipe::new();
    let mut context = build(uring::URingContext::builder(4).cq_entries(64));
    for name in 0..40 {
        if context.space() == 0 {
            context.submit().unwrap();
        }
        poll(&mut context, &pipe.reader, libc::POLLIN, name);
    }
    context.submit().unwrap();
    assert_eq!((context.queued(), context.in_flight(), context.space()), (0, 40, 4));
    pipe.fill();
    let expected: Vec<Taken> = (0..40).map(|name| (name, Ok(libc::POLLIN as u32))).collect();
    assert_eq!(all(&mut context), expected);
}

#[test]
fn nothing_of_a_poll_stays_in_the_entry_for_the_read_that_follows() {
    let zero = dev_zero();
    let file = TempFile::new(4096);
    let mut buffer = vec![0; 64];
    // One entry: every request uses the slot of the one before.
    let mut context = context(1);
    for offset in 0..8 {
        poll(&mut context, &zero, libc::POLLIN, 1);
        assert_eq!(one(&mut context), (1, Ok(libc::POLLIN as u32)));
        unsafe { context.add_readv(vec![iovec(&mut buffer)], file.file(), offset, 2) }.unwrap();
        assert_eq!(one(&mut context), (2, Ok(64)));
        files::check(&buffer, offset);
    }
}

#[test]
fn nothing_of_a_refined_read_stays_in_the_entry_for_the_request_that_follows() {
    let file = TempFile::new(4096);
    let mut buffer = vec![0; 64];
    let mut context = context(1);
    for offset in 0..4 {
        let queued = unsafe { context.add_read(buffer.as_mut_ptr(), 64, file.file(), 0, 1) }.unwrap();
        queued
            .rw_flags(uring::RwFlags::from_bits_retain(0x4000_0000))
            .ioprio(uring::IoPriority::from_raw(0xe000));
        assert!(one(&mut context).1.is_err());
        // Flags, priority, offset, buffer and file are all fields that the next one would trip over.
        context.add_nop(2).unwrap();
        assert_eq!(one(&mut context), (2, Ok(0)));
        read(&mut context, &mut buffer, file.file(), offset, 3);
        assert_eq!(one(&mut context), (3, Ok(64)));
        files::check(&buffer, offset);
        unsafe { context.add_fsync(file.file(), 4) }.unwrap();
        assert_eq!(one(&mut context), (4, Ok(0)));
    }
}

#[test]
fn the_rings_wrap_around_many_times() {
    // More than 2^17 requests through rings of 4 and 8 entries. The wrap of the 32-bit indices themselves takes hours
    // here; the crate's own tests do it on a ring without a kernel.
    let mut context = context(4);
    let mut next = 0;
    let mut expected = 0;
    while expected < 140_000 {
        // 1, 2, 3, 4, so that batches start everywhere.
        let batch = expected % 4 + 1;
        nops(&mut context, next, batch);
        next += batch;
        context.submit().unwrap();
        for (name, result) in context.wait_nr(batch as usize).unwrap() {
            assert_eq!((name, result.unwrap()), (expected, 0));
            expected += 1;
        }
    }
    assert_eq!(expected, next);
    assert_eq!((context.queued(), context.in_flight(), context.space()), (0, 0, 4));
    assert_eq!(context.stats().completed, next);
}
