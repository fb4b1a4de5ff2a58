//! The seed's and other wrappers' defects that no other test stands for.
//!
//! | defect elsewhere | test here |
//! |---|---|
//! | a short submit is taken for a full one; requests are lost and doubled | `rules::queue`, `setup::a_kernel_that_stops_…`, `refusals` |
//! | the check for a full queue never fires | `rules::queue::ten_entries_are_sixteen_…` |
//! | an entry keeps fields of the request before | `rules::queue::nothing_of_…` |
//! | iovecs are kept by user data; the same again frees them | `rules::slots` |
//! | a drop leaves the kernel writing | `late`, `rules::teardown` |
//! | a signal empties a wait, or ends a drain early | `rules::waiting`, `refusals::signals_…`, below |
//! | `remove_poll_fd` names the wrong thing | `cancel::a_removed_poll_…` |
//! | a wait on an idle ring hangs | `rules::waiting` |
//! | overflow waits for the next submit; only an empty ring is refilled | `rules::overflow` |
//! | EAGAIN and EBUSY are the caller's to handle | `refusals` |
//! | a forked child drives its parent's ring | `fork` |
//! | errors with a negative errno | below, and `common::taken` |
//! | timed waits leak EINTR and ETIME, or count anew | `rules::waiting` |
//! | a timeout's time lives on the caller's stack | `rules::slots::timeouts_…` |
//! | a registered ring descriptor is leaked, or never used | `ring_fds` |
//! | halves that cannot be sent | `split` |
//! | a cancellation is lost in a full queue | `late::a_full_queue_while_cancelling_…` |
//! | lengths and offsets cut to 32 bits | `lengths` |
//! | the set-up's answer is read through a shared reference, and lost when optimised | every test, in release |

use std::error::Error as _;
use std::io;
use std::time::Duration;

use tests::files::{self, TempFile};
use tests::signals::Storm;
use uring::{Error, URingContext};

use crate::common::*;

#[test]
fn errors_of_requests_have_a_positive_errno_and_a_kind() {
    let directory = std::fs::File::open("/").unwrap();
    let mut byte = [0];
    let mut context = context(4);
    read(&mut context, &mut byte, &directory, 0, 1);
    context.cancel(77, 2).unwrap();
    for (name, result) in context.wait_nr(2).unwrap() {
        let error = result.unwrap_err();
        let (errno, kind) = match name {
            1 => (libc::EISDIR, io::ErrorKind::IsADirectory),
            _ => (libc::ENOENT, io::ErrorKind::NotFound),
        };
        assert_eq!((error.raw_os_error(), error.kind()), (Some(errno), kind));
    }
}

#[test]
fn errors_of_calls_have_a_positive_errno_a_kind_and_a_source() {
    let error = URingContext::new(0).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::EINVAL));
    assert!(error.source().is_some());
    let error = io::Error::from(error);
    assert_eq!((error.raw_os_error(), error.kind()), (Some(libc::EINVAL), io::ErrorKind::InvalidInput));
    assert_eq!((Error::NoSpace.raw_os_error(), Error::Forked.raw_os_error()), (None, None));
    assert_eq!(io::Error::from(Error::NoSpace).kind(), io::ErrorKind::WouldBlock);
    for error in [Error::NoSpace, Error::Forked] {
        let text = error.to_string();
        assert!(text.len() > 20, "{text}");
    }
}

#[test]
fn a_drain_under_signals_leaves_nothing_in_flight() {
    let pipes: Vec<_> = (0..8).map(|_| Pipe::new()).collect();
    let mut context = context(16);
    for _ in 0..5 {
        for name in 0..64 {
            if context.space() == 0 {
                context.submit().unwrap();
            }
            // Polls: under signals some kernels fail to make the worker that a read of a pipe takes there.
            poll(&mut context, &pipes[name as usize % 8].reader, libc::POLLIN, name);
        }
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for pipe in &pipes {
                    pipe.fill();
                    std::thread::sleep(Duration::from_millis(3));
                }
            });
            let storm = Storm::every_millisecond();
            let expected: Vec<Taken> = (0..64).map(|name| (name, Ok(libc::POLLIN as u32))).collect();
            assert_eq!(all(&mut context), expected);
            drop(storm);
        });
        pipes.iter().for_each(Pipe::empty);
    }
}

#[test]
fn submit_does_not_wait_for_completions() {
    let pipe = Pipe::new();
    let mut byte = [0];
    let mut context = context(4);
    read(&mut context, &mut byte, &pipe.reader, 0, 1);
    // Nobody will write: a submit that waited for one completion would be stuck.
    assert_eq!(context.submit().unwrap(), 1);
    assert_eq!(context.submit().unwrap(), 0);
    assert_eq!(context.in_flight(), 1);
}

#[test]
fn a_refused_request_does_not_put_later_submits_one_behind() {
    let file = TempFile::new(4096);
    let mut buffer = [0; 16];
    let mut context = context(8);
    context.add_nop(1).unwrap();
    unsafe { context.add_readv(too_many_iovecs(), file.file(), 0, 2) }.unwrap();
    context.add_nop(3).unwrap();
    context.submit().unwrap();
    assert_eq!(take_nr(&mut context, 3), [(1, Ok(0)), (2, Err(libc::EINVAL)), (3, Ok(0))]);
    for offset in 0..20 {
        // Each comes out of its own wait.
        read(&mut context, &mut buffer, file.file(), offset, 100 + offset);
        assert_eq!(one(&mut context), (100 + offset, Ok(16)));
        files::check(&buffer, offset);
    }
}

#[test]
fn a_refused_write_is_not_done_and_others_are_done_once() {
    let file = TempFile::empty();
    let byte = [b'x'];
    let mut context = context(8);
    for round in 0..50 {
        for place in 0..8 {
            if place == round % 8 {
                unsafe { context.add_writev(too_many_iovecs(), file.file(), 0, place) }.unwrap();
            } else {
                let queued = unsafe { context.add_write(byte.as_ptr(), 1, file.file(), 0, place) }.unwrap();
                queued.rw_flags(uring::RwFlags::APPEND);
            }
        }
        context.submit().unwrap();
        assert_eq!(all(&mut context).len(), 8);
    }
    assert_eq!(file.file().metadata().unwrap().len(), 50 * 7);
}

#[test]
fn a_context_on_the_heap_of_a_thread_that_panics_is_taken_down() {
    let pipe = Pipe::new();
    let mut byte = [0];
    let address = byte.as_mut_ptr().expose_provenance();
    std::thread::scope(|scope| {
        let reader = &pipe.reader;
        let panicking = scope.spawn(move || {
            let mut context = context(4);
            let place = std::ptr::with_exposed_provenance_mut(address);
            unsafe { context.add_read(place, 1, reader, 0, 1) }.unwrap();
            context.submit().unwrap();
            std::panic::resume_unwind(Box::new("expected"));
        });
        assert!(panicking.join().is_err());
    });
    pipe.fill();
    pipe.empty();
    assert_eq!(byte, [0]);
}
