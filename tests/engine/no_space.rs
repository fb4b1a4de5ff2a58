//! A file system that is full, and limits that are reached.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use engine::Engine;
use engine::operation::{Allocate, Operations, Read, Sync, Write, WriteVectored};
use tests::files::{self, TempFile};
use tests::{limits, or_skip};

use crate::common::*;

type Anything = Operations<Arc<File>, Vec<u8>>;

/// Mounts a tmpfs of 64 KiB in a mount namespace of this process's own, so that it goes with the process.
fn small_file_system() -> Result<PathBuf, String> {
    assert!(tests::child::active(), "namespaces only inside a child");
    let said = |what: &str| format!("{what}: {}", std::io::Error::last_os_error());
    if unsafe { libc::unshare(libc::CLONE_NEWNS) } != 0 {
        return Err(said("unshare"));
    }
    let none = std::ptr::null();
    let private = libc::MS_REC | libc::MS_PRIVATE;
    if unsafe { libc::mount(none, c"/".as_ptr(), none, private, none.cast()) } != 0 {
        return Err(said("a private mount namespace"));
    }
    let options = c"size=64k".as_ptr().cast();
    let tmpfs = c"tmpfs".as_ptr();
    if unsafe { libc::mount(tmpfs, c"/mnt".as_ptr(), tmpfs, 0, options) } != 0 {
        return Err(said("a tmpfs"));
    }
    Ok("/mnt/file".into())
}

fn a_full_file_system_is_told_with_what_it_took(case: &Case) {
    case.in_child(|| {
        let path = or_skip!(small_file_system());
        let file = File::options().read(true).write(true).create(true).truncate(true).open(path).unwrap();
        let file = Arc::new(file);
        let mut engine: Engine<Anything> = case.engine(4);
        let data = files::content(0, 100_000);
        let done = run(&mut engine, Write::new(file.clone(), data.clone(), 0));
        assert_eq!((plain(done.result), done.transferred), (Err(libc::ENOSPC), 65536));
        // The buffer came back as it was, and what the count says is in the file.
        assert_eq!(done.operation.into_buffer().unwrap(), data);
        files::check(&files::pread(&file, 0, 100_000), 0);
        assert_eq!(file.metadata().unwrap().len(), 65536);
        let vectors = vec![vec![7; 10], vec![8; 10]];
        let none = result(&mut engine, WriteVectored::new(file.clone(), vectors, 65536));
        assert_eq!(none, Err(libc::ENOSPC));
        assert_eq!(result(&mut engine, Allocate::new(file.clone(), 0, 200_000)), Err(libc::ENOSPC));
        // All else works, also what fits again.
        assert_eq!(result(&mut engine, Sync::all(file.clone())), Ok(0));
        file.set_len(4096).unwrap();
        assert_eq!(result(&mut engine, Write::new(file.clone(), vec![7; 4096], 4096)), Ok(4096));
        let done = run(&mut engine, Read::new(file.clone(), vec![0; 10_000], 0));
        assert_eq!(plain(done.result), Ok(8192));
        let error = engine.scope(|s| s.write_at(&*file, &data, 0).map(drop)).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENOSPC));
    });
}

fn a_limit_on_file_sizes_is_told_with_what_was_written(case: &Case) {
    case.in_child(|| {
        let file = TempFile::empty();
        let mut engine: Engine<Anything> = case.engine(4);
        limits::ignore(libc::SIGXFSZ);
        limits::set(libc::RLIMIT_FSIZE, 5000);
        let done = run(&mut engine, Write::new(shared(&file), files::content(0, 8000), 0));
        assert_eq!((plain(done.result), done.transferred), (Err(libc::EFBIG), 5000));
        files::check(&files::pread(file.file(), 0, 8000), 0);
        assert_eq!(file.file().metadata().unwrap().len(), 5000);
        assert_eq!(result(&mut engine, Write::new(shared(&file), vec![7; 10], 4990)), Ok(10));
    });
}

on_each!(a_full_file_system_is_told_with_what_it_took, a_limit_on_file_sizes_is_told_with_what_was_written,);
