//! `Aio`: the four tests that Tokio has of its own for FreeBSD, in our words, and what Linux adds.

use std::cell::UnsafeCell;
use std::fs::File;
use std::io::{self, PipeReader, Write};
use std::os::fd::AsFd;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use engine::RwFlags;
use engine::tokio::{Aio, AioReactor, AioSource, Submitter};
use tests::files::{self, AlignedBuf, TempFile};
use tests::late::Disk;
use tests::or_skip;

use crate::common::*;

/// Memory that the kernel may use while the source is shared.
struct Memory(UnsafeCell<Tracked>);

// SAFETY: only `get_mut` and the kernel use it, never at the same time (the contract of `AioSource`, kept below).
unsafe impl Sync for Memory {}

impl Memory {
    fn new(tracked: Tracked) -> Self {
        Self(UnsafeCell::new(tracked))
    }

    fn ptr(&mut self) -> *mut u8 {
        self.0.get_mut().bytes.as_mut_ptr()
    }
}

enum Verb {
    Sync,
    Write,
    Read,
    Poll(PipeReader),
}

/// One request after the other, or several at once.
struct Source {
    verb: Verb,
    file: Arc<File>,
    offset: u64,
    memory: Vec<Memory>,
    token: Option<u64>,
}

impl Source {
    fn new(verb: Verb, file: Arc<File>, buffers: Vec<Tracked>) -> Self {
        Self { verb, file, offset: 0, memory: buffers.into_iter().map(Memory::new).collect(), token: None }
    }
}

// SAFETY: the memory is on the heap, of aligned buffers that nothing but `&mut` reaches; the files are owned and never closed.
unsafe impl AioSource for Source {
    fn register(&mut self, token: u64) {
        assert!(self.token.replace(token).is_none());
    }

    fn deregister(&mut self) {
        assert!(self.token.take().is_some());
    }

    fn submit(&mut self, submitter: &mut Submitter<'_>) -> io::Result<()> {
        let (file, flags) = (self.file.as_fd(), RwFlags::default());
        match &self.verb {
            // SAFETY: the file is open while the source is there.
            Verb::Sync => return unsafe { submitter.add_sync(file, false) },
            // SAFETY: as above.
            Verb::Poll(pipe) => return unsafe { submitter.add_poll(pipe, libc::POLLIN) },
            Verb::Read | Verb::Write => {}
        }
        for (memory, nr) in self.memory.iter_mut().zip(0..) {
            let offset = self.offset + nr * BLOCK as u64;
            if let Verb::Write = self.verb {
                // SAFETY: a block of the source's own.
                unsafe { submitter.add_write(memory.ptr(), BLOCK, file, offset, flags) }?;
            } else {
                // SAFETY: as above.
                unsafe { submitter.add_read(memory.ptr(), BLOCK, file, offset, flags) }?;
            }
        }
        Ok(())
    }
}

fn blocks(census: &Census, nr: usize) -> Vec<Tracked> {
    (0..nr).map(|_| census.buffer()).collect()
}

fn in_runtimes(case: impl AsyncFn(AioReactor)) {
    for runtime in runtimes() {
        run(&runtime, async { case(AioReactor::new(8).unwrap()).await });
    }
}

#[test]
fn a_sync_is_submitted_by_its_source_and_becomes_ready() {
    let file = TempFile::new(BLOCK);
    in_runtimes(async |reactor| {
        let file = Arc::new(file.open(0));
        let mut aio = Aio::new_for_aio(Source::new(Verb::Sync, file, vec![]), &reactor);
        aio.submit().unwrap();
        let event = aio.ready().await.unwrap();
        assert_eq!((event.result().unwrap(), event.generation(), Some(event.token())), (0, 1, aio.token));
        let source = aio.into_inner().unwrap_or_else(|_| panic!("nothing is in flight"));
        assert_eq!(source.token, None);
    });
}

