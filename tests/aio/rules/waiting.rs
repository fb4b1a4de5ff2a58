//! Rule 7: what waits waits for the right number, the right time, and never by accident.

use std::time::Duration;

use crate::common::*;

const IN: Result<u32, i32> = Ok(libc::POLLIN as u32);

#[test]
fn wait_submits_what_is_queued() {
    let null = dev_null();
    for mut context in both_ways(4) {
        write(&mut context, b"x", &null, 0, 1);
        assert_eq!(context.queued(), 1);
        assert_eq!(one(&mut context), (1, Ok(1)));
        write(&mut context, b"x", &null, 0, 2);
        assert_eq!(taken(context.wait_nr(1).unwrap()), [(2, Ok(1))]);
        write(&mut context, b"x", &null, 0, 3);
        assert_eq!(taken(context.wait_timeout(LONG).unwrap()), [(3, Ok(1))]);
    }
}

#[test]
fn wait_comes_back_when_something_completes() {
    for mut context in both_ways(4) {
        let pipe = Pipe::new();
        poll(&mut context, &pipe.reader, libc::POLLIN, 1);
        context.submit().unwrap();
        let writer = pipe.writer.try_clone().unwrap();
        let filler = std::thread::spawn(move || {
            std::thread::yield_now();
            Pipe { writer, reader: std::fs::File::open("/dev/null").unwrap() }.fill();
        });
        assert_eq!(one(&mut context), (1, IN));
        filler.join().unwrap();
    }
}

#[test]
fn wait_nr_is_bounded_by_what_is_in_flight() {
    let null = dev_null();
    for mut context in both_ways(8) {
        for nr in [2, 3, 8, 100_000, usize::MAX] {
            write(&mut context, b"x", &null, 0, 1);
            write(&mut context, b"x", &null, 0, 2);
            let mut all = taken(context.wait_nr(nr).unwrap());
            all.sort_unstable();
            assert_eq!(all, [(1, Ok(1)), (2, Ok(1))]);
        }
    }
}

#[test]
fn wait_nr_waits_for_as_many_as_it_says() {
    for mut context in both_ways(8) {
        let pipes: Vec<_> = (0..4).map(|_| Pipe::new()).collect();
        for (user_data, pipe) in (0..).zip(&pipes) {
            poll(&mut context, &pipe.reader, libc::POLLIN, user_data);
        }
        context.submit().unwrap();
        let filler = std::thread::spawn(move || {
            for pipe in &pipes {
                std::thread::sleep(Duration::from_millis(2));
                pipe.fill();
            }
            pipes
        });
        let first = taken(context.wait_nr(3).unwrap());
        assert!(first.len() >= 3, "{first:?}");
        assert_eq!(first.len() + all(&mut context).len(), 4);
        drop(filler.join().unwrap());
    }
}

#[test]
fn wait_nr_of_zero_submits_and_does_not_wait() {
    let pipe = Pipe::new();
    for mut context in both_ways(2) {
        poll(&mut context, &pipe.reader, libc::POLLIN, 1);
        assert_eq!(taken(context.wait_nr(0).unwrap()), []);
        assert_eq!((context.queued(), context.in_flight()), (0, 1));
    }
}

#[test]
fn a_timeout_gives_an_empty_iterator_and_leaves_the_operation_in_flight() {
    for mut context in both_ways(2) {
        let pipe = Pipe::new();
        poll(&mut context, &pipe.reader, libc::POLLIN, 1);
        for timeout in [Duration::ZERO, Duration::from_nanos(1), Duration::from_millis(20)] {
            assert_eq!(taken(context.wait_timeout(timeout).unwrap()), []);
            assert_eq!((context.queued(), context.in_flight()), (0, 1));
        }
        pipe.fill();
        assert_eq!(taken(context.wait_timeout(LONG).unwrap()), [(1, IN)]);
    }
}

#[test]
fn a_timeout_of_any_size_is_a_timeout() {
    let huge = [
        Duration::MAX,
        Duration::from_secs(u64::MAX),
        Duration::from_secs(i64::MAX as u64),
        Duration::from_secs(i64::MAX as u64 + 1),
        Duration::from_secs(u64::from(u32::MAX)),
    ];
    for mut context in both_ways(2) {
        for timeout in huge {
            let pipe = Pipe::new();
            poll(&mut context, &pipe.reader, libc::POLLIN, 1);
            context.submit().unwrap();
            let filler = std::thread::spawn(move || {
                pipe.fill();
                pipe
            });
            assert_eq!(taken(context.wait_timeout(timeout).unwrap()), [(1, IN)], "{timeout:?}");
            drop(filler.join().unwrap());
        }
    }
}

#[test]
fn a_zero_timeout_still_takes_what_is_complete() {
    let null = dev_null();
    for mut context in both_ways(2) {
        write(&mut context, b"x", &null, 0, 1);
        assert_eq!(taken(context.wait_timeout(Duration::ZERO).unwrap()), [(1, Ok(1))]);
    }
}

#[test]
fn a_read_of_an_empty_pipe_blocks_submit_until_there_is_data() {
    // The documented trap of rule 8; `RwFlags::NOWAIT` is its cure (see `flags`).
    for mut context in both_ways(2) {
        let pipe = Pipe::new();
        let mut buffer = [0; 4];
        read(&mut context, &mut buffer, &pipe.reader, 0, 1);
        let filler = std::thread::spawn({
            let writer = pipe.writer.try_clone().unwrap();
            move || std::io::Write::write_all(&mut &writer, b"data").unwrap()
        });
        assert_eq!(context.submit().unwrap(), 1);
        assert_eq!(one(&mut context), (1, Ok(4)));
        assert_eq!(&buffer, b"data");
        filler.join().unwrap();
    }
}
