//! Set-up takes what the kernel has, refuses sizes that make no sense, and leaves nothing behind.

use tests::files::{self, TempFile};
use tests::seccomp::{Call, Verdict, supervise};
use tests::{in_child, or_skip, require};
use uring::{Error, Features, Op, RegisterOp, SetupFlags, URingContext};

use crate::common::*;

#[test]
fn sizes_out_of_range_are_refused_with_the_range() {
    for entries in [0, 32_769, 1 << 30, 1 << 40, usize::MAX] {
        let error = URingContext::new(entries).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EINVAL));
        let text = error.to_string();
        assert!(text.contains(&entries.to_string()) && text.contains("1 to 32768"), "{text}");
    }
}

#[test]
fn sizes_of_the_completion_ring_out_of_range_are_refused_with_the_range() {
    for (entries, cq_entries) in [(16, 0), (16, 15), (10, 15), (8, 65_537), (8, 1 << 40)] {
        let error = URingContext::builder(entries).cq_entries(cq_entries).build().unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EINVAL), "{entries} and {cq_entries}");
        let text = error.to_string();
        assert!(text.contains(&cq_entries.to_string()) && text.contains("65536"), "{text}");
    }
}

#[test]
fn the_smallest_and_the_largest_ring_work() {
    for (entries, cq_entries) in [(1, 1), (1, 2), (1, 65_536), (32_768, 32_768), (32_768, 65_536)] {
        let mut context = build(URingContext::builder(entries).cq_entries(cq_entries));
        assert_eq!(context.space(), entries);
        nops(&mut context, 0, entries as u64);
        assert!(matches!(context.add_nop(0), Err(Error::NoSpace)));
        assert_eq!(context.submit().unwrap(), entries);
        let expected: Vec<Taken> = (0..entries as u64).map(|name| (name, Ok(0))).collect();
        assert!(all(&mut context) == expected, "{entries} and {cq_entries}");
    }
}

#[test]
fn sizes_are_rounded_up() {
    // 17 is 32: so many completions fit without an overflow.
    let mut context = build(URingContext::builder(10).cq_entries(17));
    assert_eq!(context.space(), 16);
    nops(&mut context, 0, 16);
    context.submit().unwrap();
    nops(&mut context, 16, 16);
    context.submit().unwrap();
    let enters = context.stats().enters;
    assert_eq!(names(context.wait_nr(32).unwrap()), (0..32).collect::<Vec<_>>());
    assert_eq!(context.stats().enters, enters);
}

#[test]
fn the_ring_has_what_this_crate_relies_on() {
    let context = context(4);
    let floor = [
        Features::SINGLE_MMAP,
        Features::NODROP,
        Features::SUBMIT_STABLE,
        Features::RW_CUR_POS,
        Features::FAST_POLL,
        Features::POLL_32BITS,
    ];
    for feature in floor {
        assert!(has(&context, feature), "{feature:?}");
    }
}

#[test]
fn the_best_of_the_kernels_flags_are_taken() {
    let asked = build(URingContext::builder(4).coop_taskrun());
    let usual = context(4);
    let probed = asked.probe().unwrap().setup_flags();
    let flags = [
        (SetupFlags::SUBMIT_ALL, (5, 18), true),
        (SetupFlags::COOP_TASKRUN, (5, 19), false),
        (SetupFlags::TASKRUN_FLAG, (5, 19), false),
        (SetupFlags::NO_SQARRAY, (6, 6), true),
        (SetupFlags::DEFER_TASKRUN, (u32::MAX, 0), false),
    ];
    for (flag, (major, minor), unasked) in flags {
        let is_known = probed.is_some_and(|probed| probed.contains(flag)) && major < u32::MAX;
        let known = is_known || probed.is_none() && kernel_is_at_least(major, minor);
        assert_eq!(asked.setup_flags().contains(flag), known, "{flag:?}");
        assert_eq!(usual.setup_flags().contains(flag), known && unasked, "{flag:?}");
    }
}

/// Plays a kernel that knows only these set-up flags.
fn only_flags(known: u32) -> impl FnMut(&Call) -> Verdict + Send {
    move |call| {
        // The call waits for the verdict, so that its parameters are there; this is the same process.
        let params: *const uring_sys::io_uring_params =
            std::ptr::with_exposed_provenance(call.arguments[1] as usize);
        let flags = unsafe { (*params).flags };
        if flags & !known == 0 { Verdict::Pass } else { Verdict::Fail(libc::EINVAL) }
    }
}

/// A context on a kernel that knows only these set-up flags gets these, and works.
fn falls_back_to(known: SetupFlags, expected: SetupFlags) {
    let _supervisor = or_skip!(supervise(&[libc::SYS_io_uring_setup], only_flags(known.bits())));
    let mut context = context(8);
    assert_eq!(context.setup_flags(), expected);
    batches_with_refused_requests(&mut context);
    let mut context = try_build(URingContext::builder(8).cq_entries(8));
    if !known.contains(SetupFlags::CQSIZE) {
        assert_eq!(context.unwrap_err().raw_os_error(), Some(libc::EINVAL));
        return;
    }
    let context = context.as_mut().unwrap();
    batches_with_refused_requests(context);
}