#[test]
fn a_source_is_used_again_after_its_readiness_is_cleared() {
    let file = TempFile::empty();
    in_runtimes(async |reactor| {
        let buffer = Census::default().buffer_of(AlignedBuf::filled(BLOCK, 0));
        let source = Source::new(Verb::Write, Arc::new(file.open(0)), vec![buffer]);
        let mut aio = Aio::new_for_aio(source, &reactor);
        for round in 0..3_u64 {
            aio.get_mut().unwrap().offset = round * BLOCK as u64;
            aio.submit().unwrap();
            let event = aio.ready().await.unwrap();
            assert_eq!((event.result().unwrap(), event.generation()), (4096, round + 1));
            // It stays ready, and cannot be submitted again, until that is cleared.
            assert_eq!(aio.ready().await.unwrap().generation(), round + 1);
            assert_eq!(aio.submit().unwrap_err().kind(), io::ErrorKind::ResourceBusy);
            aio.clear_ready(event);
            let mut ready = pin!(aio.ready());
            assert!(ready.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        }
        assert_eq!(files::pread(file.file(), 2 * 4096, BLOCK), files::content(0, BLOCK));
    });
}

#[test]
fn a_list_becomes_ready_once_when_all_of_it_is_done() {
    let file = TempFile::new(16 * BLOCK);
    in_runtimes(async |reactor| {
        let census = Census::default();
        let source = Source::new(Verb::Read, Arc::new(file.open(0)), blocks(&census, 4));
        let mut aio = Aio::new_for_lio(source, &reactor);
        aio.submit().unwrap();
        let event = aio.ready().await.unwrap();
        assert_eq!(event.results().map(Result::unwrap).collect::<Vec<_>>(), [4096; 4]);
        let source = aio.into_inner().unwrap_or_else(|_| panic!("nothing is in flight"));
        for (memory, nr) in source.memory.into_iter().zip(0..) {
            files::check(&memory.0.into_inner().bytes, nr * 4096);
        }
    });
}

#[test]
fn a_list_is_used_again_and_an_old_event_clears_nothing() {
    let file = TempFile::new(16 * BLOCK);
    in_runtimes(async |reactor| {
        let census = Census::default();
        let source = Source::new(Verb::Read, Arc::new(file.open(0)), blocks(&census, 4));
        let mut aio = Aio::new_for_lio(source, &reactor);
        aio.submit().unwrap();
        let first = aio.ready().await.unwrap();
        aio.clear_ready(first.clone());
        aio.get_mut().unwrap().offset = 14 * BLOCK as u64;
        aio.submit().unwrap();
        let second = aio.ready().await.unwrap();
        assert_eq!(second.results().map(Result::unwrap).collect::<Vec<_>>(), [4096, 4096, 0, 0]);
        aio.clear_ready(first);
        assert_eq!(aio.ready().await.unwrap().generation(), 2, "still ready");
        aio.clear_ready(second);
        let again = pin!(aio.ready()).poll(&mut Context::from_waker(Waker::noop()));
        assert!(again.is_pending());
    });
}

#[test]
fn what_the_kernel_says_is_in_the_event_of_the_one_it_is_about() {
    let file = TempFile::new(BLOCK);
    in_runtimes(async |reactor| {
        let census = Census::default();
        let write_only = Arc::new(File::options().write(true).open(file.path()).unwrap());
        let mut bad = Aio::new_for_aio(Source::new(Verb::Read, write_only, blocks(&census, 1)), &reactor);
        let source = Source::new(Verb::Read, Arc::new(file.open(0)), blocks(&census, 1));
        let mut good = Aio::new_for_aio(source, &reactor);
        bad.submit().unwrap();
        good.submit().unwrap();
        let (bad, good) = tokio::join!(bad.ready(), good.ready());
        assert_eq!(bad.unwrap().result().unwrap_err().raw_os_error(), Some(libc::EBADF));
        assert_eq!(good.unwrap().result().unwrap(), 4096);
    });
}

#[test]
fn a_source_that_adds_too_much_or_nothing_is_told() {
    let file = TempFile::new(4 * BLOCK);
    in_runtimes(async |reactor| {
        let census = Census::default();
        let file = Arc::new(file.open(0));
        let mut two = Aio::new_for_aio(Source::new(Verb::Read, file.clone(), blocks(&census, 2)), &reactor);
        assert_eq!(two.submit().unwrap_err().kind(), io::ErrorKind::InvalidInput);
        // The first one is on its way.
        assert_eq!(two.ready().await.unwrap().results().len(), 1);
        let mut none = Aio::new_for_lio(Source::new(Verb::Read, file.clone(), vec![]), &reactor);
        assert_eq!(none.submit().unwrap_err().kind(), io::ErrorKind::InvalidInput);
        assert!(!none.is_in_flight());
        let mut many = Aio::new_for_lio(Source::new(Verb::Read, file, blocks(&census, 20)), &reactor);
        assert_eq!(many.submit().unwrap_err().kind(), io::ErrorKind::WouldBlock);
        assert!(many.ready().await.unwrap().results().len() >= 8);
    });
}

#[test]
fn a_source_that_is_dropped_stays_until_the_kernel_is_done() {
    for runtime in runtimes() {
        let disk = or_skip!(Disk::held(16 * BLOCK));
        run(&runtime, async {
            let reactor = AioReactor::new(4).unwrap();
            let census = Census::default();
            let mut aio = Aio::new_for_lio(
                Source::new(Verb::Read, Arc::new(disk.open()), blocks(&census, 2)),
                &reactor,
            );
            aio.submit().unwrap();
            until(|| disk.requests() == 2).await;
            assert!(aio.get_mut().is_none());
            let aio = aio.into_inner().err().unwrap();
            drop(aio);
            turns().await;
            assert_eq!(census.count(), 2);
            disk.release_nr(1);
            until(|| disk.answered() == 1).await;
            turns().await;
            assert_eq!(census.count(), 2, "half of it");
            disk.release();
            until(|| census.count() == 0).await;
        });
    }
}

#[test]
fn a_poll_fires_or_ends_with_its_source() {
    let file = TempFile::empty();
    in_runtimes(async |reactor| {
        let (reader, mut writer) = io::pipe().unwrap();
        let poll = || Source::new(Verb::Poll(reader.try_clone().unwrap()), Arc::new(file.open(0)), vec![]);
        let mut dropped = Aio::new_for_aio(poll(), &reactor);
        let owner = dropped.file.clone();
        let mut fires = Aio::new_for_aio(poll(), &reactor);
        dropped.submit().unwrap();
        fires.submit().unwrap();
        drop(dropped);
        until(|| Arc::strong_count(&owner) == 1).await;
        assert!(matches!(fires.poll_ready(&mut Context::from_waker(Waker::noop())), Poll::Pending));
        writer.write_all(b"x").unwrap();
        let event = fires.ready().await.unwrap();
        assert_eq!(event.result().unwrap() as i16 & libc::POLLIN, libc::POLLIN);
    });
}

#[test]
fn a_runtime_that_goes_wakes_who_polls_and_lets_sources_go_when_the_kernel_has() {
    let census = Census::default();
    let home = multi_thread();
    let own = current_thread();
    let disk = or_skip!(Disk::held(16 * BLOCK));
    let reactor = own.block_on(async { AioReactor::new(4).unwrap() });
    let source = Source::new(Verb::Read, Arc::new(disk.open()), blocks(&census, 1));
    let mut aio = Aio::new_for_aio(source, &reactor);
    aio.submit().unwrap();
    disk.wait_for_requests(1);
    let polled = home.spawn(async move { (aio.ready().await.map(drop), aio) });
    run(&home, turns());
    drop(own);
    let (refused, mut aio) = run(&home, polled).unwrap();
    assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    assert_eq!(aio.submit().unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    drop(aio);
    assert_eq!(census.count(), 1);
    disk.release();
    run(&home, until(|| census.count() == 0));
}
