//! Space that is allocated, given up and zeroed.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::process::Command;
use std::sync::Arc;

use engine::Engine;
use engine::operation::{Allocate, Discard, Operations, Sync, WriteZeroes};
use tests::files::{self, TempFile};
use tests::or_skip;

use crate::common::*;

type Anything = Operations<Arc<File>, Vec<u8>>;

/// Where the first hole at or after the offset is.
fn hole(file: &File, offset: i64) -> i64 {
    unsafe { libc::lseek(file.as_raw_fd(), offset, libc::SEEK_HOLE) }
}

fn fallocate(file: &File, mode: i32, offset: u64, len: u64) -> Result<usize, i32> {
    let ret = unsafe { libc::fallocate(file.as_raw_fd(), mode, offset as i64, len as i64) };
    plain(if ret == 0 { Ok(0) } else { Err(io::Error::last_os_error()) })
}

fn every_mode_does_what_fallocate_does(case: &Case) {
    const KEEP: i32 = libc::FALLOC_FL_KEEP_SIZE;
    let mut engine: Engine<Anything> = case.engine(2);
    let modes = [
        0,
        KEEP,
        libc::FALLOC_FL_PUNCH_HOLE | KEEP,
        libc::FALLOC_FL_PUNCH_HOLE,
        libc::FALLOC_FL_ZERO_RANGE,
        libc::FALLOC_FL_ZERO_RANGE | KEEP,
        libc::FALLOC_FL_COLLAPSE_RANGE,
        libc::FALLOC_FL_INSERT_RANGE,
        libc::FALLOC_FL_UNSHARE_RANGE,
        1 << 20,
    ];
    let on_disk = || TempFile::new(32768).file().try_clone().unwrap();
    let in_memory = || {
        let file = memory_file();
        file.write_all_at(&files::content(0, 32768), 0).unwrap();
        file
    };
    let makers: [&dyn Fn() -> File; 2] = [&on_disk, &in_memory];
    for make in makers {
        for mode in modes {
            let ranges = [(4096, 8192), (30_000, 10_000), (5, 100), (0, 0), (1 << 63, 1), (0, u64::MAX)];
            for (offset, len) in ranges {
                let (ours, theirs) = (Arc::new(make()), make());
                let expected = fallocate(&theirs, mode, offset, len);
                let operation = Allocate { file: ours.clone(), mode, offset, len };
                assert_eq!(result(&mut engine, operation), expected, "mode {mode} of {len} at {offset}");
                assert_eq!(files::pread(&ours, 0, 1 << 17), files::pread(&theirs, 0, 1 << 17));
                let sizes = [&*ours, &theirs].map(|file| file.metadata().unwrap());
                assert_eq!(sizes[0].len(), sizes[1].len(), "mode {mode} of {len} at {offset}");
            }
        }
    }
}

fn a_discard_gives_space_back_and_reads_as_zeroes(case: &Case) {
    let mut engine: Engine<Anything> = case.engine(2);
    let memory = memory_file();
    memory.write_all_at(&files::content(0, 65536), 0).unwrap();
    for file in [TempFile::new(65536).file().try_clone().unwrap(), memory] {
        file.sync_all().unwrap();
        let file = Arc::new(file);
        let blocks = hole_blocks(&file);
        assert_eq!(result(&mut engine, Discard { file: file.clone(), offset: 8192, len: 16384 }), Ok(0));
        assert_eq!((hole(&file, 0), file.metadata().unwrap().len()), (8192, 65536));
        assert!(hole_blocks(&file) < blocks);
        let bytes = files::pread(&file, 0, 65536);
        files::check(&bytes[..8192], 0);
        assert!(bytes[8192..24576].iter().all(|&byte| byte == 0));
        files::check(&bytes[24576..], 24576);
        // Beyond the end there is nothing to give up, and nothing grows.
        assert_eq!(result(&mut engine, Discard { file: file.clone(), offset: 1 << 20, len: 4096 }), Ok(0));
        assert_eq!(file.metadata().unwrap().len(), 65536);
    }
}

fn hole_blocks(file: &File) -> u64 {
    file.metadata().unwrap().blocks()
}

