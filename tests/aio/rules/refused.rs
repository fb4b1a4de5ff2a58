//! Rule 1: one completion for every accepted operation, also for those that the kernel refuses.

use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tests::files::{self, TempFile};
use tests::in_child;
use tests::seccomp::{self, Verdict};

use crate::common::*;

#[test]
fn a_batch_with_a_bad_descriptor_completes_all_four() {
    let file = TempFile::empty();
    let data = files::content(0, 4096);
    for mut context in both_ways(8) {
        file.file().set_len(0).unwrap();
        for nr in [0, 1, 2, 3_u64] {
            let fd = if nr == 1 { closed_descriptor() } else { file.file().as_fd() };
            let start = usize::try_from(nr).unwrap() * 1024;
            write(&mut context, &data[start..start + 1024], fd, nr * 1024, nr);
        }
        let expected = [(0, Ok(1024)), (1, Err(libc::EBADF)), (2, Ok(1024)), (3, Ok(1024))];
        assert_eq!(take_nr(&mut context, 4), expected);
        let written = files::pread(file.file(), 0, 8192);
        assert_eq!(written.len(), 4096);
        files::check(&written[..1024], 0);
        assert!(written[1024..2048].iter().all(|&byte| byte == 0));
        files::check(&written[2048..], 2048);
    }
}

#[test]
fn a_bad_operation_at_any_place_of_a_batch_completes_with_its_errno() {
    const BATCH: u64 = 8;
    let file = TempFile::new(4096);
    let mut buffers = [[0; 64]; BATCH as usize];
    for mut context in both_ways(BATCH as usize) {
        for bad in 0..BATCH {
            for (nr, buffer) in (0..).zip(&mut buffers) {
                let fd = if nr == bad { closed_descriptor() } else { file.file().as_fd() };
                read(&mut context, buffer, fd, nr * 64, nr);
            }
            for (nr, result) in take_nr(&mut context, BATCH as usize) {
                assert_eq!(result, if nr == bad { Err(libc::EBADF) } else { Ok(64) }, "{nr} with {bad} bad");
            }
            for (nr, buffer) in (0..).zip(&buffers) {
                if nr != bad {
                    files::check(buffer, nr * 64);
                }
            }
        }
    }
}

#[test]
fn a_batch_of_nothing_but_bad_operations_completes_each() {
    let mut buffer = [0; 16];
    for mut context in both_ways(16) {
        for nr in 0..16 {
            read(&mut context, &mut buffer, closed_descriptor(), 0, nr);
        }
        let expected: Vec<Taken> = (0..16).map(|nr| (nr, Err(libc::EBADF))).collect();
        assert_eq!(take_nr(&mut context, 16), expected);
        assert_eq!((context.queued(), context.in_flight(), context.space()), (0, 0, 16));
    }
}

#[test]
fn the_slot_of_a_refused_operation_comes_back() {
    let mut buffer = [0; 16];
    let mut context = context(2);
    for round in 0..1000 {
        read(&mut context, &mut buffer, closed_descriptor(), 0, round);
        read(&mut context, &mut buffer, closed_descriptor(), 0, round);
        assert_eq!(take_nr(&mut context, 2), [(round, Err(libc::EBADF)); 2]);
        assert_eq!(context.space(), 2);
    }
}

#[test]
fn a_refused_operation_waits_for_completions_like_any_other() {
    let mut buffer = [0; 16];
    let mut context = context(4);
    read(&mut context, &mut buffer, closed_descriptor(), 0, 1);
    context.submit().unwrap();
    assert_eq!(context.queued(), 0);
    assert!(readable(&context, LONG), "the context is readable while a completion waits");
    assert_eq!(taken(context.completions().unwrap()), [(1, Err(libc::EBADF))]);
    assert_eq!((context.in_flight(), context.space()), (0, 4));
}

