//! Set-up: every flag, and what is refused.

use std::os::fd::AsFd;
use std::ptr::NonNull;
use std::time::Duration;

use tests::kernel::is_at_least;
use tests::{in_child, require};
use uring::ring::Builder;
use uring::{Cqe32, MixedCqe, Ring, SetupFlags, Sqe128};

use crate::common::{errno, nops, ring, take};

type Plain<'fd> = Builder<'fd>;

fn builder() -> Plain<'static> {
    Ring::builder(8)
}

/// Makes a ring, or says why this kernel does not.
macro_rules! built {
    ($builder:expr) => {
        match $builder.build() {
            Ok(ring) => ring,
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
                let text = error.to_string();
                assert!(text.contains("does not know"), "{text}");
                tests::skip!("{text}");
            }
            Err(error) => panic!("{error}"),
        }
    };
}

#[track_caller]
fn works(ring: &mut Ring) {
    for round in 0..3 {
        nops(ring, round * 5, 5);
        let expected: Vec<_> = (0..5).map(|nth| (round * 5 + nth, Ok(0))).collect();
        assert_eq!(take(ring, 5), expected);
    }
}

#[track_caller]
fn refused(builder: Plain<'_>, words: &str) {
    let error = builder.build().map(drop).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::EINVAL), "{error}");
    assert!(error.to_string().contains(words), "{error}");
}

