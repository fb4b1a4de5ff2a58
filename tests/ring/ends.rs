//! The end of a ring: the kernel has no memory of the caller's afterwards.

use std::io::{Read as _, Write as _};
use std::time::{Duration, Instant};

use tests::late::Disk;
use tests::{files::AlignedBuf, in_child, or_skip, require};
use uring::op::poll::{PollAdd, PollUpdate};
use uring::op::ring::Nop;
use uring::op::rw::Read;
use uring::{Features, Op, RegisterOp, Restrictions, Ring, SetupFlags, SqeFlags};

use crate::common::{LONG, nops, pipe, read, ring, take};

/// Drops a ring with a read of a slow disk in flight, and looks whether its memory is left alone from then on.
fn drop_during_a_read(prepare: impl FnOnce(&mut Ring)) {
    let disk = or_skip!(Disk::new(4096));
    let file = disk.open();
    let mut block = AlignedBuf::new(4096);
    let mut ring = ring(8);
    prepare(&mut ring);
    let request = unsafe { Read::new(&file, block.as_mut_ptr(), 4096, 0) };
    ring.push(request.user_data(1)).unwrap();
    ring.submit().unwrap();
    drop(ring);
    block.fill(0xee);
    std::thread::sleep(4 * tests::late::DELAY);
    assert!(block.iter().all(|byte| *byte == 0xee), "the kernel wrote after the end");
}

#[test]
fn a_drop_waits_for_a_read_of_a_disk() {
    drop_during_a_read(|_| {});
}

#[test]
fn a_drop_waits_though_silent_requests_have_failed() {
    // The failed one completes after all, so that there are as many completions as requests.
    drop_during_a_read(|ring| {
        let nop = Nop::new().flags(SqeFlags::CQE_SKIP_SUCCESS).into();
        let mut nop: uring::Sqe = nop;
        unsafe { nop.as_raw_mut().opcode = 255 };
        ring.push(nop).unwrap();
        let taken = take(ring, 1);
        assert_eq!(taken, [(0, Err(libc::EINVAL))]);
    });
}

#[test]
fn a_drop_waits_though_silent_requests_have_succeeded() {
    drop_during_a_read(|ring| {
        for _ in 0..5 {
            ring.push(Nop::new().flags(SqeFlags::CQE_SKIP_SUCCESS)).unwrap();
        }
        ring.submit().unwrap();
    });
}

#[test]
fn a_drop_cancels_what_waits() {
    let (mut reader, mut writer) = pipe();
    let mut bytes = [[0]; 6];
    let mut ring = ring(8);
    for (name, byte) in bytes.iter_mut().enumerate() {
        read(&mut ring, byte, &reader, name as u64);
    }
    ring.submit().unwrap();
    ring.close().unwrap();
    writer.write_all(b"x").unwrap();
    let mut left = [0];
    reader.read_exact(&mut left).unwrap();
    assert_eq!((bytes, &left), ([[0]; 6], b"x"));
}

/// A request to cancel waits behind what drains, and the kernel's other way does not reach workers of a polling thread.
#[test]
fn a_drop_ends_what_a_worker_waits_for_though_what_comes_behind_drains() {
    for builder in [Ring::builder(8), Ring::builder(8).sqpoll(Duration::from_millis(10))] {
        let mut ring: Ring = or_skip!(builder.build());
        if ring.setup_flags().contains(SetupFlags::SQPOLL) {
            require!(ring.features().contains(Features::SQPOLL_NONFIXED), "Linux 5.11");
        }
        let (reader, _writer) = pipe();
        let mut bytes = [0; 8];
        let place = bytes.as_mut_ptr();
        let begin = Instant::now();
        for _ in 0..2 {
            // A chain that nothing comes behind goes to a worker, which waits for its read.
            ring.push(unsafe { Read::new(&reader, place, 8, 0) }.flags(SqeFlags::IO_HARDLINK)).unwrap();
        }
        ring.submit().unwrap();
        std::thread::sleep(Duration::from_millis(20));
        ring.push(Nop::new().flags(SqeFlags::IO_DRAIN)).unwrap();
        ring.submit().unwrap();
        assert_eq!(ring.completions().unwrap().count(), 0);
        ring.close().unwrap();
        assert!(begin.elapsed() < LONG, "{:?}", begin.elapsed());
    }
}

#[test]
fn a_drop_cancels_all_of_one_name() {
    let (reader, _writer) = pipe();
    let mut bytes = [[0; 1]; 4];
    let mut ring = ring(8);
    for byte in &mut bytes {
        read(&mut ring, byte, &reader, 1);
    }
    ring.submit().unwrap();
    let begin = Instant::now();
    ring.close().unwrap();
    // The kernel ends by itself what no call ends, and that takes longer.
    assert!(begin.elapsed() < Duration::from_millis(900), "{:?}", begin.elapsed());
}

