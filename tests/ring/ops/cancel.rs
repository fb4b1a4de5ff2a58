//! To cancel requests.

use std::fs::File;
use std::os::fd::AsFd;

use tests::require;
use uring::op::cancel::AsyncCancel;
use uring::op::poll::PollAdd;
use uring::ring::FilePlace;
use uring::{Fixed, Op, Ring};

use super::common::{closed_descriptor, kernel_is_at_least, pipe, push, ring, run, take};

const IN: u32 = libc::EPOLLIN as u32;
const CANCELED: Result<u32, i32> = Err(libc::ECANCELED);

/// Starts polls that stay, each named after its place.
fn polls(ring: &mut Ring, files: &[&File]) {
    for (user_data, file) in (1..).zip(files) {
        push(ring, unsafe { PollAdd::new(file, IN) }.user_data(user_data));
    }
    assert_eq!(ring.submit().unwrap(), files.len());
}

#[test]
fn a_request_is_cancelled_by_its_name() {
    let (reader, _writer) = pipe();
    let mut ring = ring();
    polls(&mut ring, &[&reader, &reader]);
    push(&mut ring, AsyncCancel::new(2).user_data(9));
    assert_eq!(take(&mut ring, 2), [(2, CANCELED), (9, Ok(0))]);
    push(&mut ring, AsyncCancel::new(2).user_data(9));
    assert_eq!(take(&mut ring, 1), [(9, Err(libc::ENOENT))]);
    push(&mut ring, AsyncCancel::new(1).user_data(9));
    assert_eq!(take(&mut ring, 2), [(1, CANCELED), (9, Ok(0))], "the other one has stayed");
}

#[test]
fn requests_are_cancelled_by_their_file() {
    let ((reader, _writer), (other, _other_writer)) = (pipe(), pipe());
    let mut ring = ring();
    require!(kernel_is_at_least(6, 0), "Linux 6.0");
    ring.registrar().register_files(&[FilePlace::Empty, reader.as_fd().into()]).unwrap();
    polls(&mut ring, &[&reader, &other, &reader, &reader]);
    push(&mut ring, unsafe { AsyncCancel::fd(&other) }.user_data(9));
    assert_eq!(take(&mut ring, 2), [(2, CANCELED), (9, Ok(0))]);
    push(&mut ring, AsyncCancel::fixed(Fixed(1)).all().user_data(9));
    assert_eq!(take(&mut ring, 4), [(1, CANCELED), (3, CANCELED), (4, CANCELED), (9, Ok(3))]);
    assert_eq!(run(&mut ring, unsafe { AsyncCancel::fd(closed_descriptor()) }), Err(libc::EBADF));
    assert_eq!(run(&mut ring, AsyncCancel::fixed(Fixed(0))), Err(libc::EBADF));
}

#[test]
fn all_of_a_name_and_all_at_all_are_counted() {
    let (reader, _writer) = pipe();
    let mut ring = ring();
    require!(kernel_is_at_least(5, 19), "Linux 5.19");
    polls(&mut ring, &[&reader, &reader]);
    push(&mut ring, unsafe { PollAdd::new(&reader, IN) }.user_data(2));
    push(&mut ring, AsyncCancel::new(2).all().user_data(9));
    assert_eq!(take(&mut ring, 3), [(2, CANCELED), (2, CANCELED), (9, Ok(2))]);
    push(&mut ring, AsyncCancel::any().user_data(9));
    assert_eq!(take(&mut ring, 2), [(1, CANCELED), (9, Ok(1))]);
    assert_eq!(run(&mut ring, AsyncCancel::any().all()), Ok(0), "there is nothing left");
}

#[test]
fn requests_are_cancelled_by_their_operation_and_name() {
    let (reader, _writer) = pipe();
    let mut ring = ring();
    require!(kernel_is_at_least(6, 6), "Linux 6.6");
    polls(&mut ring, &[&reader, &reader, &reader]);
    push(&mut ring, AsyncCancel::op(Op::READ).user_data(9));
    assert_eq!(take(&mut ring, 1), [(9, Err(libc::ENOENT))]);
    push(&mut ring, AsyncCancel::op(Op::POLL_ADD).and_user_data(3).all().user_data(9));
    assert_eq!(take(&mut ring, 2), [(3, CANCELED), (9, Ok(1))]);
    push(&mut ring, unsafe { AsyncCancel::fd(&reader) }.and_op(Op::POLL_ADD).all().user_data(9));
    assert_eq!(take(&mut ring, 3), [(1, CANCELED), (2, CANCELED), (9, Ok(2))]);
    assert_eq!(run(&mut ring, AsyncCancel::any().and_op(Op::READ)), Err(libc::EINVAL));
}
