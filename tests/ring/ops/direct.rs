//! Files without descriptors: made in the table of registered ones, and taken out of there.

use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};

use tests::files::{TempFile, check, content, pread};
use tests::require;
use uring::op::file::{CWD, Close, OpenHow, Openat, Openat2, Pipe};
use uring::op::ring::{FilesUpdate, FixedFdInstall};
use uring::op::rw::{Read, Write};
use uring::ring::FilePlace;
use uring::{FileIndex, Fixed, Op, Ring};

use super::common::{NOWHERE, c_path, has, kernel_is_at_least, ring, run};

/// Checks that a place has the file with the content.
#[track_caller]
fn holds(ring: &mut Ring, place: u32) {
    let mut buffer = [0; 100];
    let read = unsafe { Read::new(Fixed(place), buffer.as_mut_ptr(), buffer.len(), 0) };
    assert_eq!(run(ring, read), Ok(100));
    check(&buffer, 0);
}

/// Checks that a place is empty.
#[track_caller]
fn is_empty(ring: &mut Ring, place: u32) {
    assert_eq!(run(ring, unsafe { Read::new(Fixed(place), NOWHERE, 0, 0) }), Err(libc::EBADF));
}

#[test]
fn a_file_is_opened_to_a_place_and_closed_there() {
    let file = TempFile::new(100);
    let path = c_path(file.path());
    let mut ring = ring();
    require!(kernel_is_at_least(5, 19), "Linux 5.19");
    ring.registrar().register_files_sparse(4).unwrap();
    let open = |flags| unsafe { Openat::new(CWD, path.as_ptr(), flags, 0) };
    assert_eq!(run(&mut ring, open(libc::O_RDONLY).direct(Fixed(2))), Ok(0));
    holds(&mut ring, 2);
    let how = OpenHow::new(libc::O_RDONLY);
    let open2 = || unsafe { Openat2::new(CWD, path.as_ptr(), &raw const how) };
    let mut places = [0; 3].map(|_| run(&mut ring, open2().direct(FileIndex::ALLOC)).expect("a free place"));
    places.sort_unstable();
    assert_eq!(places, [0, 1, 3]);
    for place in places {
        holds(&mut ring, place);
    }
    assert_eq!(run(&mut ring, open2().direct(FileIndex::ALLOC)), Err(libc::ENFILE));
    assert_eq!(run(&mut ring, open(libc::O_CLOEXEC).direct(Fixed(2))), Err(libc::EINVAL));
    for past in [4, u32::MAX - 1, u32::MAX] {
        assert_eq!(run(&mut ring, open2().direct(Fixed(past))), Err(libc::EINVAL));
    }

    assert_eq!(run(&mut ring, Close::fixed(Fixed(2))), Ok(0));
    is_empty(&mut ring, 2);
    assert_eq!(run(&mut ring, Close::fixed(Fixed(2))), Err(libc::EBADF));
    assert_eq!(run(&mut ring, Close::fixed(Fixed(4))), Err(libc::EINVAL));
}

#[test]
fn a_descriptor_is_made_of_a_place() {
    let file = TempFile::new(100);
    let mut ring = ring();
    require!(has(&ring, Op::FIXED_FD_INSTALL), "Linux 6.8");
    ring.registrar().register_files(&[FilePlace::Empty, file.file().as_fd().into()]).unwrap();
    for (inherited, request) in
        [(false, FixedFdInstall::new(Fixed(1))), (true, FixedFdInstall::new(Fixed(1)).no_cloexec())]
    {
        let fd = run(&mut ring, request).expect("a descriptor") as i32;
        let made = std::fs::File::from(unsafe { OwnedFd::from_raw_fd(fd) });
        check(&pread(&made, 0, 100), 0);
        let flags = unsafe { libc::fcntl(fd, libc::F_GETFD) };
        assert_eq!(flags & libc::FD_CLOEXEC == 0, inherited);
    }
    assert_eq!(run(&mut ring, FixedFdInstall::new(Fixed(0))), Err(libc::EBADF));
}

#[test]
fn places_are_filled_left_and_emptied() {
    const EMPTY: RawFd = -1;
    const LEFT: RawFd = -2;
    let file = TempFile::new(100);
    let fd = file.file().as_raw_fd();
    let mut ring = ring();
    let fds = [fd];
    assert_eq!(run(&mut ring, unsafe { FilesUpdate::new(Fixed(0), fds.as_ptr(), 1) }), Err(libc::ENXIO));
    let place = file.file().as_fd().into();
    ring.registrar().register_files(&[place, place, place, FilePlace::Empty]).unwrap();
    let fds = [EMPTY, LEFT, fd];
    assert_eq!(run(&mut ring, unsafe { FilesUpdate::new(Fixed(1), fds.as_ptr(), 3) }), Ok(3));
    is_empty(&mut ring, 1);
    for place in [0, 2, 3] {
        holds(&mut ring, place);
    }
    for past in [2, u32::MAX] {
        let update = unsafe { FilesUpdate::new(Fixed(past), fds.as_ptr(), 3) };
        assert!(run(&mut ring, update).is_err(), "past the end of the table");
    }
}

#[test]
fn free_places_are_found_and_told() {
    let file = TempFile::new(100);
    let fd = file.file().as_raw_fd();
    let mut fds = [fd, fd];
    let mut ring = ring();
    require!(kernel_is_at_least(6, 0), "Linux 6.0");
    ring.registrar().register_files_sparse(3).unwrap();
    assert_eq!(run(&mut ring, unsafe { FilesUpdate::alloc(fds.as_mut_ptr(), 2) }), Ok(2));
    assert_eq!(fds, [0, 1]);
    holds(&mut ring, 1);
    fds = [fd, fd];
    assert_eq!(
        run(&mut ring, unsafe { FilesUpdate::alloc(fds.as_mut_ptr(), 2) }),
        Ok(1),
        "there is one more"
    );
    assert_eq!(run(&mut ring, unsafe { FilesUpdate::alloc(fds.as_mut_ptr(), 1) }), Err(libc::ENFILE));
}

#[test]
fn a_pipe_is_made_in_two_places() {
    let mut ends = [-1; 2];
    let (data, mut buffer) = (content(0, 100), [0; 100]);
    let mut ring = ring();
    require!(has(&ring, Op::PIPE), "Linux 6.16");
    ring.registrar().register_files_sparse(4).unwrap();
    let pipe = unsafe { Pipe::new(&raw mut ends, 0) };
    assert_eq!(run(&mut ring, pipe.direct(Fixed(1))), Ok(0));
    assert_eq!(ends, [1, 2]);
    let write = unsafe { Write::new(Fixed(2), data.as_ptr(), data.len(), u64::MAX) };
    assert_eq!(run(&mut ring, write), Ok(100));
    let read = unsafe { Read::new(Fixed(1), buffer.as_mut_ptr(), buffer.len(), u64::MAX) };
    assert_eq!(run(&mut ring, read), Ok(100));
    assert_eq!(buffer, data[..]);
    let pipe = unsafe { Pipe::new(&raw mut ends, 0) };
    assert_eq!(run(&mut ring, pipe.direct(FileIndex::ALLOC)), Ok(0));
    ends.sort_unstable();
    assert_eq!(ends, [0, 3]);
    let pipe = unsafe { Pipe::new(&raw mut ends, 0) };
    assert_eq!(run(&mut ring, pipe.direct(FileIndex::ALLOC)), Err(libc::ENFILE));
}
