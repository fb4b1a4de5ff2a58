//! Kernel AIO through nothing but `aio_sys` and `libc`.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};

use aio_sys::*;
use tests::files::{TempFile, pread};

use crate::with_errno;

/// A context that is destroyed on drop.
struct Context(aio_context_t);

impl Context {
    fn new(nr_events: u32) -> Self {
        let mut id = 0;
        let answer = unsafe { io_setup(nr_events, &mut id) };
        assert_eq!(answer, 0, "io_setup");
        Self(id)
    }

    fn submit(&self, iocb: &mut iocb) {
        let mut array: [*mut iocb; 1] = [iocb];
        assert_eq!(unsafe { io_submit(self.0, 1, array.as_mut_ptr()) }, 1);
    }

    /// Waits for one event by system call.
    fn event(&self) -> io_event {
        let mut event = io_event::default();
        assert_eq!(unsafe { io_getevents(self.0, 1, 1, &mut event, ptr::null_mut()) }, 1);
        event
    }

    /// Takes one event out of the mapped ring, if there is one.
    fn event_in_memory(&self) -> Option<io_event> {
        let ring = ptr::with_exposed_provenance_mut::<aio_ring>(self.0 as usize);
        unsafe {
            assert_eq!((*ring).magic, AIO_RING_MAGIC);
            assert_eq!((*ring).incompat_features, AIO_RING_INCOMPAT_FEATURES);
            assert_eq!((*ring).header_length as usize, size_of::<aio_ring>());
            let head = AtomicU32::from_ptr(&raw mut (*ring).head);
            let tail = AtomicU32::from_ptr(&raw mut (*ring).tail);
            let position = head.load(Ordering::Relaxed);
            if position == tail.load(Ordering::Acquire) {
                return None;
            }
            let event = (&raw const (*ring).io_events).cast::<io_event>().add(position as usize).read();
            head.store((position + 1) % (*ring).nr, Ordering::Release);
            Some(event)
        }
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        assert_eq!(unsafe { io_destroy(self.0) }, 0);
    }
}

fn read(file: &File, buffer: &mut [u8], offset: i64) -> iocb {
    iocb {
        aio_data: !offset as u64,
        aio_lio_opcode: IOCB_CMD_PREAD as u16,
        aio_fildes: file.as_raw_fd() as u32,
        aio_buf: buffer.as_mut_ptr().expose_provenance() as u64,
        aio_nbytes: buffer.len() as u64,
        aio_offset: offset,
        ..Default::default()
    }
}

/// Reads the file in blocks, taking each event with `reap`, and compares it with what pread says.
fn whole_file_is_read(reap: impl Fn(&Context) -> io_event) {
    // Every buffer outlives its read, because its event is taken before the next turn.
    const LEN: usize = 70_001;
    let file = TempFile::new(LEN);
    let context = Context::new(4);
    let mut content = Vec::new();
    loop {
        let mut buffer = [0; 4096];
        let offset = content.len() as i64;
        let mut iocb = read(file.file(), &mut buffer, offset);
        context.submit(&mut iocb);
        let event = reap(&context);
        assert_eq!(event.data, !offset as u64);
        assert_eq!(event.obj, (&raw const iocb).addr() as u64);
        match event.res {
            0 => break,
            n => content.extend_from_slice(&buffer[..usize::try_from(n).expect("a read that succeeds")]),
        }
    }
    assert_eq!(content, pread(file.file(), 0, LEN));
}

#[test]
fn a_whole_file_read_with_getevents_is_what_pread_reads() {
    whole_file_is_read(Context::event);
}

#[test]
fn a_whole_file_read_with_the_mapped_ring_is_what_pread_reads() {
    whole_file_is_read(|context| {
        loop {
            match context.event_in_memory() {
                Some(event) => return event,
                None => std::thread::yield_now(),
            }
        }
    });
}

#[test]
fn pgetevents_takes_a_signal_set_of_eight_bytes_and_no_other() {
    // The set outlives both calls; no event is expected, and the timeout is zero.
    let context = Context::new(1);
    let set = unsafe { std::mem::zeroed::<libc::sigset_t>() };
    let wait = |sigsetsize| {
        let usig = __aio_sigset { sigmask: &set, sigsetsize };
        let mut timeout = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        unsafe { io_pgetevents(context.0, 0, 1, &mut io_event::default(), &mut timeout, &usig) }
    };
    assert_eq!(wait(8), 0);
    assert_eq!(wait(size_of::<libc::sigset_t>().max(9)), -libc::EINVAL);
}

#[test]
fn a_cancelled_poll_answers_in_progress_and_its_event_comes() {
    // The iocb stands still until its event has been taken.
    let mut pipe = [0; 2];
    assert_eq!(unsafe { libc::pipe2(pipe.as_mut_ptr(), libc::O_CLOEXEC) }, 0);
    let context = Context::new(1);
    let mut iocb = iocb {
        aio_data: 5,
        aio_lio_opcode: IOCB_CMD_POLL as u16,
        aio_fildes: pipe[0] as u32,
        aio_buf: libc::POLLIN as u64,
        ..Default::default()
    };
    context.submit(&mut iocb);
    let answer = unsafe { io_cancel(context.0, &mut iocb, &mut io_event::default()) };
    assert_eq!(answer, -libc::EINPROGRESS);
    assert_eq!(context.event().data, 5);
    for fd in pipe {
        unsafe { libc::close(fd) };
    }
}

#[test]
fn failures_are_negated_errnos_and_not_minus_one() {
    // No pointer is followed: there is no such context, and 0 events are refused first.
    assert_eq!(unsafe { io_destroy(0) }, -libc::EINVAL);
    assert_eq!(unsafe { io_setup(0, &mut 0) }, -libc::EINVAL);
    assert_eq!(unsafe { io_submit(0, 0, ptr::null_mut()) }, -libc::EINVAL);
    assert_eq!(unsafe { io_getevents(0, 0, 0, ptr::null_mut(), ptr::null_mut()) }, -libc::EINVAL);
}

#[test]
#[cfg(target_arch = "x86_64")]
fn a_failing_call_leaves_errno_alone() {
    // As above: there is no such context.
    let destroy = || unsafe { io_destroy(0) };
    assert_eq!(with_errno(libc::EXDEV, destroy), (-libc::EINVAL, libc::EXDEV));
}
