//! Requests on rings and their tables.

use std::io::Write;
use std::os::fd::AsFd;

use tests::files::{TempFile, check};
use tests::require;
use uring::op::ring::{MsgRing, MsgRingFd, Nop, Nop128};
use uring::op::rw::Read;
use uring::ring::FilePlace;
use uring::{Cqe, Cqe32, CqeFlags, FileIndex, Fixed, MixedCqe, MixedSqe, Op, Ring, Sqe, Sqe128, SqeFlags};

use super::common::{closed_descriptor, has, iovec, kernel_is_at_least, next, push, ring, run, take};

#[test]
fn nothing_succeeds_and_has_the_result_that_it_is_told() {
    let mut ring = ring();
    assert_eq!(run(&mut ring, Nop::new()), Ok(0));
    require!(kernel_is_at_least(6, 10), "Linux 6.10");
    assert_eq!(run(&mut ring, Nop::new().inject_result(77)), Ok(77));
    assert_eq!(run(&mut ring, Nop::new().inject_result(-libc::EXDEV)), Err(libc::EXDEV));
    push(&mut ring, Nop::new().inject_result(-1).flags(SqeFlags::IO_LINK).user_data(1));
    push(&mut ring, Nop::new().user_data(2));
    assert_eq!(take(&mut ring, 2), [(1, Err(1)), (2, Err(libc::ECANCELED))], "it breaks a chain");
}

#[test]
fn nothing_looks_up_what_it_is_told_to() {
    let file = TempFile::empty();
    let mut memory = vec![0; 4096];
    let mut ring = ring();
    require!(kernel_is_at_least(6, 17), "Linux 6.17");
    ring.registrar().register_files(&[file.file().as_fd().into(), FilePlace::Empty]).unwrap();
    unsafe { ring.registrar().register_buffers(&[iovec(&mut memory)]) }.unwrap();
    // What is not found fails a chain, whatever the result is, which older kernels leave as it was injected.
    let found = |ring: &mut Ring, nop: Nop| {
        push(ring, nop.flags(SqeFlags::IO_LINK).user_data(1));
        push(ring, Nop::new().user_data(2));
        take(ring, 2)[1].1 == Ok(0)
    };
    assert!(found(&mut ring, unsafe { Nop::new().file(file.file()) }));
    assert!(!found(&mut ring, unsafe { Nop::new().file(closed_descriptor()) }));
    assert!(found(&mut ring, Nop::new().fixed_file(Fixed(0))));
    assert!(!found(&mut ring, Nop::new().fixed_file(Fixed(1))));
    assert!(found(&mut ring, Nop::new().fixed_buffer(0)));
    assert!(!found(&mut ring, Nop::new().fixed_buffer(1)));
    assert_eq!(run(&mut ring, Nop::new().task_work().inject_result(5)), Ok(5));
}

#[test]
fn nothing_completes_with_32_bytes() {
    let mut ring = ring();
    require!(kernel_is_at_least(6, 18), "Linux 6.18");
    assert_eq!(run(&mut ring, Nop::new().cqe32([3, 4])), Err(libc::EINVAL), "the ring has none");

    let mut ring: Ring<Sqe, Cqe32> = Ring::new(4).unwrap();
    push(&mut ring, Nop::new().cqe32([3, 4]));
    assert_eq!(ring.wait(1).unwrap().next().unwrap().extra(), [3, 4]);

    let mut ring: Ring<Sqe, MixedCqe> = Ring::new(4).unwrap();
    for extra in [None, Some([3, 4]), None, Some([5, 6]), Some([7, 8])] {
        let nop = Nop::new();
        push(&mut ring, if let Some(extra) = extra { nop.cqe32(extra) } else { nop });
        assert_eq!(ring.wait(1).unwrap().next().unwrap().extra(), extra);
    }
}

