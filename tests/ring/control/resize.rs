//! Queues get other sizes while they are used. What is refused is in `resize_refusals`.

use std::io::Write;
use std::os::fd::AsFd;
use std::time::Duration;

use tests::files::{TempFile, check};
use tests::kernel::is_at_least;
use tests::{in_child, require, require_newer};
use uring::op::poll::PollAdd;
use uring::op::ring::Nop;
use uring::op::rw::{Read, ReadFixed};
use uring::op::timeout::{Timeout, Timespec};
use uring::ring::Builder;
use uring::{Completion, Cqe, Cqe32, Fixed, MixedCqe, MixedSqe, Ring, Sqe, Sqe128, Submission, UserData};

use crate::common::{nops, pipe, take};

/// A ring that can be resized.
pub(super) fn builder<S: Submission, C: Completion>(entries: usize) -> Builder<'static, S, C> {
    Ring::builder(entries).single_issuer().defer_taskrun()
}

pub(super) fn deferred(entries: usize) -> Ring {
    builder(entries).build().expect("a ring")
}

/// Fills the queue, more than once around, and takes what completes.
#[track_caller]
pub(super) fn works<S, C>(ring: &mut Ring<S, C>)
where
    S: Submission + From<Nop>,
    C: Completion,
{
    let nr = ring.space() as u64;
    for round in 0..3 {
        nops(ring, round * nr, nr);
        assert_eq!(ring.space(), 0);
        assert!(ring.push(Nop::new()).is_err());
        assert_eq!(names(ring, nr as usize), (round * nr..(round + 1) * nr).collect::<Vec<_>>());
    }
    assert_eq!((ring.queued(), ring.ready(), ring.lost()), (0, 0, (0, 0)));
}

/// Submits, and takes so many completions, each of which is of success.
#[track_caller]
fn names<S: Submission, C: Completion>(ring: &mut Ring<S, C>, nr: usize) -> Vec<UserData> {
    let mut names = Vec::new();
    while names.len() < nr {
        for cqe in ring.wait(1).expect("a wait") {
            assert_eq!(cqe.first().raw_result(), 0, "{cqe:?}");
            names.push(cqe.first().user_data());
        }
    }
    names
}

#[test]
fn queues_grow_and_shrink_to_what_is_asked_for() {
    require!(is_at_least(6, 13), "Linux 6.13");
    let mut ring = deferred(8);
    assert_eq!(ring.entries(), (8, 16));
    for (asked, expected) in [
        ((64, None), (64, 128)),
        ((64, None), (64, 128)),
        ((50, Some(100)), (64, 128)),
        ((64, Some(64)), (64, 64)),
        ((64, Some(4096)), (64, 4096)),
        ((3, Some(5)), (4, 8)),
        ((1, None), (1, 2)),
        ((1, Some(1)), (1, 1)),
        ((4096, None), (4096, 8192)),
        ((16, Some(65_536)), (16, 65_536)),
        ((8, Some(16)), (8, 16)),
    ] {
        ring.resize(asked.0, asked.1).unwrap();
        assert_eq!((ring.entries(), ring.space()), (expected, expected.0), "{asked:?}");
        works(&mut ring);
    }
}

