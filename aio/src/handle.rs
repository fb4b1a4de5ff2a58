//! The kernel's context, from `io_setup` to `io_destroy`.

use std::io::{self, Write};
use std::mem;

use aio_sys::aio_context_t;

use crate::error::{Error, Result, limits};
use crate::fork::{Gate, Wiped};
use crate::sys;

/// More than this the kernel refuses, whatever `aio-max-nr` allows.
const MOST: usize = 0x40_0000;

/// Invariant: until [`destroy`](Handle::destroy), `id` is a live context of the process that made it; in a forked
/// child, which `gate` tells, it is nothing.
#[derive(Debug)]
pub(crate) struct Handle {
    id: aio_context_t,
    live: bool,
    gate: Gate,
}

impl Handle {
    pub(crate) fn new(nr: usize) -> Result<Self> {
        let count = match u32::try_from(nr) {
            Ok(count) if (1..=MOST).contains(&nr) => count,
            _ => {
                let hint = format!("{nr} entries: a context has 1 to {MOST}");
                return Err(Error::invalid("io_setup", hint));
            }
        };
        let gate = Gate::new().map_err(|error| Error::kernel("mmap", error, "a page of memory"))?;
        let id = sys::setup(count).map_err(|error| setup_failed(nr, error))?;
        Ok(Self { id, live: true, gate })
    }

    #[inline]
    pub(crate) fn id(&self) -> aio_context_t {
        self.id
    }

    #[inline]
    pub(crate) fn is_forked(&self) -> bool {
        self.gate.is_forked()
    }

    /// A word that is zero in a forked child, for the submitting half to keep a bound in.
    pub(crate) fn for_submission(&self) -> Wiped {
        self.gate.for_submission()
    }

    /// The same for the reaping half.
    pub(crate) fn for_completion(&self) -> Wiped {
        self.gate.for_completion()
    }

    /// What every method asks first.
    #[inline]
    pub(crate) fn check(&self) -> Result<()> {
        if self.is_forked() { Err(Error::Forked) } else { Ok(()) }
    }
}

#[cold]
fn setup_failed(nr: usize, error: io::Error) -> Error {
    let hint = match error.raw_os_error() {
        Some(libc::EAGAIN) => format!(
            "{}, and {nr} more are asked for: ask for fewer, close other contexts, or raise the sysctl \
             fs.aio-max-nr",
            limits()
        ),
        Some(libc::ENOSYS) => {
            "this kernel is built without CONFIG_AIO, or a seccomp filter hides the call".into()
        }
        Some(libc::EPERM | libc::EACCES) => {
            "a seccomp filter or another security module forbids kernel AIO here".into()
        }
        Some(libc::ENOMEM) => format!("no memory for the ring of {nr} entries: ask for fewer"),
        _ => limits(),
    };
    Error::kernel("io_setup", error, hint)
}

impl Handle {
    /// Ends the context. Called once by the last owner of [`Shared`](crate::shared::Shared), who does nothing with
    /// the context afterwards; a second time it does nothing.
    pub(crate) fn destroy(&mut self) -> io::Result<()> {
        if self.is_forked() || !mem::take(&mut self.live) {
            return Ok(());
        }
        // SAFETY: the context is ours and live (the type's invariant), and to have `&mut` of the handle is to have
        // all of `Shared`: neither half is there to use the context or its ring.
        unsafe { sys::destroy(self.id) }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        if let Err(error) = self.destroy() {
            // Nobody else is there to be told; and if standard error is closed, nobody at all.
            let _ = writeln!(
                io::stderr(),
                "aio: io_destroy: {error}: the kernel may still use the memory of requests in flight"
            );
        }
    }
}
