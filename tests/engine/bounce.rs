//! Unaligned operations on files that are opened with `O_DIRECT`.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use engine::operation::{Operations, Read, ReadVectored, Write, WriteVectored};
use engine::{AlignedBuf, BackendKind, DirectIo, Engine, IoBuf, Options, RwFlags};
use tests::files::{self, TempFile};

type Any = Operations<Arc<File>, Vec<u8>>;

const KINDS: [BackendKind; 3] = [BackendKind::Uring, BackendKind::Aio, BackendKind::Threads];

/// A file for direct I/O that insists on alignment.
pub(crate) fn strict(file: &TempFile) -> Result<Arc<File>, String> {
    let direct = Arc::new(file.direct()?);
    let mut byte = [0];
    match direct.read_at(&mut byte, 1) {
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => Ok(direct),
        _ => Err("this file system takes unaligned direct I/O".into()),
    }
}

fn one(engine: &mut Engine<Any>, operation: impl Into<Any>) -> (io::Result<usize>, Any) {
    engine.add(operation.into()).unwrap();
    let completion = engine.wait().unwrap().next().unwrap();
    (completion.result, completion.operation)
}

#[test]
fn without_the_option_unaligned_operations_fail() {
    for kind in KINDS {
        let file = TempFile::new(10_000);
        let direct = tests::or_skip!(strict(&file));
        let mut engine = Options::new(4).only(kind).build().unwrap();
        let (result, _) = one(&mut engine, Read::new(direct, vec![0; 100], 1));
        assert_eq!(result.unwrap_err().raw_os_error(), Some(libc::EINVAL), "{kind}");
        assert_eq!(engine.stats().bounces, 0);
    }
}

#[test]
fn unaligned_reads_are_right_at_every_edge_of_a_file() {
    for kind in KINDS {
        let file = TempFile::new(10_001);
        let direct = tests::or_skip!(strict(&file));
        let mut engine = Options::new(4).only(kind).bounce(true).build().unwrap();
        for (offset, len) in [
            (0, 1),
            (1, 1),
            (511, 2),
            (4095, 4098),
            (5, 9_000),
            (9_999, 1),
            (9_999, 100),
            (10_000, 5),
            (10_001, 5),
            (50_000, 5),
        ] {
            let (result, operation) = one(&mut engine, Read::new(direct.clone(), vec![0; len], offset));
            let expected = files::pread(file.file(), offset, len);
            assert_eq!(result.unwrap(), expected.len(), "{kind}: {len} at {offset}");
            assert_eq!(operation.into_buffer().unwrap(), expected, "{kind}: {len} at {offset}");
        }
        assert!(engine.stats().bounces >= 8, "{:?}", engine.stats());
    }
}

#[test]
fn an_unaligned_write_changes_nothing_around_it_and_ends_the_file_where_it_should() {
    for kind in KINDS {
        let file = TempFile::new(10_001);
        let direct = tests::or_skip!(strict(&file));
        let mut engine = Options::new(4).only(kind).bounce(true).build().unwrap();
        let mut model = files::content(0, 10_001);
        for (offset, len, value) in [
            (1, 1, 1),
            (511, 2, 2),
            (4000, 5000, 3),
            (9_990, 100, 4),
            (10_090, 7, 5),
            (30_000, 1, 6),
            (512, 512, 7),
        ] {
            let (result, _) = one(&mut engine, Write::new(direct.clone(), vec![value; len], offset));
            assert_eq!(result.unwrap(), len, "{kind}: {len} at {offset}");
            let (start, end) = (offset as usize, offset as usize + len);
            model.resize(model.len().max(end), 0);
            model[start..end].fill(value);
            assert_eq!(files::pread(file.file(), 0, 1 << 20), model, "{kind}: {len} at {offset}");
        }
        assert!(engine.stats().bounces >= 6, "{:?}", engine.stats());
    }
}

#[test]
fn more_than_a_window_goes_in_pieces() {
    for kind in KINDS {
        let file = TempFile::new(3 << 20);
        let direct = tests::or_skip!(strict(&file));
        let mut engine = Options::new(4).only(kind).bounce(true).build().unwrap();
        let bytes = files::content(77, (2 << 20) + 12_345);
        let len = bytes.len();
        let (result, _) = one(&mut engine, Write::new(direct.clone(), bytes, 3));
        assert_eq!(result.unwrap(), len);
        let (result, operation) = one(&mut engine, Read::new(direct, vec![0; len], 3));
        assert_eq!(result.unwrap(), len);
        files::check(&operation.into_buffer().unwrap(), 77);
        files::check(&files::pread(file.file(), 0, 3), 0);
        files::check(&files::pread(file.file(), 3 + len as u64, 1 << 20), 3 + len as u64);
    }
}

