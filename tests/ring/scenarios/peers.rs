//! Bugs of other wrappers, each a test that fails there.

use std::os::fd::AsFd;
use std::time::Duration;

use tests::files::{self, TempFile};
use uring::op::file::Fadvise;
use uring::op::memory::Madvise;
use uring::op::rw::{Read, Readv};
use uring::ring::{Wait, Zcrx, ZcrxArea};
use uring::{Cqe32, Features, Fixed, Ring, Sqe, SqeFlags};

use super::common::*;
use super::named::all_exist;

/// A bug, what it does, and the tests that stand for it.
#[rustfmt::skip]
const BUGS: [(&str, &[&str]); 14] = [
    ("B1: io-uring 0.7.15, types.rs:290. A signal mask is told to have the C library's 128 bytes, where the kernel takes \
      8: every wait with a mask fails with EINVAL.", &[
        "ring/scenarios/peers.rs::a_signal_mask_has_the_kernels_size",
        "ring/waits.rs::a_signal_ends_a_wait_with_a_mask_and_no_other",
    ]),
    ("B2: io-uring 0.7.15, submit.rs:653. A registered ring descriptor is kept in a temporary: no enter uses it, the next \
      call takes another of the thread's 16 places, and none is given back.", &[
        "ring/register/ring_fds.rs::a_ring_in_use_takes_one_place_whatever_it_is_told",
        "ring/register/ring_fds.rs::a_hundred_rings_of_each_kind_leave_all_places_free",
    ]),
    ("B3: io-uring 0.7.15, submit.rs:902. A safe function takes a shared reference to what the kernel writes its answer \
      to, and which holds addresses that the kernel goes on to use.", &[
        "ring/scenarios/peers.rs::a_queue_without_copies_is_described_and_the_answer_is_a_value",
    ]),
    ("B4: io-uring 0.7.15, opcode.rs:1018. The length of advice is cut to 32 bits: 5 GiB are 1 GiB, and 4 GiB are 0, \
      which is all of a file.", &[
        "ring/scenarios/peers.rs::advice_on_more_than_4_gib_is_advice_on_more_than_4_gib",
    ]),
    ("B5: io-uring 0.7.15, squeue.rs:391. Clearing flags also clears the one that says that the file is a registered \
      one: number 0 of the table becomes descriptor 0.", &[
        "ring/scenarios/peers.rs::a_registered_file_stays_one_whatever_flags_are_set",
    ]),
    ("B6: io-uring 0.7.15, cqueue.rs:178. What looks at the completion queue has no lifetime, and can be asked after the \
      ring is gone.", &[
        "compile-fail/main.rs::what_would_be_unsound_does_not_compile",
    ]),
    ("B7: rustix 1.x, mod.rs:280. A wait cannot name registered memory: the structure is there, and no enter takes it.", &[
        "ring/control/waits.rs::each_has_a_timeout_of_its_own",
    ]),
    ("crosvm, uring.rs:631. The answer of enter is thrown away: after a refused request each later one is submitted one \
      call late.", &[
        "ring/scenarios/peers.rs::a_refused_request_leaves_none_behind",
    ]),
    ("crosvm, uring.rs:829. A difference of indices saturates, and is 0 once they have wrapped.", &[
        "../uring/src/ring/simulated/queues.rs::indices_that_pass_2_to_the_32_lose_and_double_nothing",
    ]),
    ("crosvm, uring.rs:142. The test for a full queue compares indices that run on, and never fires.", &[
        "ring/entries.rs::a_ring_takes_as_many_requests_as_it_has_places_and_gives_the_next_one_back",
    ]),
    ("crosvm, uring.rs:808. Iovecs are kept by user data, and freed when that is used again.", &[
        "ring/scenarios/peers.rs::requests_of_one_name_have_their_own_memory",
    ]),
    ("crosvm. A drop does not wait for what is in flight.", &[
        "ring/ends.rs::a_drop_waits_for_a_read_of_a_disk",
    ]),
    ("crosvm. What has overflowed is let in only once the queue is empty.", &[
        "ring/entries.rs::completions_beyond_the_queue_are_let_in_as_room_is_made",
    ]),
    ("crosvm. The queues of a ring are public, and can be swapped or used past it.", &[
        "ring/scenarios/requests.rs::rings_that_are_swapped_take_everything_with_them",
    ]),
];

#[test]
fn every_test_that_stands_for_a_bug_exists() {
    all_exist(tests::test_name!(), BUGS.iter().flat_map(|(_, tests)| tests.iter().copied()));
}

