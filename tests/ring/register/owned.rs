//! Registered buffers that own their memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tests::files::{TempFile, check};
use tests::late::Disk;
use tests::{in_child, or_skip, require};
use uring::op::rw::{ReadFixed, WriteFixed};
use uring::ring::{BufferMemory, CloneBuffers, RegisteredBuffers};
use uring::{Op, RegisterOp, Restrictions, Ring};

use super::common::*;

const SIZE: usize = 4096;

/// Memory that counts how many of it are freed.
#[derive(Debug)]
struct Counted(Box<[u8]>, Arc<AtomicU32>);

unsafe impl BufferMemory for Counted {
    fn start(&mut self) -> *mut u8 {
        self.0.as_mut_ptr()
    }

    fn size(&self) -> usize {
        self.0.len()
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.1.fetch_add(1, Ordering::Relaxed);
    }
}

/// Two buffers of a ring, and how many of them are freed.
fn two(ring: &Ring) -> (RegisteredBuffers<Counted>, Arc<AtomicU32>) {
    let freed = Arc::new(AtomicU32::new(0));
    let memory = (0..2).map(|_| Counted(vec![0; SIZE].into(), freed.clone())).collect();
    (ring.registrar().register_owned_buffers(memory).unwrap(), freed)
}

fn read_all<B: BufferMemory>(ring: &mut Ring, file: &TempFile, buffers: &RegisteredBuffers<B>) {
    for index in 0..buffers.len() as u16 {
        let len = buffers.get(index).len();
        let offset = u64::from(index);
        let read = unsafe { ReadFixed::new(file.file(), buffers.as_mut_ptr(index), len, index, offset) };
        assert_eq!(run(ring, read), Ok(len as u32));
        check(buffers.get(index), offset);
    }
}

fn has_buffers(ring: &Ring) -> bool {
    ring.registrar().unregister_buffers().is_ok()
}

/// Kilobytes that this process has pinned.
fn pinned() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmPin")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn buffers_of_each_kind_are_read_and_written() {
    let (file, sink) = (TempFile::new(4 * SIZE), TempFile::empty());
    let mut ring = ring(4);
    let boxes: Vec<Box<[u8]>> = vec![vec![0; SIZE].into(), vec![0; 10].into()];
    let boxes = ring.registrar().register_owned_buffers(boxes).unwrap();
    read_all(&mut ring, &file, &boxes);
    assert_eq!(boxes.unregister().unwrap()[1].len(), 10);

    let mut vecs = ring.registrar().register_owned_buffers(vec![vec![1; SIZE]; 3]).unwrap();
    read_all(&mut ring, &file, &vecs);
    vecs.get_mut(2)[..5].copy_from_slice(b"hello");
    let write = unsafe { WriteFixed::new(sink.file(), vecs.as_mut_ptr(2), 5, 2, 0) };
    assert_eq!(run(&mut ring, write), Ok(5));
    assert_eq!(std::fs::read(sink.path()).unwrap(), b"hello");
    assert!(format!("{vecs:?}").contains("RegisteredBuffers"));
    drop(vecs);
    assert!(!has_buffers(&ring));
}

#[test]
fn what_is_not_registered_is_given_back() {
    let ring = ring(4);
    let refused = ring.registrar().register_owned_buffers(Vec::<Vec<u8>>::new()).unwrap_err();
    assert_eq!(refused.error.raw_os_error(), Some(libc::EINVAL));
    let refused = ring.registrar().register_owned_buffers(vec![vec![7; 10], Vec::new()]).unwrap_err();
    assert_eq!(refused.error.raw_os_error(), Some(libc::EFAULT));
    assert_eq!(refused.buffers, [vec![7; 10], Vec::new()]);
    let (_buffers, freed) = two(&ring);
    let refused = ring.registrar().register_owned_buffers(vec![vec![7; 10]]).unwrap_err();
    assert!(refused.to_string().contains("unregister"), "{refused}");
    assert_eq!(refused.buffers, [vec![7; 10]]);
    assert_eq!(freed.load(Ordering::Relaxed), 0);
}

#[test]
fn buffers_are_unregistered_before_they_are_freed_whichever_goes_first() {
    in_child!(|| {
        let counts = std::thread::spawn(|| {
            // What the privileged pin is counted by some kernels only.
            drop_privileges();
            let kept = ring(4);
            let (buffers, freed) = two(&kept);
            let counts = pinned() > 0;
            drop(buffers);
            assert_eq!((freed.load(Ordering::Relaxed), pinned()), (2, 0));
            assert!(!has_buffers(&kept));

            let (buffers, freed) = two(&kept);
            drop(kept);
            assert_eq!((freed.load(Ordering::Relaxed), pinned()), (0, 0));
            drop(buffers);
            assert_eq!(freed.load(Ordering::Relaxed), 2);

            let closed = ring(4);
            let (buffers, freed) = two(&closed);
            closed.close().unwrap();
            assert_eq!(buffers.unregister().map_err(|(error, _)| error).unwrap().len(), 2);
            assert_eq!((freed.load(Ordering::Relaxed), pinned()), (2, 0));

            let (submissions, completions) = ring(4).split().unwrap();
            let registered = submissions.registrar().register_owned_buffers(vec![vec![0; SIZE]]);
            drop(submissions);
            drop(completions);
            assert_eq!(pinned(), 0);
            drop(registered);
            counts
        });
        require!(counts.join().unwrap(), "this kernel does not count pinned memory");
    });
}

