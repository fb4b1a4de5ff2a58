//! Sets of set-up flags, each against the kernel's own answer.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use uring::ring::Builder;
use uring::{Completion, Cqe, Cqe32, Error, MixedCqe, MixedSqe, Ring, SetupFlags, Sqe, Sqe128, Submission};
use uring_sys::{
    IORING_REGISTER_USE_REGISTERED_RING, IORING_UNREGISTER_RING_FDS, io_uring_params, io_uring_register,
    io_uring_rsrc_update, io_uring_setup,
};

use crate::scenarios::common::Pages;

const ENTRIES: u32 = 4;
const CQ_ENTRIES: u32 = 16;

/// Every flag that there is.
const FLAGS: [SetupFlags; 21] = [
    SetupFlags::IOPOLL,
    SetupFlags::SQPOLL,
    SetupFlags::SQ_AFF,
    SetupFlags::CQSIZE,
    SetupFlags::CLAMP,
    SetupFlags::ATTACH_WQ,
    SetupFlags::R_DISABLED,
    SetupFlags::SUBMIT_ALL,
    SetupFlags::COOP_TASKRUN,
    SetupFlags::TASKRUN_FLAG,
    SetupFlags::SQE128,
    SetupFlags::CQE32,
    SetupFlags::SINGLE_ISSUER,
    SetupFlags::DEFER_TASKRUN,
    SetupFlags::NO_MMAP,
    SetupFlags::REGISTERED_FD_ONLY,
    SetupFlags::NO_SQARRAY,
    SetupFlags::HYBRID_IOPOLL,
    SetupFlags::CQE_MIXED,
    SetupFlags::SQE_MIXED,
    SetupFlags::SQ_REWIND,
];

/// Asks the kernel.
fn kernel_takes(flags: SetupFlags, wq: BorrowedFd<'_>, memory: &Pages) -> bool {
    let mut params = io_uring_params { flags: flags.bits(), ..Default::default() };
    if flags.contains(SetupFlags::CQSIZE) {
        params.cq_entries = CQ_ENTRIES;
    }
    if flags.contains(SetupFlags::ATTACH_WQ) {
        params.wq_fd = wq.as_raw_fd().cast_unsigned();
    }
    if flags.contains(SetupFlags::NO_MMAP) {
        params.cq_off.user_addr = memory.start().expose_provenance() as u64;
        params.sq_off.user_addr = params.cq_off.user_addr + 4096;
    }
    let answer = unsafe { io_uring_setup(ENTRIES, &raw mut params) };
    if answer < 0 {
        assert_eq!(-answer, libc::EINVAL, "{flags:?}");
        return false;
    }
    if flags.contains(SetupFlags::REGISTERED_FD_ONLY) {
        let mut place = io_uring_rsrc_update { offset: answer.cast_unsigned(), ..Default::default() };
        let opcode = IORING_UNREGISTER_RING_FDS | IORING_REGISTER_USE_REGISTERED_RING;
        assert_eq!(unsafe { io_uring_register(answer, opcode, (&raw mut place).cast(), 1) }, 1);
    } else {
        drop(unsafe { OwnedFd::from_raw_fd(answer) });
    }
    true
}

/// Asks this crate.
fn ring_is_made(flags: SetupFlags, wq: BorrowedFd<'_>) -> Result<(), Error> {
    let has = |flag| flags.contains(flag);
    match (has(SetupFlags::SQE128), has(SetupFlags::SQE_MIXED)) {
        (true, _) => with_entries::<Sqe128>(flags, wq),
        (_, true) => with_entries::<MixedSqe>(flags, wq),
        _ => with_entries::<Sqe>(flags, wq),
    }
}

fn with_entries<S: Submission>(flags: SetupFlags, wq: BorrowedFd<'_>) -> Result<(), Error> {
    let has = |flag| flags.contains(flag);
    match (has(SetupFlags::CQE32), has(SetupFlags::CQE_MIXED)) {
        (true, _) => with::<S, Cqe32>(flags, wq),
        (_, true) => with::<S, MixedCqe>(flags, wq),
        _ => with::<S, Cqe>(flags, wq),
    }
}

fn with<S: Submission, C: Completion>(flags: SetupFlags, wq: BorrowedFd<'_>) -> Result<(), Error> {
    let own = SetupFlags::CQSIZE | SetupFlags::ATTACH_WQ | SetupFlags::NO_MMAP;
    let rest = SetupFlags::from_bits_retain(flags.bits() & !own.bits());
    // What the entries are is said by the types; of two sizes that exclude one another the second stays a flag, and no
    // ring comes of it.
    let mut builder: Builder<'_, S, C> = unsafe { Ring::builder(ENTRIES as usize).flags(rest) };
    if flags.contains(SetupFlags::CQSIZE) {
        builder = builder.cq_entries(CQ_ENTRIES as usize);
    }
    if flags.contains(SetupFlags::ATTACH_WQ) {
        builder = builder.attach_wq(wq);
    }
    if flags.contains(SetupFlags::NO_MMAP) {
        builder = builder.no_mmap();
    }
    builder.build().map(drop)
}

/// Asks both for one set of flags, and says what is wrong with the answers.
fn compare(flags: SetupFlags, wq: BorrowedFd<'_>, memory: &Pages) -> Option<String> {
    let kernel = kernel_takes(flags, wq, memory);
    match ring_is_made(flags, wq) {
        Ok(()) if kernel => None,
        Ok(()) => Some(format!("{flags:?}: a ring, though the kernel refuses that")),
        Err(error) if kernel => Some(format!("{flags:?}: the kernel takes that; {error}")),
        // The errno, and a sentence behind it.
        Err(error) if error.to_string().contains("(os error 22): ") => None,
        Err(error) => Some(format!("{flags:?}: no sentence; {error}")),
    }
}

/// Adds each flag, and each pair, to each base.
fn all_pairs_beside(bases: &[SetupFlags]) {
    let wq: Ring = Ring::new(1).unwrap();
    let memory = Pages::new(3 * 4096);
    let mut wrong = Vec::new();
    for base in bases {
        for (nth, one) in FLAGS.iter().enumerate() {
            wrong.extend(
                FLAGS[nth..].iter().filter_map(|other| compare(*base | *one | *other, wq.as_fd(), &memory)),
            );
        }
    }
    assert!(wrong.is_empty(), "{} of them:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_flag_and_every_pair_is_taken_or_refused_as_by_the_kernel() {
    all_pairs_beside(&[SetupFlags::default()]);
}

#[test]
fn every_pair_beside_flags_for_one_thread_is_taken_or_refused_as_by_the_kernel() {
    let deferred = SetupFlags::SINGLE_ISSUER | SetupFlags::DEFER_TASKRUN;
    all_pairs_beside(&[SetupFlags::COOP_TASKRUN, deferred, deferred | SetupFlags::TASKRUN_FLAG]);
}

#[test]
fn every_pair_beside_flags_of_memory_is_taken_or_refused_as_by_the_kernel() {
    let without = SetupFlags::NO_MMAP | SetupFlags::REGISTERED_FD_ONLY;
    all_pairs_beside(&[without, SetupFlags::SQ_REWIND | SetupFlags::NO_SQARRAY]);
}

#[test]
fn every_pair_beside_polling_is_taken_or_refused_as_by_the_kernel() {
    all_pairs_beside(&[SetupFlags::IOPOLL, SetupFlags::SQPOLL]);
}
