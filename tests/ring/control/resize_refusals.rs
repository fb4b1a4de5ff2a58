//! Queues that keep their sizes: afterwards each ring works as before.

use std::ptr::NonNull;

use tests::kernel::is_at_least;
use tests::seccomp::{Verdict, supervise};
use tests::{fork, in_child, limits, or_skip, require};
use uring::{Cqe, Error, RegisterOp, Restrictions, Ring, Sqe, URingContext};

use super::resize::{builder, deferred, works};
use crate::common::{nops, pipe, read, take};
use crate::scenarios::common::Pages;

/// Refuses with an errno and a text, and leaves what is there where it is.
#[track_caller]
fn refuses(ring: &mut Ring, (entries, cq_entries): (usize, Option<usize>), errno: i32, text: &str) {
    let state = |ring: &Ring| (ring.entries(), ring.queued(), ring.ready(), ring.space(), ring.stats());
    let before = state(ring);
    let error = ring.resize(entries, cq_entries).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(errno), "{error}");
    assert!(error.to_string().contains(text), "{error}");
    assert_eq!(state(ring), before);
}

#[test]
fn an_older_kernel_says_since_when() {
    require!(is_at_least(6, 1), "Linux 6.1");
    if !is_at_least(6, 13) {
        let mut ring = deferred(8);
        nops(&mut ring, 0, 3);
        refuses(&mut ring, (64, None), libc::EINVAL, "6.13");
        assert_eq!(take(&mut ring, 3).len(), 3);
        works(&mut ring);
    }
}

#[test]
fn sizes_out_of_range_are_refused() {
    require!(is_at_least(6, 1), "Linux 6.1");
    let mut ring = deferred(8);
    nops(&mut ring, 0, 1);
    take(&mut ring, 1);
    for (sizes, text) in [
        ((0, None), "1 to 32768"),
        ((32_769, None), "1 to 32768"),
        ((usize::MAX, None), "1 to 32768"),
        ((8, Some(0)), "8 (the submission queue's size) to 65536"),
        ((9, Some(15)), "16 (the submission queue's size)"),
        ((8, Some(65_537)), "65536"),
        ((8, Some(usize::MAX)), "65536"),
    ] {
        refuses(&mut ring, sizes, libc::EINVAL, text);
        works(&mut ring);
    }
}

#[test]
fn a_ring_that_clamps_gets_the_largest_sizes() {
    require!(is_at_least(6, 13), "Linux 6.13");
    let mut ring: Ring = builder(8).clamp().build().unwrap();
    ring.resize(usize::MAX, Some(usize::MAX)).unwrap();
    assert_eq!(ring.entries(), (32_768, 65_536));
    works(&mut ring);
    refuses(&mut ring, (0, None), libc::EINVAL, "1 to 32768");
}

#[test]
fn a_ring_without_deferred_work_keeps_its_size() {
    let ring = || Ring::<Sqe, Cqe>::builder(8);
    let polled = ring().sqpoll(std::time::Duration::from_millis(10));
    for builder in [ring(), ring().single_issuer(), polled] {
        let Ok(mut ring) = builder.build() else { continue };
        refuses(&mut ring, (64, None), libc::EINVAL, "defer_taskrun");
        nops(&mut ring, 0, 8);
        assert_eq!(take(&mut ring, 8).len(), 8);
    }
}

#[test]
fn a_ring_in_memory_of_the_caller_keeps_its_size() {
    require!(is_at_least(6, 5), "Linux 6.5");
    let memory = Pages::new(64 << 10);
    let start = NonNull::new(memory.start()).unwrap();
    let mut ring = unsafe { builder::<Sqe, Cqe>(8).memory(start, 64 << 10) }.build().unwrap();
    refuses(&mut ring, (16, None), libc::EINVAL, "memory of the caller");
    works(&mut ring);
}

#[test]
fn what_has_no_room_for_what_waits_is_refused() {
    require!(is_at_least(6, 13), "Linux 6.13");
    let mut ring = deferred(16);
    nops(&mut ring, 0, 7);
    ring.submit().unwrap();
    nops(&mut ring, 7, 9);
    refuses(&mut ring, (8, None), libc::EOVERFLOW, "9 requests are queued, for 8 places");
    refuses(&mut ring, (8, Some(8)), libc::EOVERFLOW, "9 requests");
    ring.submit().unwrap();
    refuses(&mut ring, (8, Some(8)), libc::EOVERFLOW, "16 completions are there, for 8 places");
    ring.resize(8, Some(16)).unwrap();
    assert_eq!(take(&mut ring, 16), (0..16).map(|name| (name, Ok(0))).collect::<Vec<_>>());
    ring.resize(8, Some(8)).unwrap();
    works(&mut ring);
}

#[test]
fn a_ring_is_resized_in_its_own_thread_only() {
    require!(is_at_least(6, 13), "Linux 6.13");
    let mut ring = deferred(8);
    nops(&mut ring, 0, 3);
    ring.submit().unwrap();
    nops(&mut ring, 3, 2);
    std::thread::scope(|scope| {
        scope.spawn(|| refuses(&mut ring, (64, None), libc::EEXIST, "bound to the thread"));
    });
    assert_eq!(take(&mut ring, 5).len(), 5);
    works(&mut ring);

    // Not bound yet: it then is, to the thread that resizes it.
    let mut ring = std::thread::spawn(|| deferred(8)).join().unwrap();
    ring.resize(64, None).unwrap();
    works(&mut ring);
    std::thread::scope(|scope| {
        scope.spawn(|| refuses(&mut ring, (8, None), libc::EEXIST, "bound to the thread"));
    });
    works(&mut ring);
}