#[test]
fn each_flag_makes_a_ring_that_works() {
    let builders: [(&str, Plain<'_>, SetupFlags, (u32, u32)); 7] = [
        ("sqpoll", builder().sqpoll(Duration::from_millis(50)), SetupFlags::SQPOLL, (5, 1)),
        ("iopoll", builder().iopoll(), SetupFlags::IOPOLL, (5, 1)),
        ("coop", builder().coop_taskrun(), SetupFlags::COOP_TASKRUN | SetupFlags::TASKRUN_FLAG, (5, 19)),
        ("single", builder().single_issuer(), SetupFlags::SINGLE_ISSUER, (6, 0)),
        (
            "defer",
            builder().single_issuer().defer_taskrun(),
            SetupFlags::DEFER_TASKRUN | SetupFlags::TASKRUN_FLAG,
            (6, 1),
        ),
        ("no_mmap", builder().no_mmap(), SetupFlags::NO_MMAP, (6, 5)),
        ("clamp", Ring::builder(1 << 20).clamp(), SetupFlags::CLAMP, (5, 6)),
    ];
    for (name, builder, flags, (major, minor)) in builders {
        if !is_at_least(major, minor) {
            refused(builder, "does not know");
            continue;
        }
        let mut ring: Ring = builder.build().unwrap();
        assert!(ring.setup_flags().contains(flags), "{name}: {:?}", ring.setup_flags());
        if name == "iopoll" && !is_at_least(5, 19) {
            // Older kernels do not even do nothing there.
            continue;
        }
        works(&mut ring);
    }
}

#[test]
fn a_polling_thread_takes_requests_and_is_woken_when_it_sleeps() {
    let mut ring = built!(builder().sqpoll(Duration::from_millis(1)));
    for round in 0..20 {
        nops(&mut ring, round * 8, 8);
        assert_eq!(ring.submit().unwrap(), 8);
        ring.wait_for_space().unwrap();
        let expected: Vec<_> = (0..8).map(|nth| (round * 8 + nth, Ok(0))).collect();
        assert_eq!(take(&mut ring, 8), expected);
        if round % 5 == 0 {
            // Long enough for the thread to sleep.
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    let error = self::ring(1).wait_for_space().unwrap_err();
    assert!(error.to_string().contains("SQPOLL"), "{error}");
}

#[test]
fn workers_and_the_polling_thread_are_shared() {
    let first: Ring = built!(builder().sqpoll(Duration::from_millis(50)));
    let mut second = builder().sqpoll(Duration::from_millis(50)).attach_wq(first.as_fd()).build().unwrap();
    works(&mut second);
    drop(first);
    works(&mut second);
    let null = std::fs::File::open("/dev/null").unwrap();
    let error = builder().attach_wq(null.as_fd()).build().map(drop).unwrap_err();
    assert!(error.to_string().contains("attach_wq"), "{error}");
}

#[test]
fn a_ring_lies_in_memory_of_the_callers() {
    require!(is_at_least(6, 5), "Linux 6.5");
    let builder = builder();
    let layout = builder.layout().unwrap();
    let len = layout.pages();
    let map = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            len,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    let start = NonNull::new(map.cast::<u8>()).unwrap();
    let short = unsafe { builder.clone().memory(start, len - 1) };
    refused(short, "need");
    let crooked = unsafe { builder.clone().memory(start.add(8), len) };
    refused(crooked, "start of a page");
    let mut ring = unsafe { builder.memory(start, len) }.build().unwrap();
    works(&mut ring);
    drop(ring);
    // Still mapped, and the caller's.
    unsafe { start.write_bytes(0xff, len) };
    assert_eq!(unsafe { libc::munmap(map, len) }, 0);
}

#[test]
fn a_ring_without_a_descriptor_works_in_its_thread_and_gives_its_place_back() {
    let mut ring = built!(builder().no_mmap().registered_fd_only());
    assert!(ring.descriptor().is_none());
    works(&mut ring);
    std::thread::scope(|scope| {
        let ring = &mut ring;
        // Safe to send; the kernel has no such ring there.
        scope.spawn(move || {
            nops(ring, 0, 1);
            assert_eq!(ring.submit().unwrap_err().raw_os_error(), Some(libc::EBADF));
        });
    });
    assert_eq!(take(&mut ring, 1), [(0, Ok(0))]);
    drop(ring);
    // A thread has 16 places.
    for _ in 0..40 {
        let mut ring = builder().no_mmap().registered_fd_only().single_issuer().build().unwrap();
        works(&mut ring);
    }
    refused(builder().registered_fd_only(), "no_mmap");
}

#[test]
fn huge_pages_are_used_or_their_lack_is_told() {
    match builder().huge_pages(21).build() {
        Ok(mut ring) => works(&mut ring),
        // No other reason is one: where there are huge pages, they are used.
        Err(error) => {
            assert_eq!(error.raw_os_error(), Some(libc::ENOMEM));
            assert!(error.to_string().contains("nr_hugepages"), "{error}");
        }
    }
    for log2 in [8, 64, 255] {
        let error = builder().huge_pages(log2).build().unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EINVAL));
        assert!(error.to_string().contains("of that size"), "{error}");
    }
}

#[test]
fn a_disabled_ring_takes_requests_once_it_is_enabled() {
    let mut ring = builder().disabled().build().unwrap();
    nops(&mut ring, 0, 1);
    assert_eq!(ring.submit().unwrap_err().raw_os_error(), Some(libc::EBADFD));
    ring.enable().unwrap();
    assert_eq!(take(&mut ring, 1), [(0, Ok(0))]);
    assert_eq!(ring.enable().unwrap_err().raw_os_error(), Some(libc::EBADFD));
}

#[test]
fn what_the_kernel_refuses_without_a_word_is_refused_with_one() {
    refused(builder().defer_taskrun(), "SINGLE_ISSUER");
    refused(builder().sqpoll_cpu(0), "SQPOLL");
    refused(builder().hybrid_iopoll(), "IOPOLL");
    refused(builder().sqpoll(Duration::ZERO).coop_taskrun(), "COOP_TASKRUN");
    refused(builder().sqpoll(Duration::ZERO).single_issuer().defer_taskrun(), "DEFER_TASKRUN");
    refused(builder().sqpoll(Duration::ZERO).rewind(), "SQ_REWIND");
    refused(builder().cq_entries(4), "completion entries");
    refused(Ring::builder(0), "submission entries");
    refused(Ring::builder(40_000), "submission entries");
    let unknown = unsafe { builder().flags(SetupFlags::from_bits_retain(1 << 31)) };
    refused(unknown, "does not know");
    let both = Ring::<Sqe128, Cqe32>::builder(8);
    let both = unsafe { both.flags(SetupFlags::SQE_MIXED) }.build().map(drop).unwrap_err();
    assert!(both.to_string().contains("SQE128"), "{both}");
    let both = Ring::<uring::Sqe, MixedCqe>::builder(8);
    let both = unsafe { both.flags(SetupFlags::CQE32) }.build().map(drop).unwrap_err();
    assert!(both.to_string().contains("CQE32"), "{both}");
}

#[test]
fn a_ring_that_rewinds_works_or_is_refused_by_name() {
    match builder().rewind().build() {
        Ok(mut ring) => works(&mut ring),
        Err(error) => {
            assert_eq!(error.raw_os_error(), Some(libc::EINVAL));
            assert!(error.to_string().contains("SQ_REWIND"), "{error}");
        }
    }
}

#[test]
fn rings_leave_neither_descriptors_nor_places_behind() {
    in_child!(|| {
        let count = || std::fs::read_dir("/proc/self/fd").unwrap().count();
        let before = count();
        for _ in 0..40 {
            works(&mut ring(8));
            let error = builder().cq_entries(4).build().map(drop).unwrap_err();
            assert_eq!(errno(&error.into()), libc::EINVAL);
        }
        assert_eq!(count(), before);
    });
}
