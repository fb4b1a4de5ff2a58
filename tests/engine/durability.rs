//! What was acknowledged is there after its writer was killed.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use engine::operation::Write;
use engine::{Engine, RwFlags};
use tests::files::{self, TempFile};

use crate::common::*;

type Numbered = (Write<Arc<File>, Vec<u8>>, u32);

const RECORD: usize = 64;
const IN_FLIGHT: usize = 4;

fn record(nr: u32) -> Vec<u8> {
    let mut record = files::content(u64::from(nr) * 1_000_003, RECORD);
    record[..4].copy_from_slice(&nr.to_le_bytes());
    record
}

/// Writes records until it is killed, and says the number of each one that is durable.
fn write_records(case: &Case, file: &Arc<File>, acknowledge: OwnedFd) {
    let mut acknowledge = File::from(acknowledge);
    let mut engine: Engine<Numbered> = case.engine(IN_FLIGHT);
    for nr in 0.. {
        if engine.space() == 0 {
            for done in engine.wait().unwrap() {
                assert_eq!(done.result.unwrap(), RECORD);
                acknowledge.write_all(&done.operation.1.to_le_bytes()).unwrap();
            }
        }
        let write = Write::new(file.clone(), record(nr), u64::from(nr) * RECORD as u64);
        engine.add((write.flags(RwFlags::DSYNC), nr)).unwrap();
    }
}

/// Forks a writer, kills it after a while, and returns what it has acknowledged.
fn killed_writer(case: &Case, file: &Arc<File>, life: Duration) -> Vec<u32> {
    let (reader, writer) = tests::fork::pipe();
    let child = unsafe { libc::fork() };
    assert!(child >= 0, "fork: {}", std::io::Error::last_os_error());
    if child == 0 {
        drop(reader);
        unsafe { libc::alarm(60) };
        let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| write_records(case, file, writer)));
        unsafe { libc::_exit(1) };
    }
    drop(writer);
    let mut reader = File::from(reader);
    // It is killed at some moment after its first record.
    let mut bytes = vec![0; 4];
    reader.read_exact(&mut bytes).unwrap();
    std::thread::sleep(life);
    assert_eq!(unsafe { libc::kill(child, libc::SIGKILL) }, 0);
    reader.read_to_end(&mut bytes).unwrap();
    let mut status = 0;
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    assert!(libc::WIFSIGNALED(status) && libc::WTERMSIG(status) == libc::SIGKILL, "{status:#x}");
    bytes.chunks_exact(4).map(|bytes| u32::from_le_bytes(bytes.try_into().unwrap())).collect()
}

fn acknowledged_records_survive_their_writer(case: &Case) {
    case.in_child(|| {
        // Microseconds from 0 to 2 ms, as evenly as the golden ratio has it.
        for round in 0..67_u64 {
            let file = TempFile::empty();
            let written = shared(&file);
            let life = Duration::from_micros(round.wrapping_mul(1236) % 2000);
            let acknowledged = killed_writer(case, &written, life);
            assert!(!acknowledged.is_empty());
            for nr in acknowledged {
                let stored = files::pread(file.file(), u64::from(nr) * RECORD as u64, RECORD);
                assert_eq!(stored, record(nr), "record {nr} of round {round}");
            }
        }
    });
}

on_each!(acknowledged_records_survive_their_writer);
