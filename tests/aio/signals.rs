//! A signal every millisecond: nothing fails, nothing is lost, nothing comes back empty.

use std::time::Duration;

use tests::files::{self, AlignedBuf, TempFile};
use tests::or_skip;
use tests::signals::Storm;

use crate::common::*;

/// Waits, on another thread than the storm's, until so many more signals have been received.
fn wait_for_signals(nr: u64) {
    let start = Storm::received();
    while Storm::received() < start + nr {
        std::thread::sleep(Duration::from_micros(200));
    }
}

#[test]
fn a_signal_every_millisecond_during_100_000_operations() {
    let file = TempFile::new(1 << 20);
    let direct = or_skip!(file.direct());
    let mut buffers: Vec<_> = (0..32).map(|_| AlignedBuf::new(512)).collect();
    for (operations, mut context) in [60_000, 40_000].into_iter().zip(both_ways(32)) {
        let storm = Storm::every_millisecond();
        let mut completed = 0;
        while completed < operations {
            for (nr, buffer) in (0..).zip(&mut buffers) {
                // Every eighth really goes to the disk, so that there is something to be interrupted.
                let offset = (completed + nr) % 2048 * 512;
                match nr % 8 {
                    0 => read(&mut context, buffer, &direct, offset, offset),
                    _ => read(&mut context, buffer, file.file(), offset, offset),
                }
            }
            let mut left = 32;
            while left > 0 {
                let some = taken(context.wait().unwrap());
                assert!(!some.is_empty(), "a wait with operations in flight came back empty");
                for (_, result) in &some {
                    assert_eq!(*result, Ok(512));
                }
                left -= some.len();
            }
            for (nr, buffer) in (0..).zip(&buffers) {
                files::check(&buffer[..8], (completed + nr) % 2048 * 512);
            }
            completed += 32;
        }
        drop(storm);
    }
}

#[test]
fn wait_outlasts_signals_and_is_never_empty() {
    for mut context in both_ways(2) {
        let pipe = Pipe::new();
        poll(&mut context, &pipe.reader, libc::POLLIN, 1);
        let storm = Storm::every_millisecond();
        let filler = std::thread::spawn(move || {
            wait_for_signals(30);
            pipe.fill();
            pipe
        });
        assert_eq!(one(&mut context), (1, Ok(libc::POLLIN as u32)));
        drop(storm);
        drop(filler.join().unwrap());
    }
}

#[test]
fn wait_nr_under_signals_still_waits_for_all_of_them() {
    for mut context in both_ways(4) {
        let pipes: Vec<_> = (0..3).map(|_| Pipe::new()).collect();
        for (user_data, pipe) in (0..).zip(&pipes) {
            poll(&mut context, &pipe.reader, libc::POLLIN, user_data);
        }
        let storm = Storm::every_millisecond();
        let filler = std::thread::spawn(move || {
            for pipe in &pipes {
                wait_for_signals(5);
                pipe.fill();
            }
            pipes
        });
        let mut all = taken(context.wait_nr(3).unwrap());
        all.sort_unstable();
        assert_eq!(all, [0, 1, 2].map(|user_data| (user_data, Ok(libc::POLLIN as u32))));
        drop(storm);
        drop(filler.join().unwrap());
    }
}

#[test]
fn a_timeout_ends_although_each_signal_interrupts_it() {
    for mut context in both_ways(2) {
        let pipe = Pipe::new();
        poll(&mut context, &pipe.reader, libc::POLLIN, 1);
        let storm = Storm::every_millisecond();
        // Were it counted anew after each signal, this would never come back.
        assert_eq!(taken(context.wait_timeout(Duration::from_millis(50)).unwrap()), []);
        drop(storm);
        assert_eq!(context.in_flight(), 1);
    }
}

#[test]
fn drain_and_drop_outlast_signals() {
    for mut context in both_ways(2) {
        let pipe = Pipe::new();
        poll(&mut context, &pipe.reader, libc::POLLIN, 1);
        let storm = Storm::every_millisecond();
        let filler = std::thread::spawn(move || {
            wait_for_signals(10);
            pipe.fill();
            pipe
        });
        assert_eq!(all(&mut context), [(1, Ok(libc::POLLIN as u32))]);
        let pipe = filler.join().unwrap();
        pipe.empty();
        poll(&mut context, &pipe.reader, libc::POLLIN, 2);
        assert_eq!(context.submit().unwrap(), 1);
        drop(context);
        drop(storm);
    }
}

#[test]
fn a_signal_inside_a_blocking_submit_is_an_answer_of_that_operation() {
    // A read of an empty pipe blocks `io_submit`; a signal ends it with EINTR, which is that operation's result.
    let pipe = Pipe::new();
    let mut buffer = [0; 4];
    for mut context in both_ways(2) {
        let null = dev_null();
        read(&mut context, &mut buffer, &pipe.reader, 0, 1);
        write(&mut context, b"x", &null, 0, 2);
        let storm = Storm::every(Duration::from_millis(5));
        assert_eq!(context.submit().unwrap(), 2);
        drop(storm);
        assert_eq!(take_nr(&mut context, 2), [(1, Err(libc::EINTR)), (2, Ok(1))]);
    }
}
