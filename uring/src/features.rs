//! Sets of bits that describe a ring.

use crate::bits::bits;

bits! {
    /// What the kernel can do with this ring, `IORING_FEAT_*`.
    Features(u32), prefix "IORING_FEAT_";
    /// Both index rings lie in one mapping; since 5.4.
    SINGLE_MMAP = IORING_FEAT_SINGLE_MMAP,
    /// Completions that do not fit are kept aside, not dropped; since 5.5.
    NODROP = IORING_FEAT_NODROP,
    /// What an entry points to, except data, may go once the entry is consumed; since 5.5.
    SUBMIT_STABLE = IORING_FEAT_SUBMIT_STABLE,
    /// Offset -1 is the file's position; since 5.6.
    RW_CUR_POS = IORING_FEAT_RW_CUR_POS,
    /// Requests run with the credentials of whoever submits; since 5.6.
    CUR_PERSONALITY = IORING_FEAT_CUR_PERSONALITY,
    /// Pollable files are polled, not blocked on by a worker; since 5.7.
    FAST_POLL = IORING_FEAT_FAST_POLL,
    /// Poll masks have 32 bits; since 5.9.
    POLL_32BITS = IORING_FEAT_POLL_32BITS,
    /// Submission polling takes plain descriptors; since 5.11.
    SQPOLL_NONFIXED = IORING_FEAT_SQPOLL_NONFIXED,
    /// `io_uring_enter` takes a timeout; since 5.11.
    EXT_ARG = IORING_FEAT_EXT_ARG,
    /// Workers are threads of the process; since 5.12.
    NATIVE_WORKERS = IORING_FEAT_NATIVE_WORKERS,
    /// Registered resources may be tagged and updated; since 5.13.
    RSRC_TAGS = IORING_FEAT_RSRC_TAGS,
    /// A request may ask for no completion; since 5.17.
    CQE_SKIP = IORING_FEAT_CQE_SKIP,
    /// Linked requests look their file up when they start; since 5.17.
    LINKED_FILE = IORING_FEAT_LINKED_FILE,
    /// Register operations take a registered ring descriptor; since 6.3.
    REG_REG_RING = IORING_FEAT_REG_REG_RING,
    /// Send and receive bundles; since 6.10.
    RECVSEND_BUNDLE = IORING_FEAT_RECVSEND_BUNDLE,
    /// A wait may have a minimum time; since 6.12.
    MIN_TIMEOUT = IORING_FEAT_MIN_TIMEOUT,
    /// Reads and writes take attributes (protection information); since 6.14.
    RW_ATTR = IORING_FEAT_RW_ATTR,
    /// A wait need not count as I/O wait; since 6.15.
    NO_IOWAIT = IORING_FEAT_NO_IOWAIT,
}

bits! {
    /// How a ring was set up, `IORING_SETUP_*`.
    SetupFlags(u32), prefix "IORING_SETUP_";
    /// Completions are polled for; since 5.1.
    IOPOLL = IORING_SETUP_IOPOLL,
    /// A kernel thread polls for submissions; since 5.1.
    SQPOLL = IORING_SETUP_SQPOLL,
    /// That thread is bound to a CPU; since 5.1.
    SQ_AFF = IORING_SETUP_SQ_AFF,
    /// The completion queue's size was given; since 5.5.
    CQSIZE = IORING_SETUP_CQSIZE,
    /// Sizes too large were cut; since 5.6.
    CLAMP = IORING_SETUP_CLAMP,
    /// Workers are shared with another ring; since 5.6.
    ATTACH_WQ = IORING_SETUP_ATTACH_WQ,
    /// The ring started disabled; since 5.10.
    R_DISABLED = IORING_SETUP_R_DISABLED,
    /// A bad entry does not stop the batch; since 5.18.
    SUBMIT_ALL = IORING_SETUP_SUBMIT_ALL,
    /// Completion work waits until the process enters the kernel; since 5.19.
    COOP_TASKRUN = IORING_SETUP_COOP_TASKRUN,
    /// The ring tells when completion work waits; since 5.19.
    TASKRUN_FLAG = IORING_SETUP_TASKRUN_FLAG,
    /// Entries have 128 bytes; since 5.19.
    SQE128 = IORING_SETUP_SQE128,
    /// Completions have 32 bytes; since 5.19.
    CQE32 = IORING_SETUP_CQE32,
    /// One thread submits; since 6.0.
    SINGLE_ISSUER = IORING_SETUP_SINGLE_ISSUER,
    /// Completion work waits until completions are asked for; since 6.1.
    DEFER_TASKRUN = IORING_SETUP_DEFER_TASKRUN,
    /// The rings lie in memory of the caller; since 6.5.
    NO_MMAP = IORING_SETUP_NO_MMAP,
    /// The ring has no descriptor but a registered one; since 6.5.
    REGISTERED_FD_ONLY = IORING_SETUP_REGISTERED_FD_ONLY,
    /// There is no index array; since 6.6.
    NO_SQARRAY = IORING_SETUP_NO_SQARRAY,
    /// Polling sleeps for a while first; since 6.13.
    HYBRID_IOPOLL = IORING_SETUP_HYBRID_IOPOLL,
    /// Completions of both sizes share a ring; since 6.18.
    CQE_MIXED = IORING_SETUP_CQE_MIXED,
    /// Entries of both sizes share a ring; since 6.19.
    SQE_MIXED = IORING_SETUP_SQE_MIXED,
    /// Every submit starts at the first entry; since 7.0.
    SQ_REWIND = IORING_SETUP_SQ_REWIND,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_bits_stay_and_known_ones_have_names() {
        let features = Features::from_bits_retain(1 << 31 | 3);
        assert_eq!(features.bits(), 0x8000_0003);
        assert_eq!(format!("{features:?}"), "IORING_FEAT_*(0x80000003 = SINGLE_MMAP | NODROP)");
        assert_eq!(format!("{:?}", SetupFlags::default()), "IORING_SETUP_*(0x0)");
    }
}
