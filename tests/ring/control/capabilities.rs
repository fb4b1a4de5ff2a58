use tests::kernel::is_at_least;
use uring::{Capabilities, Features, Op, RegisterOp, Ring, SetupFlags, SqeFlags};

/// What came with which kernel is told to be there from then on, whichever way this kernel was asked.
#[test]
fn the_kernels_age_is_known() {
    let kernel = Capabilities::get().unwrap();
    // From 5.10.162 on, 5.10 has the rings of 5.15.
    let is_newer = kernel.features().contains(Features::RSRC_TAGS);
    let has = |major, minor| is_at_least(major, minor) || is_newer && (major, minor) <= (5, 15);
    for (op, major, minor) in [
        (RegisterOp::REGISTER_RESTRICTIONS, 5, 10),
        (RegisterOp::REGISTER_BUFFERS2, 5, 13),
        (RegisterOp::REGISTER_IOWQ_MAX_WORKERS, 5, 15),
        (RegisterOp::REGISTER_RING_FDS, 5, 18),
        (RegisterOp::REGISTER_PBUF_RING, 5, 19),
        (RegisterOp::REGISTER_SYNC_CANCEL, 6, 0),
        (RegisterOp::REGISTER_PBUF_STATUS, 6, 8),
        (RegisterOp::REGISTER_NAPI, 6, 9),
        (RegisterOp::REGISTER_CLONE_BUFFERS, 6, 12),
        (RegisterOp::REGISTER_RESIZE_RINGS, 6, 13),
        (RegisterOp::REGISTER_QUERY, 6, 18),
        (RegisterOp::REGISTER_BPF_FILTER, 7, 0),
    ] {
        assert_eq!(kernel.supports_register(op), has(major, minor), "{op:?}");
    }
    for (flag, major, minor) in [
        (SetupFlags::R_DISABLED, 5, 10),
        (SetupFlags::SUBMIT_ALL, 5, 18),
        (SetupFlags::CQE32, 5, 19),
        (SetupFlags::SINGLE_ISSUER, 6, 0),
        (SetupFlags::DEFER_TASKRUN, 6, 1),
        (SetupFlags::REGISTERED_FD_ONLY, 6, 5),
        (SetupFlags::HYBRID_IOPOLL, 6, 13),
        (SetupFlags::CQE_MIXED, 6, 18),
    ] {
        assert_eq!(kernel.setup_flags().contains(flag), is_at_least(major, minor), "{flag:?}");
    }
    assert_eq!(
        kernel.sqe_flags().contains(SqeFlags::CQE_SKIP_SUCCESS),
        is_at_least(5, 17),
        "{:?}",
        kernel.sqe_flags()
    );
    assert_eq!(kernel.zcrx().is_some(), is_at_least(6, 19));
}

#[test]
fn what_a_ring_says_is_what_the_kernel_has() {
    let (kernel, ring) = (Capabilities::get().unwrap(), Ring::<uring::Sqe>::new(4).unwrap());
    assert_eq!(kernel.features(), ring.features());
    let probe = ring.probe().unwrap();
    for op in Op::ALL {
        assert_eq!(kernel.supports(*op), probe.supports(*op), "{op:?}");
    }
    assert!(!kernel.supports(Op::new(255)));
    assert!(!kernel.supports_register(RegisterOp::new(63)) && !kernel.supports_register(RegisterOp::new(64)));
    assert_eq!(kernel.enter_flags() & 8 != 0, kernel.features().contains(Features::EXT_ARG));
}
