//! What a request points to belongs to its place in the queue: it survives the caller's array and any user data.

use std::time::{Duration, Instant};

use tests::files::{self, TempFile};

use crate::common::*;

#[test]
fn iovecs_of_a_vector_may_go_right_after_add() {
    let file = TempFile::new(8192);
    let mut buffers = vec![vec![0; 8]; 64];
    let mut context = context(8);
    for (name, eight) in (0..).zip(buffers.chunks_mut(8)) {
        let iovecs = eight.iter_mut().map(|buffer| iovec(buffer)).collect();
        unsafe { context.add_readv(iovecs, file.file(), name * 64, name) }.unwrap();
        scribble_over_freed_memory();
    }
    assert_eq!(all(&mut context), (0..8).map(|name| (name, Ok(64))).collect::<Vec<_>>());
    files::check(&buffers.concat(), 0);
}

#[test]
fn iovecs_of_an_iterator_may_go_right_after_add() {
    let file = TempFile::new(8192);
    let mut buffers = vec![vec![0; 8]; 64];
    let mut context = context(8);
    for (name, eight) in (0..).zip(buffers.chunks_mut(8)) {
        let iovecs: Vec<_> = eight.iter_mut().map(|buffer| iovec(buffer)).collect();
        unsafe { context.add_readv_iter(iovecs.iter().copied(), file.file(), name * 64, name) }.unwrap();
        drop(iovecs);
        scribble_over_freed_memory();
    }
    assert_eq!(all(&mut context), (0..8).map(|name| (name, Ok(64))).collect::<Vec<_>>());
    files::check(&buffers.concat(), 0);
}

/// Takes freed blocks of the sizes of arrays of iovecs and leaves other content in them.
fn scribble_over_freed_memory() {
    let blocks: Vec<Vec<u64>> = (0..64).map(|nr| vec![0x5555; 1 + nr % 32]).collect();
    drop(std::hint::black_box(blocks));
}

#[test]
fn every_request_may_have_the_same_user_data() {
    let file = TempFile::new(65536);
    let mut buffers = vec![vec![0; 256]; 32];
    let mut context = context(16);
    for (nr, buffer) in (0..).zip(&mut buffers) {
        if context.space() == 0 {
            context.submit().unwrap();
        }
        let halves = buffer.chunks_mut(128).map(iovec).collect();
        unsafe { context.add_readv(halves, file.file(), nr * 1000, 7) }.unwrap();
    }
    assert_eq!(all(&mut context), vec![(7, Ok(256)); 32]);
    for (nr, buffer) in (0..).zip(&buffers) {
        files::check(buffer, nr * 1000);
    }
}

#[test]
fn every_user_data_comes_back_as_it_is() {
    let mut context = context(8);
    let names = [0, 1, u64::MAX, u64::MAX - 1, 1 << 63, u64::from(u32::MAX), 0x0123_4567_89ab_cdef];
    for name in names {
        context.add_nop(name).unwrap();
    }
    let mut expected: Vec<Taken> = names.map(|name| (name, Ok(0))).to_vec();
    expected.sort_unstable();
    assert_eq!(all(&mut context), expected);
}

#[test]
fn a_slot_is_used_again_only_after_the_kernel_has_read_it() {
    let file = TempFile::new(65536);
    let pipe = Pipe::new();
    let mut late = [0; 8];
    let mut buffers = vec![vec![0; 16]; 300];
    // Two slots; the first request, which stays in flight, pointed to one of them.
    let mut context = context(2);
    unsafe { context.add_readv_iter(late.chunks_mut(4).map(iovec), &pipe.reader, 0, 1000) }.unwrap();
    context.submit().unwrap();
    for (nr, buffer) in (0..).zip(&mut buffers) {
        unsafe { context.add_readv_iter(buffer.chunks_mut(4).map(iovec), file.file(), nr * 100, nr) }
            .unwrap();
        assert_eq!(one(&mut context), (nr, Ok(16)));
    }
    std::io::Write::write_all(&mut &pipe.writer, b"01234567").unwrap();
    assert_eq!(one(&mut context), (1000, Ok(8)));
    assert_eq!(&late, b"01234567");
    for (nr, buffer) in (0..).zip(&buffers) {
        files::check(buffer, nr * 100);
    }
}

#[test]
fn arrays_of_all_lengths_share_a_slot() {
    let file = TempFile::new(4096);
    let mut buffer = vec![0; 1024];
    let mut context = context(1);
    for length in [1, 1024, 2, 512, 0, 3, 1024] {
        buffer.fill(0);
        let parts = buffer[..length].chunks_mut(1).map(iovec);
        unsafe { context.add_readv_iter(parts, file.file(), 5, 1) }.unwrap();
        assert_eq!(one(&mut context), (1, Ok(length as u32)));
        files::check(&buffer[..length], 5);
        assert!(buffer[length..].iter().all(|&byte| byte == 0));
    }
}

#[test]
fn timeouts_of_one_batch_keep_their_own_times() {
    let mut context = context(4);
    let start = Instant::now();
    // Long ones first: with one place for all of them, all would take as long as the last one.
    context.add_timeout(LONG, 1).unwrap();
    context.add_timeout(LONG, 2).unwrap();
    context.add_timeout(Duration::from_millis(1), 3).unwrap();
    context.submit().unwrap();
    assert_eq!(one(&mut context), (3, Err(libc::ETIME)));
    assert!(start.elapsed() >= Duration::from_millis(1));
    assert_eq!(context.in_flight(), 2);
}

#[test]
fn an_iterator_that_panics_leaves_the_queue_as_it_was() {
    let file = TempFile::new(4096);
    let mut buffer = vec![0; 64];
    let mut context = context(4);
    context.add_nop(1).unwrap();
    let parts = [iovec(&mut buffer); 3];
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let broken =
            parts.iter().enumerate().map(|(nr, &part)| if nr == 2 { panic!("expected") } else { part });
        unsafe { context.add_readv_iter(broken, file.file(), 0, 2) }.map(drop)
    }));
    assert!(caught.is_err());
    assert_eq!((context.queued(), context.space()), (1, 3));
    unsafe { context.add_readv_iter(parts.into_iter().take(1), file.file(), 9, 3) }.unwrap();
    assert_eq!(all(&mut context), [(1, Ok(0)), (3, Ok(64))]);
    files::check(&buffer, 9);
}
