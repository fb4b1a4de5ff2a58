use std::fs::File;

use tests::kernel::is_at_least;
use tests::require;
use uring::op::ring::MsgRing;
use uring::ring::send_message;
use uring::{CqeFlags, Ring, SqeFlags};

use crate::common::{ring, take};

#[track_caller]
fn refused(message: MsgRing, errno: i32) {
    let error = send_message(message).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(errno), "{error}");
    assert!(error.to_string().contains("ring"), "{error}");
}

#[test]
fn a_message_needs_no_ring_of_the_senders() {
    require!(is_at_least(6, 13), "Linux 6.13");
    let mut to = ring(4);
    send_message(unsafe { MsgRing::new(&to, 7, 42) }).unwrap();
    send_message(unsafe { MsgRing::new(&to, 8, -libc::EIO) }).unwrap();
    assert_eq!(take(&mut to, 2), [(7, Ok(42)), (8, Err(libc::EIO))]);
    send_message(unsafe { MsgRing::new(&to, 9, 0) }.pass_flags(CqeFlags::MORE)).unwrap();
    assert_eq!(to.wait(1).unwrap().next().unwrap().flags(), CqeFlags::MORE);
}

#[test]
fn a_message_without_a_ring_is_a_plain_one_to_a_ring_that_runs() {
    require!(is_at_least(6, 13), "Linux 6.13");
    let null = File::open("/dev/null").unwrap();
    refused(unsafe { MsgRing::new(&null, 1, 1) }, libc::EBADFD);
    let to = ring(4);
    refused(unsafe { MsgRing::new(&to, 1, 1) }.flags(SqeFlags::IO_LINK), libc::EINVAL);
    let disabled: Ring = Ring::builder(4).disabled().build().unwrap();
    refused(unsafe { MsgRing::new(&disabled, 1, 1) }, libc::EBADFD);
}

#[test]
fn an_older_kernel_refuses_a_message_without_a_ring() {
    if !is_at_least(6, 13) {
        let to = ring(4);
        refused(unsafe { MsgRing::new(&to, 1, 1) }, libc::EINVAL);
    }
}
