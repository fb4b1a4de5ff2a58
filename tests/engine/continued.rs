//! What is cut short goes on, what is interrupted is tried again, and both are counted.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use engine::operation::{Read, ReadVectored, Sync, Write};
use engine::{Backend, Engine, Operation, Options, RwFlags};
use tests::files::{self, TempFile};
use tests::late::Disk;
use tests::or_skip;

use crate::common::*;
use crate::faulty::{Fate, Faulty, with_inner};

type Anything = engine::operation::Operations<Arc<File>, Vec<u8>>;

/// An engine of depth 4 whose requests have these fates one after the other, and then none in particular.
fn faulty<T: Operation>(inner: impl Backend, fates: Vec<Fate>) -> Engine<T, impl Backend> {
    let mut fates = fates.into_iter();
    let decide = move |_: &engine::Request<'_>| fates.next().unwrap_or(Fate::Pass);
    Engine::with_backend(Faulty::new(inner, decide), &Options::new(4)).unwrap()
}

fn short_transfers_are_continued_and_counted(case: &Case) {
    let file = TempFile::new(4096);
    let fates = vec![Fate::Shorten(100), Fate::Shorten(1), Fate::Fail(libc::EINTR), Fate::Shorten(1000)];
    with_inner!(case, 4, |inner| {
        let mut engine = faulty::<Anything>(inner, fates.clone());
        let done = run(&mut engine, Read::new(shared(&file), vec![0; 3000], 7));
        assert_eq!((plain(done.result), done.transferred), (Ok(3000), 3000));
        files::check(&done.operation.into_buffer().unwrap(), 7);
        let stats = engine.stats();
        assert_eq!((stats.short_transfers, stats.retries, stats.completed), (3, 1, 1));
    });
    with_inner!(case, 4, |inner| {
        let mut engine = faulty::<Anything>(inner, fates.clone());
        let data = files::content(9000, 3000);
        assert_eq!(result(&mut engine, Write::new(shared(&file), data, 500)), Ok(3000));
        assert_eq!(engine.stats().short_transfers, 3);
        files::check(&files::pread(file.file(), 500, 3000), 9000);
    });
}

fn an_error_after_a_part_tells_both(case: &Case) {
    let file = TempFile::new(4096);
    for errno in [libc::EIO, libc::ENOSPC] {
        with_inner!(case, 4, |inner| {
            let mut engine = faulty::<Anything>(inner, vec![Fate::Shorten(100), Fate::Fail(errno)]);
            let done = run(&mut engine, Read::new(shared(&file), Vec::with_capacity(256), 0));
            assert_eq!((plain(done.result), done.transferred), (Err(errno), 100));
            let buffer = done.operation.into_buffer().unwrap();
            assert_eq!(buffer.len(), 100);
            files::check(&buffer, 0);
        });
    }
}

fn interruptions_are_tried_again_and_eagain_not_for_ever(case: &Case) {
    let file = TempFile::new(4096);
    with_inner!(case, 4, |inner| {
        let mut fates = vec![Fate::Fail(libc::EINTR); 100];
        fates.extend([Fate::Fail(libc::EAGAIN); 10]);
        let mut engine = faulty::<Anything>(inner, fates);
        assert_eq!(result(&mut engine, Sync::all(shared(&file))), Ok(0));
        assert_eq!(engine.stats().retries, 110);
    });
    with_inner!(case, 4, |inner| {
        let mut engine = faulty::<Anything>(inner, vec![Fate::Fail(libc::EAGAIN); 1000]);
        assert_eq!(result(&mut engine, Read::new(shared(&file), vec![0; 8], 0)), Err(libc::EAGAIN));
        let tries = engine.stats().retries;
        assert!(tries > 0 && tries < 1000, "{tries}");
        let asked = Read::new(shared(&file), vec![0; 8], 0).flags(RwFlags::NOWAIT);
        assert_eq!(result(&mut engine, asked), Err(libc::EAGAIN));
        assert_eq!(engine.stats().retries, tries);
    });
}

fn a_cancelled_operation_is_not_continued(case: &Case) {
    let file = TempFile::new(4096);
    with_inner!(case, 4, |inner| {
        let mut engine = faulty::<Anything>(inner, vec![Fate::Shorten(100)]);
        let id = engine.add(Read::new(shared(&file), vec![0; 256], 0).into()).unwrap();
        engine.cancel(id).unwrap();
        let done = one(&mut engine);
        assert_eq!(plain(done.result), Err(libc::ECANCELED));
        assert!(matches!(done.transferred, 0 | 100), "{}", done.transferred);
    });
}