/// What is queued, what has completed, and the counts go along, from and to each size, wherever the indices are.
fn what_waits_goes_along<S, C>(build: impl Fn() -> Ring<S, C>)
where
    S: Submission + From<Nop>,
    C: Completion,
{
    for (entries, cq_entries) in
        [(64, Some(256)), (16, Some(32)), (8, Some(8)), (8, Some(128)), (32, Some(32))]
    {
        for start in 0..20 {
            let mut ring = build();
            assert_eq!(ring.entries(), (16, 32));
            for name in 0..start {
                nops(&mut ring, name, 1);
                assert_eq!(names(&mut ring, 1), [name]);
            }
            nops(&mut ring, 100, 10);
            assert_eq!(ring.submit().unwrap(), 10);
            drop(ring.completions().unwrap());
            for name in 100..103 {
                assert_eq!(ring.next_completion().unwrap().first().user_data(), name);
            }
            // Taken, and the kernel has not been told.
            assert_eq!(ring.completions().unwrap().next().unwrap().first().user_data(), 103);
            nops(&mut ring, 200, 5);
            let before = (ring.queued(), ring.ready(), ring.stats(), ring.lost(), ring.setup_flags());
            assert_eq!((before.0, before.1), (5, 6));

            ring.resize(entries, cq_entries).unwrap();
            assert_eq!(ring.entries(), (entries, cq_entries.unwrap()));
            assert_eq!(
                (ring.queued(), ring.ready(), ring.stats(), ring.lost(), ring.setup_flags()),
                before,
                "from {start} to {entries}, {cq_entries:?}"
            );
            assert_eq!(ring.space(), entries - 5);
            nops(&mut ring, 205, 3);
            assert_eq!(ring.next_completion().unwrap().first().user_data(), 104);
            assert_eq!(ring.peek().unwrap().unwrap().first().user_data(), 105);
            let expected: Vec<_> = (105..110).chain(200..208).collect();
            assert_eq!(names(&mut ring, 13), expected, "from {start} to {entries}, {cq_entries:?}");
            let stats = ring.stats();
            assert_eq!((stats.submitted, stats.completed), (start + 18, start + 18));
            works(&mut ring);
        }
    }
}

#[test]
fn what_waits_in_the_queues_goes_along() {
    require!(is_at_least(6, 13), "Linux 6.13");
    what_waits_goes_along(|| deferred(16));
}

#[test]
fn large_entries_and_completions_go_along() {
    require!(is_at_least(6, 13), "Linux 6.13");
    what_waits_goes_along(|| builder::<Sqe128, Cqe32>(16).build().unwrap());
    what_waits_goes_along(|| builder::<Sqe128, Cqe>(16).build().unwrap());
    what_waits_goes_along(|| builder::<Sqe, Cqe32>(16).build().unwrap());
}

#[test]
fn rings_in_memory_of_the_process_move_to_other_memory() {
    require!(is_at_least(6, 13), "Linux 6.13");
    what_waits_goes_along(|| builder::<Sqe, Cqe>(16).no_mmap().build().unwrap());
    what_waits_goes_along(|| builder::<Sqe128, Cqe32>(16).no_mmap().registered_fd_only().build().unwrap());
}

#[test]
fn rings_that_rewind_go_on_at_the_first_place() {
    require_newer!(is_at_least(7, 0), "Linux 7.0");
    what_waits_goes_along(|| builder::<Sqe, Cqe>(16).rewind().build().unwrap());
}

#[test]
fn mixed_completions_grow_with_what_is_in_them_and_shrink_empty() {
    require!(is_at_least(6, 18), "Linux 6.18");
    for start in 0..8 {
        let mut ring: Ring<Sqe, MixedCqe> = builder(4).cq_entries(16).build().unwrap();
        for name in 0..start {
            nops(&mut ring, name, 1);
            assert_eq!(names(&mut ring, 1), [name]);
        }
        let mut large: Sqe = Nop::new().user_data(51).into();
        unsafe { large.as_raw_mut().__bindgen_anon_3.nop_flags = uring_sys::IORING_NOP_CQE32 };
        nops(&mut ring, 50, 1);
        ring.push(large).unwrap();
        nops(&mut ring, 52, 1);
        ring.submit().unwrap();
        assert!(ring.ready() >= 4);
        let error = ring.resize(2, Some(8)).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EOVERFLOW));
        assert!(error.to_string().contains("mixed"), "{error}");
        ring.resize(4, Some(64)).unwrap();
        let cqes: Vec<_> = ring.completions().unwrap().collect();
        let sizes: Vec<_> = cqes.iter().map(|cqe| (cqe.user_data(), cqe.extra().is_some())).collect();
        assert_eq!(sizes, [(50, false), (51, true), (52, false)], "from {start}");
        ring.resize(2, Some(4)).unwrap();
        works(&mut ring);
    }
}

