//! Words of memory to sleep on.

use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use tests::require;
use uring::op::futex::{FutexFlags, FutexWait, FutexWaiter, FutexWaitv, FutexWake};
use uring::{Op, Ring};

use super::common::{has, next, push, ring, run, take};

const U32: FutexFlags = FutexFlags::SIZE_U32;

fn private() -> FutexFlags {
    U32 | FutexFlags::PRIVATE
}

/// Pushes a request that sleeps, and sees that it does.
#[track_caller]
fn sleeps(ring: &mut Ring, request: impl Into<uring::Sqe>) {
    push(ring, request);
    ring.submit().unwrap();
    assert_eq!(ring.completions().unwrap().count(), 0, "it sleeps");
}

#[test]
fn a_sleeping_request_is_woken_by_another() {
    let futex = AtomicU32::new(7);
    let mut ring = ring();
    require!(has(&ring, Op::FUTEX_WAIT), "Linux 6.7");
    for flags in [U32, private()] {
        sleeps(&mut ring, unsafe { FutexWait::new(&raw const futex, 7, flags) }.user_data(1));
        push(&mut ring, unsafe { FutexWake::new(&raw const futex, 5, flags) }.user_data(2));
        assert_eq!(take(&mut ring, 2), [(1, Ok(0)), (2, Ok(1))]);
    }
    let wake = unsafe { FutexWake::new(&raw const futex, 5, private()) };
    assert_eq!(run(&mut ring, wake), Ok(0), "nobody sleeps");
}

#[test]
fn a_sleeping_thread_is_woken_by_a_request() {
    let futex = AtomicU32::new(0);
    let mut ring = ring();
    require!(has(&ring, Op::FUTEX_WAKE), "Linux 6.7");
    thread::scope(|scope| {
        let sleeper = scope.spawn(|| {
            while futex.load(Ordering::Acquire) == 0 {
                let flags = libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG;
                unsafe { libc::syscall(libc::SYS_futex, &raw const futex, flags, 0, 0_usize) };
            }
        });
        futex.store(1, Ordering::Release);
        let wake = unsafe { FutexWake::new(&raw const futex, 1, private()) };
        assert!(run(&mut ring, wake).is_ok_and(|woken| woken <= 1));
        sleeper.join().unwrap();
    });
}

#[test]
fn a_request_does_not_sleep_on_another_value() {
    let futex = AtomicU32::new(7);
    let mut ring = ring();
    require!(has(&ring, Op::FUTEX_WAIT), "Linux 6.7");
    let wait = unsafe { FutexWait::new(&raw const futex, 8, private()) };
    assert_eq!(run(&mut ring, wait), Err(libc::EAGAIN));
    let wait = unsafe { FutexWait::new(&raw const futex, 7, private()) };
    assert_eq!(run(&mut ring, wait.mask(0)), Err(libc::EINVAL));
}

#[test]
fn a_mask_chooses_who_is_woken() {
    let futex = AtomicU32::new(7);
    let mut ring = ring();
    require!(has(&ring, Op::FUTEX_WAIT), "Linux 6.7");
    let wait = || unsafe { FutexWait::new(&raw const futex, 7, private()) };
    sleeps(&mut ring, wait().mask(0b01).user_data(1));
    sleeps(&mut ring, wait().mask(0b10).user_data(2));
    let wake = unsafe { FutexWake::new(&raw const futex, 9, private()) };
    push(&mut ring, wake.mask(0b10).user_data(3));
    assert_eq!(take(&mut ring, 2), [(2, Ok(0)), (3, Ok(1))]);
    let wake = unsafe { FutexWake::new(&raw const futex, 9, private()) };
    push(&mut ring, wake.user_data(4));
    assert_eq!(take(&mut ring, 2), [(1, Ok(0)), (4, Ok(1))]);
}

#[test]
fn one_of_several_futexes_wakes() {
    let futexes = [AtomicU32::new(0), AtomicU32::new(1), AtomicU32::new(2)];
    let waiters: Vec<_> =
        (0..3).map(|nth| FutexWaiter::new(&raw const futexes[nth as usize], nth, private())).collect();
    let mut ring = ring();
    require!(has(&ring, Op::FUTEX_WAITV), "Linux 6.7");
    sleeps(&mut ring, unsafe { FutexWaitv::new(waiters.as_ptr(), 3) }.user_data(1));
    push(&mut ring, unsafe { FutexWake::new(&raw const futexes[2], 1, private()) }.user_data(2));
    assert_eq!(take(&mut ring, 2), [(1, Ok(2)), (2, Ok(1))]);

    futexes[0].store(9, Ordering::Relaxed);
    push(&mut ring, unsafe { FutexWaitv::new(waiters.as_ptr(), 3) });
    assert_eq!(next(&mut ring).1, Err(libc::EAGAIN));
    assert_eq!(run(&mut ring, unsafe { FutexWaitv::new(waiters.as_ptr(), 129) }), Err(libc::EINVAL));
}
