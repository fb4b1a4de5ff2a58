//! The context's descriptor: readable while completions wait.

use std::os::fd::AsFd;
use std::time::Duration;

use tests::files::{self, AlignedBuf, TempFile};
use tests::late::Disk;
use tests::or_skip;

use crate::common::*;

#[test]
fn the_descriptor_is_readable_only_after_a_completion() {
    let mut buffer = AlignedBuf::new(4096);
    for mut context in both_ways(4) {
        let disk = or_skip!(Disk::held(65536));
        let file = disk.open();
        assert!(!readable(&context, Duration::ZERO));
        read(&mut context, &mut buffer, &file, 0, 1);
        assert!(!readable(&context, Duration::ZERO));
        context.submit().unwrap();
        disk.wait_for_requests(1);
        assert!(!readable(&context, Duration::ZERO));
        disk.release();
        assert!(readable(&context, LONG));
        assert_eq!(taken(context.completions().unwrap()), [(1, Ok(4096))]);
    }
}

#[test]
fn the_descriptor_stays_readable_while_completions_are_left() {
    let null = dev_null();
    for mut context in both_ways(8) {
        for nr in 0..8 {
            write(&mut context, b"x", &null, 0, nr);
        }
        context.submit().unwrap();
        for left in (1..=8).rev() {
            assert!(readable(&context, Duration::ZERO), "{left} completions wait");
            assert_eq!(taken(context.completions().unwrap().take(1)).len(), 1);
            assert_eq!(context.in_flight(), left - 1);
        }
    }
}

#[test]
fn an_event_loop_comes_to_rest_when_everything_is_taken() {
    let null = dev_null();
    for mut context in both_ways(8) {
        for round in 0..100 {
            for nr in 0..8 {
                write(&mut context, b"x", &null, 0, nr);
            }
            context.submit().unwrap();
            assert!(readable(&context, LONG));
            let mut seen = 0;
            // Level-triggered: as long as it is readable, completions are taken. At most one of these finds none.
            let mut wakes = 0;
            while readable(&context, Duration::ZERO) {
                seen += taken(context.completions().unwrap()).len();
                wakes += 1;
                assert!(wakes < 20, "the descriptor stays readable with nothing to take (round {round})");
            }
            assert_eq!(seen, 8);
        }
    }
}

#[test]
fn taking_by_wait_leaves_no_readiness_for_ever() {
    let null = dev_null();
    for mut context in both_ways(8) {
        for nr in 0..5000 {
            write(&mut context, b"x", &null, 0, nr);
            assert_eq!(one(&mut context), (nr, Ok(1)));
        }
        let mut wakes = 0;
        while readable(&context, Duration::ZERO) {
            assert_eq!(taken(context.completions().unwrap()), []);
            wakes += 1;
            assert!(wakes < 20, "the descriptor stays readable with nothing to take");
        }
    }
}

#[test]
fn no_completion_goes_without_a_wake_up() {
    let file = TempFile::new(1 << 20);
    let direct = or_skip!(file.direct());
    let mut buffers: Vec<_> = (0..4).map(|_| AlignedBuf::new(4096)).collect();
    for mut context in both_ways(4) {
        for round in 0..2000 {
            for (nr, buffer) in (0..).zip(&mut buffers) {
                read(&mut context, buffer, &direct, (round * 4 + nr) % 256 * 4096, nr);
            }
            context.submit().unwrap();
            let mut left = 4;
            while left > 0 {
                assert!(
                    readable(&context, LONG),
                    "{left} completions never woke the descriptor (round {round})"
                );
                left -= taken(context.completions().unwrap()).len();
            }
            files::check(&buffers[3][..16], (round * 4 + 3) % 256 * 4096);
        }
    }
}

#[test]
fn a_descriptor_asked_for_late_wakes_for_what_was_in_flight_before() {
    let mut buffers = [AlignedBuf::new(4096), AlignedBuf::new(4096)];
    for mut context in both_ways(4) {
        let disk = or_skip!(Disk::held(65536));
        let file = disk.open();
        let [first, second] = &mut buffers;
        read(&mut context, first, &file, 0, 1);
        assert_eq!(context.submit().unwrap(), 1);
        disk.wait_for_requests(1);
        let fd = context.as_fd().try_clone_to_owned().unwrap();
        read(&mut context, second, &file, 4096, 2);
        assert_eq!(context.submit().unwrap(), 1);
        disk.release();
        let mut left = 2;
        while left > 0 {
            assert!(readable(&fd, LONG), "{left} completions never woke the descriptor");
            left -= taken(context.completions().unwrap()).len();
        }
        // With everything taken it comes to rest.
        let mut wakes = 0;
        while readable(&fd, Duration::ZERO) {
            assert_eq!(taken(context.completions().unwrap()), []);
            wakes += 1;
            assert!(wakes < 20, "the descriptor stays readable with nothing to take");
        }
    }
}

#[test]
fn completions_that_the_kernel_never_sees_wake_the_descriptor_too() {
    let mut buffer = [0; 8];
    for mut context in both_ways(4) {
        let fd = context.as_fd().try_clone_to_owned().unwrap();
        // An operation that the kernel refuses, and a cancellation.
        read(&mut context, &mut buffer, closed_descriptor(), 0, 1);
        assert!(!readable(&fd, Duration::ZERO));
        context.submit().unwrap();
        assert!(readable(&fd, LONG));
        assert_eq!(taken(context.completions().unwrap()), [(1, Err(libc::EBADF))]);
        assert_eq!(taken(context.completions().unwrap()), []);
        assert!(!readable(&fd, Duration::ZERO));
        context.cancel(1, 2).unwrap();
        context.submit().unwrap();
        assert!(readable(&fd, LONG));
        assert_eq!(taken(context.completions().unwrap()), [(2, Err(libc::ENOENT))]);
    }
}

#[test]
fn an_epoll_set_takes_the_context() {
    let null = dev_null();
    let epoll = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
    assert!(epoll >= 0);
    let epoll = unsafe { <std::os::fd::OwnedFd as std::os::fd::FromRawFd>::from_raw_fd(epoll) };
    let epoll = std::os::fd::AsRawFd::as_raw_fd(&epoll);
    let mut context = context(4);
    let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: 9 };
    let fd = std::os::fd::AsRawFd::as_raw_fd(&context);
    assert_eq!(unsafe { libc::epoll_ctl(epoll, libc::EPOLL_CTL_ADD, fd, &raw mut event) }, 0);
    let mut got = libc::epoll_event { events: 0, u64: 0 };
    assert_eq!(unsafe { libc::epoll_wait(epoll, &raw mut got, 1, 0) }, 0);
    write(&mut context, b"x", &null, 0, 1);
    context.submit().unwrap();
    assert_eq!(unsafe { libc::epoll_wait(epoll, &raw mut got, 1, 50_000) }, 1);
    let token = got.u64;
    assert_eq!(token, 9);
    assert_eq!(all(&mut context), [(1, Ok(1))]);
}
