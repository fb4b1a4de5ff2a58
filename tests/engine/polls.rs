//! Polls, and operations that are asked to end early.

use std::fs::File;
use std::io::{self, PipeReader, Read as _, Write as _};
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::sync::Arc;

use engine::operation::{Operations, Poll, Read};
use engine::{Engine, Id};
use tests::files::{self, TempFile};
use tests::late::Disk;
use tests::or_skip;

use crate::common::*;

type Anything = Operations<Arc<File>, Vec<u8>>;

fn file(reader: PipeReader) -> Arc<File> {
    Arc::new(File::from(OwnedFd::from(reader)))
}

fn poll(file: &Arc<File>, events: i16) -> Anything {
    Poll { file: file.clone(), events }.into()
}

fn a_poll_tells_what_can_be_done_and_only_once(case: &Case) {
    let (reader, mut writer) = io::pipe().unwrap();
    let write_end = Arc::new(File::from(OwnedFd::from(writer.try_clone().unwrap())));
    let reader = file(reader);
    let mut engine: Engine<Anything> = case.engine(4);
    assert_eq!(result(&mut engine, poll(&write_end, libc::POLLOUT)), Ok(libc::POLLOUT as usize));
    engine.add(poll(&reader, libc::POLLIN)).unwrap();
    assert_eq!(engine.completions().unwrap().count(), 0);
    writer.write_all(b"ab").unwrap();
    let done = one(&mut engine);
    assert_eq!((plain(done.result), done.transferred), (Ok(libc::POLLIN as usize), 0));
    assert_eq!(engine.wait_timeout(std::time::Duration::ZERO).unwrap().count(), 0);
    drop((writer, write_end));
    let both = result(&mut engine, poll(&reader, libc::POLLIN)).unwrap() as i16;
    assert_eq!(both, libc::POLLIN | libc::POLLHUP);
    let mut bytes = Vec::new();
    (&*reader).read_to_end(&mut bytes).unwrap();
    assert_eq!(bytes, b"ab");
    let regular = TempFile::new(10);
    let ready = result(&mut engine, poll(&shared(&regular), libc::POLLIN)).unwrap() as i16;
    assert_eq!(ready & libc::POLLIN, libc::POLLIN);
}

fn polls_end_when_they_are_cancelled(case: &Case) {
    let (reader, _writer) = io::pipe().unwrap();
    let reader = file(reader);
    for (depth, submit) in [(1, true), (3, false), (32, true), (32, false), (100, true)] {
        let mut engine: Engine<Anything> = case.engine(depth);
        for _ in 0..depth {
            engine.add(poll(&reader, libc::POLLIN)).unwrap();
        }
        if submit {
            engine.submit().unwrap();
        }
        engine.cancel_all().unwrap();
        // Wanted all at once: none of the cancellations may wait for another's end.
        let results: Vec<_> = engine.wait_nr(depth).unwrap().map(|done| plain(done.result)).collect();
        assert_eq!(results, vec![Err(libc::ECANCELED); depth]);
        assert_eq!(engine.in_flight(), 0);
    }
}

/// A terminal cannot be told not to wait: of two reads that it wakes, one finds nothing.
fn a_read_of_a_terminal_is_cancelled_after_another_one_took_what_came(case: &Case) {
    if case.is_aio() {
        // There it keeps the submit from returning.
        return;
    }
    let (master, terminal) = pseudo_terminal();
    let terminal = Arc::new(terminal);
    for _ in 0..10 {
        let mut engine: Engine<Anything> = case.engine(4);
        let ids: Vec<Id> =
            (0..2).map(|_| engine.add(Read::new(terminal.clone(), vec![0; 16], 0).into()).unwrap()).collect();
        engine.submit().unwrap();
        (&master).write_all(b"line\n").unwrap();
        let first = one(&mut engine);
        assert_eq!((plain(first.result), first.transferred), (Ok(5), 5));
        let left = ids.into_iter().find(|id| *id != first.id).unwrap();
        engine.cancel(left).unwrap();
        let done = one(&mut engine);
        assert_eq!((done.id, plain(done.result)), (left, Err(libc::ECANCELED)));
    }
}

/// The master, and the terminal in its canonical mode without echo.
fn pseudo_terminal() -> (File, File) {
    let (mut master, mut terminal) = (-1, -1);
    let (none, size) = (std::ptr::null_mut(), std::ptr::null());
    assert_eq!(unsafe { libc::openpty(&raw mut master, &raw mut terminal, none, std::ptr::null(), size) }, 0);
    let (master, terminal) = unsafe { (OwnedFd::from_raw_fd(master), OwnedFd::from_raw_fd(terminal)) };
    let mut modes: libc::termios = unsafe { std::mem::zeroed() };
    assert_eq!(unsafe { libc::tcgetattr(terminal.as_raw_fd(), &raw mut modes) }, 0);
    modes.c_lflag &= !libc::ECHO;
    assert_eq!(unsafe { libc::tcsetattr(terminal.as_raw_fd(), libc::TCSANOW, &raw const modes) }, 0);
    (master.into(), terminal.into())
}

