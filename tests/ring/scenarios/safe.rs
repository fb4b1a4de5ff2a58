//! Requests that name nothing of the caller's take no `unsafe`.
#![forbid(unsafe_code)]

use std::os::fd::AsFd;
use std::time::Duration;

use uring::Fixed;
use uring::op::cancel::AsyncCancel;
use uring::op::file::Fallocate;
use uring::op::poll::{PollAdd, PollRemove};
use uring::op::ring::Nop;
use uring::op::sync::Fsync;
use uring::op::timeout::Timeout;

use super::common::{push, ring, take};
use tests::files::TempFile;

/// io-uring #60, #148 (a push is unsafe whatever it pushes), #156 (a time that is gone when the kernel looks).
#[test]
fn requests_that_name_nothing_are_made_and_pushed_by_safe_code() {
    let file = TempFile::empty();
    let (reader, _writer) = super::common::pipe();
    let mut ring = ring(8);
    ring.registrar().register_files(&[file.file().as_fd().into(), reader.as_fd().into()]).unwrap();
    push(&mut ring, Nop::new());
    push(&mut ring, Fallocate::fixed(Fixed(0), 0, 0, 4096));
    push(&mut ring, Fsync::fixed(Fixed(0)));
    assert_eq!(take(&mut ring, 3), [(0, Ok(0)); 3]);
    push(&mut ring, PollAdd::fixed(Fixed(1), libc::EPOLLIN as u32).user_data(1));
    ring.submit().unwrap();
    push(&mut ring, PollRemove::new(1).user_data(2));
    assert_eq!(take(&mut ring, 2).len(), 2);
    push(&mut ring, AsyncCancel::new(99).user_data(3));
    assert_eq!(take(&mut ring, 1), [(3, Err(libc::ENOENT))]);
    push(&mut ring, Timeout::immediate(Duration::from_millis(1)));
    // The time is in the request, which kernels before 7.1 refuse; none reads it from anywhere else.
    assert!(matches!(take(&mut ring, 1)[0].1, Err(libc::ETIME | libc::EINVAL)));
}