#[test]
fn a_hundred_rings_and_buffers_in_either_order_leave_nothing() {
    let file = TempFile::new(2 * SIZE);
    for round in 0..100 {
        let mut ring = ring(2);
        let (buffers, freed) = two(&ring);
        read_all(&mut ring, &file, &buffers);
        if round % 2 == 0 {
            drop(ring);
            check(buffers.get(1), 1);
            drop(buffers);
        } else {
            drop(buffers);
            drop(ring);
        }
        assert_eq!(freed.load(Ordering::Relaxed), 2);
    }
}

#[test]
fn owners_of_buffers_that_are_no_longer_registered_touch_no_others() {
    let file = TempFile::new(2 * SIZE);
    let mut ring = ring(4);
    let (first, freed) = two(&ring);
    ring.registrar().unregister_buffers().unwrap();
    let (second, _) = two(&ring);
    drop(first);
    assert_eq!(freed.load(Ordering::Relaxed), 2);
    read_all(&mut ring, &file, &second);
    ring.registrar().unregister_buffers().unwrap();
    let mut raw = vec![0; SIZE];
    unsafe { ring.registrar().register_buffers(&[iovec(&mut raw)]) }.unwrap();
    drop(second.unregister().unwrap());
    assert!(has_buffers(&ring));
}

#[test]
fn buffers_outlive_a_ring_that_is_dropped_during_a_read() {
    let disk = or_skip!(Disk::new(4096));
    let file = disk.open();
    let mut ring = ring(4);
    let (mut buffers, freed) = two(&ring);
    let read = unsafe { ReadFixed::new(&file, buffers.as_mut_ptr(0), SIZE, 0, 0) };
    ring.push(read).unwrap();
    ring.submit().unwrap();
    drop(ring);
    buffers.get_mut(0).fill(0xee);
    std::thread::sleep(2 * tests::late::DELAY);
    assert!(buffers.get(0).iter().all(|byte| *byte == 0xee), "the kernel wrote after the end");
    drop(buffers);
    assert_eq!(freed.load(Ordering::Relaxed), 2);
}

#[test]
fn owners_in_another_thread_and_a_ring_end_side_by_side() {
    for _ in 0..200 {
        let ring = ring(2);
        let (buffers, freed) = two(&ring);
        let other = std::thread::spawn(|| drop(buffers));
        drop(ring);
        other.join().unwrap();
        assert_eq!(freed.load(Ordering::Relaxed), 2);
    }
}

#[test]
fn what_a_restricted_ring_does_not_unregister_lives_as_long_as_the_ring() {
    let only = RegisterOp::REGISTER_BUFFERS;
    let restrictions = Restrictions::new().allow_op(Op::READ_FIXED).allow_register(only);
    let restricted = || Ring::builder(4).restrictions(restrictions.clone()).build().unwrap();
    let file = TempFile::new(2 * SIZE);
    let mut ring: Ring = restricted();
    let (buffers, freed) = two(&ring);
    read_all(&mut ring, &file, &buffers);
    let (error, buffers) = buffers.unregister().unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::EACCES), "{error}");
    drop(buffers);
    assert_eq!(freed.load(Ordering::Relaxed), 0);
    drop(ring);
    assert_eq!(freed.load(Ordering::Relaxed), 2);

    let ring = restricted();
    let (buffers, freed) = two(&ring);
    drop(ring);
    drop(buffers);
    assert_eq!(freed.load(Ordering::Relaxed), 2);
}

#[test]
fn what_another_thread_cannot_unregister_lives_as_long_as_the_ring() {
    let mut ring = ring_of_this_thread();
    require!(kernel_is_at_least(6, 1), "Linux 6.1");
    nops(&mut ring, 0, 1);
    assert_eq!(take(&mut ring, 1), [(0, Ok(0))]);
    let (buffers, freed) = two(&ring);
    std::thread::spawn(|| drop(buffers)).join().unwrap();
    assert_eq!(freed.load(Ordering::Relaxed), 0);
    drop(ring);
    assert_eq!(freed.load(Ordering::Relaxed), 2);
}

fn ring_of_this_thread() -> Ring {
    if kernel_is_at_least(6, 0) { Ring::builder(4).single_issuer().build().unwrap() } else { ring(4) }
}

#[test]
fn a_clone_of_owned_buffers_has_nothing_to_do_with_their_end() {
    let file = TempFile::new(2 * SIZE);
    let (source, mut target) = (ring(4), ring(4));
    require!(kernel_is_at_least(6, 12), "Linux 6.12");
    let (buffers, freed) = two(&source);
    target.registrar().clone_buffers(source.registrar(), &CloneBuffers::all()).unwrap();
    drop(source);
    read_all(&mut target, &file, &buffers);
    drop(buffers);
    assert_eq!(freed.load(Ordering::Relaxed), 2);
    assert!(has_buffers(&target));
}

#[test]
fn a_forked_child_frees_its_copy_and_leaves_the_ring_alone() {
    in_child!(|| {
        let file = TempFile::new(2 * SIZE);
        let mut ring = ring(4);
        let (buffers, freed) = two(&ring);
        let answer = tests::fork::ask(|| {
            drop(unsafe { std::ptr::read(&raw const buffers) });
            freed.load(Ordering::Relaxed).to_string()
        });
        assert_eq!(answer, "2");
        read_all(&mut ring, &file, &buffers);
        drop(buffers);
        assert!(!has_buffers(&ring));
    });
}