#[test]
fn a_disabled_ring_is_resized_or_says_no() {
    require!(is_at_least(6, 13), "Linux 6.13");
    let mut ring: Ring = builder(8).disabled().build().unwrap();
    // Kernels differ.
    let size = match ring.resize(64, None) {
        Ok(()) => (64, 128),
        Err(error) => {
            assert_eq!(error.raw_os_error(), Some(libc::EEXIST), "{error}");
            assert!(error.to_string().contains("not enabled"), "{error}");
            (8, 16)
        }
    };
    assert_eq!(ring.entries(), size);
    ring.enable().unwrap();
    works(&mut ring);
}

#[test]
fn a_restricted_ring_is_resized_if_that_is_allowed() {
    require!(is_at_least(6, 13), "Linux 6.13");
    let allowed = |op| Restrictions::new().allow_op(uring::Op::NOP).allow_register(op);
    let restricted = |op| builder::<Sqe, Cqe>(8).restrictions(allowed(op)).build().unwrap();
    let mut ring = restricted(RegisterOp::REGISTER_PROBE);
    refuses(&mut ring, (64, None), libc::EACCES, "restrictions");
    works(&mut ring);
    let mut ring = restricted(RegisterOp::REGISTER_RESIZE_RINGS);
    ring.resize(64, None).unwrap();
    works(&mut ring);
}

#[test]
fn a_forked_child_resizes_nothing() {
    in_child!(|| {
        require!(is_at_least(6, 13), "Linux 6.13");
        let mut ring = deferred(8);
        ring.resize(16, None).unwrap();
        nops(&mut ring, 0, 4);
        let answer = fork::ask(|| {
            // A copy of the parent's, which this process must not drop.
            let inherited = unsafe { &mut *(&raw const ring).cast_mut() };
            let pushed = inherited.push(uring::op::ring::Nop::new()).map_err(|refused| refused.error);
            let forked = [pushed, inherited.resize(64, None)].map(|done| matches!(done, Err(Error::Forked)));
            format!("{forked:?} {} {}", inherited.ready(), inherited.queued())
        });
        assert_eq!(answer, "[true, true] 0 0");
        assert_eq!(take(&mut ring, 4).len(), 4);
        works(&mut ring);
    });
}

#[test]
fn a_ring_that_there_is_no_room_for_stays_as_it_is() {
    in_child!(|| {
        require!(is_at_least(6, 13), "Linux 6.13");
        let mut ring = deferred(8);
        nops(&mut ring, 0, 3);
        ring.submit().unwrap();
        nops(&mut ring, 3, 2);
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find(|line| line.starts_with("VmSize")).unwrap();
        let used: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        limits::set(libc::RLIMIT_AS, (used << 10) + (256 << 10));
        refuses(&mut ring, (32_768, None), libc::ENOMEM, "RLIMIT_AS");
        assert_eq!(take(&mut ring, 5).len(), 5);
        works(&mut ring);
        ring.resize(16, None).unwrap();
        works(&mut ring);
    });
}

#[test]
fn a_ring_whose_new_queues_cannot_be_mapped_says_so_ever_after_and_ends() {
    in_child!(|| {
        require!(is_at_least(6, 13), "Linux 6.13");
        let (reader, _writer) = pipe();
        let mut buffer = [0; 8];
        let mut ring = deferred(8);
        read(&mut ring, &mut buffer, &reader, 1);
        nops(&mut ring, 2, 1);
        ring.submit().unwrap();
        nops(&mut ring, 3, 2);
        // Mappings of files are those of rings.
        let _supervisor = or_skip!(supervise(&[libc::SYS_mmap], |call| {
            let is_of_file = call.arguments[3] & libc::MAP_ANONYMOUS as u64 == 0;
            if is_of_file { Verdict::Fail(libc::ENOMEM) } else { Verdict::Pass }
        }));
        let error = ring.resize(64, None).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENOMEM));
        assert!(error.to_string().contains("lost"), "{error}");
        assert_eq!(ring.submit().unwrap(), 0);
        assert_eq!(ring.wait(2).map(Iterator::count).unwrap(), 1, "the one that had come");
        for _ in 0..2 {
            assert_eq!(ring.wait(1).unwrap_err().raw_os_error(), Some(libc::EBADR));
            assert_eq!(ring.resize(8, None).unwrap_err().raw_os_error(), Some(libc::EBADR));
        }
        // The read is over with it.
        ring.close().unwrap();
    });
}

#[test]
fn a_context_is_resized_between_submits() {
    let mut context = URingContext::builder(8).defer_taskrun().build().unwrap();
    if !is_at_least(6, 13) {
        assert_eq!(context.resize(64, None).unwrap_err().raw_os_error(), Some(libc::EINVAL));
    }
    require!(is_at_least(6, 13), "Linux 6.13");
    let never = std::time::Duration::from_secs(1000);
    context.add_timeout(never, 7).unwrap();
    let error = context.resize(64, None).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::EBUSY));
    assert!(error.to_string().contains("submit"), "{error}");
    context.submit().unwrap();
    for size in [64, 1, 16] {
        context.resize(size, None).unwrap();
        assert_eq!(context.in_flight(), 1);
        for name in 0..size as u64 {
            context.add_timeout(std::time::Duration::from_micros(1), 100 + name).unwrap();
        }
        assert!(context.add_nop(1).is_err());
        let mut taken = 0;
        while taken < size {
            taken += context.wait().unwrap().inspect(|(name, _)| assert!(*name >= 100)).count();
        }
    }
    assert_eq!((context.stats().submitted, context.stats().completed), (82, 81));
    context.close().unwrap();
}