fn one_of_several_is_cancelled(case: &Case) {
    let (reader, mut writer) = io::pipe().unwrap();
    let reader = file(reader);
    let mut engine: Engine<Anything> = case.engine(4);
    let ids: Vec<Id> = (0..4).map(|_| engine.add(poll(&reader, libc::POLLIN)).unwrap()).collect();
    engine.submit().unwrap();
    for _ in 0..10 {
        engine.cancel(ids[2]).unwrap();
    }
    let done = one(&mut engine);
    assert_eq!((done.id, plain(done.result)), (ids[2], Err(libc::ECANCELED)));
    // A name of the past is nobody's.
    let id = engine.add(poll(&reader, libc::POLLIN)).unwrap();
    engine.cancel(ids[2]).unwrap();
    writer.write_all(b"x").unwrap();
    let mut all: Vec<_> = engine.wait_nr(4).unwrap().map(|done| (done.id, done.result.unwrap())).collect();
    all.sort_by_key(|(id, _)| ids.iter().position(|other| other == id));
    assert_eq!(all.iter().map(|(_, mask)| *mask).collect::<Vec<_>>(), [libc::POLLIN as usize; 4]);
    assert_eq!(all[0].0, id);
}

fn a_read_that_has_not_been_submitted_ends_once_however_it_is_cancelled(case: &Case) {
    let source = TempFile::new(4096);
    let mut engine: Engine<Anything> = case.engine(4);
    for _ in 0..20 {
        let id = engine.add(Read::new(shared(&source), vec![0; 100], 7).into()).unwrap();
        engine.cancel(id).unwrap();
        let done = one(&mut engine);
        assert_eq!(done.id, id);
        match plain(done.result) {
            Ok(100) => files::check(&done.operation.into_buffer().unwrap(), 7),
            Err(libc::ECANCELED) => assert_eq!(done.transferred, 0),
            other => panic!("{other:?}"),
        }
        engine.cancel(id).unwrap();
    }
}

fn a_read_of_a_pipe_is_cancelled_where_it_is_asynchronous(case: &Case) {
    if case.is_aio() {
        // There it keeps the submit from returning.
        return;
    }
    let (reader, mut writer) = io::pipe().unwrap();
    let reader = file(reader);
    let mut engine: Engine<Anything> = case.engine(4);
    let ids: Vec<_> =
        (0..3).map(|_| engine.add(Read::new(reader.clone(), vec![0; 8], 0).into()).unwrap()).collect();
    engine.submit().unwrap();
    engine.cancel(ids[1]).unwrap();
    let done = one(&mut engine);
    assert_eq!((done.id, plain(done.result)), (ids[1], Err(libc::ECANCELED)));
    writer.write_all(b"0123456").unwrap();
    let done = one(&mut engine);
    assert_eq!((plain(done.result), done.operation.into_buffer().unwrap()), (Ok(7), b"0123456".to_vec()));
    engine.cancel_all().unwrap();
    assert_eq!(plain(one(&mut engine).result), Err(libc::ECANCELED));
}

fn a_read_that_the_disk_has_is_not_cancelled_but_completes(case: &Case) {
    let mut engine: Engine<Anything> = case.engine(4);
    let disk = or_skip!(Disk::held(16 * BLOCK));
    let file = Arc::new(disk.open());
    let id = engine.add(Read::new(file.clone(), vec![0; BLOCK], 0).into()).unwrap();
    engine.submit().unwrap();
    disk.wait_for_requests(1);
    for _ in 0..10 {
        engine.cancel(id).unwrap();
        assert_eq!(engine.completions().unwrap().count(), 0);
    }
    // What is cancelled in vain takes no room from others.
    for _ in 0..3 {
        engine.add(Read::new(file.clone(), vec![0; BLOCK], 0).into()).unwrap();
    }
    disk.release();
    let mut all = 0;
    for done in engine.wait_nr(4).unwrap() {
        assert_eq!(plain(done.result), Ok(BLOCK));
        files::check(&done.operation.into_buffer().unwrap(), 0);
        all += 1;
    }
    assert_eq!(all, 4);
}

on_each!(
    a_poll_tells_what_can_be_done_and_only_once,
    polls_end_when_they_are_cancelled,
    one_of_several_is_cancelled,
    a_read_that_has_not_been_submitted_ends_once_however_it_is_cancelled,
    a_read_of_a_pipe_is_cancelled_where_it_is_asynchronous,
    a_read_of_a_terminal_is_cancelled_after_another_one_took_what_came,
    a_read_that_the_disk_has_is_not_cancelled_but_completes,
);
