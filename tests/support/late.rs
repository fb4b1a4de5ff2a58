//! A disk that answers late, so that requests are in flight for as long as a test wants.
//!
//! A FUSE file system in this process with one file, opened `O_DIRECT`. With asynchronous direct I/O the kernel keeps
//! reads and writes in flight without a thread of the caller waiting for them, exactly as with a slow disk, and the data
//! of a read is written into the caller's memory at the moment of the answer.
//!
//! Requests wait for a *gate* that the test opens ([`Disk::held`], [`Disk::release`]), which needs no timing at all, or
//! for a delay ([`Disk::new`], 500 ms). A read or write of at most 128 KiB is one request.
//!
//! Declare the disk *after* buffers and contexts: dropped first, it answers everything, so that a context dropped later
//! never waits for it, also when the test panics.

mod server;

use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use fuser::{BackgroundSession, Config, MountOption, Session};
use tempfile::TempDir;

use server::{Gate, Mode, Server};

/// How late answers are unless told otherwise.
pub const DELAY: Duration = Duration::from_millis(500);

/// The disk. Unmounted, with its threads joined, on drop.
#[derive(Debug)]
pub struct Disk {
    gate: Arc<Gate>,
    // The next two are taken by `drop`, in its order.
    session: Option<BackgroundSession>,
    worker: Option<JoinHandle<()>>,
    directory: TempDir,
}

impl Disk {
    /// Makes a disk of `len` bytes of the checkable content of [`files`](crate::files) that answers after [`DELAY`].
    ///
    /// # Errors
    /// The reason for a skip, if nothing can be mounted here.
    pub fn new(len: usize) -> Result<Disk, String> {
        Disk::mount(len, Mode::Delay(DELAY))
    }

    /// Makes a disk as [`new`](Disk::new) does that answers nothing before [`release`](Disk::release).
    ///
    /// # Errors
    /// As `new`.
    pub fn held(len: usize) -> Result<Disk, String> {
        Disk::mount(len, Mode::Hold { tickets: 0 })
    }

    fn mount(len: usize, mode: Mode) -> Result<Disk, String> {
        let directory = TempDir::new().map_err(|error| format!("a directory to mount on: {error}"))?;
        let gate = Arc::new(Gate::new(len, mode));
        let mut config = Config::default();
        config.mount_options = vec![MountOption::FSName("late".into()), MountOption::RW];
        let session = Session::new(Server::new(Arc::clone(&gate)), directory.path(), &config)
            .and_then(Session::spawn)
            .map_err(|error| format!("no FUSE file system can be mounted: {error}"))?;
        let worker = std::thread::spawn({
            let gate = Arc::clone(&gate);
            move || gate.answer_all()
        });
        let disk = Disk { gate, session: Some(session), worker: Some(worker), directory };
        match disk.gate.asynchronous() {
            true => Ok(disk),
            false => Err("this kernel's FUSE has no asynchronous direct I/O".into()),
        }
    }

    /// Opens the disk's file, `O_DIRECT`, for reading and writing.
    ///
    /// # Panics
    /// If the kernel refuses.
    #[must_use]
    pub fn open(&self) -> File {
        crate::files::open_direct(&self.path()).expect("opening the late file")
    }

