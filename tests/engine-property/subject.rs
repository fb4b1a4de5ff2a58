//! The engines that are tried: on each back end with faults, and on each as it is.

use std::io;

use engine::{Aio, AnyBackend, Assisted, Backend, BackendKind, Engine, Options, Threads, Uring};

use crate::faulty::Faulty;
use crate::judge::Op;
use crate::plan::Setup;
use crate::script::Shared;

pub(crate) trait Subject {
    type Backend: Backend;
    /// Whether it keeps the script.
    const FAULTY: bool;

    fn engine(setup: &Setup, script: &Shared) -> io::Result<Engine<Op, Self::Backend>>;
}

/// Threads of the back end that has them.
const MOST_THREADS: usize = 3;

pub(crate) struct FaultyUring;
pub(crate) struct FaultyAio;
pub(crate) struct FaultyThreads;
/// Each of the back ends, as the engine takes it by itself.
pub(crate) struct Plain;

impl Subject for FaultyUring {
    type Backend = Faulty<Assisted<Uring>>;
    const FAULTY: bool = true;

    fn engine(setup: &Setup, script: &Shared) -> io::Result<Engine<Op, Self::Backend>> {
        // One more for the poll of the threads that help.
        let inner = Assisted::new(Uring::new(setup.depth + 1)?);
        Engine::with_backend(Faulty::new(inner, script.clone()), &Options::new(setup.depth))
    }
}

impl Subject for FaultyAio {
    type Backend = Faulty<Assisted<Aio>>;
    const FAULTY: bool = true;

    fn engine(setup: &Setup, script: &Shared) -> io::Result<Engine<Op, Self::Backend>> {
        let inner = Assisted::new(Aio::new(setup.depth)?);
        Engine::with_backend(Faulty::new(inner, script.clone()), &Options::new(setup.depth))
    }
}

impl Subject for FaultyThreads {
    type Backend = Faulty<Threads>;
    const FAULTY: bool = true;

    fn engine(setup: &Setup, script: &Shared) -> io::Result<Engine<Op, Self::Backend>> {
        let inner = Threads::new(MOST_THREADS)?;
        Engine::with_backend(Faulty::new(inner, script.clone()), &Options::new(setup.depth))
    }
}

impl Subject for Plain {
    type Backend = AnyBackend;
    const FAULTY: bool = false;

    fn engine(setup: &Setup, script: &Shared) -> io::Result<Engine<Op, Self::Backend>> {
        let kinds = [BackendKind::Uring, BackendKind::Aio, BackendKind::Threads];
        let kind = kinds[script.borrow_mut().random(kinds.len())];
        Options::new(setup.depth).only(kind).threads(MOST_THREADS).build()
    }
}
