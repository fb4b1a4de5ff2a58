//! Files of every kind, and places in the table of a ring.

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;
use std::sync::Arc;

use engine::operation::{Allocate, Discard, Operations, Poll, Read, Sync, Write, WriteZeroes};
use engine::{Engine, IoFile, RegisteredFile};
use tests::files::{self, TempFile};

use crate::common::*;

#[track_caller]
fn read<F: IoFile>(case: &Case, file: F) -> F {
    let mut engine: Engine<Read<F, Vec<u8>>> = case.engine(1);
    let done = run(&mut engine, Read::new(file, vec![0; 100], 11));
    assert_eq!(plain(done.result), Ok(100));
    files::check(&done.operation.buffer, 11);
    done.operation.file
}

struct Disk(OwnedFd);

impl AsFd for Disk {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl IoFile for Disk {}

fn everything_that_has_a_descriptor(case: &Case) {
    let temporary = TempFile::new(4096);
    let file = || temporary.file().try_clone().unwrap();
    read(case, file());
    read(case, OwnedFd::from(file()));
    read(case, Disk(file().into()));
    read(case, Box::new(file()));
    let shared = read(case, Arc::new(file()));
    assert_eq!(Arc::strong_count(&read(case, shared)), 1);
    assert_eq!(Rc::strong_count(&read(case, Rc::new(Disk(file().into())))), 1);
    let leaked: &'static File = Box::leak(Box::new(file()));
    read(case, leaked);
    read(case, leaked.as_fd());
    drop(unsafe { Box::from_raw(std::ptr::from_ref(leaked).cast_mut()) });
}

type Anything = Operations<RegisteredFile, Vec<u8>>;

fn registered_files_do_what_others_do(case: &Case) {
    let file = TempFile::new(4096);
    let mut engine: Engine<Anything> = case.engine(2);
    let registered = engine.register_file(file.file().try_clone().unwrap());
    assert_eq!(registered.is_registered(), case.is_uring());
    let name = || registered.clone();
    assert_eq!(result(&mut engine, Write::new(name(), b"registered".to_vec(), 5000)), Ok(10));
    let done = run(&mut engine, Read::new(name(), vec![0; 10], 5000));
    assert_eq!(done.operation.into_buffer().unwrap(), b"registered");
    assert_eq!(result(&mut engine, Sync::all(name())), Ok(0));
    assert_eq!(result(&mut engine, Sync::data(name())), Ok(0));
    assert_eq!(result(&mut engine, Allocate::new(name(), 0, 10_000)), Ok(0));
    assert_eq!(result(&mut engine, Discard { file: name(), offset: 0, len: 10 }), Ok(0));
    let zeroes = WriteZeroes { file: name(), offset: 10, len: 10, unmap: true };
    assert_eq!(result(&mut engine, zeroes), Ok(0));
    let ready = result(&mut engine, Poll { file: name(), events: libc::POLLIN }).unwrap();
    assert_eq!(ready as i16 & libc::POLLIN, libc::POLLIN);
    let bytes = files::pread(file.file(), 0, 20_000);
    assert_eq!((bytes.len(), &bytes[..20]), (10_000, &[0; 20][..]));
    files::check(&bytes[20..4096], 20);
}

fn on_another_engine_a_registered_file_is_still_itself(case: &Case) {
    let (mine, theirs) = (TempFile::new(4096), TempFile::empty());
    let mut engine: Engine<Anything> = case.engine(2);
    let mut other: Engine<Anything> = case.engine(2);
    // Both stand at the same place of their tables.
    let registered = engine.register_file(mine.file().try_clone().unwrap());
    let _foreign = other.register_file(theirs.file().try_clone().unwrap());
    let done = run(&mut other, Read::new(registered.clone(), vec![0; 64], 3));
    assert_eq!(plain(done.result), Ok(64));
    files::check(&done.operation.into_buffer().unwrap(), 3);
    assert_eq!(result(&mut other, Write::new(registered.clone(), vec![9; 5], 0)), Ok(5));
    drop(engine);
    // Also when its own is gone, and on one that has no table at all.
    let mut third: Engine<Anything> = case.engine(2);
    assert_eq!(result(&mut third, Write::new(registered, vec![8; 5], 5)), Ok(5));
    assert_eq!(files::pread(mine.file(), 0, 10), [9, 9, 9, 9, 9, 8, 8, 8, 8, 8]);
    assert_eq!(theirs.file().metadata().unwrap().len(), 0);
}

fn a_table_that_is_full_leaves_files_as_they_are(case: &Case) {
    let files: Vec<_> = (0..70).map(|nr| TempFile::new(100 + nr)).collect();
    let mut engine: Engine<Anything> = case.engine(2);
    let registered: Vec<_> =
        files.iter().map(|file| engine.register_file(file.file().try_clone().unwrap())).collect();
    let count = registered.iter().filter(|file| file.is_registered()).count();
    assert_eq!(count, if case.is_uring() { 64 } else { 0 });
    for (nr, file) in registered.into_iter().enumerate() {
        assert_eq!(result(&mut engine, Read::new(file, vec![0; 1000], 0)), Ok(100 + nr));
    }
}

fn the_file_stays_open_until_the_operation_is_over(case: &Case) {
    let file = TempFile::new(4096);
    let mut engine: Engine<Operations<File, Vec<u8>>> = case.engine(4);
    let ids: Vec<_> = (0..4)
        .map(|nr| {
            let own = file.file().try_clone().unwrap();
            let operation = if nr % 2 == 0 {
                Read::new(own, vec![0; 10], nr).into()
            } else {
                Discard { file: own, offset: 100, len: 10 }.into()
            };
            engine.add(operation).unwrap()
        })
        .collect();
    let done =
        engine.wait_nr(4).unwrap().inspect(|done| assert!(ids.contains(&done.id) && done.result.is_ok()));
    assert_eq!(done.count(), 4);
    assert_eq!(files::pread(file.file(), 100, 10), [0; 10]);
}

on_each!(
    everything_that_has_a_descriptor,
    registered_files_do_what_others_do,
    on_another_engine_a_registered_file_is_still_itself,
    a_table_that_is_full_leaves_files_as_they_are,
    the_file_stays_open_until_the_operation_is_over,
);
