//! The table of buffers.

use std::ptr;

use tests::files::{AlignedBuf, TempFile, check};
use tests::{in_child, require};
use uring::op::rw::ReadFixed;
use uring::ring::CloneBuffers;
use uring::{Cqe, Ring, Sqe, URingContext};

use super::common::*;

const SIZE: usize = 4096;
const EMPTY: libc::iovec = libc::iovec { iov_base: ptr::null_mut(), iov_len: 0 };

fn three() -> [AlignedBuf; 3] {
    [AlignedBuf::new(SIZE), AlignedBuf::new(SIZE), AlignedBuf::new(SIZE)]
}

/// Reads to a buffer by the number of its place.
fn read(ring: &mut Ring, file: &TempFile, buffer: &mut [u8], index: u16) -> Result<u32, i32> {
    buffer.fill(0);
    let read = unsafe { ReadFixed::new(file.file(), buffer.as_mut_ptr(), buffer.len(), index, 3) };
    let result = run(ring, read);
    if result.is_ok() {
        check(buffer, 3);
    }
    result
}

const ALL: Result<u32, i32> = Ok(SIZE as u32);
const NONE: Result<u32, i32> = Err(libc::EFAULT);

#[test]
fn a_tag_tells_when_the_kernel_has_let_go_of_a_buffer() {
    let file = TempFile::new(2 * SIZE);
    let mut buffers = three();
    let [a, b, c] = &mut buffers;
    let mut ring = ring(4);
    require!(kernel_is_at_least(5, 13), "Linux 5.13");
    let registered = [iovec(a), iovec(b), EMPTY];
    unsafe { ring.registrar().register_buffers_tagged(&registered, &[60, 70, 0]) }.unwrap();
    assert_eq!(read(&mut ring, &file, a, 0), ALL);
    assert_eq!(read(&mut ring, &file, b, 1), ALL);
    assert_eq!(read(&mut ring, &file, c, 2), NONE);

    let update = [EMPTY, iovec(c)];
    assert_eq!(unsafe { ring.registrar().update_buffers_tagged(1, &update, &[0, 80]) }.unwrap(), 2);
    assert_eq!(take(&mut ring, 1), [(70, Ok(0))]);
    assert_eq!(read(&mut ring, &file, a, 0), ALL);
    assert_eq!(read(&mut ring, &file, b, 1), NONE);
    assert_eq!(read(&mut ring, &file, c, 2), ALL);
    assert_eq!(unsafe { ring.registrar().update_buffers(0, &[iovec(b)]) }.unwrap(), 1);
    assert_eq!(take(&mut ring, 1), [(60, Ok(0))]);
    assert_eq!(read(&mut ring, &file, b, 0), ALL);
    ring.registrar().unregister_buffers().unwrap();
    if kernel_is_at_least(6, 13) {
        assert_eq!(take(&mut ring, 1), [(80, Ok(0))]);
    }
    assert_eq!(ring.completions().unwrap().count(), 0);
}

#[test]
fn a_sparse_table_is_filled_by_updates() {
    let file = TempFile::new(2 * SIZE);
    let mut buffers = three();
    let mut ring = ring(4);
    if !kernel_is_at_least(5, 19) {
        refused(ring.registrar().register_buffers_sparse(2), libc::EINVAL, "this kernel knows");
        tests::skip!("Linux 5.19");
    }
    refused(ring.registrar().register_buffers_sparse(0), libc::EINVAL, "none");
    refused(ring.registrar().register_buffers_sparse(16_385), libc::EINVAL, "more than 16384");
    ring.registrar().register_buffers_sparse(2).unwrap();
    refused(ring.registrar().register_buffers_sparse(2), libc::EBUSY, "unregister");
    assert_eq!(read(&mut ring, &file, &mut buffers[0], 1), NONE);
    let update = [iovec(&mut buffers[0])];
    assert_eq!(unsafe { ring.registrar().update_buffers(1, &update) }.unwrap(), 1);
    assert_eq!(read(&mut ring, &file, &mut buffers[0], 1), ALL);
    assert_eq!(read(&mut ring, &file, &mut buffers[0], 0), NONE);
}

#[test]
fn what_makes_no_sense_is_refused_with_a_reason() {
    let mut buffers = three();
    let [a, b, _] = &mut buffers;
    let ring = ring(4);
    let registrar = ring.registrar();
    let two = [iovec(a), EMPTY];
    let unmapped = libc::iovec { iov_base: ptr::without_provenance_mut(SIZE), iov_len: SIZE };
    refused(unsafe { registrar.register_buffers(&[]) }, libc::EINVAL, "none");
    refused(unsafe { registrar.register_buffers(&[unmapped]) }, libc::EFAULT, "not mapped");
    refused(registrar.unregister_buffers(), libc::ENXIO, "none are registered");
    let tagged = |tags: &[u64]| unsafe { registrar.register_buffers_tagged(&two, tags) };
    refused(tagged(&[1]), libc::EINVAL, "1 tags for 2 places");
    require!(kernel_is_at_least(5, 13), "Linux 5.13");
    refused(tagged(&[1, 1]), libc::EINVAL, "empty place");
    let update = |first, iovecs: &[_]| unsafe { registrar.update_buffers(first, iovecs) };
    refused(update(0, &[EMPTY]), libc::ENXIO, "none are registered");
    tagged(&[0, 0]).unwrap();
    refused(tagged(&[0, 0]), libc::EBUSY, "unregister");
    refused(update(2, &[EMPTY]), libc::EINVAL, "past the end");
    refused(update(1, &[EMPTY, EMPTY]), libc::EINVAL, "past the end");
    assert!(update(u32::MAX, &[EMPTY, EMPTY]).is_err());
    refused(update(0, &[unmapped]), libc::EFAULT, "not mapped");
    assert_eq!(update(1, &[iovec(b), unmapped]).map_err(|error| error.to_string()).unwrap_or(0), 0);
    let update = unsafe { registrar.update_buffers_tagged(0, &[EMPTY], &[]) };
    refused(update, libc::EINVAL, "0 tags for 1 places");
}

