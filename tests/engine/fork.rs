//! A forked child can neither use nor disturb the engine that it inherits.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use engine::operation::{Operations, Poll, Read};
use engine::{Engine, Error};
use tests::files::{self, TempFile};
use tests::fork::ask;

use crate::common::*;

type Anything = Operations<Arc<File>, Vec<u8>>;

/// A child's own copy of what lives in its parent; only for a child that exits before it would be dropped again.
fn copy<T>(inherited: &T) -> T {
    unsafe { std::ptr::read(inherited) }
}

fn forked<T>(what: &str, result: io::Result<T>) -> String {
    match result {
        Err(error) if error.to_string().contains("before a fork") => String::new(),
        Err(error) => format!("{what}: {error}\n"),
        Ok(_) => format!("{what} worked\n"),
    }
}

fn a_child_is_told_and_its_parent_goes_on(case: &Case) {
    case.in_child(|| {
        let file = TempFile::new(4096);
        let (reader, mut writer) = io::pipe().unwrap();
        let reader = Arc::new(File::from(OwnedFd::from(reader)));
        let mut engine: Engine<Anything> = case.engine(4);
        let id = engine.add(Poll { file: reader.clone(), events: libc::POLLIN }.into()).unwrap();
        engine.submit().unwrap();
        let queued = engine.add(Read::new(shared(&file), vec![0; 10], 3).into()).unwrap();
        let answer = ask(|| {
            let mut text = forked("wait", engine.wait().map(drop));
            text += &forked("wait_nr", engine.wait_nr(2).map(drop));
            text += &forked("wait_timeout", engine.wait_timeout(Duration::ZERO).map(drop));
            text += &forked("completions", engine.completions().map(drop));
            text += &forked("submit", engine.submit());
            text += &forked("drain", engine.drain(|_| ()));
            text += &forked("cancel", engine.cancel(id));
            let mut buffer = [0; 10];
            text += &forked("scope", engine.scope(|s| s.read_at(file.file(), &mut buffer, 0).map(drop)));
            if let Err(rejected) = engine.add(Read::new(shared(&file), vec![7; 10], 3).into())
                && !matches!(rejected.error, Error::Forked)
            {
                text += &format!("add: {rejected}\n");
            }
            text
        });
        assert_eq!(answer, "");
        writer.write_all(b"x").unwrap();
        let mut all: Vec<_> = engine.wait_nr(2).unwrap().collect();
        all.sort_by_key(|done| done.id != id);
        assert_eq!((all[0].id, all[1].id), (id, queued));
        assert_eq!(plain(all.remove(0).result), Ok(libc::POLLIN as usize));
        files::check(&all.remove(0).operation.into_buffer().unwrap(), 3);
    });
}

fn a_drop_in_a_child_harms_nothing(case: &Case) {
    case.in_child(|| {
        let file = TempFile::new(4096);
        let (reader, mut writer) = io::pipe().unwrap();
        let reader = Arc::new(File::from(OwnedFd::from(reader)));
        let mut engine: Engine<Anything> = case.engine(4);
        engine.add(Poll { file: reader.clone(), events: libc::POLLIN }.into()).unwrap();
        engine.submit().unwrap();
        engine.add(Read::new(shared(&file), vec![0; 10], 3).into()).unwrap();
        for close in [false, true] {
            let answer = ask(|| {
                let mut text = String::new();
                let said = stderr_of(|| {
                    let engine = copy(&engine);
                    if close {
                        text = format!("{:?}", engine.close().map_err(|error| error.to_string()));
                    } else {
                        drop(engine);
                    }
                });
                format!("{text}{said}")
            });
            assert_eq!(answer, if close { "Ok(())" } else { "" });
            assert_eq!(engine.in_flight(), 2);
        }
        writer.write_all(b"x").unwrap();
        assert_eq!(engine.wait_nr(2).unwrap().map(|done| done.result.unwrap()).sum::<usize>(), 11);
        engine.close().unwrap();
    });
}

fn a_child_makes_an_engine_of_its_own(case: &Case) {
    case.in_child(|| {
        let file = TempFile::new(4096);
        let _parents: Engine<Anything> = case.engine(4);
        let answer = ask(|| {
            let mut own: Engine<Anything> = case.engine(4);
            let done = run(&mut own, Read::new(shared(&file), vec![0; 10], 5));
            files::check(&done.operation.into_buffer().unwrap(), 5);
            own.close().unwrap();
            "read".into()
        });
        assert_eq!(answer, "read");
    });
}

on_each!(
    a_child_is_told_and_its_parent_goes_on,
    a_drop_in_a_child_harms_nothing,
    a_child_makes_an_engine_of_its_own,
);