#[test]
fn mixed_entries_grow_with_what_is_in_them_and_shrink_empty() {
    require_newer!(is_at_least(6, 19), "Linux 6.19");
    for start in 0..18 {
        let mut ring: Ring<MixedSqe> = builder(16).build().unwrap();
        for name in 0..start {
            nops(&mut ring, name, 1);
            assert_eq!(names(&mut ring, 1), [name]);
        }
        let mut large = Sqe128::from(Nop::new().user_data(51));
        unsafe { large.as_raw_mut().0.opcode = uring_sys::IORING_OP_NOP128 as u8 };
        nops(&mut ring, 50, 1);
        ring.push(MixedSqe::Large(large)).unwrap();
        nops(&mut ring, 52, 1);
        let error = ring.resize(8, Some(16)).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EOVERFLOW));
        assert!(error.to_string().contains("mixed"), "{error}");
        ring.resize(32, None).unwrap();
        assert_eq!(names(&mut ring, 3), [50, 51, 52], "from {start}");
        ring.resize(4, None).unwrap();
        works(&mut ring);
    }
}

#[test]
fn what_the_kernel_holds_back_comes_after_all() {
    require!(is_at_least(6, 13), "Linux 6.13");
    for (entries, cq_entries) in [(8, 64), (8, 32), (2, 8), (4, 16)] {
        let mut ring: Ring = builder(8).cq_entries(8).build().unwrap();
        for round in 0..4 {
            nops(&mut ring, round * 8, 8);
            ring.submit().unwrap();
        }
        assert_eq!(ring.ready(), 8);
        ring.resize(entries, Some(cq_entries)).unwrap();
        let mut names = Vec::new();
        while names.len() < 32 {
            let before = names.len();
            names.extend(ring.completions().unwrap().map(|cqe| cqe.user_data()));
            assert!(names.len() > before, "only {names:?} came");
        }
        assert_eq!(names, (0..32).collect::<Vec<_>>());
        works(&mut ring);
    }
}

#[test]
fn requests_in_flight_go_on() {
    require!(is_at_least(6, 13), "Linux 6.13");
    const READS: u64 = 40;
    let file = TempFile::new(1 << 16);
    let pipes: Vec<_> = (0..READS).map(|_| pipe()).collect();
    let mut buffers = vec![[0_u8; 8]; READS as usize];
    let mut block = vec![0; 4096];
    let soon: Timespec = Duration::from_millis(2).into();
    let mut ring = deferred(64);
    let mut done = vec![0; 3 * READS as usize + 1];
    for (name, buffer) in (0..READS).zip(&mut buffers) {
        let reader = &pipes[name as usize].0;
        ring.push(unsafe { Read::new(reader, buffer.as_mut_ptr(), 8, 0) }.user_data(name)).unwrap();
        ring.submit().unwrap();
        let poll = unsafe { PollAdd::new(reader, libc::EPOLLIN as u32) };
        ring.push(poll.user_data(READS + name)).unwrap();
        ring.submit().unwrap();
        ring.push(unsafe { Timeout::new(&raw const soon) }.user_data(2 * READS + name)).unwrap();
        ring.submit().unwrap();
    }
    let mut wrote = 0;
    let mut blocks = 0;
    for round in 0.. {
        // Queued while the ring is resized.
        let offset = round % 16 * 4096;
        let read = unsafe { Read::new(file.file(), block.as_mut_ptr(), 4096, offset) };
        ring.push(read.user_data(3 * READS)).unwrap();
        if round % 2 == 0 && wrote < READS as usize {
            pipes[wrote].1.try_clone().unwrap().write_all(&[wrote as u8; 8]).unwrap();
            wrote += 1;
        }
        let size = [128, 256, 512, 64][round as usize % 4];
        ring.resize(size, Some([1024, 512, 4096][round as usize % 3].max(size))).unwrap();
        let before = blocks;
        while blocks == before {
            for cqe in ring.wait(1).unwrap() {
                let name = cqe.user_data();
                done[name as usize] += 1;
                if name == 3 * READS {
                    assert_eq!(cqe.result().unwrap(), 4096);
                    blocks += 1;
                } else if name >= 2 * READS {
                    assert_eq!(cqe.raw_result(), -libc::ETIME);
                } else if name >= READS {
                    assert_ne!(cqe.result().unwrap() & libc::EPOLLIN as u32, 0);
                } else {
                    assert_eq!(cqe.result().unwrap(), 8);
                }
            }
        }
        check(&block, offset);
        // The poll may find that the read was first.
        if wrote == READS as usize && done[..READS as usize].iter().all(|&count| count == 1) {
            break;
        }
    }
    assert!(done[..3 * READS as usize].iter().all(|&count| count <= 1), "{done:?}");
    for (name, buffer) in buffers.iter().enumerate() {
        assert_eq!(*buffer, [name as u8; 8]);
    }
    ring.close().unwrap();
}

