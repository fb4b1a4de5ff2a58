//! However a scope ends, the kernel holds nothing of it afterwards.

use std::fs::File;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use engine::Engine;
use engine::operation::{Never, Read};
use tests::files::{self, TempFile};
use tests::late::Disk;
use tests::{or_skip, seccomp};

use crate::common::*;

/// Lets the disk answer a while after its requests have come, as another thread.
fn release_later(disk: &Disk, requests: usize) {
    disk.wait_for_requests(requests);
    thread::sleep(Duration::from_millis(100));
    assert_eq!(disk.answered(), 0, "the scope's reads were held all the time");
    disk.release();
}

fn memory_is_written_before_a_scope_returns(case: &Case) {
    let mut buffers = [[0; BLOCK]; 4];
    let mut engine = case.engine::<Never>(8);
    let disk = or_skip!(Disk::held(16 * BLOCK));
    let file = disk.open();
    thread::scope(|threads| {
        threads.spawn(|| release_later(&disk, 4));
        engine
            .scope(|s| {
                for (nr, buffer) in (0..).zip(&mut buffers) {
                    s.read_at(&file, buffer, nr * BLOCK as u64)?;
                }
                Ok(())
            })
            .unwrap();
        assert_eq!(disk.answered(), 4);
        files::check(buffers.as_flattened(), 0);
    });
    drop(file);
}

/// The requests have to be on their way to be of any danger.
fn started(s: &engine::Scope<'_, '_, Never>, nul: &File) -> io::Result<()> {
    s.wait(s.poll(unsafe { &*std::ptr::from_ref(nul) }, libc::POLLOUT)?).map(drop)
}

fn a_panic_waits_for_what_is_in_flight(case: &Case) {
    let mut buffers = [[0; BLOCK]; 3];
    let nul = File::options().write(true).open("/dev/null").unwrap();
    let mut engine = case.engine::<Never>(8);
    let disk = or_skip!(Disk::held(16 * BLOCK));
    let file = disk.open();
    thread::scope(|threads| {
        threads.spawn(|| release_later(&disk, 3));
        let caught = catch_unwind(AssertUnwindSafe(|| {
            engine.scope(|s| -> io::Result<()> {
                for (nr, buffer) in (0..).zip(&mut buffers) {
                    s.read_at(&file, buffer, nr * BLOCK as u64)?;
                }
                started(s, &nul)?;
                panic!("on purpose")
            })
        }));
        assert_eq!(*caught.unwrap_err().downcast::<&str>().unwrap(), "on purpose");
        assert_eq!(disk.answered(), 3);
        files::check(buffers.as_flattened(), 0);
    });
    // Nothing is written later.
    buffers.as_flattened_mut().fill(0xee);
    let mut block = [0; BLOCK];
    engine.scope(|s| s.read_at(&file, &mut block, 0).map(drop)).unwrap();
    files::check(&block, 0);
    assert!(buffers.as_flattened().iter().all(|&byte| byte == 0xee));
    drop(file);
}

fn an_early_return_waits_for_what_is_in_flight(case: &Case) {
    let mut buffer = [0; BLOCK];
    let nul = File::options().write(true).open("/dev/null").unwrap();
    let mut engine = case.engine::<Never>(8);
    let disk = or_skip!(Disk::held(16 * BLOCK));
    let file = disk.open();
    thread::scope(|threads| {
        threads.spawn(|| release_later(&disk, 1));
        let result: io::Result<()> = engine.scope(|s| {
            s.read_at(&file, &mut buffer, 0)?;
            started(s, &nul)?;
            Err(io::ErrorKind::Other.into())
        });
        assert!(result.is_err());
        files::check(&buffer, 0);
    });
    drop(file);
}

fn a_ticket_of_a_scope_that_panicked_is_refused(case: &Case) {
    let file = TempFile::new(100);
    let (mut one, mut two, mut kept) = ([0; 10], [0; 10], None);
    let mut engine = case.engine::<Never>(2);
    let caught = catch_unwind(AssertUnwindSafe(|| {
        engine.scope(|s| -> io::Result<()> {
            kept = Some(s.read_at(file.file(), &mut one, 0)?);
            panic!("on purpose")
        })
    }));
    assert!(caught.is_err());
    engine
        .scope(|s| {
            s.read_at(file.file(), &mut two, 50)?;
            assert_eq!(s.wait(kept.unwrap()).unwrap_err().kind(), io::ErrorKind::InvalidInput);
            Ok(())
        })
        .unwrap();
    files::check(&one, 0);
    files::check(&two, 50);
}

fn a_scope_waits_for_room_behind_held_operations(case: &Case) {
    let mut buffer = [0; BLOCK];
    let mut engine: Engine<Read<Arc<File>, Vec<u8>>> = case.engine(2);
    let disk = or_skip!(Disk::held(16 * BLOCK));
    let file = Arc::new(disk.open());
    engine.add(Read::new(file.clone(), vec![0; BLOCK], 0)).unwrap();
    engine.add(Read::new(file.clone(), vec![0; BLOCK], 0)).unwrap();
    engine.submit().unwrap();
    disk.wait_for_requests(2);
    thread::scope(|threads| {
        threads.spawn(|| {
            disk.release_nr(1);
            disk.wait_for_requests(3);
            disk.release();
        });
        engine.scope(|s| s.read_at(&*file, &mut buffer, BLOCK as u64).map(drop)).unwrap();
    });
    files::check(&buffer, BLOCK as u64);
    assert_eq!(engine.wait_nr(2).unwrap().map(|done| done.result.unwrap()).sum::<usize>(), 2 * BLOCK);
    drop(file);
}

/// Where the wait is refused there is no way to return: the process ends rather than its memory be used.
#[test]
fn a_scope_that_may_not_wait_for_its_ring_aborts() {
    tests::in_child!(|| {
        let child = unsafe { libc::fork() };
        if child == 0 {
            let (reader, _writer) = io::pipe().unwrap();
            let mut byte = [0];
            let mut engine =
                engine::Options::new(2).only(engine::BackendKind::Uring).build::<Never>().unwrap();
            let _ = engine.scope(|s| {
                s.read_at(&reader, &mut byte, 0)?;
                let nul = File::options().write(true).open("/dev/null").unwrap();
                started(s, &nul)?;
                seccomp::fail(&[(libc::SYS_io_uring_enter, libc::EPERM)]).unwrap();
                Ok(())
            });
            unsafe { libc::_exit(0) }
        }
        let mut status = 0;
        assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
        assert!(libc::WIFSIGNALED(status) && libc::WTERMSIG(status) == libc::SIGABRT, "{status:#x}");
    });
}

on_each!(
    memory_is_written_before_a_scope_returns,
    a_panic_waits_for_what_is_in_flight,
    an_early_return_waits_for_what_is_in_flight,
    a_ticket_of_a_scope_that_panicked_is_refused,
    a_scope_waits_for_room_behind_held_operations,
);
