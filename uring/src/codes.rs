//! Operations of the kernel interface, by number and by name.

use std::fmt;

/// Declares a newtype over a kernel code with a constant for each value that has a name.
macro_rules! codes {
    (
        $(#[$doc:meta])* $name:ident($int:ty), prefix $prefix:literal;
        $( $const:ident = $value:ident since $since:literal ),* $(,)?
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(transparent)]
        pub struct $name($int);

        impl $name {
            $(
                #[doc = concat!("`", stringify!($value), "`, since ", $since, ".")]
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
    NOP = IORING_OP_NOP since "5.1",
    READV = IORING_OP_READV since "5.1",
    WRITEV = IORING_OP_WRITEV since "5.1",
    FSYNC = IORING_OP_FSYNC since "5.1",
    READ_FIXED = IORING_OP_READ_FIXED since "5.1",
    WRITE_FIXED = IORING_OP_WRITE_FIXED since "5.1",
    POLL_ADD = IORING_OP_POLL_ADD since "5.1",
    POLL_REMOVE = IORING_OP_POLL_REMOVE since "5.1",
    SYNC_FILE_RANGE = IORING_OP_SYNC_FILE_RANGE since "5.2",
    SENDMSG = IORING_OP_SENDMSG since "5.3",
    RECVMSG = IORING_OP_RECVMSG since "5.3",
    TIMEOUT = IORING_OP_TIMEOUT since "5.4",
    TIMEOUT_REMOVE = IORING_OP_TIMEOUT_REMOVE since "5.5",
    ACCEPT = IORING_OP_ACCEPT since "5.5",
    ASYNC_CANCEL = IORING_OP_ASYNC_CANCEL since "5.5",
    LINK_TIMEOUT = IORING_OP_LINK_TIMEOUT since "5.5",
    CONNECT = IORING_OP_CONNECT since "5.5",
    FALLOCATE = IORING_OP_FALLOCATE since "5.6",
    OPENAT = IORING_OP_OPENAT since "5.6",
    CLOSE = IORING_OP_CLOSE since "5.6",
    FILES_UPDATE = IORING_OP_FILES_UPDATE since "5.5",
    STATX = IORING_OP_STATX since "5.6",
    READ = IORING_OP_READ since "5.6",
    WRITE = IORING_OP_WRITE since "5.6",
    FADVISE = IORING_OP_FADVISE since "5.6",
    MADVISE = IORING_OP_MADVISE since "5.6",
    SEND = IORING_OP_SEND since "5.6",
    RECV = IORING_OP_RECV since "5.6",
    OPENAT2 = IORING_OP_OPENAT2 since "5.6",
    EPOLL_CTL = IORING_OP_EPOLL_CTL since "5.6",
    SPLICE = IORING_OP_SPLICE since "5.7",
    PROVIDE_BUFFERS = IORING_OP_PROVIDE_BUFFERS since "5.7",
    REMOVE_BUFFERS = IORING_OP_REMOVE_BUFFERS since "5.7",
    TEE = IORING_OP_TEE since "5.8",
    SHUTDOWN = IORING_OP_SHUTDOWN since "5.11",
    RENAMEAT = IORING_OP_RENAMEAT since "5.11",
    UNLINKAT = IORING_OP_UNLINKAT since "5.11",
    MKDIRAT = IORING_OP_MKDIRAT since "5.15",
    SYMLINKAT = IORING_OP_SYMLINKAT since "5.15",
    LINKAT = IORING_OP_LINKAT since "5.15",
    MSG_RING = IORING_OP_MSG_RING since "5.18",
    FSETXATTR = IORING_OP_FSETXATTR since "5.19",
    SETXATTR = IORING_OP_SETXATTR since "5.19",
    FGETXATTR = IORING_OP_FGETXATTR since "5.19",
    GETXATTR = IORING_OP_GETXATTR since "5.19",
    SOCKET = IORING_OP_SOCKET since "5.19",
    URING_CMD = IORING_OP_URING_CMD since "5.19",
    SEND_ZC = IORING_OP_SEND_ZC since "6.0",
    SENDMSG_ZC = IORING_OP_SENDMSG_ZC since "6.1",
    READ_MULTISHOT = IORING_OP_READ_MULTISHOT since "6.7",
    WAITID = IORING_OP_WAITID since "6.7",
    FUTEX_WAIT = IORING_OP_FUTEX_WAIT since "6.7",
    FUTEX_WAKE = IORING_OP_FUTEX_WAKE since "6.7",
    FUTEX_WAITV = IORING_OP_FUTEX_WAITV since "6.7",
    FIXED_FD_INSTALL = IORING_OP_FIXED_FD_INSTALL since "6.8",
    FTRUNCATE = IORING_OP_FTRUNCATE since "6.9",
    BIND = IORING_OP_BIND since "6.11",
    LISTEN = IORING_OP_LISTEN since "6.11",
    RECV_ZC = IORING_OP_RECV_ZC since "6.15",
    EPOLL_WAIT = IORING_OP_EPOLL_WAIT since "6.15",
    READV_FIXED = IORING_OP_READV_FIXED since "6.15",
    WRITEV_FIXED = IORING_OP_WRITEV_FIXED since "6.15",
    PIPE = IORING_OP_PIPE since "6.16",
    NOP128 = IORING_OP_NOP128 since "6.19",
    URING_CMD128 = IORING_OP_URING_CMD128 since "6.19",
}

codes! {
    /// An operation of `io_uring_register`, `IORING_REGISTER_*` and `IORING_UNREGISTER_*`.
    RegisterOp(u32), prefix "IORING_";
    REGISTER_BUFFERS = IORING_REGISTER_BUFFERS since "5.1",
    UNREGISTER_BUFFERS = IORING_UNREGISTER_BUFFERS since "5.1",
    REGISTER_FILES = IORING_REGISTER_FILES since "5.1",
    UNREGISTER_FILES = IORING_UNREGISTER_FILES since "5.1",
    REGISTER_EVENTFD = IORING_REGISTER_EVENTFD since "5.2",
    UNREGISTER_EVENTFD = IORING_UNREGISTER_EVENTFD since "5.2",
    REGISTER_FILES_UPDATE = IORING_REGISTER_FILES_UPDATE since "5.5",
    REGISTER_EVENTFD_ASYNC = IORING_REGISTER_EVENTFD_ASYNC since "5.6",
    REGISTER_PROBE = IORING_REGISTER_PROBE since "5.6",
    REGISTER_PERSONALITY = IORING_REGISTER_PERSONALITY since "5.6",
    UNREGISTER_PERSONALITY = IORING_UNREGISTER_PERSONALITY since "5.6",
    REGISTER_RESTRICTIONS = IORING_REGISTER_RESTRICTIONS since "5.10",
    REGISTER_ENABLE_RINGS = IORING_REGISTER_ENABLE_RINGS since "5.10",
    REGISTER_FILES2 = IORING_REGISTER_FILES2 since "5.13",
    REGISTER_FILES_UPDATE2 = IORING_REGISTER_FILES_UPDATE2 since "5.13",
    REGISTER_BUFFERS2 = IORING_REGISTER_BUFFERS2 since "5.13",
    REGISTER_BUFFERS_UPDATE = IORING_REGISTER_BUFFERS_UPDATE since "5.13",
    REGISTER_IOWQ_AFF = IORING_REGISTER_IOWQ_AFF since "5.14",
    UNREGISTER_IOWQ_AFF = IORING_UNREGISTER_IOWQ_AFF since "5.14",
    REGISTER_IOWQ_MAX_WORKERS = IORING_REGISTER_IOWQ_MAX_WORKERS since "5.15",
    REGISTER_RING_FDS = IORING_REGISTER_RING_FDS since "5.18",
    UNREGISTER_RING_FDS = IORING_UNREGISTER_RING_FDS since "5.18",
    REGISTER_PBUF_RING = IORING_REGISTER_PBUF_RING since "5.19",
    UNREGISTER_PBUF_RING = IORING_UNREGISTER_PBUF_RING since "5.19",
    REGISTER_SYNC_CANCEL = IORING_REGISTER_SYNC_CANCEL since "6.0",
    REGISTER_FILE_ALLOC_RANGE = IORING_REGISTER_FILE_ALLOC_RANGE since "6.0",
    REGISTER_PBUF_STATUS = IORING_REGISTER_PBUF_STATUS since "6.8",
    REGISTER_NAPI = IORING_REGISTER_NAPI since "6.9",
    UNREGISTER_NAPI = IORING_UNREGISTER_NAPI since "6.9",
    REGISTER_CLOCK = IORING_REGISTER_CLOCK since "6.12",
    REGISTER_CLONE_BUFFERS = IORING_REGISTER_CLONE_BUFFERS since "6.12",
    REGISTER_SEND_MSG_RING = IORING_REGISTER_SEND_MSG_RING since "6.13",
    REGISTER_ZCRX_IFQ = IORING_REGISTER_ZCRX_IFQ since "6.15",
    REGISTER_RESIZE_RINGS = IORING_REGISTER_RESIZE_RINGS since "6.13",
    REGISTER_MEM_REGION = IORING_REGISTER_MEM_REGION since "6.13",
    REGISTER_QUERY = IORING_REGISTER_QUERY since "6.18",
    REGISTER_ZCRX_CTRL = IORING_REGISTER_ZCRX_CTRL since "6.19",
    REGISTER_BPF_FILTER = IORING_REGISTER_BPF_FILTER since "7.0",
}
