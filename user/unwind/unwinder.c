/* unwinder.c - see unwinder.h */
#include "unwind/unwinder.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/clock.h"
#include "unwind/cache.h"
#include "unwind/files.h"
#include "unwind/follow.h"
#include "unwind/mappings.h"
#include "unwind/outside.h"
#include "unwind/sideband.h"
#include "unwind/space.h"

/* After a program was started its libraries come within milliseconds, and the side-band's own
 * wake-up may come 30 ms late: it is looked at by the clock for a while. */
#define EAGER_NS (250 * NS_PER_MS)
#define EAGER_BEAT_NS NS_PER_MS
#define REORDER_WAIT_NS (NS_PER_MS / 4) /* until what the side-band holds back is due */
#define WORKER_NS NS_PER_S		/* how often its deadlines are looked at */

struct unwinder {
	struct inspect *inspect;
	struct space *space;
	struct mappings *mappings;
	struct cache *cache;
	struct files *files;
	struct follow *follow;
	struct sideband *sideband;
	struct peek *peek;
	int epoll, timer;
	int worker; /* the worker's fd in epoll; -1: none */
	bool held;  /* the side-band holds events back */
	uint64_t eager_until;
};

static int fds_open(struct unwinder *u)
{
	struct epoll_event event = { .events = EPOLLIN };

	u->epoll = epoll_create1(EPOLL_CLOEXEC);
	u->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (u->epoll < 0 || u->timer < 0 || epoll_ctl(u->epoll, EPOLL_CTL_ADD, u->timer, &event))
		return -errno;
	return sideband_watch(u->sideband, u->epoll);
}

int unwinder_new(const struct unwinder_config *config, struct unwinder **ret,
		 struct problem *problem)
{
	struct unwinder *u = calloc(1, sizeof(*u));
	int err;

	if (!u)
		return -ENOMEM;
	u->epoll = u->timer = u->worker = -1;
	u->inspect = config->inspect;
	err = sideband_new(&u->sideband, problem);
	if (!err)
		err = fds_open(u);
	if (!err)
		err = space_new(config->maps.chunks, &u->space);
	if (!err)
		err = mappings_new(config->maps.mappings, config->maps.processes,
				   config->maps.pythons, &u->mappings);
	/* a run without a cache is only slower to start */
	if (!err && config->cache)
		cache_new(config->cache, config->cache_bytes, &u->cache);
	u->peek = err ? NULL : peek_new();
	if (!err && !u->peek)
		err = -ENOMEM;
	if (!err)
		err = files_new(u->inspect, u->space, u->cache, &u->files);
	if (!err)
		err = follow_new(config, u->files, u->mappings, &u->follow);
	if (err) {
		unwinder_free(u);
		return problem_set(problem, err, "tables for unwinding: %s", strerror(-err));
	}
	*ret = u;
	return 0;
}

void unwinder_free(struct unwinder *u)
{
	if (!u)
		return;
	follow_free(u->follow);
	files_free(u->files);
	cache_free(u->cache);
	mappings_free(u->mappings);
	space_free(u->space);
	if (u->epoll >= 0)
		close(u->epoll);
	if (u->timer >= 0)
		close(u->timer);
	sideband_free(u->sideband);
	peek_free(u->peek);
	free(u);
}

/* The worker's fd is another one whenever a worker was started. */
static void worker_watch(struct unwinder *u)
{
	struct epoll_event event = { .events = EPOLLIN };
	int fd = inspect_fd(u->inspect);

	/* one with the same number may be another one: the old one left epoll when it was closed */
	if (fd >= 0 && epoll_ctl(u->epoll, EPOLL_CTL_ADD, fd, &event) && errno == EEXIST)
		fd = u->worker;
	if (fd != u->worker && u->worker >= 0)
		epoll_ctl(u->epoll, EPOLL_CTL_DEL, u->worker, NULL);
	u->worker = fd;
}

static void timer_set(struct unwinder *u)
{
	uint64_t due = follow_due(u->follow), now = clock_monotonic_ns();
	struct itimerspec spec = {};

	if (u->held && (!due || now + REORDER_WAIT_NS < due))
		due = now + REORDER_WAIT_NS;
	if (inspect_pending(u->inspect) && (!due || now + WORKER_NS < due))
		due = now + WORKER_NS;
	if (now < u->eager_until && (!due || now + EAGER_BEAT_NS < due))
		due = now + EAGER_BEAT_NS;
	if (due && due <= now)
		due = now + 1;
	spec.it_value.tv_sec = due / NS_PER_S;
	spec.it_value.tv_nsec = due % NS_PER_S;
	timerfd_settime(u->timer, TFD_TIMER_ABSTIME, &spec, NULL);
}

