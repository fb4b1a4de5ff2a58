//! The table of files.

use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use tests::files::TempFile;
use tests::{in_child, require};
use uring::op::file::{CWD, Openat};
use uring::op::rw::Read;
use uring::ring::FilePlace;
use uring::{FileIndex, Fixed, Ring, URingContext};

use super::common::*;

const CLOSED: Result<u32, i32> = Err(libc::EBADF);

fn place(file: &TempFile) -> FilePlace<'_> {
    file.file().as_fd().into()
}

/// The sizes of the files in the first places.
fn sizes<const N: usize>(ring: &mut Ring) -> [Result<u32, i32>; N] {
    let mut buffer = vec![0; 100];
    std::array::from_fn(|index| {
        let read = unsafe { Read::new(Fixed(index as u32), buffer.as_mut_ptr(), buffer.len(), 0) };
        run(ring, read)
    })
}

/// Whether nobody has the writing end of a pipe any more.
fn hung_up(reader: &File) -> bool {
    hangs_up_in(reader, 0)
}

/// Older kernels close a file a little later than they say so.
fn hangs_up(reader: &File) -> bool {
    hangs_up_in(reader, 50_000)
}

fn hangs_up_in(reader: &File, millis: i32) -> bool {
    let mut entry = libc::pollfd { fd: reader.as_raw_fd(), events: 0, revents: 0 };
    unsafe { libc::poll(&raw mut entry, 1, millis) == 1 && entry.revents & libc::POLLHUP != 0 }
}

#[test]
fn a_table_may_have_empty_places_and_an_update_leaves_some_as_they_are() {
    let (one, two, three) = (TempFile::new(1), TempFile::new(2), TempFile::new(3));
    let mut ring = ring(4);
    let places = [place(&one), FilePlace::Empty, place(&two), None.into()];
    ring.registrar().register_files(&places).unwrap();
    assert_eq!(sizes(&mut ring), [Ok(1), CLOSED, Ok(2), CLOSED, CLOSED]);
    require!(kernel_is_at_least(5, 12), "Linux 5.12");
    let update = [FilePlace::Keep, place(&three), FilePlace::Keep, place(&three)];
    assert_eq!(ring.registrar().update_files(0, &update).unwrap(), 4);
    assert_eq!(sizes(&mut ring), [Ok(1), Ok(3), Ok(2), Ok(3), CLOSED]);
    assert_eq!(ring.registrar().update_files(2, &[FilePlace::Empty, FilePlace::Keep]).unwrap(), 2);
    assert_eq!(sizes(&mut ring), [Ok(1), Ok(3), CLOSED, Ok(3)]);
    ring.registrar().unregister_files().unwrap();
    refused(ring.registrar().register_files(&[FilePlace::Keep]), libc::EBADF, "not open");
}

#[test]
fn what_makes_no_sense_is_refused_with_a_reason() {
    let file = TempFile::new(1);
    let ring = ring(4);
    let registrar = ring.registrar();
    refused(registrar.register_files(&[]), libc::EINVAL, "none");
    refused(registrar.register_files_sparse(0), libc::EINVAL, "none");
    refused(registrar.register_files_sparse((1 << 20) + 1), libc::EMFILE, "RLIMIT_NOFILE");
    let places = [place(&file), closed_descriptor().into()];
    refused(registrar.register_files(&places), libc::EBADF, "not open");
    refused(registrar.unregister_files(), libc::ENXIO, "none are registered");
    refused(registrar.update_files(0, &[FilePlace::Empty]), libc::ENXIO, "none are registered");

    registrar.register_files_sparse(2).unwrap();
    refused(registrar.register_files(&places[..1]), libc::EBUSY, "unregister");
    refused(registrar.register_files_sparse(2), libc::EBUSY, "unregister");
    refused(registrar.update_files(2, &[FilePlace::Empty]), libc::EINVAL, "past the end");
    refused(registrar.update_files(1, &[FilePlace::Empty; 2]), libc::EINVAL, "past the end");
    assert!(registrar.update_files(u32::MAX, &[FilePlace::Empty; 2]).is_err());
    refused(registrar.update_files(0, &places[1..]), libc::EBADF, "not open");
}