fn zeroes_are_there_whatever_the_file_can_do(case: &Case) {
    let mut engine: Engine<Anything> = case.engine(2);
    for unmap in [false, true] {
        for (offset, len) in [(0, 100), (4096, 8192), (5000, 3), (60_000, 100_000), (200_000, 4096)] {
            let memory = memory_file();
            memory.write_all_at(&files::content(0, 65536), 0).unwrap();
            for file in [TempFile::new(65536).file().try_clone().unwrap(), memory] {
                let file = Arc::new(file);
                let operation = WriteZeroes { file: file.clone(), offset, len, unmap };
                assert_eq!(result(&mut engine, operation), Ok(0), "{len} at {offset}, unmap {unmap}");
                let end = (offset + len).max(65536) as usize;
                let bytes = files::pread(&file, 0, 1 << 20);
                assert_eq!(bytes.len(), end);
                for (byte, at) in bytes.iter().zip(0..) {
                    let zero = (offset..offset + len).contains(&at) || at >= 65536;
                    assert_eq!(*byte, if zero { 0 } else { files::byte_at(at) }, "at {at}");
                }
            }
        }
    }
    assert!(engine.stats().fallbacks > 0, "tmpfs has no ZERO_RANGE: {:?}", engine.stats());
}

fn what_has_no_space_says_so_in_one_way(case: &Case) {
    let (_reader, writer) = io::pipe().unwrap();
    let writer = Arc::new(File::from(std::os::fd::OwnedFd::from(writer)));
    let nul = Arc::new(File::options().write(true).open("/dev/null").unwrap());
    let mut engine: Engine<Anything> = case.engine(2);
    let discard = |file: &Arc<File>| Discard { file: file.clone(), offset: 0, len: 10 };
    assert_eq!(result(&mut engine, discard(&nul)), Err(libc::EOPNOTSUPP));
    assert_eq!(result(&mut engine, discard(&writer)), Err(libc::ESPIPE));
    let read_only = Arc::new(File::open("/proc/self/exe").unwrap());
    assert_eq!(result(&mut engine, discard(&read_only)), Err(libc::EBADF));
}

fn syncs_succeed_where_fsync_does(case: &Case) {
    let file = TempFile::new(100);
    let mut engine: Engine<Anything> = case.engine(2);
    assert_eq!(result(&mut engine, Sync::all(shared(&file))), Ok(0));
    assert_eq!(result(&mut engine, Sync::data(shared(&file))), Ok(0));
    assert_eq!(result(&mut engine, Sync::all(Arc::new(memory_file()))), Ok(0));
    let (_reader, writer) = io::pipe().unwrap();
    let writer = Arc::new(File::from(std::os::fd::OwnedFd::from(writer)));
    assert_eq!(result(&mut engine, Sync::all(writer)), Err(libc::EINVAL));
}

/// A loop device over a file, detached when it is dropped.
struct Loop(String);

impl Loop {
    fn new(file: &TempFile) -> Result<Loop, String> {
        let output = Command::new("losetup").args(["--find", "--show"]).arg(file.path()).output();
        let output = output.map_err(|error| format!("losetup: {error}"))?;
        match output.status.success() {
            true => Ok(Loop(String::from_utf8_lossy(&output.stdout).trim().to_owned())),
            false => Err(format!("no loop device: {}", String::from_utf8_lossy(&output.stderr))),
        }
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        let detached = Command::new("losetup").args(["--detach", &self.0]).status();
        assert!(detached.is_ok_and(|status| status.success()), "{} is still attached", self.0);
    }
}

fn a_block_device_is_discarded_and_zeroed(case: &Case) {
    let backing = TempFile::new(1 << 20);
    backing.file().sync_all().unwrap();
    let device = or_skip!(Loop::new(&backing));
    let opened =
        or_skip!(File::options().read(true).write(true).open(&device.0).map_err(|error| error.to_string()));
    let file = Arc::new(opened);
    let mut engine: Engine<Anything> = case.engine(2);
    files::check(&files::pread(&file, 0, 1 << 20), 0);
    assert_eq!(result(&mut engine, Discard { file: file.clone(), offset: 65536, len: 65536 }), Ok(0));
    for (offset, unmap) in [(262_144, false), (524_288, true)] {
        let operation = WriteZeroes { file: file.clone(), offset, len: 65536, unmap };
        assert_eq!(result(&mut engine, operation), Ok(0));
        assert!(files::pread(&file, offset, 65536).iter().all(|&byte| byte == 0));
    }
    assert_eq!(result(&mut engine, Sync::all(file.clone())), Ok(0));
    assert!(hole_blocks(backing.file()) < 2048, "nothing was given up");
    for start in [0, 131_072, 393_216, 786_432] {
        files::check(&files::pread(&file, start, 65536), start);
    }
    // The device does not grow.
    let beyond = WriteZeroes { file: file.clone(), offset: 1 << 20, len: 4096, unmap: false };
    assert!(result(&mut engine, beyond).is_err());
    drop((engine, file));
}

on_each!(
    every_mode_does_what_fallocate_does,
    a_discard_gives_space_back_and_reads_as_zeroes,
    zeroes_are_there_whatever_the_file_can_do,
    what_has_no_space_says_so_in_one_way,
    syncs_succeed_where_fsync_does,
    a_block_device_is_discarded_and_zeroed,
);
