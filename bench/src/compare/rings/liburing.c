/*
 * The loops of `bench rings` over liburing, whose every-day functions are inlines of its header: compiled by the C
 * compiler, they are what a program in C has. `liburing.rs` calls each of them once a slice.
 */
#include <errno.h>
#include <liburing.h>
#include <stdint.h>
#include <stdlib.h>

#define BLOCK 4096

/* A ring, and what its reads call the file. */
struct bench_ring {
	struct io_uring ring;
	unsigned batch;
	int fd;
	unsigned sqe_flags;
};

/* Where reads go and come from: `Draw` of micro.rs, field by field. */
struct bench_draw {
	uint64_t random;
	uint64_t mask;
	char *start;
};

void bench_liburing_drop(struct bench_ring *self)
{
	io_uring_queue_exit(&self->ring);
	free(self);
}

/* Makes a ring, with registered descriptors if `best`; `fd` is -1 if there is nothing to read. */
int bench_liburing_new(unsigned batch, int best, int fd, struct bench_ring **made)
{
	struct io_uring_params params = { 0 };
	struct bench_ring *self = calloc(1, sizeof(*self));
	int ret;

	if (!self)
		return -ENOMEM;
	self->batch = batch;
	self->fd = fd;
	if (best)
		params.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
	ret = io_uring_queue_init_params(batch, &self->ring, &params);
	if (ret < 0) {
		free(self);
		return ret;
	}
	if (best) {
		ret = io_uring_register_ring_fd(&self->ring);
		if (ret >= 0 && fd >= 0) {
			ret = io_uring_register_files(&self->ring, &fd, 1);
			self->fd = 0;
			self->sqe_flags = IOSQE_FIXED_FILE;
		}
		if (ret < 0) {
			bench_liburing_drop(self);
			return ret;
		}
	}
	*made = self;
	return 0;
}

/* Submits a batch, waits for it and takes its completions. */
static inline int finish(struct io_uring *ring, unsigned batch, int expected)
{
	struct io_uring_cqe *cqe;
	unsigned head, seen = 0, good = 0;
	int ret = io_uring_submit_and_wait(ring, batch);

	if (ret < 0)
		return ret;
	io_uring_for_each_cqe(ring, head, cqe) {
		seen++;
		good += cqe->res == expected;
	}
	io_uring_cq_advance(ring, seen);
	return good == batch ? 0 : -EIO;
}

int bench_liburing_nops(struct bench_ring *self, uint64_t batches)
{
	struct io_uring *ring = &self->ring;
	unsigned batch = self->batch;

	for (; batches > 0; batches--) {
		int ret;

		for (unsigned i = 0; i < batch; i++) {
			struct io_uring_sqe *sqe = io_uring_get_sqe(ring);

			if (!sqe)
				return -EBUSY;
			io_uring_prep_nop(sqe);
			io_uring_sqe_set_data64(sqe, i);
		}
		ret = finish(ring, batch, 0);
		if (ret < 0)
			return ret;
	}
	return 0;
}

int bench_liburing_reads(struct bench_ring *self, uint64_t batches, struct bench_draw *draw)
{
	struct io_uring *ring = &self->ring;
	unsigned batch = self->batch, sqe_flags = self->sqe_flags;
	int fd = self->fd;
	uint64_t random = draw->random, mask = draw->mask;
	char *start = draw->start;

	for (; batches > 0; batches--) {
		int ret;

		for (unsigned i = 0; i < batch; i++) {
			struct io_uring_sqe *sqe = io_uring_get_sqe(ring);

			if (!sqe)
				return -EBUSY;
			random ^= random << 13;
			random ^= random >> 7;
			random ^= random << 17;
			io_uring_prep_read(sqe, fd, start + (size_t)i * BLOCK, BLOCK, (random & mask) * BLOCK);
			io_uring_sqe_set_flags(sqe, sqe_flags);
			io_uring_sqe_set_data64(sqe, i);
		}
		ret = finish(ring, batch, BLOCK);
		if (ret < 0)
			return ret;
	}
	draw->random = random;
	return 0;
}
