//! Each operation of a request that fails has its own result.

use std::fs::File;
use std::sync::{Arc, LazyLock};

use engine::{IoBuf, IoBufMut};
use tests::files::{check, pread};
use tests::late::Disk;
use tests::{in_child, limits, or_skip};

use crate::common::*;
use crate::each_backend;

/// A block of memory, or one that nobody may touch: the kernel says `EFAULT`, and nothing is harmed.
enum Memory {
    Good(AlignedBuf),
    Bad,
}

/// A page without any right, which stays mapped.
fn forbidden() -> *mut u8 {
    static PAGE: LazyLock<usize> = LazyLock::new(|| {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        // SAFETY: a new mapping touches nothing that there is.
        let page = unsafe { libc::mmap(std::ptr::null_mut(), BLOCK, libc::PROT_NONE, flags, -1, 0) };
        assert_ne!(page, libc::MAP_FAILED);
        page.expose_provenance()
    });
    std::ptr::with_exposed_provenance_mut(*PAGE)
}

// SAFETY: `Good` keeps it; the address of `Bad` may not be touched, and nobody but the kernel, which minds that, ever follows it.
unsafe impl IoBuf for Memory {
    fn stable_ptr(&self) -> *const u8 {
        match self {
            Self::Good(buffer) => buffer.stable_ptr(),
            Self::Bad => forbidden(),
        }
    }

    fn bytes_init(&self) -> usize {
        BLOCK
    }
}

// SAFETY: as above.
unsafe impl IoBufMut for Memory {
    fn stable_mut_ptr(&mut self) -> *mut u8 {
        self.stable_ptr().cast_mut()
    }

    fn bytes_total(&self) -> usize {
        BLOCK
    }

    unsafe fn set_init(&mut self, _count: usize) {}
}

#[test]
fn an_error_in_the_middle_of_a_request_is_that_of_one_operation() {
    for kind in each_backend!() {
        for (bad, writes) in [(0, false), (2, false), (4, false), (2, true)] {
            let (temporary, file) = temporary(5 * BLOCK);
            let driver: Driver<Arc<File>, Memory> = options(kind, 8).merge(1 << 20).build().unwrap();
            let (sender, receiver) = std::sync::mpsc::channel();
            let (entered, inside) = std::sync::mpsc::channel();
            let (open, opened) = std::sync::mpsc::channel::<()>();
            let plug = Box::new(move |_| {
                entered.send(()).unwrap();
                let _ = opened.recv();
            });
            driver.submit(Sync::all(file.clone()), plug).unwrap();
            inside.recv_timeout(PATIENCE).unwrap();
            for block in 0..5 {
                let filled = || tests::files::content(5_000_000 + (block * BLOCK) as u64, BLOCK);
                let memory = match block {
                    _ if block == bad => Memory::Bad,
                    _ if writes => Memory::Good(AlignedBuf::from_slice(&filled())),
                    _ => Memory::Good(AlignedBuf::new(BLOCK)),
                };
                let at = (block * BLOCK) as u64;
                let sender = sender.clone();
                let callback: Boxed<_, _> = Box::new(move |outcome| sender.send((block, outcome)).unwrap());
                if writes {
                    driver.submit(Write::new(file.clone(), memory, at), callback).unwrap();
                } else {
                    driver.submit(Read::new(file.clone(), memory, at), callback).unwrap();
                }
            }
            drop(open);
            for _ in 0..5 {
                let (block, outcome) = receiver.recv_timeout(PATIENCE).unwrap();
                let expected = if block == bad { Some(libc::EFAULT) } else { None };
                assert_eq!(errno(&outcome.result), expected, "{kind}, block {block}, bad {bad}, {writes}");
                let at = (block * BLOCK) as u64;
                match outcome.operation.into_buffer().unwrap() {
                    Memory::Good(_) if writes => {
                        check(&pread(temporary.file(), at, BLOCK), 5_000_000 + at);
                    }
                    Memory::Good(buffer) => check(&buffer, at),
                    Memory::Bad => assert_eq!(block, bad),
                }
            }
            let stats = driver.stats();
            // What came before the bad one is not done again.
            assert_eq!((stats.merged, stats.reruns), (5, 5 - bad as u64), "{kind}");
        }
    }
}

#[test]
fn writes_past_a_limit_fail_one_by_one_and_those_before_it_do_not() {
    in_child!(|| {
        limits::ignore(libc::SIGXFSZ);
        limits::set(libc::RLIMIT_FSIZE, (2 * BLOCK + 100) as u64);
        for kind in each_backend!() {
            let (temporary, file) = temporary(0);
            let driver = driver(&options(kind, 8).merge(1 << 20));
            let results = Results::new();
            let plug = Plug::new(&driver);
            for block in 0..5 {
                let at = block * BLOCK;
                driver.submit(write(&file, BLOCK, at, at as u64), results.tagged(block)).unwrap();
            }
            drop(plug);
            let outcomes: Vec<_> = results
                .take(5)
                .into_iter()
                .map(|(_, outcome)| (errno(&outcome.result), outcome.transferred))
                .collect();
            let too_big = Some(libc::EFBIG);
            assert_eq!(
                outcomes,
                [(None, BLOCK), (None, BLOCK), (too_big, 100), (too_big, 0), (too_big, 0)],
                "{kind}"
            );
            assert_eq!(driver.stats().merged, 5);
            check(&pread(temporary.file(), 0, 5 * BLOCK), 0);
        }
    });
}

#[test]
fn a_request_that_a_disk_fails_is_made_again_one_by_one() {
    for kind in each_backend!() {
        let disk = or_skip!(Disk::held(16 * BLOCK));
        let file = Arc::new(disk.open());
        let driver = driver(&options(kind, 8).merge(1 << 20));
        let results = Results::new();
        let plug = Plug::new(&driver);
        for block in 0..6 {
            driver.submit(read(&file, BLOCK, block * BLOCK), results.tagged(block)).unwrap();
        }
        disk.fail_with(Some(libc::EIO));
        drop(plug);
        disk.wait_for_requests(1);
        // All of the second attempts arrive before one of them is answered, and one after the other.
        disk.fail_with(None);
        disk.release();
        for (block, outcome) in results.take(6) {
            assert_eq!(outcome.result.unwrap(), BLOCK);
            check(&outcome.operation.into_buffer().unwrap(), (block * BLOCK) as u64);
        }
        assert_eq!((disk.requests(), driver.stats().reruns), (7, 6), "{kind}");
        disk.fail_with(Some(libc::EIO));
        let plug = Plug::new(&driver);
        for block in 0..3 {
            driver.submit(read(&file, BLOCK, block * BLOCK), results.tagged(block)).unwrap();
        }
        drop(plug);
        for (_, outcome) in results.take(3) {
            assert_eq!((errno(&outcome.result), outcome.transferred), (Some(libc::EIO), 0));
        }
    }
}