#[test]
fn what_is_registered_stays() {
    require!(is_at_least(6, 13), "Linux 6.13");
    let file = TempFile::new(4096);
    let mut ring = deferred(4);
    nops(&mut ring, 0, 1);
    take(&mut ring, 1);
    ring.registrar().register_files(&[file.file().as_fd().into()]).unwrap();
    let buffers = ring.registrar().register_owned_buffers(vec![vec![0_u8; 4096]]).unwrap();
    ring.registrar().set_eventfd_enabled(false).unwrap();
    ring.resize(32, None).unwrap();
    assert!(!ring.registrar().is_eventfd_enabled().unwrap());
    let read = unsafe { ReadFixed::new(Fixed(0), buffers.as_mut_ptr(0), 4096, 0, 0) };
    ring.push(read.user_data(7)).unwrap();
    assert_eq!(take(&mut ring, 1), [(7, Ok(4096))]);
    check(buffers.get(0), 0);
}

#[test]
fn a_ring_leaves_nothing_behind_as_it_is_resized() {
    in_child!(|| {
        require!(is_at_least(6, 13), "Linux 6.13");
        // What is locked is counted for those without privileges only.
        crate::register::common::drop_privileges();
        tests::limits::set(libc::RLIMIT_MEMLOCK, 8 << 20);
        let state = || {
            let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
            (maps.matches("io_uring").count(), std::fs::read_dir("/proc/self/fd").unwrap().count())
        };
        // In pages. The allocator takes some too, and less than one of the larger sizes has.
        let size = || {
            let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
            statm.split_whitespace().next().unwrap().parse::<usize>().unwrap()
        };
        let resize_all = || {
            let mut rings: [Ring; 2] = [deferred(8), builder(8).no_mmap().build().unwrap()];
            for ring in &mut rings {
                nops(ring, 0, 4);
                ring.submit().unwrap();
                nops(ring, 4, 5);
            }
            let made = state();
            for round in 0..60 {
                for ring in &mut rings {
                    ring.resize([4096, 8, 64][round % 3], None).unwrap();
                    assert_eq!(ring.resize(4, None).unwrap_err().raw_os_error(), Some(libc::EOVERFLOW));
                }
            }
            for ring in &mut rings {
                ring.resize(8, None).unwrap();
            }
            assert_eq!(state(), made);
            for ring in &mut rings {
                assert_eq!(names(ring, 9), [0, 1, 2, 3, 4, 5, 6, 7, 8]);
                works(ring);
            }
        };
        resize_all();
        let (before, pages) = (state(), size());
        resize_all();
        assert_eq!(state(), before);
        let grown = size().saturating_sub(pages);
        assert!(grown < 256, "{grown} pages");
    });
}