int unwinder_pump(struct unwinder *u)
{
	int err, next;

	err = sideband_drain(u->sideband, follow_event, u->follow);
	u->held = err == 1;
	inspect_pump(u->inspect);
	next = follow_pump(u->follow, sideband_horizon(u->sideband));
	space_unmap(u->space); /* what walks from outside have read */
	worker_watch(u);
	timer_set(u);
	return err < 0 ? err : next;
}

int unwinder_process(struct unwinder *u, uint32_t tgid, uint32_t pid, uint64_t start_ns,
		     bool adopted)
{
	int err = follow_process(u->follow, tgid, pid, start_ns, adopted);

	u->eager_until = clock_monotonic_ns() + EAGER_NS;
	timer_set(u);
	return err;
}

void unwinder_exit(struct unwinder *u, uint32_t tgid, uint64_t start_ns)
{
	follow_exit(u->follow, tgid, start_ns);
	timer_set(u);
}

void unwinder_rescan(struct unwinder *u, uint32_t tgid)
{
	follow_rescan(u->follow, tgid);
	timer_set(u);
}

int unwinder_settle(struct unwinder *u, uint64_t timeout_ns)
{
	uint64_t begin = clock_monotonic_ns(), now;
	int err, first_err = 0;

	for (;;) {
		struct pollfd wait = { .fd = u->epoll, .events = POLLIN };
		struct timespec left = {};

		err = unwinder_pump(u);
		if (err && !first_err)
			first_err = err;
		if (sideband_horizon(u->sideband) >= begin && !follow_busy(u->follow) &&
		    !files_asked(u->files) && !files_pythons_asked(u->files)) {
			u->eager_until = clock_monotonic_ns() + EAGER_NS;
			timer_set(u);
			return first_err;
		}
		now = clock_monotonic_ns();
		if (now - begin >= timeout_ns)
			return -ETIMEDOUT;
		left.tv_nsec = REORDER_WAIT_NS;
		ppoll(&wait, 1, &left, NULL);
	}
}

int unwinder_fd(const struct unwinder *u)
{
	return u->epoll;
}

const struct unwind_file *unwinder_file(const struct unwinder *u, uint32_t number)
{
	const struct file *file = files_get(u->files, number);

	return file ? &file->shown : NULL;
}

bool unwinder_find(const struct unwinder *u, uint32_t tgid, uint64_t address, struct mapping *ret)
{
	return follow_find(u->follow, tgid, address, ret);
}

uint64_t unwinder_shown_ns(const struct unwinder *u, uint32_t tgid)
{
	return follow_shown_ns(u->follow, tgid);
}

enum unwind_outcome unwinder_outside(struct unwinder *u, uint32_t tgid, uint32_t pid,
				     const struct unwind_registers *registers, unwind_code_fn *code,
				     void *context, uint64_t *frames, size_t *ret_count)
{
	const struct outside_tables tables = { u->space, u->mappings, u->peek };
	const struct unwind_process *process = follow_shown(u->follow, tgid);

	*ret_count = 0;
	if (!process)
		return UNWIND_NO_PROCESS;
	return outside_walk(&tables, process, pid, registers, code, context, frames, ret_count);
}

size_t unwinder_memory(struct unwinder *u, uint32_t pid, uint64_t address, void *ret, size_t bytes)
{
	return peek_read(u->peek, pid, ret, bytes, address);
}

void unwinder_python(const struct unwinder *u, struct unwinder_python *ret)
{
	const struct pythons *pythons = mappings_pythons(u->mappings);

	pythons_counts(pythons, ret->counts);
	ret->refused = pythons_refused(pythons);
	ret->problem = pythons_problem(pythons);
}

void unwinder_stats(const struct unwinder *u, struct unwinder_stats *ret)
{
	memset(ret, 0, sizeof(*ret));
	files_stats(u->files, ret);
	follow_stats(u->follow, ret);
	ret->table_bytes = space_used(u->space) * 8ULL;
	ret->chunks = space_chunks(u->space);
	ret->unreadable = peek_refused(u->peek);
}