#[test]
fn a_drop_forgets_what_was_not_submitted() {
    let (mut reader, mut writer) = pipe();
    writer.write_all(b"x").unwrap();
    let mut byte = [0];
    for polled in [false, true] {
        let mut ring: Ring = match polled {
            false => ring(8),
            true => Ring::builder(8).sqpoll(Duration::from_millis(10)).build().unwrap(),
        };
        nops(&mut ring, 0, 3);
        assert_eq!(take(&mut ring, 3).len(), 3);
        read(&mut ring, &mut byte, &reader, 1);
        drop(ring);
    }
    let mut left = [0];
    reader.read_exact(&mut left).unwrap();
    assert_eq!((byte, &left), ([0], b"x"));
}

#[test]
fn a_drop_cancels_what_goes_on_by_a_name_of_its_own_or_by_another() {
    for renamed in [false, true] {
        let (mut reader, mut writer) = pipe();
        let mut ring = ring(4);
        require!(ring.features().contains(Features::RSRC_TAGS), "Linux 5.13");
        ring.push(unsafe { PollAdd::new(&reader, libc::EPOLLIN as u32) }.multishot().user_data(1)).unwrap();
        writer.write_all(b"x").unwrap();
        let first = ring.wait(1).unwrap().next().unwrap();
        assert!(first.has_more());
        reader.read_exact(&mut [0]).unwrap();
        if renamed {
            ring.push(PollUpdate::new(1).new_user_data(2).user_data(3)).unwrap();
            assert_eq!(take(&mut ring, 1), [(3, Ok(0))]);
            writer.write_all(b"x").unwrap();
            assert_eq!(ring.wait(1).unwrap().next().map(|cqe| cqe.user_data()), Some(2));
        }
        ring.close().unwrap();
    }
}

#[test]
fn a_drop_cancels_what_a_drained_request_waits_for() {
    let (reader, _writer) = pipe();
    let mut byte = [0];
    let mut ring = ring(4);
    read(&mut ring, &mut byte, &reader, 1);
    ring.push(Nop::new().flags(SqeFlags::IO_DRAIN)).unwrap();
    ring.submit().unwrap();
    ring.close().unwrap();
}

#[test]
fn a_drop_cancels_what_a_drained_request_waits_for_by_closing_the_ring_if_nothing_else_does() {
    let (reader, _writer) = pipe();
    let mut byte = [0];
    let ops = [Op::READ, Op::NOP, Op::ASYNC_CANCEL].into_iter();
    let allowed = ops.fold(Restrictions::new(), Restrictions::allow_op).allow_flags(SqeFlags::IO_DRAIN);
    let allowed = allowed.allow_register(RegisterOp::REGISTER_FILES);
    let mut ring: Ring = Ring::builder(4).restrictions(allowed).build().unwrap();
    read(&mut ring, &mut byte, &reader, 1);
    ring.push(Nop::new().flags(SqeFlags::IO_DRAIN)).unwrap();
    ring.submit().unwrap();
    ring.close().unwrap();
}

#[test]
fn a_disabled_ring_ends_though_its_thread_consumes_nothing() {
    // Awake all the time, and asleep in between.
    for idle in [LONG, Duration::from_millis(1)] {
        let mut ring: Ring = Ring::builder(4).sqpoll(idle).disabled().build().unwrap();
        nops(&mut ring, 0, 3);
        // Where the thread sleeps it cannot be woken.
        let _ = ring.submit();
        ring.close().unwrap();
    }
}

#[test]
fn a_full_queue_of_completions_does_not_keep_a_ring() {
    let mut ring: Ring = Ring::builder(8).cq_entries(8).build().unwrap();
    for _ in 0..4 {
        nops(&mut ring, 0, 8);
        ring.submit().unwrap();
    }
    nops(&mut ring, 0, 8);
    ring.close().unwrap();
}

#[test]
fn a_child_of_a_fork_neither_submits_nor_takes() {
    in_child!(|| {
        let mut ring = ring(4);
        nops(&mut ring, 0, 2);
        ring.submit().unwrap();
        let said = tests::fork::ask(|| {
            let push = ring.push(Nop::new()).map_err(|refused| refused.error);
            let submit = ring.submit();
            let wait = ring.wait(1).map(Iterator::count);
            let taken = ring.next_completion().is_some();
            format!("{push:?} {submit:?} {wait:?} {taken}")
        });
        assert_eq!(said, "Err(Forked) Err(Forked) Err(Forked) false");
    });
}
