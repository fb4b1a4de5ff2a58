//! To open and close files, and what is known of them.

use std::ffi::CStr;
use std::fs;
use std::io::ErrorKind;
use std::mem;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use tests::files::{TempFile, check, pread};
use tests::require;
use uring::op::file::{CWD, Close, Fadvise, Fallocate, Ftruncate, OpenHow, Openat, Openat2, Statx};
use uring::{Fixed, Op, Ring};

use super::common::{Taken, c_path, closed_descriptor, has, kernel_is_at_least, pipe, ring, run};

/// The file that a request has opened.
#[track_caller]
fn opened(result: Taken) -> fs::File {
    let fd = result.expect("a descriptor") as i32;
    let fd = unsafe { OwnedFd::from_raw_fd(fd) };
    fd.into()
}

#[test]
fn openat_opens_and_makes_files() {
    let dir = tempfile::tempdir().unwrap();
    let dirfd = fs::File::open(dir.path()).unwrap();
    let file = TempFile::new(100);
    let path = c_path(file.path());
    let mut ring = ring();
    let open = unsafe { Openat::new(CWD, path.as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC, 0) };
    check(&pread(&opened(run(&mut ring, open)), 0, 100), 0);

    let flags = libc::O_CREAT | libc::O_EXCL | libc::O_RDWR | libc::O_CLOEXEC;
    let make = || unsafe { Openat::new(&dirfd, c"made".as_ptr(), flags, 0o600) };
    drop(opened(run(&mut ring, make())));
    let made = fs::metadata(dir.path().join("made")).unwrap();
    assert_eq!(made.permissions().mode() & 0o777, 0o600);
    assert_eq!(run(&mut ring, make()), Err(libc::EEXIST));
    let missing = unsafe { Openat::new(&dirfd, c"missing".as_ptr(), libc::O_RDONLY, 0) };
    assert_eq!(run(&mut ring, missing), Err(libc::ENOENT));
}

#[test]
fn openat2_stays_where_it_is_told_to() {
    let dir = tempfile::tempdir().unwrap();
    let dirfd = fs::File::open(dir.path()).unwrap();
    let how = OpenHow::new(libc::O_CREAT | libc::O_RDWR | libc::O_CLOEXEC).mode(0o600);
    let beneath = how.resolve(libc::RESOLVE_BENEATH);
    let mut ring = ring();
    let make = unsafe { Openat2::new(&dirfd, c"made".as_ptr(), &raw const beneath) };
    drop(opened(run(&mut ring, make)));
    assert!(dir.path().join("made").exists());
    let above = unsafe { Openat2::new(&dirfd, c"../made".as_ptr(), &raw const beneath) };
    assert_eq!(run(&mut ring, above), Err(libc::EXDEV));
    let read = OpenHow::new(libc::O_RDONLY).mode(0o600);
    let open = unsafe { Openat2::new(&dirfd, c"made".as_ptr(), &raw const read) };
    assert_eq!(run(&mut ring, open), Err(libc::EINVAL), "a mode without O_CREAT");
}

#[test]
fn openat2_opens_nothing_but_a_file_where_it_is_told_so() {
    const EFTYPE: i32 = 134;
    let file = tempfile::NamedTempFile::new().unwrap();
    let regular = OpenHow::new(libc::O_RDONLY | libc::O_CLOEXEC).regular();
    let mut ring = ring();
    let mut open = |path: &CStr| {
        let request = unsafe { Openat2::new(CWD, path.as_ptr(), &raw const regular) };
        run(&mut ring, request)
    };
    let path = c_path(file.path());
    if kernel_is_at_least(7, 2) {
        drop(opened(open(&path)));
        assert_eq!(open(c"/dev/null"), Err(EFTYPE));
    } else {
        assert_eq!(open(&path), Err(libc::EINVAL));
    }
}

/// Says whether a descriptor is open. Its number has to be so high that no other test opens it meanwhile.
fn is_open(fd: i32) -> bool {
    0 <= unsafe { libc::fcntl(fd, libc::F_GETFD) }
}

fn high(at_least: i32) -> OwnedFd {
    let null = fs::File::open("/dev/null").unwrap();
    let fd = unsafe { libc::fcntl(null.as_raw_fd(), libc::F_DUPFD_CLOEXEC, at_least) };
    assert!(fd >= at_least);
    unsafe { OwnedFd::from_raw_fd(fd) }
}

#[test]
fn close_closes_what_it_is_given_and_no_ring() {
    let mut ring = ring();
    let fd = high(710);
    let number = fd.as_raw_fd();
    assert_eq!(run(&mut ring, Close::owned(fd)), Ok(0));
    assert!(!is_open(number));
    let fd = high(730);
    let number = fd.as_raw_fd();
    mem::forget(fd);
    assert_eq!(run(&mut ring, unsafe { Close::new(number) }), Ok(0));
    assert!(!is_open(number));
    assert_eq!(run(&mut ring, unsafe { Close::new(closed_descriptor().as_raw_fd()) }), Err(libc::EBADF));
    let itself = unsafe { Close::new(ring.as_raw_fd()) };
    assert_eq!(run(&mut ring, itself), Err(libc::EBADF));
}

