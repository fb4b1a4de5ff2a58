//! Buffered transfers that kernel AIO would do within the call that submits them.

use std::fs::File;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::Arc;

use engine::operation::{Operations, Read, Sync, Write, WriteZeroes};
use engine::{AlignedBuf, BackendKind, Options, RwFlags};
use tests::files::{self, TempFile};

type Any = Operations<Arc<File>, Vec<u8>>;

/// Threads of this process with the name of those that help.
fn helpers() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let name =
        |task: std::io::Result<std::fs::DirEntry>| std::fs::read_to_string(task.unwrap().path().join("comm"));
    tasks.map(name).filter(|name| name.as_ref().is_ok_and(|name| name.starts_with("engine worker"))).count()
}

#[test]
fn a_read_that_waits_for_a_pipe_does_not_keep_its_submitter() {
    let (reader, mut writer) = std::io::pipe().unwrap();
    let reader = Arc::new(File::from(std::os::fd::OwnedFd::from(reader)));
    let file = TempFile::new(1000);
    let other = Arc::new(file.file().try_clone().unwrap());
    let mut engine =
        Options::new(8).only(BackendKind::Aio).offload_buffered(true).build::<(Any, &str)>().unwrap();
    engine.add((Read::new(reader, vec![0; 4], 0).into(), "pipe")).unwrap();
    engine.add((Read::new(other.clone(), vec![0; 100], 5).into(), "file")).unwrap();
    // Without help this would never come back.
    engine.submit().unwrap();
    let completion = engine.wait().unwrap().next().unwrap();
    assert_eq!((completion.operation.1, completion.result.unwrap()), ("file", 100));
    files::check(&completion.operation.0.into_buffer().unwrap(), 5);
    engine.add((Write::new(other.clone(), vec![7; 10], 0).into(), "write")).unwrap();
    engine.add((Sync::data(other).into(), "sync")).unwrap();
    let mut done: Vec<_> = engine.wait_nr(2).unwrap().map(|done| done.operation.1).collect();
    done.sort_unstable();
    assert_eq!(done, ["sync", "write"]);
    assert_eq!(files::pread(file.file(), 0, 10), [7; 10]);
    std::io::Write::write_all(&mut writer, b"data").unwrap();
    let completion = engine.wait().unwrap().next().unwrap();
    assert_eq!((completion.operation.1, completion.result.unwrap()), ("pipe", 4));
}

/// Threads that are done before they are polled raise nothing that a poll would see.
#[test]
fn what_threads_do_at_once_is_not_waited_for() {
    let file = TempFile::new(1000);
    let file = Arc::new(file.file().try_clone().unwrap());
    for kind in [BackendKind::Aio, BackendKind::Uring] {
        let options = Options::new(4).only(kind).offload_buffered(true);
        let mut engine = options.build::<Operations<Arc<File>, Vec<u8>>>().unwrap();
        for round in 0..3000 {
            let zeroes = WriteZeroes { file: file.clone(), offset: round % 1000, len: 1, unmap: false };
            engine.add(zeroes.into()).unwrap();
            if round % 3 == 0 {
                engine.add(Read::new(file.clone(), vec![0; 1], round % 1000).into()).unwrap();
            }
            if round % 2 == 0 {
                engine.submit().unwrap();
            }
            while engine.in_flight() > 0 {
                assert!(engine.wait().unwrap().all(|completion| completion.result.is_ok()));
            }
        }
    }
}

/// The descriptor tells of the second of two requests that threads do one after the other.
#[test]
fn the_descriptor_tells_of_what_threads_do_later() {
    let (reader, mut writer) = std::io::pipe().unwrap();
    let reader = Arc::new(File::from(std::os::fd::OwnedFd::from(reader)));
    let mut engine = Options::new(4).only(BackendKind::Aio).offload_buffered(true).build::<Any>().unwrap();
    engine.add(Read::new(reader.clone(), vec![0; 1], 0).into()).unwrap();
    engine.add(Read::new(reader, vec![0; 1], 0).into()).unwrap();
    engine.submit().unwrap();
    for _ in 0..2 {
        std::io::Write::write_all(&mut writer, &[1]).unwrap();
        let mut taken = 0;
        while taken == 0 {
            let mut poll = libc::pollfd { fd: engine.as_fd().as_raw_fd(), events: libc::POLLIN, revents: 0 };
            // SAFETY: one pollfd, a local.
            assert_eq!(unsafe { libc::poll(&raw mut poll, 1, 60_000) }, 1, "nobody told");
            // One look, to its end.
            taken = engine.completions().unwrap().count();
        }
        assert_eq!(taken, 1);
    }
}

#[test]
fn what_is_direct_and_what_must_not_wait_is_left_to_the_kernel() {
    tests::in_child!(|| {
        let file = TempFile::new(8192);
        let direct = Arc::new(tests::or_skip!(file.direct()));
        let buffered = Arc::new(file.file().try_clone().unwrap());
        let options = Options::new(8).only(BackendKind::Aio).offload_buffered(true);
        let mut engine = options.build::<Operations<Arc<File>, AlignedBuf>>().unwrap();
        engine.add(Read::new(direct, AlignedBuf::new(4096), 4096).into()).unwrap();
        assert_eq!(engine.wait().unwrap().next().unwrap().result.unwrap(), 4096);
        let nowait = Read::new(buffered.clone(), AlignedBuf::new(4096), 0).flags(RwFlags::NOWAIT);
        engine.add(nowait.into()).unwrap();
        // In the cache or not: it is over.
        assert!(engine.wait().unwrap().next().is_some());
        assert_eq!(helpers(), 0);
        engine.add(Read::new(buffered, AlignedBuf::new(4096), 0).into()).unwrap();
        assert_eq!(engine.wait().unwrap().next().unwrap().result.unwrap(), 4096);
        assert!(helpers() > 0);
    });
}
