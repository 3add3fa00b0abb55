/* host.c - see host.h */
#include "session/host.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "inspect/inspect.h"
#include "lib/clock.h"
#include "session/host_private.h"
#include "unwind/unwinder.h"

#define CACHE_PLACE "/var/cache/taskdiag-bpf"
#define CACHE_BYTES (512u << 20)
#define BEAT_NS (50 * NS_PER_MS) /* what has ended, what is new */
#define HASTE (-15)		 /* nice value: the tables must follow the tasks */

enum from { FROM_RING, FROM_TIMER, FROM_BEAT, FROM_UNWINDER };

static bool wants(const struct host_config *config, const char *name)
{
	for (size_t i = 0; config->diagnostics[i]; i++)
		if (!strcmp(config->diagnostics[i], name))
			return true;
	return false;
}

static int ask_execs(void *context, uint32_t tgid, uint64_t start_ns, uint32_t *ret)
{
	const struct host *h = context;

	*ret = 0;
	if (host_parent_known(h, tgid, start_ns))
		return 0;
	return probes_execs(h->probes, tgid, start_ns, ret);
}

static int tables_new(struct host *h, struct problem *problem)
{
	struct unwinder_config config = {
		.cache = CACHE_PLACE,
		.cache_bytes = CACHE_BYTES,
		.follow_children = true,
		.execs = ask_execs,
		.context = h,
	};
	int err = inspect_new(inspect_self, &h->inspect);

	if (err)
		return problem_set(problem, err, "inspection worker: %s", strerror(-err));
	setpriority(PRIO_PROCESS, 0, HASTE);
	config.inspect = h->inspect;
	probes_unwind_maps(h->probes, &config.maps.chunks, &config.maps.mappings,
			   &config.maps.processes, &config.maps.pythons);
	return unwinder_new(&config, &h->unwinder, problem);
}

static int watch_fd(struct host *h, int fd, uint64_t from)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = from };

	return epoll_ctl(h->epoll, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

static int open_timer(struct host *h, uint64_t every_ns, enum from from, int *ret)
{
	struct itimerspec when = {
		.it_value = { .tv_sec = every_ns / NS_PER_S, .tv_nsec = every_ns % NS_PER_S },
		.it_interval = { .tv_sec = every_ns / NS_PER_S, .tv_nsec = every_ns % NS_PER_S },
	};

	*ret = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (*ret < 0 || timerfd_settime(*ret, 0, &when, NULL))
		return -errno;
	return watch_fd(h, *ret, from);
}

static int open_loop(struct host *h)
{
	int err;

	h->epoll = epoll_create1(EPOLL_CLOEXEC);
	err = h->epoll < 0 ? -errno : 0;
	if (!err)
		err = open_timer(h, h->config.interval_ns, FROM_TIMER, &h->timer);
	if (!err)
		err = open_timer(h, BEAT_NS, FROM_BEAT, &h->beat);
	if (!err)
		err = watch_fd(h, probes_ring_fd(h->probes), FROM_RING);
	if (!err && h->unwinder)
		err = watch_fd(h, unwinder_fd(h->unwinder), FROM_UNWINDER);
	return err;
}

static int begin(struct host *h, struct problem *problem)
{
	const struct host_config *config = &h->config;
	bool profile = wants(config, "profile"), pages = wants(config, "allocations");
	const struct probes_config probes = {
		.ring_bytes = config->ring_bytes,
		.follow_children = true,
		.verbose = config->verbose,
		.period_ns = profile ? NS_PER_S / config->frequency_hz : 0,
		.waits = profile,
		.stacks = profile || pages,
		.resident = pages,
		.tasks = config->tasks,
		.rules = config->rules,
		.rule_count = config->rule_count,
	};
	int err = probes_new(&probes, &h->probes, problem);

	if (!err && probes.stacks)
		err = tables_new(h, problem);
	if (!err)
		err = probes_attach(h->probes, host_record, h, problem);
	if (err)
		return err;
	probes_drops(h->probes, h->drops);
	h->suspend_ns = clock_boot_ns() - clock_monotonic_ns();
	err = open_loop(h);
	if (err)
		return problem_set(problem, err, "event loop: %s", strerror(-err));
	if (h->unwinder)
		host_parents_find(h);
	return probes_watch(h->probes, problem);
}

int host_new(const struct host_config *config, struct host **ret, struct problem *problem)
{
	struct host *h = calloc(1, sizeof(*h));
	int err;

	if (!h)
		return -ENOMEM;
	h->config = *config;
	h->epoll = h->timer = h->beat = -1;
	err = begin(h, problem);
	if (err) {
		host_free(h);
		return err;
	}
	*ret = h;
	return 0;
}

void host_free(struct host *h)
{
	struct session *s;

	if (!h)
		return;
	if (h->probes)
		probes_drain(h->probes);
	host_each(h, s) host_end(h, s);
	probes_free(h->probes);
	inspect_free(h->inspect); /* its requests point to files of the unwinder */
	unwinder_free(h->unwinder);
	if (h->epoll >= 0)
		close(h->epoll);
	if (h->timer >= 0)
		close(h->timer);
	if (h->beat >= 0)
		close(h->beat);
	free(h);
}

int host_fd(const struct host *h)
{
	return h->epoll;
}

static void on_beat(struct host *h)
{
	probes_drain(h->probes); /* what a first stack asks for is asked while its process lives */
	if (h->threads)
		host_threads(h);
	if (h->fresh)
		host_tick(h, true);
	host_reap(h);
}

static void dispatch(struct host *h, uint64_t from)
{
	uint64_t beats;

	switch (from) {
	case FROM_RING:
		probes_drain(h->probes);
		break;
	case FROM_UNWINDER:
		probes_drain(h->probes); /* processes are known before their mappings change */
		unwinder_pump(h->unwinder);
		break;
	case FROM_BEAT:
		if (read(h->beat, &beats, sizeof(beats)) == sizeof(beats))
			on_beat(h);
		break;
	case FROM_TIMER:
		if (read(h->timer, &beats, sizeof(beats)) == sizeof(beats))
			host_tick(h, false);
		break;
	}
}

void host_pump(struct host *h)
{
	struct epoll_event events[8];
	int n = epoll_wait(h->epoll, events, 8, 0);

	for (int i = 0; i < n; i++)
		dispatch(h, events[i].data.u64);
}

void host_counts(struct host *h, struct host_counts *ret)
{
	struct session *s;

	*ret = h->counts;
	probes_drops(h->probes, ret->drops);
	host_each(h, s)
	{
		ret->recorded += s->stream.recorded;
		ret->late += s->stream.late;
		ret->malformed += s->stream.malformed;
		ret->running++;
	}
}

void host_rules(struct host *h, const struct watch_rule *rules, size_t count)
{
	probes_rules(h->probes, rules, count);
}

void *host_mark(const struct session *s)
{
	return s->mark;
}

struct session *host_find(struct host *h, const void *mark)
{
	struct session *s;

	host_each(h, s) if (s->mark == mark) return s;
	return NULL;
}
