//! How much memory a ring takes, and where its parts lie.

use uring_sys::{
    IORING_SETUP_CQE32, IORING_SETUP_NO_SQARRAY, IORING_SETUP_SQE128, io_uring_cqe, io_uring_params,
    io_uring_sqe,
};

/// Bytes of the two parts of a ring's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The indices, the completions and, before 6.6, the index array.
    pub rings: usize,
    /// The submission queue entries.
    pub sqes: usize,
}

impl Layout {
    /// What lies before the completions (`struct io_rings` of the kernel, not in its headers).
    const HEADER: usize = 64;

    /// Computes the layout from the sizes and the flags of a ring.
    pub(crate) fn of(params: &io_uring_params) -> Self {
        let has = |flag| params.flags & flag != 0;
        let sqe = size_of::<io_uring_sqe>() << u32::from(has(IORING_SETUP_SQE128));
        let cqe = Self::cqe(params);
        let array = if has(IORING_SETUP_NO_SQARRAY) { 0 } else { size_of::<u32>() };
        let (sq_entries, cq_entries) = (params.sq_entries as usize, params.cq_entries as usize);
        Self {
            rings: (Self::HEADER + cqe * cq_entries).next_multiple_of(Self::HEADER) + array * sq_entries,
            sqes: sqe * sq_entries,
        }
    }

    fn cqe(params: &io_uring_params) -> usize {
        size_of::<io_uring_cqe>() << u32::from(params.flags & IORING_SETUP_CQE32 != 0)
    }

    /// Where the rings end, by the offsets that the kernel has told.
    pub(crate) fn rings_end(self, params: &io_uring_params) -> usize {
        let cqes = params.cq_off.cqes as usize + params.cq_entries as usize * Self::cqe(params);
        // Without an index array (`IORING_SETUP_NO_SQARRAY`) its offset is 0 and adds nothing.
        let array = match params.sq_off.array {
            0 => 0,
            offset => offset as usize + params.sq_entries as usize * size_of::<u32>(),
        };
        cqes.max(array)
    }

    /// Whether the rings and entries of a ring lie within so many bytes, by what the kernel has told of it.
    pub(crate) fn is_within(params: &io_uring_params, rings: usize, sqes: usize) -> bool {
        let told = Self::of(params);
        told.rings_end(params) <= rings && told.sqes <= sqes
    }

    /// Bytes of both parts, each rounded up to whole pages.
    #[must_use]
    pub fn pages(self) -> usize {
        let page = page_size();
        self.rings.next_multiple_of(page) + self.sqes.next_multiple_of(page)
    }

    /// Bytes of the rings, rounded up to whole pages.
    pub(crate) fn ring_pages(self) -> usize {
        self.rings.next_multiple_of(page_size())
    }
}

/// Bytes of a page.
pub(crate) fn page_size() -> usize {
    // SAFETY: no pointers are passed.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(size).expect("every Linux tells its page size")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_with_another_layout_is_found_out() {
        let mut params = io_uring_params { sq_entries: 4, cq_entries: 8, ..Default::default() };
        params.cq_off.cqes = 64;
        params.sq_off.array = 192;
        assert!(Layout::is_within(&params, 208, 256));
        assert!(!Layout::is_within(&params, 207, 256));
        assert!(!Layout::is_within(&params, 208, 255));
        params.cq_off.cqes = 128;
        assert!(!Layout::is_within(&params, 208, 256), "a larger header");
    }
}