/// B1.
#[test]
fn a_signal_mask_has_the_kernels_size() {
    let mut ring = ring(4);
    let open: libc::sigset_t = unsafe { std::mem::zeroed() };
    let wait = Wait::new().sigmask(open).timeout(Duration::from_millis(1));
    assert_eq!(ring.wait_with(1, &wait).unwrap().count(), 0);
    nops(&mut ring, 1, 1);
    assert_eq!(ring.wait_with(1, &wait).unwrap().count(), 1);
}

/// B3.
#[test]
fn a_queue_without_copies_is_described_and_the_answer_is_a_value() {
    const LEN: usize = 16 * 4096;
    let (area, region) = (Pages::new(LEN), Pages::new(LEN));
    let ring: Ring<Sqe, Cqe32> = built!(Ring::builder(4).single_issuer().defer_taskrun());
    // Without an interface, which takes Linux 7.1; before that there is none of number 0.
    let zcrx = Zcrx::new(0, 0, 64, ZcrxArea::Memory { start: area.start(), len: LEN }).without_device();
    let before = format!("{zcrx:?}");
    // An `unsafe` that were not needed would be a warning, and warnings are errors in CI.
    let answer = unsafe { ring.registrar().register_zcrx(&zcrx, region.start(), LEN) };
    assert_eq!(format!("{zcrx:?}"), before);
    if let Ok(queue) = answer {
        assert!(queue.entries > queue.head && queue.entries > queue.tail, "{queue:?}");
    }
}

/// B4.
#[test]
fn advice_on_more_than_4_gib_is_advice_on_more_than_4_gib() {
    let file = TempFile::new(4096);
    for len in [4 << 30, 5 << 30] {
        let advice: Sqe = unsafe { Fadvise::new(file.file(), 0, len, libc::POSIX_FADV_NORMAL) }.into();
        let raw = advice.as_raw();
        assert_eq!((unsafe { raw.__bindgen_anon_2.addr }, raw.len), (len, 0));
        let nowhere = std::ptr::without_provenance_mut(4096);
        let advice: Sqe = unsafe { Madvise::new(nowhere, len as usize, libc::MADV_NORMAL) }.into();
        let raw = advice.as_raw();
        assert_eq!((unsafe { raw.__bindgen_anon_1.off }, raw.len), (len, 0));
        let mut ring = ring(1);
        push(&mut ring, unsafe { Fadvise::new(file.file(), 0, len, libc::POSIX_FADV_NORMAL) });
        // Refused, where the kernel has no such lengths, but never advice on less.
        assert!(matches!(take(&mut ring, 1)[0].1, Ok(0) | Err(libc::EINVAL)));
    }
}

/// B5.
#[test]
fn a_registered_file_stays_one_whatever_flags_are_set() {
    let file = TempFile::new(16);
    let mut ring = ring(4);
    ring.registrar().register_files(&[file.file().as_fd().into()]).unwrap();
    for flags in [SqeFlags::default(), SqeFlags::ASYNC, SqeFlags::IO_DRAIN] {
        let mut bytes = [0; 16];
        let read = unsafe { Read::new(Fixed(0), bytes.as_mut_ptr(), 16, 0) };
        let read = Sqe::from(read.flags(flags).flags(SqeFlags::default()));
        assert!(read.flags().contains(SqeFlags::FIXED_FILE | flags));
        push(&mut ring, read);
        assert_eq!(take(&mut ring, 1), [(0, Ok(16))]);
        files::check(&bytes, 0);
    }
}

#[test]
fn a_refused_request_leaves_none_behind() {
    let mut ring = ring(8);
    nops(&mut ring, 0, 1);
    push(&mut ring, refused(1, SqeFlags::default()));
    nops(&mut ring, 2, 1);
    assert_eq!((ring.submit().unwrap(), ring.queued()), (3, 0));
    assert_eq!(take(&mut ring, 3).len(), 3);
    for name in 3..20 {
        nops(&mut ring, name, 1);
        assert_eq!((ring.submit().unwrap(), ring.queued()), (1, 0));
        assert_eq!(take(&mut ring, 1), [(name, Ok(0))]);
    }
}

#[test]
fn requests_of_one_name_have_their_own_memory() {
    let file = TempFile::new(64);
    let mut bytes = [[0; 16]; 4];
    let mut ring = ring(4);
    assert!(ring.features().contains(Features::SUBMIT_STABLE), "every kernel of ours has it");
    for (nr, bytes) in bytes.iter_mut().enumerate() {
        let iovec = iovec(bytes);
        push(&mut ring, unsafe { Readv::new(file.file(), &raw const iovec, 1, nr as u64 * 16) });
        // The kernel has read the array when the submit comes back.
        ring.submit().unwrap();
    }
    assert_eq!(take(&mut ring, 4), [(0, Ok(16)); 4]);
    for (nr, bytes) in bytes.iter().enumerate() {
        files::check(bytes, nr as u64 * 16);
    }
}
