//! Which back end an engine takes, and what it says about those that it does not.

use std::fs::File;
use std::sync::Arc;

use engine::operation::{Never, Read};
use engine::{BackendKind, Engine, Options};
use libc::c_long;
use tests::files::{self, TempFile};
use tests::{guest_only, in_child, limits, or_skip, seccomp};

use crate::common::*;

/// What the default profile of a container runtime forbids, with an errno that runtimes choose.
const RING: [c_long; 3] = [libc::SYS_io_uring_setup, libc::SYS_io_uring_enter, libc::SYS_io_uring_register];

fn forbid(calls: &[c_long], errno: i32) -> Result<(), String> {
    seccomp::fail(&calls.iter().map(|&call| (call, errno)).collect::<Vec<_>>())
}

/// What was taken and passed, as text, after a read has shown that it works.
#[track_caller]
fn chosen(options: &Options) -> (BackendKind, Vec<(BackendKind, Option<i32>)>, String) {
    let file = TempFile::new(4096);
    let mut engine: Engine<Read<Arc<File>, Vec<u8>>> = options.build().unwrap();
    let done = run(&mut engine, Read::new(shared(&file), vec![0; 100], 9));
    assert_eq!(plain(done.result), Ok(100));
    files::check(&done.operation.buffer, 9);
    let choice = engine.backend();
    let passed = choice.passed().iter().map(|(kind, error)| (*kind, error.raw_os_error())).collect();
    let chosen = (choice.kind(), passed, choice.to_string());
    engine.close().unwrap();
    chosen
}

#[test]
fn the_best_is_taken_first_and_nothing_else_tried() {
    let (kind, passed, text) = chosen(&Options::new(8));
    assert_eq!((kind, passed, text.as_str()), (BackendKind::Uring, vec![], "io_uring"));
}

fn the_one_that_is_asked_for_is_taken(case: &Case) {
    let (kind, passed, _) = chosen(&case.options(8));
    assert_eq!((kind, passed), (case.kind, vec![]));
}

#[test]
fn a_containers_profile_leaves_kernel_aio() {
    in_child!(|| {
        or_skip!(forbid(&RING, libc::EPERM));
        let (kind, passed, text) = chosen(&Options::new(8));
        assert_eq!((kind, passed), (BackendKind::Aio, vec![(BackendKind::Uring, Some(libc::EPERM))]));
        assert!(text.starts_with("kernel AIO; not io_uring: ") && text.contains("os error 1"), "{text}");
    });
}

#[test]
fn without_both_there_are_threads() {
    in_child!(|| {
        or_skip!(forbid(&[RING[0], libc::SYS_io_setup], libc::ENOSYS));
        let (kind, passed, text) = chosen(&Options::new(8));
        let both = [BackendKind::Uring, BackendKind::Aio].map(|kind| (kind, Some(libc::ENOSYS)));
        assert_eq!((kind, passed), (BackendKind::Threads, both.to_vec()));
        assert!(text.starts_with("threads; not io_uring: ") && text.contains("; not kernel AIO: "), "{text}");
    });
}

#[test]
fn a_ring_that_can_be_made_but_not_entered_is_passed() {
    in_child!(|| {
        or_skip!(forbid(&[libc::SYS_io_uring_enter], libc::EPERM));
        let before = std::fs::read_dir("/proc/self/fd").unwrap().count();
        let (kind, passed, _) = chosen(&Options::new(8));
        assert_eq!((kind, passed), (BackendKind::Aio, vec![(BackendKind::Uring, Some(libc::EPERM))]));
        let error = Options::new(8).only(BackendKind::Uring).build::<Never>().unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EPERM));
        assert_eq!(std::fs::read_dir("/proc/self/fd").unwrap().count(), before, "a ring was left open");
    });
}

#[test]
fn a_context_that_can_be_made_but_not_submitted_to_is_passed() {
    in_child!(|| {
        or_skip!(forbid(&[RING[0], libc::SYS_io_submit], libc::EPERM));
        let (kind, passed, _) = chosen(&Options::new(8));
        assert_eq!((kind, passed.len()), (BackendKind::Threads, 2));
        assert_eq!(passed[1], (BackendKind::Aio, Some(libc::EPERM)));
        assert_eq!(files::aio_rings(), 0, "a context was left");
    });
}

#[test]
fn without_register_a_ring_is_taken_all_the_same() {
    in_child!(|| {
        or_skip!(forbid(&[libc::SYS_io_uring_register], libc::EPERM));
        assert_eq!(chosen(&Options::new(8)).0, BackendKind::Uring);
        let mut engine = Options::new(8).build::<Never>().unwrap();
        assert!(!engine.register_file(File::open("/proc/self/exe").unwrap()).is_registered());
        assert!(!engine.buffer_pool(2, 4096).is_registered());
    });
}

#[test]
fn what_is_asked_for_and_forbidden_is_the_errno() {
    in_child!(|| {
        or_skip!(seccomp::fail(&[
            (libc::SYS_io_uring_setup, libc::EPERM),
            (libc::SYS_io_setup, libc::ENOSYS),
        ]));
        for (kind, errno) in [(BackendKind::Uring, libc::EPERM), (BackendKind::Aio, libc::ENOSYS)] {
            let error = Options::new(8).only(kind).build::<Never>().unwrap_err();
            assert_eq!(error.raw_os_error(), Some(errno), "{error}");
        }
    });
}

#[test]
fn without_descriptors_there_is_none_and_the_text_says_why_for_each() {
    in_child!(|| {
        limits::set(libc::RLIMIT_NOFILE, 3);
        let error = Options::new(8).build::<Never>().unwrap_err();
        let text = error.to_string();
        for part in ["no back end is to be had: io_uring: ", "; kernel AIO: ", "; threads: "] {
            assert!(text.contains(part), "{text}");
        }
        let error = Options::new(8).only(BackendKind::Threads).build::<Never>().unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EMFILE));
    });
}

#[test]
fn used_up_aio_events_leave_threads() {
    guest_only!("turns fs.aio-max-nr");
    in_child!(|| {
        const PATH: &str = "/proc/sys/fs/aio-max-nr";
        let before = std::fs::read_to_string(PATH).unwrap();
        std::fs::write(PATH, "4").unwrap();
        let error = Options::new(8).only(BackendKind::Aio).build::<Never>().unwrap_err();
        std::fs::write(PATH, before).unwrap();
        assert_eq!(error.raw_os_error(), Some(libc::EAGAIN));
        assert!(error.to_string().contains("aio-max-nr"), "{error}");
    });
}

fn a_depth_out_of_range_is_refused(case: &Case) {
    for depth in [0, 32769, usize::MAX] {
        let error = case.options(depth).build::<Never>().unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
        assert!(error.to_string().contains("1 to 32768"), "{error}");
    }
    assert_eq!(case.engine::<Never>(1).capacity(), 1);
}

on_each!(the_one_that_is_asked_for_is_taken, a_depth_out_of_range_is_refused);