fn short_transfers_of_a_scope_are_continued(case: &Case) {
    let file = TempFile::new(4096);
    let (mut buffer, data) = ([0; 1000], files::content(7000, 1000));
    let fates = [Fate::Shorten(10), Fate::Fail(libc::EINTR), Fate::Shorten(1), Fate::Shorten(500)];
    with_inner!(case, 4, |inner| {
        let mut engine = faulty::<engine::operation::Never>(inner, fates.repeat(2));
        engine
            .scope(|s| {
                let first = s.read_at(file.file(), &mut buffer, 3)?;
                assert_eq!(s.wait(first)?, 1000);
                s.write_at(file.file(), &data, 2000).map(drop)
            })
            .unwrap();
        assert!(engine.stats().short_transfers >= 5);
    });
    files::check(&buffer, 3);
    files::check(&files::pread(file.file(), 2000, 1000), 7000);
}

fn a_disk_that_gives_little_at_a_time_is_read_whole(case: &Case) {
    let mut engine: Engine<Anything> = case.engine(4);
    let disk = or_skip!(Disk::new(32 * BLOCK));
    disk.release();
    disk.shorten_to(1000);
    let file = Arc::new(disk.open());
    let done = run(&mut engine, Read::new(file.clone(), vec![0; 8192], 5));
    assert_eq!(plain(done.result), Ok(8192));
    files::check(&done.operation.into_buffer().unwrap(), 5);
    assert!(engine.stats().short_transfers >= 8, "{:?}", engine.stats());

    // In the middle of a buffer of many, and with an end that no short answer coincides with.
    let buffers = [1, 999, 1001, 3000, 7].map(|len| vec![0; len]).to_vec();
    let done = run(&mut engine, ReadVectored::new(file.clone(), buffers, 77));
    assert_eq!(plain(done.result), Ok(5008));
    let Anything::ReadVectored(read) = done.operation else { panic!("another operation") };
    files::check(&read.into_parts().1.concat(), 77);
    let end = run(&mut engine, Read::new(file.clone(), vec![0; 4096], 32 * BLOCK as u64 - 1500));
    assert_eq!((plain(end.result), end.transferred), (Ok(1500), 1500));
}

fn a_disk_that_fails_in_the_middle_is_told_with_what_came_before(case: &Case) {
    let mut engine: Engine<Anything> = case.engine(4);
    let disk = or_skip!(Disk::held(32 * BLOCK));
    disk.shorten_to(1000);
    let file = Arc::new(disk.open());
    engine.add(Read::new(file.clone(), vec![0; 4096], 0).into()).unwrap();
    engine.submit().unwrap();
    disk.wait_for_requests(1);
    disk.fail_with(Some(libc::EIO));
    disk.release();
    let done = one(&mut engine);
    assert_eq!((plain(done.result), done.transferred), (Err(libc::EIO), 1000));
    let buffer = done.operation.into_buffer().unwrap();
    assert_eq!(buffer.len(), 1000);
    files::check(&buffer, 0);
    // The engine goes on.
    disk.fail_with(None);
    assert_eq!(result(&mut engine, Read::new(file.clone(), vec![0; 4096], 0)), Ok(4096));
}

fn an_append_that_is_cut_short_goes_on_at_the_end(case: &Case) {
    let file = TempFile::new(100);
    with_inner!(case, 4, |inner| {
        let mut engine = faulty::<Anything>(inner, vec![Fate::Shorten(10), Fate::Shorten(10)]);
        let before = file.file().metadata().unwrap().len();
        let write = Write::new(shared(&file), files::content(500, 50), 0).flags(RwFlags::APPEND);
        assert_eq!(result(&mut engine, write), Ok(50));
        let mut bytes = [0; 50];
        file.file().read_exact_at(&mut bytes, before).unwrap();
        files::check(&bytes, 500);
    });
}

on_each!(
    short_transfers_are_continued_and_counted,
    an_error_after_a_part_tells_both,
    interruptions_are_tried_again_and_eagain_not_for_ever,
    a_cancelled_operation_is_not_continued,
    short_transfers_of_a_scope_are_continued,
    a_disk_that_gives_little_at_a_time_is_read_whole,
    a_disk_that_fails_in_the_middle_is_told_with_what_came_before,
    an_append_that_is_cut_short_goes_on_at_the_end,
);
