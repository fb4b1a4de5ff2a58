//! Whatever becomes of an engine, its memory is free only when the kernel has let go of it.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use engine::operation::{Operations, Poll, Read, Write};
use engine::{AlignedBuf, Engine, IoBuf, IoBufMut};
use tests::files;
use tests::late::Disk;
use tests::{or_skip, seccomp};

use crate::common::*;

/// A buffer that shows whether it was dropped, and checks then that what was to be read is in it.
struct Watched {
    buffer: AlignedBuf,
    offset: u64,
    dropped: Arc<AtomicBool>,
}

impl Watched {
    fn new(offset: u64) -> (Self, Arc<AtomicBool>) {
        let dropped = Arc::new(AtomicBool::new(false));
        (Self { buffer: AlignedBuf::new(BLOCK), offset, dropped: dropped.clone() }, dropped)
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        // Before the kernel has written it, it is all zeroes.
        files::check(&self.buffer, self.offset);
        self.dropped.store(true, Ordering::SeqCst);
    }
}

unsafe impl IoBuf for Watched {
    fn stable_ptr(&self) -> *const u8 {
        self.buffer.stable_ptr()
    }

    fn bytes_init(&self) -> usize {
        BLOCK
    }
}

unsafe impl IoBufMut for Watched {
    fn stable_mut_ptr(&mut self) -> *mut u8 {
        self.buffer.stable_mut_ptr()
    }

    fn bytes_total(&self) -> usize {
        BLOCK
    }

    unsafe fn set_init(&mut self, _count: usize) {}
}

type Held = Engine<Read<Arc<File>, Watched>>;

/// Three reads that are held by the disk.
fn three_held(engine: &mut Held, disk: &Disk) -> Vec<Arc<AtomicBool>> {
    let file = Arc::new(disk.open());
    let flags = (0..3).map(|nr| {
        let (buffer, dropped) = Watched::new(nr * BLOCK as u64);
        engine.add(Read::new(file.clone(), buffer, nr * BLOCK as u64)).unwrap();
        dropped
    });
    let flags = flags.collect();
    engine.submit().unwrap();
    disk.wait_for_requests(3);
    flags
}

#[track_caller]
fn waits_for_the_disk(mut engine: Held, disk: &Disk, end: impl FnOnce(Held) + Send + 'static) {
    let flags = three_held(&mut engine, disk);
    let (sender, ended) = mpsc::channel();
    let ender = thread::spawn(move || {
        end(engine);
        sender.send(()).unwrap();
    });
    // No measurement: an end that does not wait is caught here if it is quick, and always by the content of the buffers.
    assert!(ended.recv_timeout(Duration::from_millis(200)).is_err(), "over with reads held");
    disk.release_nr(1);
    assert!(ended.recv_timeout(Duration::from_millis(50)).is_err(), "over with reads held");
    assert!(!flags[2].load(Ordering::SeqCst));
    disk.release();
    ender.join().unwrap();
    assert!(flags.iter().all(|dropped| dropped.load(Ordering::SeqCst)));
    assert_eq!(disk.answered(), 3);
}

fn a_drop_waits_until_the_kernel_has_let_go(case: &Case) {
    let engine = case.engine(4);
    let disk = or_skip!(Disk::held(16 * BLOCK));
    waits_for_the_disk(engine, &disk, drop);
}

fn close_waits_until_the_kernel_has_let_go_and_says_so(case: &Case) {
    let engine = case.engine(4);
    let disk = or_skip!(Disk::held(16 * BLOCK));
    waits_for_the_disk(engine, &disk, |engine| engine.close().unwrap());
}

fn a_drop_by_a_panic_waits_as_well(case: &Case) {
    let engine = case.engine(4);
    let disk = or_skip!(Disk::held(16 * BLOCK));
    waits_for_the_disk(engine, &disk, |engine| {
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
            let _engine = engine;
            panic!("on purpose")
        }));
        assert!(caught.is_err());
    });
}

