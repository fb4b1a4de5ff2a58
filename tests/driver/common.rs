//! What the tests have in common.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Duration;

pub(crate) use engine::driver::{Boxed, Driver, DriverOptions, Outcome};
pub(crate) use engine::operation::{Operations, Read, Sync, Write};
pub(crate) use engine::{AlignedBuf, BackendKind, Error, Options};
use tests::skip;

pub(crate) const BLOCK: usize = 4096;

/// Longer than anything takes that ends at all.
pub(crate) const PATIENCE: Duration = Duration::from_secs(50);

pub(crate) type Files = Driver<Arc<File>, AlignedBuf>;
pub(crate) type Over = Outcome<Arc<File>, AlignedBuf>;

/// The back ends of this machine; says which are missing.
pub(crate) fn backends(test: &str) -> Vec<BackendKind> {
    let all = [BackendKind::Uring, BackendKind::Aio, BackendKind::Threads];
    let there = |kind: &BackendKind| match Options::new(1).only(*kind).build::<engine::operation::Never>() {
        Ok(_) => true,
        Err(error) => {
            skip::skip(test, &format_args!("no {kind}: {error}"));
            false
        }
    };
    all.into_iter().filter(there).collect()
}

/// Goes through the back ends.
#[macro_export]
macro_rules! each_backend {
    () => {
        $crate::common::backends(tests::test_name!())
    };
}

/// Options with as many threads for the back end of threads as it may have in flight.
pub(crate) fn options(kind: BackendKind, depth: usize) -> DriverOptions {
    DriverOptions::new(Options::new(depth).only(kind).threads(depth.min(32)))
}

pub(crate) fn driver(options: &DriverOptions) -> Files {
    options.build().unwrap()
}

/// Takes outcomes, each with a number.
pub(crate) struct Results {
    sender: Sender<(usize, Over)>,
    receiver: Receiver<(usize, Over)>,
}

impl Results {
    pub(crate) fn new() -> Self {
        let (sender, receiver) = mpsc::channel();
        Self { sender, receiver }
    }

    /// A callback that sends the outcome here.
    pub(crate) fn tagged(&self, tag: usize) -> Boxed<Arc<File>, AlignedBuf> {
        self.sender_only().tagged(tag)
    }

    /// The same for another thread.
    pub(crate) fn sender_only(&self) -> ResultsSender {
        ResultsSender(self.sender.clone())
    }

    /// The next one.
    #[track_caller]
    pub(crate) fn next(&self) -> (usize, Over) {
        self.receiver.recv_timeout(PATIENCE).expect("a callback that is called")
    }

    /// So many, in the order of their numbers.
    #[track_caller]
    pub(crate) fn take(&self, count: usize) -> Vec<(usize, Over)> {
        let mut all: Vec<_> = (0..count).map(|_| self.next()).collect();
        all.sort_by_key(|(tag, _)| *tag);
        all
    }

    /// Those that have come already.
    pub(crate) fn there(&self) -> Vec<(usize, Over)> {
        self.receiver.try_iter().collect()
    }

    /// Checks that each of `0..count` comes once, and nothing else, when the driver has ended.
    #[track_caller]
    pub(crate) fn all_once(&self, count: usize) -> Vec<Over> {
        let mut all = self.there();
        all.sort_by_key(|(tag, _)| *tag);
        assert!(all.iter().map(|(tag, _)| *tag).eq(0..count), "{} callbacks of {count}", all.len());
        all.into_iter().map(|(_, outcome)| outcome).collect()
    }
}

pub(crate) struct ResultsSender(Sender<(usize, Over)>);

impl ResultsSender {
    pub(crate) fn tagged(&self, tag: usize) -> Boxed<Arc<File>, AlignedBuf> {
        let sender = self.0.clone();
        Box::new(move |outcome| sender.send((tag, outcome)).unwrap())
    }
}

/// Runs on another thread what might hang, which then fails.
#[track_caller]
pub(crate) fn in_time<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || sender.send(run()));
    receiver.recv_timeout(PATIENCE).expect("something that comes to its end")
}

#[track_caller]
pub(crate) fn shut_down(driver: Files) {
    in_time(move || driver.shutdown()).unwrap();
}

/// Keeps the I/O thread busy, so that what is submitted meanwhile is queued together; until it is dropped.
pub(crate) struct Plug {
    _open: Sender<()>,
}

impl Plug {
    pub(crate) fn new(driver: &Files) -> Self {
        let file = Arc::new(File::open("/dev/zero").unwrap());
        let (entered, inside) = mpsc::channel();
        let (open, opened) = mpsc::channel::<()>();
        let callback = Box::new(move |_| {
            entered.send(()).unwrap();
            let _ = opened.recv();
        });
        driver.submit(Read::new(file, AlignedBuf::new(1), 0), callback).unwrap();
        inside.recv_timeout(PATIENCE).expect("the plug");
        Self { _open: open }
    }
}

pub(crate) fn read(file: &Arc<File>, len: usize, offset: usize) -> Read<Arc<File>, AlignedBuf> {
    Read::new(file.clone(), AlignedBuf::new(len), offset as u64)
}

/// Writes what stands there from `content` on.
pub(crate) fn write(
    file: &Arc<File>,
    len: usize,
    offset: usize,
    content: u64,
) -> Write<Arc<File>, AlignedBuf> {
    let buffer = AlignedBuf::from_slice(&tests::files::content(content, len));
    Write::new(file.clone(), buffer, offset as u64)
}

pub(crate) fn temporary(len: usize) -> (tests::files::TempFile, Arc<File>) {
    let made = tests::files::TempFile::new(len);
    let file = Arc::new(made.open(0));
    (made, file)
}

pub(crate) fn errno(result: &io::Result<usize>) -> Option<i32> {
    result.as_ref().err().and_then(io::Error::raw_os_error)
}
