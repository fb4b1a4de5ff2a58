//! The two queues: what is submitted, and what comes out.

use std::time::Duration;

use tests::files::{self, TempFile};
use tests::require;
use uring::op::rw::{Read, Readv};
use uring::op::timeout::{LinkTimeout, Timeout, Timespec};
use uring::ring::Wait;
use uring::{Features, Ring, SqeFlags};

use super::common::*;

const LINK: SqeFlags = SqeFlags::IO_LINK;
const SILENT: SqeFlags = SqeFlags::CQE_SKIP_SUCCESS;
const NO: SqeFlags = SqeFlags::from_bits_retain(0);

#[test]
fn a_full_queue_of_completions_keeps_what_came_first_and_the_rest_follows_in_order() {
    let mut ring = ring(4);
    assert_eq!(ring.entries(), (4, 8));
    for round in 0..3 {
        nops(&mut ring, round * 4, 4);
        assert_eq!(ring.submit().unwrap(), 4);
    }
    assert_eq!(ring.ready(), 8, "as many as there is room for");
    let mut names = Vec::new();
    while names.len() < 12 {
        names.extend(ring.wait(1).unwrap().map(|cqe| cqe.user_data()));
    }
    assert_eq!(names, (0..12).collect::<Vec<_>>());
    nothing_is_there(&mut ring);
    assert_eq!(ring.lost(), (0, 0));
}

#[test]
fn reads_that_overflow_the_queue_all_come_with_their_content() {
    let file = TempFile::new(64 * 4096);
    let mut blocks = vec![[0; 4096]; 64];
    let mut ring: Ring = Ring::builder(8).cq_entries(8).build().unwrap();
    for (nr, block) in blocks.iter_mut().enumerate() {
        let read = unsafe { Read::new(file.file(), block.as_mut_ptr(), 4096, nr as u64 * 4096) };
        // Some complete at once, and some by a worker.
        let flags = if nr % 3 == 0 { SqeFlags::ASYNC } else { NO };
        push(&mut ring, read.user_data(nr as u64).flags(flags));
        if ring.space() == 0 {
            ring.submit().unwrap();
        }
    }
    let mut seen = [0; 64];
    while seen.iter().sum::<usize>() < 64 {
        for cqe in ring.wait(1).unwrap() {
            assert_eq!(cqe.result().unwrap(), 4096);
            seen[cqe.user_data() as usize] += 1;
        }
    }
    assert_eq!(seen, [1; 64]);
    for (nr, block) in blocks.iter().enumerate() {
        files::check(block, nr as u64 * 4096);
    }
}

#[test]
fn a_look_at_a_batch_takes_only_what_is_taken() {
    let look = |ring: &mut Ring| ring.completions().unwrap().size_hint().0;
    let mut ring = ring(4);
    assert_eq!(look(&mut ring), 0);
    nops(&mut ring, 0, 4);
    assert_eq!(look(&mut ring), 0, "nothing was submitted");
    ring.submit().unwrap();
    assert_eq!((look(&mut ring), look(&mut ring)), (4, 4));
    nops(&mut ring, 4, 4);
    ring.submit().unwrap();
    assert_eq!(look(&mut ring), 8);
    let names: Vec<_> = ring.completions().unwrap().take(3).map(|cqe| cqe.user_data()).collect();
    assert_eq!((names, look(&mut ring)), (vec![0, 1, 2], 5));
    // Eight places, of which five are taken: the last of six overflow.
    nops(&mut ring, 8, 4);
    ring.submit().unwrap();
    nops(&mut ring, 12, 2);
    ring.submit().unwrap();
    assert_eq!(look(&mut ring), 8);
    let names: Vec<_> = ring.completions().unwrap().map(|cqe| cqe.user_data()).collect();
    assert_eq!(names, (3..11).collect::<Vec<_>>());
    let names: Vec<_> = ring.completions().unwrap().map(|cqe| cqe.user_data()).collect();
    assert_eq!(names, [11, 12, 13]);
    assert_eq!(look(&mut ring), 0);
}

#[test]
fn a_silent_chain_that_succeeds_says_what_its_loud_ones_say() {
    let mut ring = ring(8);
    require!(ring.features().contains(Features::CQE_SKIP), "Linux 5.17");
    for len in [1, 6] {
        for loud in [false, true] {
            for nth in 0..len {
                let is_last = nth == len - 1;
                push(&mut ring, nop(nth, if is_last && loud { NO } else { LINK | SILENT }));
            }
            assert_eq!(ring.submit().unwrap() as u64, len);
            if loud {
                assert_eq!(take(&mut ring, 1), [(len - 1, Ok(0))]);
            }
            nothing_is_there(&mut ring);
        }
    }
}

#[test]
fn a_silent_chain_that_fails_says_where_and_only_there() {
    let mut ring = ring(8);
    require!(ring.features().contains(Features::CQE_SKIP), "Linux 5.17");
    for broken in [0, 3, 4] {
        for nth in 0..6 {
            let flags = if nth == 5 { NO } else { LINK | SILENT };
            if nth == broken {
                push(&mut ring, failing(nth, flags));
            } else {
                push(&mut ring, nop(nth, flags));
            }
        }
        assert_eq!(ring.submit().unwrap(), 6);
        assert_eq!(take(&mut ring, 1), [(broken, Err(libc::ENOENT))], "broken at {broken}");
        nothing_is_there(&mut ring);
    }
}