#[test]
fn nothing_in_128_bytes_is_done_or_refused_by_the_kernels_age() {
    require!(kernel_is_at_least(5, 19), "Linux 5.19");
    let supported = has(&ring(), Op::NOP128);
    let mut ring: Ring<Sqe128, Cqe> = Ring::new(4).unwrap();
    push(&mut ring, Nop128::new());
    assert_eq!(next(&mut ring).1, if supported { Ok(0) } else { Err(libc::EINVAL) });
    push(&mut ring, Nop::new());
    assert_eq!(next(&mut ring).1, Ok(0));
    match Ring::<MixedSqe, Cqe>::new(4) {
        Ok(mut ring) => {
            for _ in 0..9 {
                push(&mut ring, Nop128::new().inject_result(7));
                push(&mut ring, Nop::new().inject_result(8));
                assert_eq!((next(&mut ring).1, next(&mut ring).1), (Ok(7), Ok(8)));
            }
        }
        Err(error) => assert!(!supported, "a ring of mixed entries: {error}"),
    }
}

#[test]
fn a_message_arrives_in_another_ring() {
    let (mut from, mut to) = (ring(), ring());
    require!(has(&from, Op::MSG_RING), "Linux 5.18");
    let to_fd = to.as_fd().try_clone_to_owned().unwrap();
    assert_eq!(run(&mut from, unsafe { MsgRing::new(&to_fd, 77, 5) }), Ok(0));
    assert_eq!(next(&mut to), (77, Ok(5), CqeFlags::empty()));
    assert_eq!(run(&mut from, unsafe { MsgRing::new(&to_fd, 78, -libc::EXDEV) }), Ok(0));
    assert_eq!(next(&mut to), (78, Err(libc::EXDEV), CqeFlags::empty()));
    let file = TempFile::empty();
    assert_eq!(
        run(&mut from, unsafe { MsgRing::new(file.file(), 1, 1) }),
        Err(libc::EBADFD),
        "it is no ring"
    );
}

#[test]
fn a_message_that_says_more_is_not_counted_as_the_end_of_a_request() {
    let (mut from, mut to) = (ring(), ring());
    require!(kernel_is_at_least(6, 3), "Linux 6.3");
    let (reader, mut writer) = super::common::pipe();
    push(&mut to, unsafe { uring::op::poll::PollAdd::new(&reader, libc::EPOLLIN as u32) }.user_data(1));
    to.submit().unwrap();
    let to_fd = to.as_fd().try_clone_to_owned().unwrap();
    assert_eq!(run(&mut from, unsafe { MsgRing::new(&to_fd, 77, 5) }.pass_flags(CqeFlags::MORE)), Ok(0));
    assert_eq!(next(&mut to), (77, Ok(5), CqeFlags::MORE));
    writer.write_all(b"x").unwrap();
    assert_eq!(next(&mut to).0, 1, "the poll is in flight still");
}

#[test]
fn a_registered_file_is_sent_to_another_ring() {
    let file = TempFile::new(100);
    let mut buffer = [0; 100];
    let (mut from, mut to) = (ring(), ring());
    require!(kernel_is_at_least(6, 0), "Linux 6.0");
    let to_fd = to.as_fd().try_clone_to_owned().unwrap();
    from.registrar().register_files(&[FilePlace::Empty, file.file().as_fd().into()]).unwrap();
    to.registrar().register_files_sparse(3).unwrap();
    let send = |place: FileIndex| unsafe { MsgRingFd::new(&to_fd, Fixed(1), place, 77) };
    assert_eq!(run(&mut from, send(Fixed(2).into())), Ok(0));
    assert_eq!(next(&mut to).1, Ok(0));
    assert_eq!(run(&mut from, send(FileIndex::ALLOC)), Ok(0));
    assert_eq!(next(&mut to).1, Ok(0));
    assert_eq!(run(&mut from, send(FileIndex::ALLOC).cqe_skip()), Ok(1));
    assert_eq!(to.completions().unwrap().count(), 0, "the other ring is not told");
    for place in 0..3 {
        let read = unsafe { Read::new(Fixed(place), buffer.as_mut_ptr(), buffer.len(), 0) };
        assert_eq!(run(&mut to, read), Ok(100));
        check(&buffer, 0);
        buffer.fill(0);
    }
    let empty = unsafe { MsgRingFd::new(&to_fd, Fixed(0), FileIndex::ALLOC, 77) };
    assert_eq!(run(&mut from, empty), Err(libc::EBADF));
    let from_fd = from.as_fd().try_clone_to_owned().unwrap();
    let itself = unsafe { MsgRingFd::new(&from_fd, Fixed(1), Fixed(0), 77) };
    assert_eq!(run(&mut from, itself), Err(libc::EINVAL));
}
