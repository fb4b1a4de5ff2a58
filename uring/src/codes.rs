//! Operations of the kernel interface, by number and by name.

use std::fmt;

/// Declares a newtype over a kernel code with a constant for each value that has a name.
macro_rules! codes {
    (
        $(#[$doc:meta])* $name:ident($int:ty), prefix $prefix:literal;
        $( $const:ident = $value:ident ),* $(,)?
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(transparent)]
        pub struct $name($int);

        impl $name {
            $(
                #[doc = concat!("`", stringify!($value), "`.")]
                pub const $const: Self = Self(uring_sys::$value as $int);
            )*

            /// Each code that has a name here, in the order of the codes.
            pub const ALL: &'static [Self] = &[$(Self::$const),*];

            const NAMES: &'static [&'static str] = &[$(stringify!($const)),*];

            /// Takes any code, named or not.
            #[must_use]
            pub const fn new(code: $int) -> Self {
                Self(code)
            }

            /// The code as the kernel takes it.
            #[must_use]
            #[inline]
            pub const fn code(self) -> $int {
                self.0
            }

            /// The kernel's name without its prefix, if it has one here.
            #[must_use]
            pub fn name(self) -> Option<&'static str> {
                Self::ALL.iter().position(|named| *named == self).map(|index| Self::NAMES[index])
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self.name() {
                    Some(name) => write!(f, concat!($prefix, "{}"), name),
                    None => write!(f, concat!(stringify!($name), "({})"), self.0),
                }
            }
        }
    };
}

codes! {
    /// An operation of a submission queue entry, `IORING_OP_*`.
    Op(u8), prefix "IORING_OP_";
    NOP = IORING_OP_NOP,
    READV = IORING_OP_READV,
    WRITEV = IORING_OP_WRITEV,
    FSYNC = IORING_OP_FSYNC,
    READ_FIXED = IORING_OP_READ_FIXED,
    WRITE_FIXED = IORING_OP_WRITE_FIXED,
    POLL_ADD = IORING_OP_POLL_ADD,
    POLL_REMOVE = IORING_OP_POLL_REMOVE,
    SYNC_FILE_RANGE = IORING_OP_SYNC_FILE_RANGE,
    SENDMSG = IORING_OP_SENDMSG,
    RECVMSG = IORING_OP_RECVMSG,
    TIMEOUT = IORING_OP_TIMEOUT,
    TIMEOUT_REMOVE = IORING_OP_TIMEOUT_REMOVE,
    ACCEPT = IORING_OP_ACCEPT,
    ASYNC_CANCEL = IORING_OP_ASYNC_CANCEL,
    LINK_TIMEOUT = IORING_OP_LINK_TIMEOUT,
    CONNECT = IORING_OP_CONNECT,
    FALLOCATE = IORING_OP_FALLOCATE,
    OPENAT = IORING_OP_OPENAT,
    CLOSE = IORING_OP_CLOSE,
    FILES_UPDATE = IORING_OP_FILES_UPDATE,
    STATX = IORING_OP_STATX,
    READ = IORING_OP_READ,
    WRITE = IORING_OP_WRITE,
    FADVISE = IORING_OP_FADVISE,
    MADVISE = IORING_OP_MADVISE,
    SEND = IORING_OP_SEND,
    RECV = IORING_OP_RECV,
    OPENAT2 = IORING_OP_OPENAT2,
    EPOLL_CTL = IORING_OP_EPOLL_CTL,
    SPLICE = IORING_OP_SPLICE,
    PROVIDE_BUFFERS = IORING_OP_PROVIDE_BUFFERS,
    REMOVE_BUFFERS = IORING_OP_REMOVE_BUFFERS,
    TEE = IORING_OP_TEE,
    SHUTDOWN = IORING_OP_SHUTDOWN,
    RENAMEAT = IORING_OP_RENAMEAT,
    UNLINKAT = IORING_OP_UNLINKAT,
    MKDIRAT = IORING_OP_MKDIRAT,
    SYMLINKAT = IORING_OP_SYMLINKAT,
    LINKAT = IORING_OP_LINKAT,
    MSG_RING = IORING_OP_MSG_RING,
    FSETXATTR = IORING_OP_FSETXATTR,
    SETXATTR = IORING_OP_SETXATTR,
    FGETXATTR = IORING_OP_FGETXATTR,
    GETXATTR = IORING_OP_GETXATTR,
    SOCKET = IORING_OP_SOCKET,
    URING_CMD = IORING_OP_URING_CMD,
    SEND_ZC = IORING_OP_SEND_ZC,
    SENDMSG_ZC = IORING_OP_SENDMSG_ZC,
    READ_MULTISHOT = IORING_OP_READ_MULTISHOT,
    WAITID = IORING_OP_WAITID,
    FUTEX_WAIT = IORING_OP_FUTEX_WAIT,
    FUTEX_WAKE = IORING_OP_FUTEX_WAKE,
    FUTEX_WAITV = IORING_OP_FUTEX_WAITV,
    FIXED_FD_INSTALL = IORING_OP_FIXED_FD_INSTALL,
    FTRUNCATE = IORING_OP_FTRUNCATE,
    BIND = IORING_OP_BIND,
    LISTEN = IORING_OP_LISTEN,
    RECV_ZC = IORING_OP_RECV_ZC,
    EPOLL_WAIT = IORING_OP_EPOLL_WAIT,
    READV_FIXED = IORING_OP_READV_FIXED,
    WRITEV_FIXED = IORING_OP_WRITEV_FIXED,
    PIPE = IORING_OP_PIPE,
    NOP128 = IORING_OP_NOP128,
    URING_CMD128 = IORING_OP_URING_CMD128,
}