#[test]
fn a_refused_operation_does_not_hide_behind_one_in_flight() {
    let pipe = Pipe::new();
    let mut buffer = [0; 16];
    let mut context = context(4);
    poll(&mut context, &pipe.reader, libc::POLLIN, 1);
    read(&mut context, &mut buffer, closed_descriptor(), 0, 2);
    assert_eq!(one(&mut context), (2, Err(libc::EBADF)));
    assert_eq!(context.in_flight(), 1);
    pipe.fill();
    assert_eq!(one(&mut context), (1, Ok(libc::POLLIN as u32)));
}

#[test]
fn eagain_of_a_full_kernel_is_tried_again_when_there_is_room() {
    in_child!(|| {
        let file = TempFile::new(4096);
        let mut buffers = [[0; 64]; 8];
        let mut context = context(8);
        let mut refusals = 5;
        let refuse = move |_: &seccomp::Call| match refusals {
            0 => Verdict::Pass,
            _ => {
                refusals -= 1;
                Verdict::Fail(libc::EAGAIN)
            }
        };
        let supervisor = tests::or_skip!(seccomp::supervise(&[libc::SYS_io_submit], refuse));
        for (nr, buffer) in (0..).zip(&mut buffers) {
            read(&mut context, buffer, file.file(), nr * 64, nr);
        }
        let mut all = Vec::new();
        for _ in 0..1000 {
            // With nothing in flight a wait may come back with nothing, or say EAGAIN; nothing may be lost or doubled.
            match context.wait_timeout(Duration::from_millis(10)) {
                Ok(completions) => all.extend(taken(completions)),
                Err(error) => assert_eq!(error.raw_os_error(), Some(libc::EAGAIN), "{error}"),
            }
            assert_eq!(context.queued() + context.in_flight() + all.len(), 8);
            if all.len() == 8 {
                break;
            }
        }
        all.sort_by_key(|&(nr, _)| nr);
        assert_eq!(all, (0..8).map(|nr| (nr, Ok(64))).collect::<Vec<_>>());
        assert!(supervisor.calls() >= 6);
        for (nr, buffer) in (0..).zip(&buffers) {
            files::check(buffer, nr * 64);
        }
    });
}

#[test]
fn eagain_with_nothing_to_reap_keeps_every_operation_queued() {
    in_child!(|| {
        let file = TempFile::new(4096);
        let mut buffers = [[0; 64]; 4];
        let mut context = context(4);
        let full = Arc::new(AtomicBool::new(true));
        let refuse = {
            let full = Arc::clone(&full);
            move |_: &seccomp::Call| match full.load(Ordering::SeqCst) {
                true => Verdict::Fail(libc::EAGAIN),
                false => Verdict::Pass,
            }
        };
        let _supervisor = tests::or_skip!(seccomp::supervise(&[libc::SYS_io_submit], refuse));
        for (nr, buffer) in (0..).zip(&mut buffers) {
            read(&mut context, buffer, file.file(), nr * 64, nr);
        }
        // Whether that is `Ok(0)` or an error, it comes back, and nothing has changed.
        let _ = context.submit();
        assert_eq!((context.queued(), context.in_flight(), context.space()), (4, 0, 0));
        let _ = context.wait_timeout(Duration::from_millis(1)).map(taken);
        assert_eq!((context.queued(), context.in_flight(), context.space()), (4, 0, 0));
        full.store(false, Ordering::SeqCst);
        assert_eq!(all(&mut context), (0..4).map(|nr| (nr, Ok(64))).collect::<Vec<_>>());
    });
}

#[test]
fn a_short_submit_goes_on_with_the_rest() {
    // 64 operations with every third one bad: the kernel stops 22 times, and the context goes on each time.
    let mut buffers = [[0; 32]; 64];
    let file = TempFile::new(4096);
    for mut context in both_ways(64) {
        for (nr, buffer) in (0..).zip(&mut buffers) {
            let fd = if nr % 3 == 0 { closed_descriptor() } else { file.file().as_fd() };
            read(&mut context, buffer, fd, nr * 32, nr);
        }
        let all = all(&mut context);
        assert_eq!(all.len(), 64);
        for (nr, result) in all {
            assert_eq!(result, if nr % 3 == 0 { Err(libc::EBADF) } else { Ok(32) });
        }
    }
}
