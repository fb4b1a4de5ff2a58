//! `aio::AioContext`.

use std::fs::File;
use std::io;

use ::aio::AioContext;

use super::Engine;
use crate::case::Op;

/// A context of its own for each case.
#[derive(Debug)]
pub(crate) struct Aio<'a> {
    context: AioContext,
    file: &'a File,
}

impl<'a> Aio<'a> {
    pub(crate) fn new(file: &'a File, depth: usize) -> Result<Self, ::aio::Error> {
        Ok(Self { context: AioContext::new(depth)?, file })
    }
}

impl Engine for Aio<'_> {
    unsafe fn queue(
        &mut self,
        op: Op,
        block: *mut u8,
        len: usize,
        offset: u64,
        user_data: u64,
    ) -> io::Result<()> {
        match op {
            // SAFETY: the memory is the kernel's until the completion is handed out or the context is dropped
            // (contract of the trait); the file outlives the context.
            Op::Read => unsafe { self.context.add_read(block, len, self.file, offset, user_data) }?,
            // SAFETY: as above.
            Op::Write => unsafe { self.context.add_write(block, len, self.file, offset, user_data) }?,
        };
        Ok(())
    }

    fn wait(&mut self, mut completed: impl FnMut(u64, io::Result<u32>)) -> io::Result<()> {
        for (user_data, result) in self.context.wait()? {
            completed(user_data, result);
        }
        Ok(())
    }

    fn system_calls(&self) -> u64 {
        self.context.stats().enters
    }
}
