//! Plain slices in a scope.

use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut, Write as _};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use engine::operation::{Never, Read};
use engine::{Engine, RwFlags};
use tests::files::{self, TempFile};

use crate::common::*;

fn reads_and_writes_plain_slices(case: &Case) {
    let file = TempFile::new(8192);
    let (mut first, mut second, data) = ([0; 100], vec![0; 3000], files::content(50_000, 200));
    let mut engine = case.engine::<Never>(8);
    let counted = engine
        .scope(|s| {
            let read = s.read_at(file.file(), &mut first, 310)?;
            s.read_at(file.file(), &mut second, 4000)?;
            let write = s.write_at(file.file(), &data, 0)?;
            assert_eq!(s.wait(write)?, 200);
            s.fdatasync(file.file())?;
            s.fsync(file.file())?;
            s.wait_all()?;
            s.wait(read)
        })
        .unwrap();
    assert_eq!(counted, 100);
    files::check(&first, 310);
    files::check(&second, 4000);
    files::check(&files::pread(file.file(), 0, 200), 50_000);
}

fn vectors_are_split_as_readv_splits_them(case: &Case) {
    let file = TempFile::new(8192);
    let mut parts = [1, 0, 511, 3, 1000].map(|len| vec![0_u8; len]);
    let data = [vec![0xaa; 7], vec![], vec![0xbb; 300]];
    let mut engine = case.engine::<Never>(8);
    let mut vectors: Vec<_> = parts.iter_mut().map(|part| IoSliceMut::new(part)).collect();
    let sources: Vec<_> = data.iter().map(|part| IoSlice::new(part)).collect();
    engine
        .scope(|s| {
            let read = s.read_vectored_at(file.file(), &mut vectors, 123)?;
            assert_eq!(s.wait(read)?, 1515);
            let write = s.write_vectored_at(file.file(), &sources, 8000)?;
            assert_eq!(s.wait(write)?, 307);
            Ok(())
        })
        .unwrap();
    files::check(&parts.concat(), 123);
    assert_eq!(files::pread(file.file(), 8000, 400), data.concat());
}

fn ranges_and_flags_work_in_a_scope(case: &Case) {
    let file = TempFile::new(100);
    let mut engine = case.engine::<Never>(8);
    engine
        .scope(|s| {
            for ticket in [
                s.allocate(file.file(), 0, 0, 5000)?,
                s.write_zeroes(file.file(), 5000, 100, false)?,
                s.discard(file.file(), 10, 10)?,
            ] {
                assert_eq!(s.wait(ticket)?, 0);
            }
            let append = s.write_at_with(file.file(), b"the end", 0, RwFlags::APPEND | RwFlags::DSYNC)?;
            assert_eq!(s.wait(append)?, 7);
            Ok(())
        })
        .unwrap();
    let bytes = files::pread(file.file(), 0, 10_000);
    assert_eq!(bytes.len(), 5107);
    assert_eq!((&bytes[10..20], &bytes[5100..]), (&[0; 10][..], &b"the end"[..]));
    files::check(&bytes[20..100], 20);
}

fn an_error_that_nobody_has_asked_for_is_the_scopes(case: &Case) {
    let file = TempFile::new(100);
    let read_only = File::open(file.path()).unwrap();
    let mut engine = case.engine::<Never>(8);
    let error = engine.scope(|s| s.write_at(&read_only, b"x", 0).map(drop)).unwrap_err();
    assert_eq!(plain::<()>(Err(error)), Err(libc::EBADF));
    // Asked for, it is the caller's.
    engine
        .scope(|s| {
            let ticket = s.write_at(&read_only, b"x", 0)?;
            assert_eq!(plain(s.wait(ticket)), Err(libc::EBADF));
            Ok(())
        })
        .unwrap();
}

fn a_short_count_that_nobody_has_asked_for_is_the_scopes(case: &Case) {
    let file = TempFile::new(100);
    let mut buffer = [0; 50];
    let mut engine = case.engine::<Never>(8);
    let error = engine.scope(|s| s.read_at(file.file(), &mut buffer, 80).map(drop)).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    let count = engine.scope(|s| s.wait(s.read_at(file.file(), &mut buffer, 80)?)).unwrap();
    assert_eq!(count, 20);
    files::check(&buffer[..20], 80);
}

fn the_closures_error_comes_first(case: &Case) {
    let file = TempFile::new(100);
    let mut buffer = [0; 50];
    let mut engine = case.engine::<Never>(8);
    let result: io::Result<()> = engine.scope(|s| {
        s.read_at(file.file(), &mut buffer, 80)?;
        Err(io::ErrorKind::Unsupported.into())
    });
    assert_eq!(result.unwrap_err().kind(), io::ErrorKind::Unsupported);
    assert_eq!(buffer[..20], files::content(80, 20));
}

