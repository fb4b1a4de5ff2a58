//! The hot path of the context does not allocate.

use std::time::Duration;

use tests::counting;
use tests::files::{AlignedBuf, TempFile};
use tests::or_skip;
use uring::{Fixed, URingContext};

use crate::common::*;

/// Counts the allocations of 50 rounds after as many to warm up.
#[track_caller]
fn allocations(mut round: impl FnMut()) -> u64 {
    for _ in 0..50 {
        round();
    }
    let before = counting::on_this_thread();
    for _ in 0..50 {
        round();
    }
    counting::on_this_thread() - before
}

/// Takes everything, without the allocations of the other helpers.
fn take(context: &mut URingContext, mut nr: usize) {
    while nr > 0 {
        for (_, result) in context.wait().unwrap() {
            result.unwrap();
            nr -= 1;
        }
    }
}

/// Before 5.19 the context writes down what is in flight, in order to be able to cancel it.
fn keeps_a_ledger() -> bool {
    !kernel_is_at_least(5, 19)
}

#[test]
fn the_count_counts() {
    assert_eq!(allocations(|| drop(std::hint::black_box(vec![0; 10]))), 50);
}

#[test]
fn reading_and_writing_allocates_nothing() {
    let file = TempFile::new(65536);
    let direct = or_skip!(file.direct());
    let mut buffers: Vec<_> = (0..32).map(|_| AlignedBuf::new(512)).collect();
    let mut context = context(32);
    let count = allocations(|| {
        for (nr, buffer) in (0..).zip(&mut buffers) {
            match nr % 3 {
                0 => read(&mut context, buffer, &direct, nr * 512, nr),
                1 => read(&mut context, buffer, file.file(), nr * 512, nr),
                _ => write(&mut context, buffer, file.file(), 32768, nr),
            }
        }
        take(&mut context, 32);
    });
    assert!(count == 0 || keeps_a_ledger(), "{count} allocations");
}

#[test]
fn every_way_to_wait_allocates_nothing() {
    let mut context = context(8);
    let count = allocations(|| {
        nops(&mut context, 0, 8);
        context.submit().unwrap();
        assert_eq!(context.wait_nr(8).unwrap().count(), 8);
        nops(&mut context, 0, 8);
        context.submit().unwrap();
        context.drain(|_, result| assert_eq!(result.unwrap(), 0)).unwrap();
        nops(&mut context, 0, 8);
        let timed = context.wait_timeout(LONG).unwrap().count();
        take(&mut context, 8 - timed);
        assert_eq!(context.completions().unwrap().count(), 0);
        assert_eq!(context.wait_timeout(Duration::ZERO).unwrap().count(), 0);
    });
    assert!(count == 0 || keeps_a_ledger(), "{count} allocations");
}

#[test]
fn vectors_by_iterator_allocate_nothing_once_their_slot_has_an_array() {
    let file = TempFile::new(65536);
    let mut buffer = vec![0; 8 * 64];
    let mut context = context(8);
    let count = allocations(|| {
        for (nr, part) in (0..).zip(buffer.chunks_mut(64)) {
            let vectors = part.chunks_mut(8).map(iovec);
            unsafe {
                if nr % 2 == 0 {
                    context.add_readv_iter(vectors, file.file(), nr * 64, nr).unwrap();
                } else {
                    context.add_writev_iter(vectors, file.file(), nr * 64, nr).unwrap();
                }
            }
        }
        take(&mut context, 8);
    });
    assert!(count == 0 || keeps_a_ledger(), "{count} allocations");
}

#[test]
fn everything_else_in_a_loop_allocates_nothing() {
    let file = TempFile::new(65536);
    let zero = dev_zero();
    let mut buffer = AlignedBuf::new(4096);
    let mut context = context(16);
    context.register_files(&[std::os::fd::AsFd::as_fd(file.file())]).unwrap();
    unsafe { context.register_buffers(&[iovec(&mut buffer)]) }.unwrap();
    let count = allocations(|| unsafe {
        context.add_fsync(Fixed(0), 1).unwrap();
        context.add_fdatasync(Fixed(0), 2).unwrap();
        context.add_read_fixed(buffer.as_mut_ptr(), 4096, 0, Fixed(0), 0, 3).unwrap();
        context.add_poll_fd(&zero, libc::POLLIN, 4).unwrap();
        context.add_fallocate(Fixed(0), 0, 4096, 0, 5).unwrap();
        context.add_timeout(LONG, 6).unwrap();
        take(&mut context, 5);
        context.cancel(6, 7).unwrap();
        let mut left = 2;
        while left > 0 {
            left -= context.wait().unwrap().count();
        }
    });
    assert!(count == 0 || keeps_a_ledger(), "{count} allocations");
}

#[test]
fn overflow_allocates_nothing_here() {
    let mut context = build(URingContext::builder(8).cq_entries(8));
    let count = allocations(|| {
        nops(&mut context, 0, 8);
        context.submit().unwrap();
        nops(&mut context, 0, 8);
        context.submit().unwrap();
        take(&mut context, 16);
    });
    assert!(count == 0 || keeps_a_ledger(), "{count} allocations");
}

#[test]
fn the_halves_allocate_nothing() {
    let (mut submitter, mut completer) = context(8).split().unwrap();
    let count = allocations(|| {
        for name in 0..8 {
            submitter.add_nop(name).unwrap();
        }
        submitter.submit().unwrap();
        assert_eq!(completer.wait_nr(8).unwrap().count(), 8);
    });
    assert!(count == 0 || keeps_a_ledger(), "{count} allocations");
}
