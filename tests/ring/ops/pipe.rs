//! Pipes, and data that moves through them.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, FromRawFd, OwnedFd};

use tests::files::{TempFile, check, content, pread};
use tests::require;
use uring::op::file::{Pipe, Splice, Tee};
use uring::{Fixed, Op};

use super::common::{closed_descriptor, has, pipe, ring, run};

#[test]
fn data_moves_from_a_file_through_a_pipe_to_a_file() {
    let (from, to) = (TempFile::new(10_000), TempFile::empty());
    let (reader, writer) = pipe();
    let mut ring = ring();
    ring.registrar().register_files(&[from.file().as_fd().into(), writer.as_fd().into()]).unwrap();
    let fill = unsafe { Splice::new(from.file(), 100, &writer, u64::MAX, 1000) };
    assert_eq!(run(&mut ring, fill), Ok(1000));
    let fill = Splice::fixed(Fixed(0), 1100, Fixed(1), u64::MAX, 500).splice_flags(libc::SPLICE_F_MOVE);
    assert_eq!(run(&mut ring, fill), Ok(500));
    let empty = unsafe { Splice::new(&reader, u64::MAX, to.file(), 50, 1500) };
    assert_eq!(run(&mut ring, empty), Ok(1500));
    check(&pread(to.file(), 50, 1500), 100);
    assert_eq!(pread(to.file(), 0, 50), [0; 50]);
    // A mixed pair: the file by its place, the pipe by its descriptor.
    let end = unsafe { Splice::new(Fixed(0), 10_000, &writer, u64::MAX, 1) };
    assert_eq!(run(&mut ring, end), Ok(0), "the end of the file");
}

#[test]
fn data_does_not_move_where_splice_does_not_move_it() {
    let file = TempFile::new(100);
    let mut ring = ring();
    let (reader, writer) = pipe();
    let files = unsafe { Splice::new(file.file(), 0, file.file(), 0, 1) };
    assert_eq!(run(&mut ring, files), Err(libc::EINVAL), "no pipe");
    let closed = unsafe { Splice::new(closed_descriptor(), 0, &writer, u64::MAX, 1) };
    assert_eq!(run(&mut ring, closed), Err(libc::EBADF));
    let empty = unsafe { Splice::new(&reader, u64::MAX, file.file(), 0, 1) };
    assert_eq!(run(&mut ring, empty.splice_flags(libc::SPLICE_F_NONBLOCK)), Err(libc::EAGAIN));
}

#[test]
fn tee_copies_and_leaves() {
    let ((mut first, mut first_writer), (mut second, second_writer)) = (pipe(), pipe());
    let data = content(0, 100);
    let mut ring = ring();
    first_writer.write_all(&data).unwrap();
    ring.registrar().register_files(&[first.as_fd().into(), second_writer.as_fd().into()]).unwrap();
    assert_eq!(run(&mut ring, unsafe { Tee::new(&first, &second_writer, 60) }), Ok(60));
    assert_eq!(run(&mut ring, Tee::fixed(Fixed(0), Fixed(1), 40)), Ok(40));
    let mut buffer = [0; 100];
    second.read_exact(&mut buffer).unwrap();
    assert_eq!(buffer[..60], data[..60]);
    assert_eq!(buffer[60..], data[..40]);
    first.read_exact(&mut buffer).unwrap();
    assert_eq!(buffer, data[..]);
    let empty = unsafe { Tee::new(&first, &second_writer, 1) }.splice_flags(libc::SPLICE_F_NONBLOCK);
    assert_eq!(run(&mut ring, empty), Err(libc::EAGAIN));
    let file = TempFile::new(1);
    assert_eq!(run(&mut ring, unsafe { Tee::new(file.file(), &second_writer, 1) }), Err(libc::EINVAL));
}

#[test]
fn a_pipe_is_made_as_by_pipe2() {
    let mut fds = [-1; 2];
    let mut ring = ring();
    require!(has(&ring, Op::PIPE), "Linux 6.16");
    let flags = libc::O_CLOEXEC | libc::O_NONBLOCK;
    assert_eq!(run(&mut ring, unsafe { Pipe::new(&raw mut fds, flags) }), Ok(0));
    let [mut reader, mut writer] = fds.map(|fd| File::from(unsafe { OwnedFd::from_raw_fd(fd) }));
    writer.write_all(b"data").unwrap();
    let mut buffer = [0; 4];
    reader.read_exact(&mut buffer).unwrap();
    assert_eq!(&buffer, b"data");
    for fd in fds {
        assert_eq!(unsafe { libc::fcntl(fd, libc::F_GETFD) }, libc::FD_CLOEXEC);
        assert_ne!(unsafe { libc::fcntl(fd, libc::F_GETFL) } & libc::O_NONBLOCK, 0);
    }
    assert_eq!(run(&mut ring, unsafe { Pipe::new(&raw mut fds, libc::O_APPEND) }), Err(libc::EINVAL));
    assert_eq!(run(&mut ring, unsafe { Pipe::new(std::ptr::null_mut(), 0) }), Err(libc::EFAULT));
}