#[test]
fn a_sparse_table_is_filled_by_updates_on_every_kernel() {
    let file = TempFile::new(7);
    let mut ring = ring(4);
    ring.registrar().register_files_sparse(3).unwrap();
    assert_eq!(sizes(&mut ring), [CLOSED; 4]);
    assert_eq!(ring.registrar().update_files(1, &[place(&file)]).unwrap(), 1);
    assert_eq!(sizes(&mut ring), [CLOSED, Ok(7), CLOSED, CLOSED]);
}

#[test]
fn a_tag_tells_when_the_kernel_has_let_go_of_a_file() {
    let ((kept, kept_writer), (let_go, let_go_writer), (last, last_writer)) = (pipe(), pipe(), pipe());
    let mut ring = ring(4);
    require!(kernel_is_at_least(5, 13), "Linux 5.13");
    let file = |file: &File| -> FilePlace<'static> {
        // Closed right after it was registered.
        unsafe { BorrowedFd::borrow_raw(file.as_raw_fd()) }.into()
    };
    let places = [file(&kept_writer), file(&let_go_writer), FilePlace::Empty];
    ring.registrar().register_files_tagged(&places, &[0, 70, 0]).unwrap();
    drop((kept_writer, let_go_writer));
    assert!(!hung_up(&kept) && !hung_up(&let_go));
    assert_eq!(ring.completions().unwrap().count(), 0);

    let update = [FilePlace::Empty, file(&last_writer)];
    assert_eq!(ring.registrar().update_files_tagged(1, &update, &[0, 80]).unwrap(), 2);
    drop(last_writer);
    assert_eq!(take(&mut ring, 1), [(70, Ok(0))]);
    assert!(hangs_up(&let_go) && !hung_up(&kept) && !hung_up(&last));
    ring.registrar().unregister_files().unwrap();
    if kernel_is_at_least(6, 13) {
        assert_eq!(take(&mut ring, 1), [(80, Ok(0))]);
    }
    assert!(hangs_up(&kept) && hangs_up(&last));
    assert_eq!(ring.completions().unwrap().count(), 0, "a tag of 0 is none");
}

#[test]
fn a_tag_waits_for_requests_that_use_the_file() {
    let (reader, writer) = pipe();
    let mut byte = [0];
    let mut ring = ring(4);
    require!(kernel_is_at_least(6, 13), "tables before 6.13 wait for requests that came after");
    ring.registrar().register_files_tagged(&[reader.as_fd().into()], &[70]).unwrap();
    let read = unsafe { Read::new(Fixed(0), byte.as_mut_ptr(), 1, 0) };
    ring.push(read.user_data(1)).unwrap();
    ring.submit().unwrap();
    assert_eq!(ring.registrar().update_files(0, &[FilePlace::Empty]).unwrap(), 1);
    assert_eq!(ring.completions().unwrap().count(), 0);
    std::io::Write::write_all(&mut &writer, b"x").unwrap();
    assert_eq!(take(&mut ring, 2), [(1, Ok(1)), (70, Ok(0))]);
}

#[test]
fn a_ring_that_is_dropped_with_tags_ends_its_requests_first() {
    let (reader, _writer) = pipe();
    let mut byte = [0];
    let mut ring = ring(4);
    require!(kernel_is_at_least(5, 13), "Linux 5.13");
    ring.registrar().register_files_tagged(&[reader.as_fd().into()], &[1]).unwrap();
    let read = unsafe { Read::new(Fixed(0), byte.as_mut_ptr(), 1, 0) };
    // Named as the tag: which of them is gone does not confuse the drop.
    ring.push(read.user_data(1)).unwrap();
    ring.submit().unwrap();
    assert_eq!(ring.registrar().update_files(0, &[FilePlace::Empty]).unwrap(), 1);
    drop(ring);
    std::io::Write::write_all(&mut &_writer, b"x").unwrap();
    assert_eq!(byte, [0]);
}

