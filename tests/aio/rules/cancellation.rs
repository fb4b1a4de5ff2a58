//! Rule 5: polls can be cancelled, reads and writes cannot; either way each operation completes once.

use tests::files::TempFile;

use crate::common::*;

const IN: Result<u32, i32> = Ok(libc::POLLIN as u32);
const CANCELLED: Result<u32, i32> = Err(libc::ECANCELED);

#[test]
fn cancelling_a_pending_poll_completes_both() {
    let pipe = Pipe::new();
    for mut context in both_ways(4) {
        poll(&mut context, &pipe.reader, libc::POLLIN, 1);
        context.submit().unwrap();
        context.cancel(1, 2).unwrap();
        assert_eq!(take_nr(&mut context, 2), [(1, CANCELLED), (2, Ok(0))]);
        assert_eq!((context.in_flight(), context.space()), (0, 4));
        // The slot is as good as new.
        poll(&mut context, &pipe.reader, libc::POLLIN, 3);
        context.submit().unwrap();
        pipe.fill();
        assert_eq!(one(&mut context), (3, IN));
        pipe.empty();
    }
}

#[test]
fn remove_poll_fd_removes_the_poll_that_it_names() {
    let pipe = Pipe::new();
    for mut context in both_ways(4) {
        for user_data in [10, 11, 12] {
            poll(&mut context, &pipe.reader, libc::POLLIN, user_data);
        }
        context.submit().unwrap();
        context.remove_poll_fd(11, 99).unwrap();
        assert_eq!(take_nr(&mut context, 2), [(11, CANCELLED), (99, Ok(0))]);
        pipe.fill();
        assert_eq!(take_nr(&mut context, 2), [(10, IN), (12, IN)]);
        pipe.empty();
    }
}

#[test]
fn cancelling_what_does_not_exist_completes_with_enoent() {
    for mut context in both_ways(2) {
        context.cancel(123, 1).unwrap();
        context.remove_poll_fd(123, 2).unwrap();
        assert_eq!(take_nr(&mut context, 2), [(1, Err(libc::ENOENT)), (2, Err(libc::ENOENT))]);
    }
}

#[test]
fn cancelling_a_poll_that_has_fired_finds_nothing_and_keeps_its_mask() {
    let pipe = Pipe::new();
    for mut context in both_ways(4) {
        pipe.fill();
        poll(&mut context, &pipe.reader, libc::POLLIN, 1);
        context.submit().unwrap();
        context.cancel(1, 2).unwrap();
        assert_eq!(take_nr(&mut context, 2), [(1, IN), (2, Err(libc::ENOENT))]);
        pipe.empty();
    }
}

#[test]
fn a_cancel_sees_what_was_added_before_it_in_the_same_batch() {
    let pipe = Pipe::new();
    for mut context in both_ways(4) {
        poll(&mut context, &pipe.reader, libc::POLLIN, 1);
        context.cancel(1, 2).unwrap();
        assert_eq!(take_nr(&mut context, 2), [(1, CANCELLED), (2, Ok(0))]);
        assert_eq!(context.in_flight(), 0);
    }
}

#[test]
fn of_polls_with_the_same_user_data_each_completes_once() {
    let pipe = Pipe::new();
    for mut context in both_ways(4) {
        poll(&mut context, &pipe.reader, libc::POLLIN, 1);
        poll(&mut context, &pipe.reader, libc::POLLIN, 1);
        context.submit().unwrap();
        context.cancel(1, 2).unwrap();
        // Whether one cancellation takes one of them or both, what it says is true, and nothing is left over.
        let mut seen = Vec::new();
        while seen.len() < 2 {
            seen.extend(taken(context.wait().unwrap()));
        }
        assert!(seen.contains(&(1, CANCELLED)), "{seen:?}");
        pipe.fill();
        seen.extend(all(&mut context));
        pipe.empty();
        assert_eq!(seen.iter().filter(|(user_data, _)| *user_data == 1).count(), 2, "{seen:?}");
        assert_eq!(seen.iter().filter(|completion| **completion == (2, Ok(0))).count(), 1, "{seen:?}");
        context.cancel(1, 4).unwrap();
        assert_eq!(one(&mut context), (4, Err(libc::ENOENT)));
    }
}

#[test]
fn a_cancel_and_its_target_may_have_the_same_user_data() {
    let pipe = Pipe::new();
    for mut context in both_ways(4) {
        poll(&mut context, &pipe.reader, libc::POLLIN, 1);
        context.submit().unwrap();
        context.cancel(1, 1).unwrap();
        let mut both = take_nr(&mut context, 2);
        both.sort_unstable();
        assert_eq!(both, [(1, Ok(0)), (1, CANCELLED)]);
    }
}

#[test]
fn a_read_cannot_be_cancelled_and_completes() {
    let file = TempFile::new(100);
    let mut buffer = [0; 100];
    for mut context in both_ways(4) {
        read(&mut context, &mut buffer, file.file(), 0, 1);
        context.submit().unwrap();
        context.cancel(1, 2).unwrap();
        let both = take_nr(&mut context, 2);
        assert_eq!(both[0], (1, Ok(100)));
        assert!(both[1].1.is_err(), "{both:?}");
        tests::files::check(&buffer, 0);
    }
}

#[test]
fn many_polls_cancelled_in_one_batch_complete_once_each() {
    let pipe = Pipe::new();
    for mut context in both_ways(64) {
        for round in 0..20 {
            for user_data in 0..32 {
                poll(&mut context, &pipe.reader, libc::POLLIN, user_data);
            }
            context.submit().unwrap();
            for user_data in 0..32 {
                context.cancel(user_data, 100 + user_data).unwrap();
            }
            let all = all(&mut context);
            assert_eq!(all.len(), 64, "round {round}");
            for (user_data, result) in all {
                assert_eq!(result, if user_data < 100 { CANCELLED } else { Ok(0) });
            }
        }
    }
}

#[test]
fn a_context_full_of_polls_has_no_space_for_a_cancel_and_keeps_them() {
    let pipe = Pipe::new();
    let mut context = context(3);
    for user_data in 0..3 {
        poll(&mut context, &pipe.reader, libc::POLLIN, user_data);
    }
    context.submit().unwrap();
    assert!(matches!(context.cancel(0, 9), Err(aio::Error::NoSpace)));
    assert_eq!((context.queued(), context.in_flight()), (0, 3));
    pipe.fill();
    assert_eq!(take_nr(&mut context, 3), [(0, IN), (1, IN), (2, IN)]);
}
