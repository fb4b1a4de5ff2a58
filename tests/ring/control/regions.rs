//! The memory region of a ring: what is refused, and what is left of it.

use std::ptr;
use std::time::{Duration, Instant};

use tests::kernel::is_at_least;
use tests::{in_child, require};
use uring::ring::Wait;
use uring::{Error, Ring};

use super::waits::{SHORT, waits};
use crate::common::{LONG, nops, ring, take};

const PAGE: usize = 4096;

fn disabled() -> Ring {
    Ring::builder(4).disabled().build().unwrap()
}

#[track_caller]
fn refused<T: std::fmt::Debug>(result: Result<T, Error>, errno: i32, text: &str) {
    let error = result.unwrap_err();
    assert_eq!(error.raw_os_error(), Some(errno), "{error}");
    assert!(error.to_string().contains(text), "{error}");
}

#[track_caller]
fn works(ring: &mut Ring) {
    nops(ring, 7, 1);
    assert_eq!(take(ring, 1), [(7, Ok(0))]);
}

/// Memory from the start of a page on, and a few pages of it.
fn pages() -> (Vec<u8>, *mut u8) {
    let mut memory = vec![0; 3 * PAGE];
    let start = memory.as_mut_ptr();
    let gap = start.align_offset(PAGE);
    (memory, start.wrapping_add(gap))
}

#[test]
fn waits_that_a_ring_cannot_have_are_refused_and_it_works_on() {
    let mut ring = disabled();
    refused(ring.registrar().register_waits(0), libc::EINVAL, "no waits");
    if !is_at_least(6, 13) {
        refused(ring.registrar().register_waits(1), libc::EOPNOTSUPP, "6.13");
        refused(unsafe { ring.registrar().register_region(ptr::null_mut(), PAGE) }, libc::EOPNOTSUPP, "6.13");
        ring.enable().unwrap();
        return works(&mut ring);
    }
    ring.enable().unwrap();
    refused(ring.registrar().register_waits(1), libc::EINVAL, "disabled");
    works(&mut ring);
    // The refusal has left no region behind.
    let (_memory, start) = pages();
    unsafe { ring.registrar().register_region(start, PAGE) }.unwrap();
    refused(ring.registrar().register_waits(1), libc::EBUSY, "until its end");
    works(&mut ring);
}

#[test]
fn a_ring_has_one_region() {
    require!(is_at_least(6, 13), "Linux 6.13");
    let mut ring = disabled();
    let mut waits = ring.registrar().register_waits(1).unwrap();
    refused(ring.registrar().register_waits(1), libc::EBUSY, "until its end");
    let (_memory, start) = pages();
    refused(unsafe { ring.registrar().register_region(start, PAGE) }, libc::EBUSY, "until its end");
    ring.enable().unwrap();
    waits[0].set(&Wait::new().timeout(SHORT));
    assert_eq!(ring.wait_registered(1, &waits[0]).unwrap().count(), 0);
    drop(waits);
    // Nobody can name it any more, and it is there.
    refused(ring.registrar().register_waits(1), libc::EBUSY, "until its end");
    works(&mut ring);
}

#[test]
fn a_region_that_is_not_whole_pages_of_memory_is_refused() {
    require!(is_at_least(6, 13), "Linux 6.13");
    let mut ring = ring(4);
    let (_memory, start) = pages();
    let mut tell = |start: *mut u8, len, errno, text| {
        refused(unsafe { ring.registrar().register_region(start, len) }, errno, text);
        works(&mut ring);
    };
    tell(start, 0, libc::EINVAL, "whole pages");
    tell(start, PAGE - 1, libc::EINVAL, "whole pages");
    tell(start.wrapping_add(8), PAGE, libc::EINVAL, "whole pages");
    tell(ptr::null_mut(), PAGE, libc::EFAULT, "memory of this process");
    tell(ptr::without_provenance_mut(PAGE), PAGE, libc::EFAULT, "memory of this process");
    unsafe { ring.registrar().register_region(start, 2 * PAGE) }.unwrap();
    works(&mut ring);
}