#[test]
fn tags_that_make_no_sense_are_refused() {
    let file = TempFile::new(1);
    let ring = ring(4);
    let registrar = ring.registrar();
    let places = [place(&file), FilePlace::Empty];
    refused(registrar.register_files_tagged(&places, &[1]), libc::EINVAL, "1 tags for 2 places");
    refused(registrar.register_files_tagged(&[], &[]), libc::EINVAL, "none");
    require!(kernel_is_at_least(5, 13), "Linux 5.13");
    refused(registrar.update_files_tagged(0, &places, &[0, 0]), libc::ENXIO, "none are registered");
    refused(registrar.register_files_tagged(&places, &[0, 1]), libc::EINVAL, "empty place");
    registrar.register_files_tagged(&places, &[0, 0]).unwrap();
    refused(registrar.update_files_tagged(0, &places, &[1, 2, 3]), libc::EINVAL, "3 tags for 2 places");
    refused(registrar.update_files_tagged(0, &[FilePlace::Keep], &[1]), libc::EINVAL, "empty place");
    refused(registrar.update_files_tagged(2, &places, &[0, 0]), libc::EINVAL, "past the end");
}

#[test]
fn a_context_which_counts_its_completions_takes_no_tags() {
    let file = TempFile::new(1);
    let context = URingContext::new(4).unwrap();
    let registrar = context.registrar();
    refused(registrar.register_files_tagged(&[place(&file)], &[1]), libc::EINVAL, "take a `Ring`");
    registrar.register_files(&[place(&file)]).unwrap();
    refused(registrar.update_files_tagged(0, &[place(&file)], &[1]), libc::EINVAL, "take a `Ring`");
}

#[test]
fn the_kernel_chooses_places_of_the_range_that_it_was_given() {
    let mut ring = ring(4);
    require!(kernel_is_at_least(6, 0), "Linux 6.0");
    let registrar = ring.registrar();
    assert!(registrar.set_file_alloc_range(0..1).is_err(), "there is no table");
    registrar.register_files_sparse(8).unwrap();
    refused(registrar.set_file_alloc_range(0..9), libc::EINVAL, "past the end");
    #[expect(clippy::reversed_empty_ranges, reason = "that is what is refused")]
    let reversed = 5..2;
    refused(registrar.set_file_alloc_range(reversed), libc::EINVAL, "before it starts");
    registrar.set_file_alloc_range(5..7).unwrap();
    let mut open =
        || run(&mut ring, unsafe { Openat::new(CWD, c"/".as_ptr(), 0, 0) }.direct(FileIndex::ALLOC));
    let mut places = [open(), open()];
    places.sort_unstable();
    assert_eq!((places, open()), ([Ok(5), Ok(6)], Err(libc::ENFILE)));
    ring.registrar().set_file_alloc_range(0..8).unwrap();
    let mut open =
        || run(&mut ring, unsafe { Openat::new(CWD, c"/".as_ptr(), 0, 0) }.direct(FileIndex::ALLOC));
    assert!(open().is_ok_and(|place| !matches!(place, 5 | 6)));
}

#[test]
fn a_limit_on_descriptors_is_one_on_places_and_is_named() {
    in_child!(|| {
        let ring = ring(4);
        tests::limits::set(libc::RLIMIT_NOFILE, 64);
        require!(kernel_is_at_least(5, 11), "5.10 counts registered files by no limit");
        refused(ring.registrar().register_files_sparse(65), libc::EMFILE, "RLIMIT_NOFILE");
        refused(ring.registrar().register_files(&[FilePlace::Empty; 65]), libc::EMFILE, "RLIMIT_NOFILE");
        ring.registrar().register_files_sparse(64).unwrap();
    });
}