codes! {
    /// An operation of `io_uring_register`, `IORING_REGISTER_*` and `IORING_UNREGISTER_*`.
    RegisterOp(u32), prefix "IORING_";
    REGISTER_BUFFERS = IORING_REGISTER_BUFFERS,
    UNREGISTER_BUFFERS = IORING_UNREGISTER_BUFFERS,
    REGISTER_FILES = IORING_REGISTER_FILES,
    UNREGISTER_FILES = IORING_UNREGISTER_FILES,
    REGISTER_EVENTFD = IORING_REGISTER_EVENTFD,
    UNREGISTER_EVENTFD = IORING_UNREGISTER_EVENTFD,
    REGISTER_FILES_UPDATE = IORING_REGISTER_FILES_UPDATE,
    REGISTER_EVENTFD_ASYNC = IORING_REGISTER_EVENTFD_ASYNC,
    REGISTER_PROBE = IORING_REGISTER_PROBE,
    REGISTER_PERSONALITY = IORING_REGISTER_PERSONALITY,
    UNREGISTER_PERSONALITY = IORING_UNREGISTER_PERSONALITY,
    REGISTER_RESTRICTIONS = IORING_REGISTER_RESTRICTIONS,
    REGISTER_ENABLE_RINGS = IORING_REGISTER_ENABLE_RINGS,
    REGISTER_FILES2 = IORING_REGISTER_FILES2,
    REGISTER_FILES_UPDATE2 = IORING_REGISTER_FILES_UPDATE2,
    REGISTER_BUFFERS2 = IORING_REGISTER_BUFFERS2,
    REGISTER_BUFFERS_UPDATE = IORING_REGISTER_BUFFERS_UPDATE,
    REGISTER_IOWQ_AFF = IORING_REGISTER_IOWQ_AFF,
    UNREGISTER_IOWQ_AFF = IORING_UNREGISTER_IOWQ_AFF,
    REGISTER_IOWQ_MAX_WORKERS = IORING_REGISTER_IOWQ_MAX_WORKERS,
    REGISTER_RING_FDS = IORING_REGISTER_RING_FDS,
    UNREGISTER_RING_FDS = IORING_UNREGISTER_RING_FDS,
    REGISTER_PBUF_RING = IORING_REGISTER_PBUF_RING,
    UNREGISTER_PBUF_RING = IORING_UNREGISTER_PBUF_RING,
    REGISTER_SYNC_CANCEL = IORING_REGISTER_SYNC_CANCEL,
    REGISTER_FILE_ALLOC_RANGE = IORING_REGISTER_FILE_ALLOC_RANGE,
    REGISTER_PBUF_STATUS = IORING_REGISTER_PBUF_STATUS,
    REGISTER_NAPI = IORING_REGISTER_NAPI,
    UNREGISTER_NAPI = IORING_UNREGISTER_NAPI,
    REGISTER_CLOCK = IORING_REGISTER_CLOCK,
    REGISTER_CLONE_BUFFERS = IORING_REGISTER_CLONE_BUFFERS,
    REGISTER_SEND_MSG_RING = IORING_REGISTER_SEND_MSG_RING,
    REGISTER_ZCRX_IFQ = IORING_REGISTER_ZCRX_IFQ,
    REGISTER_RESIZE_RINGS = IORING_REGISTER_RESIZE_RINGS,
    REGISTER_MEM_REGION = IORING_REGISTER_MEM_REGION,
    REGISTER_QUERY = IORING_REGISTER_QUERY,
    REGISTER_ZCRX_CTRL = IORING_REGISTER_ZCRX_CTRL,
    REGISTER_BPF_FILTER = IORING_REGISTER_BPF_FILTER,
}
