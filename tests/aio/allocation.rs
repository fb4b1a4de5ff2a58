//! The hot path of the context does not allocate.

use aio::AioContext;
use tests::counting;
use tests::files::{AlignedBuf, TempFile};
use tests::or_skip;

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
fn take(context: &mut AioContext, mut nr: usize) {
    while nr > 0 {
        for (_, result) in context.wait().unwrap() {
            result.unwrap();
            nr -= 1;
        }
    }
}

#[test]
fn reading_and_writing_allocates_nothing() {
    let file = TempFile::new(65536);
    let direct = or_skip!(file.direct());
    let mut buffers: Vec<_> = (0..32).map(|_| AlignedBuf::new(512)).collect();
    for mut context in both_ways(32) {
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
        assert_eq!(count, 0);
    }
}

#[test]
fn vectors_by_iterator_allocate_nothing_once_their_slot_has_an_array() {
    let file = TempFile::new(65536);
    let mut buffer = vec![0; 8 * 64];
    for mut context in both_ways(8) {
        let count = allocations(|| {
            for (nr, part) in (0..).zip(buffer.chunks_mut(64)) {
                let vectors = part.chunks_mut(8).map(iovec);
                let queued = match nr % 2 {
                    0 => unsafe { context.add_readv_iter(vectors, file.file(), nr * 64, nr) },
                    _ => unsafe { context.add_writev_iter(vectors, file.file(), 8192, nr) },
                };
                let _ = queued.unwrap();
            }
            take(&mut context, 8);
        });
        assert_eq!(count, 0);
    }
}

#[test]
fn syncs_polls_and_cancels_allocate_nothing() {
    let file = TempFile::new(10);
    let pipe = Pipe::new();
    for mut context in both_ways(8) {
        let count = allocations(|| {
            unsafe { context.add_fdatasync(file.file(), 1) }.unwrap();
            poll(&mut context, &pipe.writer, libc::POLLOUT, 2);
            take(&mut context, 2);
            poll(&mut context, &pipe.reader, libc::POLLIN, 3);
            context.submit().unwrap();
            context.cancel(3, 4).unwrap();
            context.wait_nr(2).unwrap().for_each(drop);
            context.drain(|_, _| ()).unwrap();
        });
        assert_eq!(count, 0);
    }
}

#[test]
fn a_full_queue_and_an_idle_wait_allocate_nothing() {
    let null = dev_null();
    let mut context = context(2);
    let count = allocations(|| {
        for nr in 0..4 {
            // SAFETY: as said in `main.rs`.
            let _ = unsafe { context.add_write(b"x".as_ptr(), 1, &null, 0, nr) }.is_ok();
        }
        take(&mut context, 2);
        assert_eq!(context.completions().unwrap().count(), 0);
        assert_eq!(context.wait_timeout(std::time::Duration::ZERO).unwrap().count(), 0);
    });
    assert_eq!(count, 0);
}

#[test]
fn both_halves_of_a_split_context_allocate_nothing() {
    let file = TempFile::new(4096);
    let mut buffers = [[0; 64]; 8];
    let (mut submitter, mut completer) = context(8).split().unwrap();
    let count = allocations(|| {
        for (nr, buffer) in (0..).zip(&mut buffers) {
            // SAFETY: as said in `main.rs`.
            let _ = unsafe { submitter.add_read(buffer.as_mut_ptr(), 64, file.file(), nr * 64, nr) }.unwrap();
        }
        submitter.submit().unwrap();
        let mut left = 8;
        while left > 0 {
            left -= completer.wait().unwrap().count();
        }
    });
    assert_eq!(count, 0);
}