    /// Where the file is.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.directory.path().join(server::NAME)
    }

    /// Answers from now on after this delay. Requests that are held count it from their arrival.
    pub fn set_delay(&self, delay: Duration) {
        self.gate.set_mode(Mode::Delay(delay));
    }

    /// Answers nothing from now on.
    pub fn hold(&self) {
        self.gate.set_mode(Mode::Hold { tickets: 0 });
    }

    /// Answers what is held, and from now on without delay.
    pub fn release(&self) {
        self.set_delay(Duration::ZERO);
    }

    /// Answers the `nr` oldest requests, those that have yet to arrive included, and holds the rest.
    pub fn release_nr(&self, nr: usize) {
        self.gate.release_nr(nr);
    }

    /// Answers requests that arrive from now on with this errno, or normally again with `None`.
    pub fn fail_with(&self, errno: Option<i32>) {
        self.gate.set_errno(errno);
    }

    /// Answers reads with at most `most` bytes from now on. Writes are whole: the kernel makes an error of a short one.
    pub fn shorten_to(&self, most: usize) {
        self.gate.set_most(most);
    }

    /// Gives the number of reads and writes that have arrived since the disk was made.
    #[must_use]
    pub fn requests(&self) -> usize {
        self.gate.arrived()
    }

    /// Gives the number of reads and writes that have been answered since the disk was made.
    #[must_use]
    pub fn answered(&self) -> usize {
        self.gate.answered()
    }

    /// Waits until `nr` reads and writes in all have arrived: from then on they are in flight at the disk.
    ///
    /// # Panics
    /// If that does not happen within a minute.
    pub fn wait_for_requests(&self, nr: usize) {
        self.gate.wait_for_arrivals(nr);
    }

    /// Gives what the disk holds; writes count when they are answered.
    ///
    /// # Panics
    /// If the range is not on the disk.
    #[must_use]
    pub fn stored(&self, offset: usize, len: usize) -> Vec<u8> {
        self.gate.stored(offset, len)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // The worker lives until the session has ended, so that what arrives meanwhile is answered too.
        self.fail_with(None);
        self.release();
        self.unmount();
        if let Some(session) = self.session.take() {
            // It ends by itself now that the connection is gone; what it says changes nothing any more.
            let _ = session.umount_and_join();
        }
        self.gate.stop();
        if let Some(worker) = self.worker.take() {
            let _ = worker.join();
        }
    }
}