fn more_operations_than_the_depth_are_all_done(case: &Case) {
    let file = TempFile::new(100_000);
    for depth in [1, 3, 8] {
        let mut buffer = vec![0; 100_000];
        let mut engine = case.engine::<Never>(depth);
        engine
            .scope(|s| {
                for (nr, part) in (0..).zip(buffer.chunks_mut(100)) {
                    s.read_at(file.file(), part, nr * 100)?;
                }
                Ok(())
            })
            .unwrap();
        files::check(&buffer, 0);
    }
}

fn owned_operations_in_flight_meanwhile_complete_afterwards(case: &Case) {
    let file = TempFile::new(8192);
    let owned = shared(&file);
    let mut engine: Engine<Read<Arc<File>, Vec<u8>>> = case.engine(4);
    for nr in 0..4 {
        engine.add(Read::new(owned.clone(), vec![0; 100], nr * 100)).unwrap();
    }
    let mut buffers = [[0; 64]; 16];
    engine
        .scope(|s| {
            for (nr, buffer) in (0..).zip(&mut buffers) {
                s.read_at(file.file(), buffer, nr * 64)?;
            }
            s.wait_all()
        })
        .unwrap();
    files::check(buffers.as_flattened(), 0);
    assert_eq!(engine.in_flight(), 4);
    let mut ends = 0;
    for done in engine.wait_nr(4).unwrap() {
        assert_eq!(done.result.unwrap(), 100);
        files::check(&done.operation.buffer, done.operation.offset);
        ends += 1;
    }
    assert_eq!(ends, 4);
}

fn a_ticket_is_good_once_and_in_its_own_scope(case: &Case) {
    let file = TempFile::new(100);
    let (mut one, mut two, mut other) = ([0; 10], [0; 10], case.engine::<Never>(2));
    let mut engine = case.engine::<Never>(2);
    let refused = |result: io::Result<usize>| {
        assert_eq!(result.unwrap_err().kind(), io::ErrorKind::InvalidInput);
    };
    let first = engine
        .scope(|s| {
            let ticket = s.read_at(file.file(), &mut one, 0)?;
            assert_eq!(s.wait(ticket)?, 10);
            refused(s.wait(ticket));
            s.cancel(ticket)?;
            Ok(ticket)
        })
        .unwrap();
    for engine in [&mut engine, &mut other] {
        engine
            .scope(|s| {
                let ticket = s.read_at(file.file(), &mut two, 0)?;
                refused(s.wait(first));
                s.cancel(first)?;
                assert_eq!(s.wait(ticket)?, 10);
                Ok(())
            })
            .unwrap();
    }
}

fn polls_and_their_cancellation_work_in_a_scope(case: &Case) {
    let (reader, mut writer) = io::pipe().unwrap();
    let (idle, _kept) = io::pipe().unwrap();
    writer.write_all(b"x").unwrap();
    let mut engine = case.engine::<Never>(4);
    engine
        .scope(|s| {
            let ready = s.poll(&reader, libc::POLLIN)?;
            assert_eq!(s.wait(ready)?, libc::POLLIN as usize);
            let never = s.poll(&idle, libc::POLLIN)?;
            s.cancel(never)?;
            assert_eq!(plain(s.wait(never)), Err(libc::ECANCELED));
            Ok(())
        })
        .unwrap();
}

fn a_file_may_be_written_through_a_shared_reference_of_many_operations(case: &Case) {
    let file = TempFile::empty();
    let data = files::content(0, 6400);
    let mut engine = case.engine::<Never>(4);
    engine
        .scope(|s| {
            for (nr, part) in (0..).zip(data.chunks(64)) {
                s.write_at(file.file(), part, nr * 64)?;
            }
            Ok(())
        })
        .unwrap();
    let mut bytes = vec![0; 6400];
    file.file().read_exact_at(&mut bytes, 0).unwrap();
    assert_eq!(bytes, data);
}

on_each!(
    reads_and_writes_plain_slices,
    vectors_are_split_as_readv_splits_them,
    ranges_and_flags_work_in_a_scope,
    an_error_that_nobody_has_asked_for_is_the_scopes,
    a_short_count_that_nobody_has_asked_for_is_the_scopes,
    the_closures_error_comes_first,
    more_operations_than_the_depth_are_all_done,
    owned_operations_in_flight_meanwhile_complete_afterwards,
    a_ticket_is_good_once_and_in_its_own_scope,
    polls_and_their_cancellation_work_in_a_scope,
    a_file_may_be_written_through_a_shared_reference_of_many_operations,
);