#[test]
fn a_hard_chain_says_all_but_what_is_silent_and_succeeds() {
    let mut ring = ring(8);
    require!(ring.features().contains(Features::CQE_SKIP), "Linux 5.17");
    for (broken, silent) in [0, 3, 6].into_iter().flat_map(|broken| [0, 3, 6].map(|silent| (broken, silent)))
    {
        let mut expected = Vec::new();
        for nth in 0..7 {
            let flags = SqeFlags::IO_HARDLINK | if nth == silent { SILENT } else { NO };
            if nth == broken {
                push(&mut ring, failing(nth, flags));
                expected.push((nth, Err(libc::ENOENT)));
            } else {
                push(&mut ring, nop(nth, flags));
                if nth != silent {
                    expected.push((nth, Ok(0)));
                }
            }
        }
        assert_eq!(ring.submit().unwrap(), 7);
        assert_eq!(take(&mut ring, expected.len()), expected, "broken {broken}, silent {silent}");
        nothing_is_there(&mut ring);
    }
}

#[test]
fn a_silent_time_limit_that_is_up_does_not_say_so() {
    let (reader, _writer) = pipe();
    let (mut byte, soon) = ([0], Timespec::from(Duration::from_millis(1)));
    let mut ring = ring(4);
    require!(ring.features().contains(Features::CQE_SKIP), "Linux 5.17");
    for flags in [NO, SILENT] {
        let read = unsafe { Read::new(&reader, byte.as_mut_ptr(), 1, 0) };
        push(&mut ring, read.user_data(1).flags(LINK | flags));
        push(&mut ring, unsafe { LinkTimeout::new(&raw const soon) }.user_data(2).flags(SILENT));
        ring.submit().unwrap();
        // Reads that end so have failed, and say it.
        let read = take(&mut ring, 1)[0];
        assert!(matches!(read, (1, Err(libc::ECANCELED | libc::EINTR))), "{read:?}");
        let wait = Wait::new().timeout(Duration::from_millis(20));
        assert_eq!(ring.wait_with(1, &wait).unwrap().count(), 0, "the limit says nothing");
    }
}

#[test]
fn refused_requests_do_not_end_a_submit() {
    let mut ring = ring(8);
    nops(&mut ring, 0, 3);
    push(&mut ring, refused(3, NO));
    push(&mut ring, refused(4, NO));
    nops(&mut ring, 5, 1);
    assert_eq!(ring.submit().unwrap(), 6, "all are consumed");
    let einval = Err(libc::EINVAL);
    let expected = [(0, Ok(0)), (1, Ok(0)), (2, Ok(0)), (3, einval), (4, einval), (5, Ok(0))];
    assert_eq!(take_sorted(&mut ring, 6), expected);
}

#[test]
fn an_array_of_iovecs_is_read_by_the_submit_also_for_a_worker() {
    const PARTS: usize = 16;
    let file = TempFile::new(32768);
    let mut ring = ring(4);
    for flags in [NO, SqeFlags::ASYNC] {
        for parts in [1, PARTS] {
            for _ in 0..20 {
                let mut bytes = vec![0_u8; 32768];
                let mut iovecs: Vec<_> = bytes.chunks_mut(32768 / parts).map(iovec).collect();
                // What is not in memory is read by a worker.
                unsafe {
                    libc::posix_fadvise(
                        std::os::fd::AsRawFd::as_raw_fd(file.file()),
                        0,
                        0,
                        libc::POSIX_FADV_DONTNEED,
                    )
                };
                let read = unsafe { Readv::new(file.file(), iovecs.as_ptr(), parts as u32, 0) };
                push(&mut ring, read.flags(flags));
                ring.submit().unwrap();
                for iovec in &mut iovecs {
                    iovec.iov_base = std::ptr::null_mut();
                }
                assert_eq!(take(&mut ring, 1), [(0, Ok(32768))]);
                files::check(&bytes, 0);
            }
        }
    }
}

#[test]
fn a_timed_wait_that_submits_waits_its_time_once() {
    let mut ring = ring(8);
    nops(&mut ring, 0, 1);
    let before = ring.stats().enters;
    let wait = Wait::new().timeout(Duration::from_millis(50));
    assert_eq!(ring.wait_with(2, &wait).unwrap().count(), 1);
    // One that submits and waits; 5.10 submits and then polls.
    let enters = ring.stats().enters - before;
    assert!(enters <= 2, "{enters} enters");
}

#[test]
fn a_wait_for_two_is_not_ended_by_one() {
    let time = Timespec::from(Duration::from_millis(10));
    let mut ring = ring(4);
    push(&mut ring, unsafe { Timeout::new(&raw const time) }.user_data(1).count(u32::MAX));
    assert_eq!(ring.submit().unwrap(), 1);
    nops(&mut ring, 2, 1);
    let names: Vec<_> = ring.wait(2).unwrap().map(|cqe| cqe.user_data()).collect();
    assert_eq!(names, [2, 1]);
}