impl Disk {
    /// Unmounts; if the file is still open somewhere, cuts the connection, so that the session ends all the same.
    fn unmount(&self) {
        let path = self.directory.path().as_os_str().as_bytes();
        let Ok(path) = std::ffi::CString::new(path) else {
            return;
        };
        // SAFETY: `path` is a C string that outlives the call.
        let plain = unsafe { libc::umount2(path.as_ptr(), 0) };
        if plain != 0 && io::Error::last_os_error().raw_os_error() == Some(libc::EBUSY) {
            // SAFETY: as above.
            unsafe { libc::umount2(path.as_ptr(), libc::MNT_FORCE | libc::MNT_DETACH) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::{self, AlignedBuf};
    use std::os::fd::AsRawFd;
    use std::os::unix::fs::FileExt;

    /// A kernel AIO context used through raw system calls: these tests judge the disk, not a wrapper.
    struct Context(u64);

    impl Context {
        fn new() -> Context {
            let mut id = 0_u64;
            // SAFETY: `id` is zero as the call asks, and outlives it.
            let made = unsafe { libc::syscall(libc::SYS_io_setup, 64, &raw mut id) };
            assert_eq!(made, 0, "io_setup: {}", io::Error::last_os_error());
            Context(id)
        }

        fn submit(&self, file: &File, opcode: u16, buffer: &mut AlignedBuf, offset: i64) {
            // SAFETY: `iocb` is plain C data for which all zeroes is a value.
            let mut iocb: libc::iocb = unsafe { std::mem::zeroed() };
            iocb.aio_lio_opcode = opcode;
            iocb.aio_fildes = u32::try_from(file.as_raw_fd()).unwrap();
            iocb.aio_buf = buffer.as_mut_ptr() as u64;
            iocb.aio_nbytes = buffer.len() as u64;
            iocb.aio_offset = offset;
            let mut list = [&raw mut iocb];
            // SAFETY: the iocb and the list outlive the call; each test keeps the buffer until the completion is taken.
            let sent = unsafe { libc::syscall(libc::SYS_io_submit, self.0, 1, list.as_mut_ptr()) };
            assert_eq!(sent, 1, "io_submit: {}", io::Error::last_os_error());
        }

        /// The result of the next completion, or `None` if there is none yet and `wait` is false.
        fn reap(&self, wait: bool) -> Option<i64> {
            let mut event = [0_i64; 4];
            let now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
            let timeout = if wait { std::ptr::null() } else { &raw const now };
            let min = libc::c_long::from(wait);
            // SAFETY: there is room for the one event asked for, and the timeout outlives the call.
            let got =
                unsafe { libc::syscall(libc::SYS_io_getevents, self.0, min, 1, event.as_mut_ptr(), timeout) };
            assert!(got >= 0, "io_getevents: {}", io::Error::last_os_error());
            (got == 1).then_some(event[2])
        }
    }

    impl Drop for Context {
        fn drop(&mut self) {
            // SAFETY: the id is of a context of this process; its buffers live until after this.
            unsafe { libc::syscall(libc::SYS_io_destroy, self.0) };
        }
    }

    const READ: u16 = 0;
    const WRITE: u16 = 1;

    #[test]
    fn a_held_read_is_in_flight_and_fills_the_buffer_when_it_is_released() {
        let mut buffer = AlignedBuf::new(8192);
        let context = Context::new();
        let disk = crate::or_skip!(Disk::held(65536));
        let file = disk.open();
        context.submit(&file, READ, &mut buffer, 4096);
        disk.wait_for_requests(1);
        assert_eq!(context.reap(false), None);
        assert!(buffer.iter().all(|&byte| byte == 0));
        disk.release();
        assert_eq!(context.reap(true), Some(8192));
        files::check(&buffer, 4096);
        assert_eq!((disk.requests(), disk.answered()), (1, 1));
    }

    #[test]
    fn more_reads_than_the_default_of_fuse_are_in_flight_at_once() {
        let mut buffers: Vec<_> = (0..48).map(|_| AlignedBuf::new(4096)).collect();
        let context = Context::new();
        let disk = crate::or_skip!(Disk::held(48 * 4096));
        let file = disk.open();
        for (buffer, offset) in buffers.iter_mut().zip((0..).step_by(4096)) {
            context.submit(&file, READ, buffer, offset);
        }
        disk.wait_for_requests(48);
        disk.release_nr(1);
        assert_eq!(context.reap(true), Some(4096));
        assert_eq!(context.reap(false), None);
        disk.release();
        for _ in 1..48 {
            assert_eq!(context.reap(true), Some(4096));
        }
        for (buffer, offset) in buffers.iter().zip((0..).step_by(4096)) {
            files::check(buffer, offset);
        }
    }

    #[test]
    fn a_write_reaches_the_disk_when_it_is_released() {
        let mut buffer = AlignedBuf::filled(4096, 1_000_000);
        let context = Context::new();
        let disk = crate::or_skip!(Disk::held(65536));
        let file = disk.open();
        context.submit(&file, WRITE, &mut buffer, 8192);
        disk.wait_for_requests(1);
        files::check(&disk.stored(0, 65536), 0);
        disk.release();
        assert_eq!(context.reap(true), Some(4096));
        files::check(&disk.stored(8192, 4096), 1_000_000);
        files::check(&disk.stored(12288, 4096), 12288);
    }

    #[test]
    fn a_failing_disk_says_the_errno() {
        let mut buffer = AlignedBuf::new(4096);
        let context = Context::new();
        let disk = crate::or_skip!(Disk::held(65536));
        let file = disk.open();
        disk.release();
        disk.fail_with(Some(libc::EIO));
        context.submit(&file, READ, &mut buffer, 0);
        assert_eq!(context.reap(true), Some(-i64::from(libc::EIO)));
        disk.fail_with(None);
        assert_eq!(file.read_at(&mut buffer, 0).unwrap(), 4096);
    }

    #[test]
    fn a_disk_that_is_dropped_first_answers_what_it_holds() {
        let mut buffer = AlignedBuf::new(4096);
        let context = Context::new();
        let disk = crate::or_skip!(Disk::new(65536));
        let path = disk.path();
        disk.hold();
        let file = disk.open();
        context.submit(&file, READ, &mut buffer, 0);
        disk.wait_for_requests(1);
        drop(disk);
        assert!(!path.exists());
        assert!(context.reap(true).is_some());
        drop(file);
    }
}
