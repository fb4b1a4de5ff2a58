//! The context's descriptor tells when completions wait, alone or among others.

use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::time::Duration;

use tests::files::{self, TempFile};

use crate::common::*;

/// An `epoll` instance.
struct Epoll(OwnedFd);

impl Epoll {
    fn new() -> Epoll {
        let fd = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
        assert!(fd >= 0, "epoll_create1: {}", io::Error::last_os_error());
        Epoll(unsafe { OwnedFd::from_raw_fd(fd) })
    }

    fn add(&self, fd: impl AsFd, token: u64, flags: i32) {
        let mut event = libc::epoll_event { events: (libc::EPOLLIN | flags) as u32, u64: token };
        let fd = fd.as_fd().as_raw_fd();
        let added = unsafe { libc::epoll_ctl(self.0.as_raw_fd(), libc::EPOLL_CTL_ADD, fd, &raw mut event) };
        assert_eq!(added, 0, "epoll_ctl: {}", io::Error::last_os_error());
    }

    /// The tokens of what is readable within the time.
    fn wait(&self, within: Duration) -> Vec<u64> {
        let mut events = [libc::epoll_event { events: 0, u64: 0 }; 8];
        let millis = i32::try_from(within.as_millis()).unwrap();
        let count = unsafe { libc::epoll_wait(self.0.as_raw_fd(), events.as_mut_ptr(), 8, millis) };
        assert!(count >= 0, "epoll_wait: {}", io::Error::last_os_error());
        let mut tokens: Vec<_> = events[..count as usize].iter().map(|event| event.u64).collect();
        tokens.sort_unstable();
        tokens
    }
}

#[test]
fn epoll_tells_which_context_has_completions() {
    let pipes = [Pipe::new(), Pipe::new(), Pipe::new()];
    let mut contexts = [context(4), context(4), context(4)];
    let epoll = Epoll::new();
    for (token, (context, pipe)) in (0..).zip(contexts.iter_mut().zip(&pipes)) {
        epoll.add(&*context, token, 0);
        poll(context, &pipe.reader, libc::POLLIN, 10 + token);
        context.submit().unwrap();
    }
    assert_eq!(epoll.wait(Duration::from_millis(1)), []);
    pipes[1].fill();
    assert_eq!(epoll.wait(LONG), [1]);
    // As long as it is not taken.
    assert_eq!(epoll.wait(LONG), [1]);
    assert_eq!(taken(contexts[1].completions().unwrap()), [(11, Ok(libc::POLLIN as u32))]);
    assert_eq!(epoll.wait(Duration::from_millis(1)), []);
    pipes[2].fill();
    pipes[0].fill();
    while epoll.wait(LONG) != [0, 2] {}
    assert_eq!(one(&mut contexts[0]), (10, Ok(libc::POLLIN as u32)));
    assert_eq!(one(&mut contexts[2]), (12, Ok(libc::POLLIN as u32)));
}

#[test]
fn edges_are_told_for_each_batch() {
    let file = TempFile::new(4096);
    let mut buffers = [[0; 16]; 4];
    let mut context = context(4);
    let epoll = Epoll::new();
    epoll.add(&context, 1, libc::EPOLLET);
    for round in 0..20 {
        for (name, buffer) in (0..).zip(&mut buffers) {
            read(&mut context, buffer, file.file(), round + name * 16, name);
        }
        context.submit().unwrap();
        assert_eq!(epoll.wait(LONG), [1], "round {round}");
        let mut completed = 0;
        while completed < 4 {
            completed += names(context.completions().unwrap()).len();
        }
        files::check(buffers.as_flattened(), round);
    }
}

#[test]
fn a_loop_of_poll_and_completions_misses_nothing() {
    let pipe = Pipe::new();
    let mut bytes = vec![0; 500];
    let mut context = context(8);
    for (name, byte) in (0..).zip(bytes.chunks_mut(1)) {
        if context.space() == 0 {
            context.submit().unwrap();
        }
        read(&mut context, byte, &pipe.reader, 0, name);
    }
    context.submit().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..500 {
                pipe.fill();
            }
        });
        let mut completed = 0;
        while completed < 500 {
            assert!(readable(&context, LONG), "{completed} of 500");
            completed += names(context.completions().unwrap()).len();
        }
        assert!(!readable(&context, Duration::ZERO));
    });
    assert!(bytes.iter().all(|&byte| byte == b'x'));
}

#[test]
fn the_descriptor_is_the_same_all_along() {
    let mut context = context(4);
    let fd = context.as_raw_fd();
    assert_eq!(context.as_fd().as_raw_fd(), fd);
    nops(&mut context, 0, 4);
    assert_eq!(all(&mut context).len(), 4);
    let (submitter, completer) = context.split().unwrap();
    assert_eq!((completer.as_raw_fd(), completer.as_fd().as_raw_fd()), (fd, fd));
    assert_eq!(submitter.reunite(completer).unwrap().as_raw_fd(), fd);
}