/// Batches in which the kernel refuses requests, every number of them at every place.
fn batches_with_refused_requests(context: &mut URingContext) {
    let file = TempFile::new(4096);
    let mut buffers = [[0; 8]; 8];
    for round in 0..256 {
        for (name, buffer) in (0..).zip(&mut buffers) {
            if round >> name & 1 == 1 {
                unsafe { context.add_readv(too_many_iovecs(), file.file(), 0, name) }.unwrap();
            } else {
                read(context, buffer, file.file(), name + round, name);
            }
        }
        let mut expected =
            (0..8).map(|name| (name, if round >> name & 1 == 1 { Err(libc::EINVAL) } else { Ok(8) }));
        match round % 3 {
            0 => assert_eq!(context.submit().unwrap(), 8),
            1 => assert_eq!(context.wait_nr(8).unwrap().size_hint().0, 8),
            _ => assert!(context.wait_timeout(LONG).unwrap().size_hint().0 > 0),
        }
        assert_eq!((context.queued(), context.in_flight()), (0, 8));
        assert!(all(context).into_iter().eq(expected.by_ref()), "round {round}");
        for (name, buffer) in (0..).zip(&buffers).filter(|(name, _)| round >> name & 1 == 0) {
            files::check(buffer, name + round);
        }
    }
}

#[test]
fn a_kernel_without_any_flag_will_do() {
    in_child!(|| falls_back_to(SetupFlags::default(), SetupFlags::default()));
}

#[test]
fn a_kernel_that_stops_a_batch_at_what_it_refuses_will_do() {
    // As 5.10 to 5.17.
    in_child!(|| falls_back_to(SetupFlags::CQSIZE, SetupFlags::default()));
}

#[test]
fn a_kernel_with_some_of_the_flags_gives_these() {
    in_child!(|| {
        let this = context(1).setup_flags();
        require!(this.contains(SetupFlags::SUBMIT_ALL), "no IORING_SETUP_SUBMIT_ALL before 5.18");
        falls_back_to(SetupFlags::SUBMIT_ALL, SetupFlags::SUBMIT_ALL);
    });
}

#[test]
fn a_kernel_without_the_newest_flag_gives_the_others() {
    in_child!(|| {
        let this = context(1).setup_flags();
        require!(this.contains(SetupFlags::NO_SQARRAY), "no IORING_SETUP_NO_SQARRAY before 6.6");
        let others = this.bits() & !SetupFlags::NO_SQARRAY.bits();
        let others = SetupFlags::from_bits_retain(others);
        falls_back_to(others, others);
    });
}

#[test]
fn a_probe_knows_the_operations_of_this_crate_and_no_others() {
    let context = context(4);
    let probe = context.probe().unwrap();
    for op in [Op::NOP, Op::READ, Op::WRITE, Op::READV, Op::WRITEV, Op::FSYNC, Op::FALLOCATE, Op::POLL_ADD] {
        assert!(probe.supports(op), "{op:?}");
    }
    for op in [Op::POLL_REMOVE, Op::ASYNC_CANCEL, Op::TIMEOUT, Op::READ_FIXED, Op::WRITE_FIXED] {
        assert!(probe.supports(op), "{op:?}");
    }
    assert!(!probe.supports(Op::new(200)));
    assert_eq!(probe.supports(Op::SOCKET), kernel_is_at_least(5, 19));
    assert_eq!(probe.features(), context.features());
    assert_ne!(probe.supports_register(RegisterOp::REGISTER_PROBE), Some(false));
    assert_ne!(probe.supports_register(RegisterOp::new(1 << 20)), Some(true));
    assert_eq!(probe.setup_flags().is_some(), kernel_is_at_least(6, 18));
}

#[test]
fn a_probe_without_the_newest_call_tells_the_operations_all_the_same() {
    in_child!(|| {
        let context = context(4);
        let _supervisor = or_skip!(supervise(&[libc::SYS_io_uring_register], |call| {
            match call.arguments[1] == u64::from(RegisterOp::REGISTER_QUERY.code()) {
                true => Verdict::Fail(libc::EINVAL),
                false => Verdict::Pass,
            }
        }));
        let probe = context.probe().unwrap();
        assert!(probe.supports(Op::READ) && !probe.supports(Op::new(200)));
        assert_eq!((probe.supports_register(RegisterOp::REGISTER_FILES), probe.setup_flags()), (None, None));
    });
}

#[test]
fn contexts_leave_neither_descriptors_nor_mappings_behind() {
    in_child!(|| {
        let left = || {
            let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
            (std::fs::read_dir("/proc/self/fd").unwrap().count(), maps.matches("io_uring").count())
        };
        let before = left();
        for round in 0..100 {
            let mut context = context(4);
            if round % 2 == 0 {
                nops(&mut context, 0, 4);
                context.submit().unwrap();
            }
            if round % 3 == 0 {
                drop(context.split().unwrap());
            }
        }
        assert_eq!(left(), before);
        // Also when the making fails half way.
        let _supervisor =
            or_skip!(supervise(&[libc::SYS_io_uring_register], |_| Verdict::Fail(libc::EINVAL)));
        let before = left();
        for _ in 0..10 {
            let refused = try_build(URingContext::builder(4).restrictions(uring::Restrictions::new()));
            assert_eq!(refused.unwrap_err().raw_os_error(), Some(libc::EINVAL));
        }
        assert_eq!(left(), before);
    });
}