#[test]
fn a_ring_whose_waits_have_no_limits_is_told() {
    let Ok(ring) = Ring::builder(4).iopoll().disabled().build() else { return };
    let ring: Ring = ring;
    refused(ring.registrar().register_waits(1), libc::EINVAL, "polls");
}

#[test]
fn a_limit_on_pinned_memory_counts_regions_until_the_ring_ends() {
    require!(is_at_least(6, 13), "Linux 6.13");
    require!(unsafe { libc::geteuid() } == 0, "root, who may become a user that nobody else is");
    in_child!(|| {
        tests::limits::set(libc::RLIMIT_MEMLOCK, 256 << 10);
        // The account is one of all processes of a user.
        assert_eq!(unsafe { libc::setuid(0x7e61_0000 + std::process::id()) }, 0);
        // 4.5 MiB.
        let large = disabled();
        refused(large.registrar().register_waits(u16::MAX), libc::ENOMEM, "RLIMIT_MEMLOCK");
        for _ in 0..16 {
            // 144 KiB each; the kernel may take a while to free a ring.
            let deadline = Instant::now() + LONG;
            let make = || -> Result<_, Error> {
                let ring: Ring = Ring::builder(4).disabled().build()?;
                ring.registrar().register_waits(2048)
            };
            while let Err(error) = make() {
                assert!(Instant::now() < deadline, "{error}");
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    });
}

#[test]
fn nothing_is_left_of_a_region() {
    require!(is_at_least(6, 13), "Linux 6.13");
    in_child!(|| {
        let state = || {
            let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
            let mapped = maps.lines().filter(|line| !line.contains('[')).map(size).sum::<usize>();
            (std::fs::read_dir("/proc/self/fd").unwrap().count(), mapped)
        };
        let round = |ring_first: bool| {
            // A page.
            let (mut ring, mut waits) = waits(1);
            waits[0].set(&Wait::new().timeout(Duration::from_millis(1)));
            assert_eq!(ring.wait_registered(1, &waits[0]).unwrap().count(), 0);
            if ring_first {
                drop(ring);
                waits[0].set(&Wait::new().timeout(SHORT));
            } else {
                drop(waits);
                works(&mut ring);
            }
            // Refused ones, too.
            assert!(crate::common::ring(4).registrar().register_waits(1).is_err());
        };
        round(true);
        let before = state();
        const ROUNDS: usize = 200;
        for nr in 0..ROUNDS {
            round(nr % 2 == 0);
        }
        let after = state();
        assert_eq!(after.0, before.0);
        // An allocator may have taken some, and less than would be left of half of the regions.
        let grown = after.1.saturating_sub(before.1);
        assert!(grown < ROUNDS / 2 * 4096, "{grown} bytes more are mapped");
    });
}

fn size(line: &str) -> usize {
    let (start, end) = line.split(' ').next().and_then(|range| range.split_once('-')).expect("a range");
    let number = |text| usize::from_str_radix(text, 16).expect("an address");
    number(end) - number(start)
}

#[test]
fn a_forked_child_neither_waits_nor_changes_how_its_parent_does() {
    require!(is_at_least(6, 13), "Linux 6.13");
    in_child!(|| {
        let (mut ring, mut waits) = waits(2);
        waits[0].set(&Wait::new().timeout(SHORT));
        let answer = tests::fork::ask(|| {
            let refused = ring.wait_registered(1, &waits[0]).map(drop).unwrap_err();
            let again = ring.registrar().register_waits(1).map(drop).unwrap_err();
            // Longer than the test may take, and of the child alone.
            waits[0].set(&Wait::new());
            waits[1].set(&Wait::new());
            format!("{refused:?} {again:?}")
        });
        assert_eq!(answer, "Forked Forked");
        assert_eq!(ring.wait_registered(1, &waits[0]).unwrap().count(), 0);
        // What is written after a fork still reaches the kernel.
        waits[1].set(&Wait::new().timeout(SHORT));
        assert_eq!(ring.wait_registered(1, &waits[1]).unwrap().count(), 0);
        works(&mut ring);
    });
}