#[test]
fn vectors_with_odd_parts_are_gathered_and_scattered() {
    for kind in KINDS {
        let file = TempFile::new(20_000);
        let direct = tests::or_skip!(strict(&file));
        let mut engine = Options::new(4).only(kind).bounce(true).build().unwrap();
        let parts = |fill: u8| [1, 0, 700, 4096, 3].map(|len| vec![fill; len]).to_vec();
        let (result, _) = one(&mut engine, WriteVectored::new(direct.clone(), parts(9), 1000));
        assert_eq!(result.unwrap(), 4800);
        assert_eq!(files::pread(file.file(), 1000, 4800), vec![9; 4800]);
        let (result, operation) = one(&mut engine, ReadVectored::new(direct, parts(0), 1000));
        assert_eq!(result.unwrap(), 4800);
        let Operations::ReadVectored(read) = operation else { panic!("{operation:?}") };
        assert_eq!(read.buffers(), parts(9));
    }
}

#[test]
fn unaligned_writes_in_flight_together_keep_each_other_s_bytes() {
    for kind in KINDS {
        let file = TempFile::new(65_536);
        let direct = tests::or_skip!(strict(&file));
        let mut engine = Options::new(32).only(kind).bounce(true).build::<Any>().unwrap();
        for round in 0..20_u8 {
            for place in 0..32_u64 {
                let write = Write::new(direct.clone(), vec![round ^ place as u8; 100], 17 + place * 100);
                engine.add(write.into()).unwrap();
            }
            assert!(engine.wait_nr(32).unwrap().all(|completion| completion.result.unwrap() == 100));
            let expected: Vec<_> = (0..32).flat_map(|place| vec![round ^ place; 100]).collect();
            assert_eq!(files::pread(file.file(), 17, 3200), expected, "{kind}");
        }
        files::check(&files::pread(file.file(), 0, 17), 0);
        files::check(&files::pread(file.file(), 3217, 4096), 3217);
    }
}

#[test]
fn what_is_aligned_is_not_bounced_and_what_cannot_be_is_refused() {
    for kind in KINDS {
        let file = TempFile::new(65_536);
        let direct = tests::or_skip!(strict(&file));
        let needs = DirectIo::probe(&direct).unwrap().unwrap();
        let mut engine =
            Options::new(4).only(kind).bounce(true).build::<Operations<Arc<File>, AlignedBuf>>().unwrap();
        let aligned = AlignedBuf::new(needs.offset as usize);
        engine.add(Read::new(direct.clone(), aligned, 0).into()).unwrap();
        assert_eq!(engine.wait().unwrap().next().unwrap().result.unwrap(), needs.offset as usize);
        assert_eq!(engine.stats().bounces, 0);
        let append = Write::new(direct, AlignedBuf::new(3), 0).flags(RwFlags::APPEND);
        engine.add(append.into()).unwrap();
        let completion = engine.wait().unwrap().next().unwrap();
        assert_eq!(completion.result.unwrap_err().raw_os_error(), Some(libc::EINVAL), "{kind}");
        assert_eq!(engine.stats().bounces, 0);
        assert_eq!(file.file().metadata().unwrap().len(), 65_536);
    }
}

#[test]
fn memory_alone_may_be_unaligned() {
    for kind in KINDS {
        let file = TempFile::new(65_536);
        let direct = tests::or_skip!(strict(&file));
        let mut engine = Options::new(4).only(kind).bounce(true).build::<Read<_, _>>().unwrap();
        let mut buffer = AlignedBuf::new(8192 + 4096);
        buffer.fill(7);
        engine.add(Read::new(direct, buffer.slice(1..8193), 4096)).unwrap();
        let completion = engine.wait().unwrap().next().unwrap();
        assert_eq!(completion.result.unwrap(), 8192, "{kind}");
        let buffer = completion.operation.buffer.into_inner();
        assert_eq!((buffer[0], buffer[8193]), (7, 7));
        files::check(&buffer[1..8193], 4096);
        assert_eq!(engine.stats().bounces, 1);
    }
}