#[test]
fn statx_knows_what_stat_knows() {
    let file = TempFile::new(12_345);
    let path = c_path(file.path());
    let mut buffer: libc::statx = unsafe { mem::zeroed() };
    let mut ring = ring();
    let mask = libc::STATX_SIZE | libc::STATX_INO;
    let statx = unsafe { Statx::new(CWD, path.as_ptr(), 0, mask, &raw mut buffer) };
    assert_eq!(run(&mut ring, statx), Ok(0));
    let known = fs::metadata(file.path()).unwrap();
    assert_eq!((buffer.stx_size, buffer.stx_ino), (12_345, known.ino()));
    assert_eq!(buffer.stx_mask & mask, mask);

    buffer = unsafe { mem::zeroed() };
    let flags = libc::AT_EMPTY_PATH;
    let statx = unsafe { Statx::new(file.file(), c"".as_ptr(), flags, mask, &raw mut buffer) };
    assert_eq!(run(&mut ring, statx), Ok(0));
    assert_eq!((buffer.stx_size, buffer.stx_ino), (12_345, known.ino()));
    let missing = unsafe { Statx::new(file.file(), c"".as_ptr(), 0, mask, &raw mut buffer) };
    assert_eq!(run(&mut ring, missing), Err(libc::ENOENT));
}

fn with_file(len: usize) -> (TempFile, Ring) {
    let (file, ring) = (TempFile::new(len), ring());
    ring.registrar().register_files(&[file.file().as_fd().into()]).unwrap();
    (file, ring)
}

#[test]
fn fallocate_allocates_and_frees() {
    let (file, mut ring) = with_file(0);
    let size = |file: &TempFile| file.file().metadata().unwrap().len();
    assert_eq!(run(&mut ring, unsafe { Fallocate::new(file.file(), 0, 0, 65_536) }), Ok(0));
    assert_eq!(size(&file), 65_536);
    assert!(file.file().metadata().unwrap().blocks() >= 128);
    let keep = Fallocate::fixed(Fixed(0), libc::FALLOC_FL_KEEP_SIZE, 65_536, 4096);
    assert_eq!(run(&mut ring, keep), Ok(0));
    assert_eq!(size(&file), 65_536);
    assert_eq!(run(&mut ring, Fallocate::fixed(Fixed(0), 0, 0, 0)), Err(libc::EINVAL));
    let (reader, _writer) = pipe();
    assert_eq!(run(&mut ring, unsafe { Fallocate::new(&reader, 0, 0, 1) }), Err(libc::EBADF));
}

#[test]
fn ftruncate_sets_the_length() {
    let (file, mut ring) = with_file(10_000);
    require!(has(&ring, Op::FTRUNCATE), "Linux 6.9");
    for len in [100, 1 << 33] {
        assert_eq!(run(&mut ring, Ftruncate::fixed(Fixed(0), len)), Ok(0));
        assert_eq!(file.file().metadata().unwrap().len(), len);
    }
    check(&pread(file.file(), 0, 100), 0);
    let read_only = fs::File::open(file.path()).unwrap();
    let expected = fs::File::set_len(&read_only, 0).unwrap_err();
    assert_eq!(expected.kind(), ErrorKind::InvalidInput);
    assert_eq!(run(&mut ring, unsafe { Ftruncate::new(&read_only, 0) }), Err(libc::EINVAL));
    assert_eq!(run(&mut ring, Ftruncate::fixed(Fixed(0), u64::MAX)), Err(libc::EINVAL));
}

#[test]
fn fadvise_is_taken_as_the_system_call_takes_it() {
    let (file, mut ring) = with_file(10_000);
    let advise = |len, advice| unsafe { Fadvise::new(file.file(), 0, len, advice) };
    assert_eq!(run(&mut ring, advise(0, libc::POSIX_FADV_SEQUENTIAL)), Ok(0));
    assert_eq!(run(&mut ring, Fadvise::fixed(Fixed(0), 0, 4096, libc::POSIX_FADV_DONTNEED)), Ok(0));
    assert_eq!(run(&mut ring, advise(0, 77)), Err(libc::EINVAL));
    let expected = if kernel_is_at_least(6, 11) { Ok(0) } else { Err(libc::EINVAL) };
    assert_eq!(run(&mut ring, advise(1 << 40, libc::POSIX_FADV_WILLNEED)), expected);
    let (reader, _writer) = pipe();
    let advice = unsafe { Fadvise::new(&reader, 0, 0, libc::POSIX_FADV_NORMAL) };
    assert_eq!(run(&mut ring, advice), Err(libc::ESPIPE));
    check(&pread(file.file(), 0, 10_000), 0);
}