#[test]
fn a_context_which_counts_its_completions_takes_no_tags() {
    let mut buffers = three();
    let context = URingContext::new(4).unwrap();
    let tagged = unsafe { context.registrar().register_buffers_tagged(&[iovec(&mut buffers[0])], &[1]) };
    refused(tagged, libc::EINVAL, "take a `Ring`");
}

fn clone(target: &Ring, source: &Ring, which: &CloneBuffers) -> uring::Result<()> {
    target.registrar().clone_buffers(source.registrar(), which)
}

#[test]
fn the_buffers_of_one_ring_are_those_of_another() {
    let file = TempFile::new(2 * SIZE);
    let mut buffers = three();
    let [a, b, c] = &mut buffers;
    let (mut source, mut target) = (ring(4), ring(4));
    if !kernel_is_at_least(6, 12) {
        refused(clone(&target, &source, &CloneBuffers::all()), libc::EINVAL, "this kernel knows");
        tests::skip!("Linux 6.12");
    }
    refused(clone(&target, &source, &CloneBuffers::all()), libc::ENXIO, "none are registered");
    let three = [iovec(a), iovec(b), iovec(c)];
    unsafe { source.registrar().register_buffers(&three) }.unwrap();
    clone(&target, &source, &CloneBuffers::all()).unwrap();
    refused(clone(&target, &source, &CloneBuffers::all()), libc::EBUSY, "unregister");
    for (index, buffer) in (0..).zip([&mut *a, b, c]) {
        assert_eq!(read(&mut target, &file, buffer, index), ALL);
    }
    source.registrar().unregister_buffers().unwrap();
    assert_eq!(read(&mut source, &file, a, 0), NONE);
    assert_eq!(read(&mut target, &file, a, 0), ALL, "each has a table of its own");
    drop(source);
    assert_eq!(read(&mut target, &file, b, 1), ALL);
    target.registrar().unregister_buffers().unwrap();
}

#[test]
fn some_buffers_are_put_where_they_are_wanted() {
    let file = TempFile::new(2 * SIZE);
    let mut buffers = three();
    let [a, b, c] = &mut buffers;
    let (source, mut target) = (ring(4), ring(4));
    require!(kernel_is_at_least(6, 13), "Linux 6.13");
    let (from, to) = ([iovec(a), iovec(b)], [iovec(c)]);
    unsafe { source.registrar().register_buffers(&from) }.unwrap();
    unsafe { target.registrar().register_buffers(&to) }.unwrap();
    let one = CloneBuffers::range(1..2).at(2);
    refused(clone(&target, &source, &one), libc::EBUSY, "unregister");
    refused(clone(&target, &source, &CloneBuffers::range(1..1)), libc::EINVAL, "none to clone");
    assert!(clone(&target, &source, &CloneBuffers::range(1..4).replace()).is_err(), "there are two");
    clone(&target, &source, &one.replace()).unwrap();
    assert_eq!(read(&mut target, &file, c, 0), ALL);
    assert_eq!(read(&mut target, &file, b, 1), NONE);
    assert_eq!(read(&mut target, &file, b, 2), ALL);
    clone(&target, &source, &CloneBuffers::range(0..1).replace()).unwrap();
    assert_eq!(read(&mut target, &file, c, 0), NONE);
    assert_eq!(read(&mut target, &file, a, 0), ALL);
}

#[test]
fn buffers_are_cloned_from_a_ring_without_a_descriptor() {
    let file = TempFile::new(2 * SIZE);
    let mut buffers = three();
    require!(kernel_is_at_least(6, 12), "Linux 6.12");
    let source: Ring = Ring::builder(4).no_mmap().registered_fd_only().build().unwrap();
    let mut target = ring(4);
    unsafe { source.registrar().register_buffers(&[iovec(&mut buffers[0])]) }.unwrap();
    target.registrar().clone_buffers(source.registrar(), &CloneBuffers::all()).unwrap();
    assert_eq!(read(&mut target, &file, &mut buffers[0], 0), ALL);
}

#[test]
fn a_limit_on_pinned_memory_is_named() {
    in_child!(|| {
        tests::limits::set(libc::RLIMIT_MEMLOCK, 64 << 10);
        let refusal = std::thread::spawn(|| {
            drop_privileges();
            let mut large = vec![0; 1 << 20];
            let ring: Ring<Sqe, Cqe> = ring(1);
            unsafe { ring.registrar().register_buffers(&[iovec(&mut large)]) }
        });
        refused(refusal.join().unwrap(), libc::ENOMEM, "RLIMIT_MEMLOCK");
    });
}