fn an_engine_may_be_leaked_with_all_that_it_has(case: &Case) {
    case.in_child(|| {
        let disk = or_skip!(Disk::held(16 * BLOCK));
        let mut engine: Held = case.engine(4);
        let flags = three_held(&mut engine, &disk);
        std::mem::forget(engine);
        disk.release();
        while disk.answered() < 3 {
            thread::yield_now();
        }
        assert!(flags.iter().all(|dropped| !dropped.load(Ordering::SeqCst)));
    });
}

fn held_writes_reach_the_disk_before_a_drop_comes_back(case: &Case) {
    let mut engine: Engine<Write<File, AlignedBuf>> = case.engine(4);
    let disk = or_skip!(Disk::held(16 * BLOCK));
    let data = AlignedBuf::from_slice(&files::content(1 << 30, BLOCK));
    engine.add(Write::new(disk.open(), data, BLOCK as u64)).unwrap();
    engine.submit().unwrap();
    disk.wait_for_requests(1);
    thread::scope(|threads| {
        let dropper = threads.spawn(move || drop(engine));
        disk.release();
        dropper.join().unwrap();
    });
    files::check(&disk.stored(BLOCK, BLOCK), 1 << 30);
}

fn polls_and_reads_of_streams_end_with_the_engine(case: &Case) {
    let (reader, _writer) = io::pipe().unwrap();
    let reader = Arc::new(File::from(OwnedFd::from(reader)));
    for close in [false, true] {
        let mut engine: Engine<Operations<Arc<File>, Vec<u8>>> = case.engine(4);
        engine.add(Poll { file: reader.clone(), events: libc::POLLIN }.into()).unwrap();
        if !case.is_aio() {
            engine.add(Read::new(reader.clone(), vec![0; 10], 0).into()).unwrap();
        }
        engine.submit().unwrap();
        // Not submitted: it is forgotten.
        engine.add(Read::new(reader.clone(), vec![0; 10], 0).into()).unwrap();
        if close {
            engine.close().unwrap()
        } else {
            drop(engine)
        }
        assert_eq!(Arc::strong_count(&reader), 1);
    }
}

#[test]
fn a_drop_that_may_not_wait_leaks_and_says_so() {
    tests::in_child!(|| {
        let (reader, mut writer) = io::pipe().unwrap();
        let dropped = Arc::new(());
        let options = engine::Options::new(4).only(engine::BackendKind::Uring);
        let mut engine = options.build::<(Read<io::PipeReader, Vec<u8>>, Arc<()>)>().unwrap();
        engine.add((Read::new(reader, vec![0; 10], 0), dropped.clone())).unwrap();
        engine.submit().unwrap();
        or_skip!(seccomp::fail(&[(libc::SYS_io_uring_enter, libc::EPERM)]));
        let said = stderr_of(|| drop(engine));
        assert!(said.contains("1 operations in flight") && said.contains("leaked"), "{said}");
        assert_eq!(Arc::strong_count(&dropped), 2, "freed while the kernel may write to it");
        io::Write::write_all(&mut writer, b"x").unwrap();
    });
}

#[test]
fn a_close_that_may_not_wait_leaks_and_returns_the_errno() {
    tests::in_child!(|| {
        let (reader, _writer) = io::pipe().unwrap();
        let dropped = Arc::new(());
        let options = engine::Options::new(4).only(engine::BackendKind::Uring);
        let mut engine = options.build::<(Read<io::PipeReader, Vec<u8>>, Arc<()>)>().unwrap();
        engine.add((Read::new(reader, vec![0; 10], 0), dropped.clone())).unwrap();
        engine.submit().unwrap();
        or_skip!(seccomp::fail(&[(libc::SYS_io_uring_enter, libc::EPERM)]));
        assert!(engine.wait().is_err());
        assert_eq!(engine.close().unwrap_err().raw_os_error(), Some(libc::EPERM));
        assert_eq!(Arc::strong_count(&dropped), 2);
    });
}

on_each!(
    a_drop_waits_until_the_kernel_has_let_go,
    close_waits_until_the_kernel_has_let_go_and_says_so,
    a_drop_by_a_panic_waits_as_well,
    an_engine_may_be_leaked_with_all_that_it_has,
    held_writes_reach_the_disk_before_a_drop_comes_back,
    polls_and_reads_of_streams_end_with_the_engine,
);
