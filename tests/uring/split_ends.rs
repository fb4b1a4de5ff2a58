//! One half goes first, or the thread that had it.

use std::io::Read;
use std::sync::mpsc;
use std::time::Duration;

use tests::files::{self, AlignedBuf};
use tests::late::Disk;
use tests::or_skip;
use uring::{Completer, Submitter};

use crate::common::*;

const BLOCK: usize = 4096;

fn halves(nr: usize) -> (Submitter, Completer) {
    context(nr).split().unwrap()
}

#[test]
fn an_idle_wait_ends_empty_when_the_submitter_is_dropped() {
    for round in 0..50 {
        let (submitter, mut completer) = halves(4);
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| {
                assert_eq!(taken(completer.wait().unwrap()), []);
                assert_eq!(taken(completer.wait_nr(3).unwrap()), []);
                assert_eq!(taken(completer.wait_timeout(Duration::MAX).unwrap()), []);
            });
            if round % 2 == 0 {
                std::thread::sleep(Duration::from_millis(2));
            }
            drop(submitter);
            waiter.join().unwrap();
        });
    }
}

#[test]
fn a_wait_without_submitter_gives_what_is_in_flight_first() {
    let pipe = Pipe::new();
    let (mut submitter, mut completer) = halves(4);
    unsafe { submitter.add_poll_fd(&pipe.reader, libc::POLLIN, 1) }.unwrap();
    submitter.add_nop(2).unwrap();
    submitter.submit().unwrap();
    submitter.add_nop(3).unwrap();
    drop(submitter);
    assert_eq!(taken(completer.wait().unwrap()), [(2, Ok(0))]);
    assert_eq!(completer.in_flight(), 1);
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| taken(completer.wait().unwrap()));
        pipe.fill();
        assert_eq!(waiter.join().unwrap(), [(1, Ok(libc::POLLIN as u32))]);
    });
    // The third one was never submitted.
    assert_eq!(taken(completer.wait().unwrap()), []);
}

#[test]
fn halves_dropped_in_either_order_cancel_what_is_in_flight() {
    for submitter_first in [true, false] {
        let pipe = Pipe::new();
        let mut bytes = [0; 40];
        let (mut submitter, completer) = halves(8);
        for (name, byte) in (0..).zip(bytes.chunks_mut(1)) {
            if submitter.space() == 0 {
                submitter.submit().unwrap();
            }
            unsafe { submitter.add_read(byte.as_mut_ptr(), 1, &pipe.reader, 0, name) }.unwrap();
        }
        submitter.submit().unwrap();
        std::thread::scope(|scope| {
            if submitter_first {
                drop(submitter);
                scope.spawn(|| drop(completer));
            } else {
                drop(completer);
                scope.spawn(|| drop(submitter));
            }
        });
        pipe.fill();
        pipe.empty();
        assert_eq!(bytes, [0; 40]);
    }
}

#[test]
fn a_submitter_without_completer_submits_on() {
    let mut pipe = Pipe::new();
    let data = files::content(0, 40);
    let (mut submitter, completer) = halves(4);
    drop(completer);
    for byte in data.chunks(1) {
        unsafe { submitter.add_write(byte.as_ptr(), 1, &pipe.writer, 0, 1) }.unwrap();
        // Before 5.19 a full completion ring, which nobody empties any more, takes no more requests.
        if submitter.submit().unwrap() == 0 {
            break;
        }
    }
    let written = submitter.stats().submitted as usize;
    assert!(written >= 8);
    let mut arrived = vec![0; written];
    pipe.reader.read_exact(&mut arrived).unwrap();
    arrived.sort_unstable();
    let mut expected = data[..written].to_vec();
    expected.sort_unstable();
    assert_eq!(arrived, expected);
    drop(submitter);
}

#[test]
fn the_thread_that_submitted_may_sleep_or_be_gone() {
    let pipe = Pipe::new();
    let mut byte = [0];
    let (submitter, mut completer) = halves(4);
    std::thread::scope(|scope| {
        let address = byte.as_mut_ptr().expose_provenance();
        let reader = &pipe.reader;
        // It submits a poll and a read that have yet to be worked on, and sleeps outside of io_uring.
        let (wake, sleep) = mpsc::channel::<()>();
        let submitting = scope.spawn(move || {
            let mut submitter = submitter;
            let place = std::ptr::with_exposed_provenance_mut(address);
            unsafe { submitter.add_poll_fd(reader, libc::POLLIN, 1) }.unwrap();
            submitter.submit().unwrap();
            sleep.recv().unwrap();
            unsafe { submitter.add_read(place, 1, reader, 0, 2) }.unwrap();
            submitter.submit().unwrap();
            submitter
        });
        pipe.fill();
        assert_eq!(taken(completer.wait().unwrap()), [(1, Ok(libc::POLLIN as u32))]);
        pipe.empty();
        wake.send(()).unwrap();
        let submitter = submitting.join().unwrap();
        // The kernel may cancel a read whose thread has ended; it completes one way or the other.
        pipe.fill();
        let ended = taken(completer.wait().unwrap());
        assert!(matches!(ended[..], [(2, Ok(1) | Err(libc::ECANCELED))]), "{ended:?}");
        drop(submitter);
    });
}

#[test]
fn both_halves_dropped_with_reads_held_wait_for_the_disk() {
    for submitter_first in [true, false] {
        let mut buffers: Vec<_> = (0..3).map(|_| AlignedBuf::new(BLOCK)).collect();
        let (mut submitter, completer) = context(4).split().unwrap();
        let disk = or_skip!(Disk::held(16 * BLOCK));
        let file = disk.open();
        for (nr, buffer) in (0..).zip(&mut buffers) {
            unsafe { submitter.add_read(buffer.as_mut_ptr(), BLOCK, &file, nr * BLOCK as u64, nr) }.unwrap();
        }
        submitter.submit().unwrap();
        disk.wait_for_requests(3);
        std::thread::scope(|scope| {
            // The first of them does not wait, the second one does.
            let second = if submitter_first {
                drop(submitter);
                scope.spawn(|| drop(completer))
            } else {
                drop(completer);
                scope.spawn(|| drop(submitter))
            };
            std::thread::sleep(Duration::from_millis(150));
            assert!(!second.is_finished());
            assert_eq!(disk.answered(), 0);
            disk.release();
            second.join().unwrap();
        });
        for (nr, buffer) in (0..).zip(&buffers) {
            files::check(buffer, nr * BLOCK as u64);
        }
    }
}
