//! Buffers provided one by one.

use std::io::Write;
use std::os::unix::net::UnixStream;

use tests::require;
use uring::op::buffers::{ProvideBuffers, RemoveBuffers};
use uring::op::net::RecvSelect;
use uring::ring::BufRingOptions;

use crate::ops::common::{NOWHERE, kernel_is_at_least, push, ring, run};

const GROUP: u16 = 7;

#[test]
fn buffers_are_provided_used_and_provided_again() {
    let (near, mut far) = UnixStream::pair().unwrap();
    let mut memory = [0u8; 24];
    let start = memory.as_mut_ptr();
    let mut ring = ring();
    assert!(run(&mut ring, unsafe { ProvideBuffers::new(start, 8, 3, GROUP, 10) }).is_ok());
    far.write_all(&[5; 100]).unwrap();
    let mut taken = Vec::new();
    for _ in 0..3 {
        push(&mut ring, unsafe { RecvSelect::new(&near, GROUP, 8, 0) });
        let cqe = ring.wait(1).unwrap().next().unwrap();
        assert_eq!(cqe.result().unwrap(), 8);
        taken.push(cqe.buffer_id().expect("a buffer"));
    }
    let recv = || unsafe { RecvSelect::new(&near, GROUP, 8, 0) };
    assert_eq!(run(&mut ring, recv()), Err(libc::ENOBUFS));
    assert!(run(&mut ring, unsafe { ProvideBuffers::new(start, 8, 1, GROUP, 77) }).is_ok());
    push(&mut ring, recv());
    taken.push(ring.wait(1).unwrap().next().unwrap().buffer_id().expect("a buffer"));
    drop(ring);
    assert_eq!(memory, [5; 24]);
    assert_eq!(taken.pop(), Some(77));
    taken.sort_unstable();
    assert_eq!(taken, [10, 11, 12]);
}

#[test]
fn buffers_are_removed() {
    let mut memory = [0u8; 24];
    let mut ring = ring();
    assert_eq!(run(&mut ring, RemoveBuffers::new(1, GROUP)), Err(libc::ENOENT));
    assert!(run(&mut ring, unsafe { ProvideBuffers::new(memory.as_mut_ptr(), 8, 3, GROUP, 0) }).is_ok());
    assert_eq!(run(&mut ring, RemoveBuffers::new(2, GROUP)), Ok(2));
    assert_eq!(run(&mut ring, RemoveBuffers::new(2, GROUP)), Ok(1));
}

#[test]
fn numbers_have_sixteen_bits_and_memory_is_the_process_s() {
    let mut memory = [0u8; 24];
    let mut ring = ring();
    let nowhere = NOWHERE.wrapping_sub(4096);
    assert_eq!(run(&mut ring, unsafe { ProvideBuffers::new(nowhere, 8, 1, GROUP, 0) }), Err(libc::EFAULT));
    require!(kernel_is_at_least(6, 1), "Linux 6.1");
    let provide = unsafe { ProvideBuffers::new(memory.as_mut_ptr(), 1, 2, GROUP, u16::MAX) };
    let refused = run(&mut ring, provide);
    assert!([Err(libc::E2BIG), Err(libc::EINVAL)].contains(&refused), "{refused:?}");
}

#[test]
fn a_group_is_of_one_kind() {
    let mut memory = [0u8; 24];
    let mut ring = ring();
    require!(kernel_is_at_least(5, 19), "Linux 5.19");
    let provide =
        |memory: &mut [u8], group| unsafe { ProvideBuffers::new(memory.as_mut_ptr(), 8, 3, group, 0) };
    assert!(run(&mut ring, provide(&mut memory, 1)).is_ok());
    let options = BufRingOptions::new(4, 16);
    let error = ring.registrar().register_buf_ring(1, &options).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::EEXIST), "{error}");
    let _buffers = ring.registrar().register_buf_ring(2, &options).unwrap();
    assert_eq!(run(&mut ring, provide(&mut memory, 2)), Err(libc::EINVAL));
    assert_eq!(run(&mut ring, RemoveBuffers::new(1, 2)), Err(libc::EINVAL));
}
