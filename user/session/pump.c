/* pump.c - see pump.h */
#include "session/pump.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "lib/clock.h"
#include "session/scope.h"
#include "session/snapshot.h"
#include "session/state.h"
#include "unwind/unwinder.h"

#define EVENTS_MAX 16
#define CALLS_NS (250 * NS_PER_MS)  /* between two looks at what probes at allocators cost */
#define USAGE_NS (100 * NS_PER_MS)  /* between two looks at what the cgroup uses */
#define GAP_MIN_NS (50 * NS_PER_MS) /* shorter ones are the scheduler's everyday */

/* What an epoll event is about; FROM_PID and above: pidfd number data - FROM_PID. */
enum from {
	FROM_RING,
	FROM_TIMER,
	FROM_SIGNAL,
	FROM_UNWINDER,
	FROM_PROFILE,
	FROM_SNAPSHOT,
	FROM_CALLS,
	FROM_USAGE,
	FROM_PID
};

static const int stopping_signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
static const int forwarded_signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2 };

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void signal_set(sigset_t *set)
{
	sigemptyset(set);
	for (size_t i = 0; i < COUNT(forwarded_signals); i++)
		sigaddset(set, forwarded_signals[i]);
	sigaddset(set, SIGCHLD);
}

int pump_block_signals(sigset_t *ret_before, struct problem *problem)
{
	sigset_t set;

	signal_set(&set);
	if (sigprocmask(SIG_BLOCK, &set, ret_before))
		return problem_set(problem, -errno, "block signals: %s", strerror(errno));
	return 0;
}

void pump_release_signals(void)
{
	sigset_t set;

	signal_set(&set);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

static int watch(struct session *s, int fd, uint64_t from)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = from };

	return epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

static int open_timer(struct session *s)
{
	uint64_t first = s->o.start_ns + s->o.interval_ns;
	struct itimerspec when = {
		.it_value = { .tv_sec = first / NS_PER_S, .tv_nsec = first % NS_PER_S },
		.it_interval = { .tv_sec = s->o.interval_ns / NS_PER_S,
				 .tv_nsec = s->o.interval_ns % NS_PER_S },
	};

	s->timer = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	if (s->timer < 0 || timerfd_settime(s->timer, TFD_TIMER_ABSTIME, &when, NULL))
		return -errno;
	return watch(s, s->timer, FROM_TIMER);
}

static int open_snapshots(struct session *s)
{
	uint64_t every = s->options.snapshot_ns;
	struct itimerspec when = {
		.it_value = { .tv_sec = every / NS_PER_S, .tv_nsec = every % NS_PER_S },
		.it_interval = { .tv_sec = every / NS_PER_S, .tv_nsec = every % NS_PER_S },
	};

	if (!every)
		return 0;
	s->snapshot_timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (s->snapshot_timer < 0 || timerfd_settime(s->snapshot_timer, 0, &when, NULL))
		return -errno;
	return watch(s, s->snapshot_timer, FROM_SNAPSHOT);
}

static int open_calls(struct session *s)
{
	const struct itimerspec when = {
		.it_value = { .tv_nsec = CALLS_NS },
		.it_interval = { .tv_nsec = CALLS_NS },
	};

	if (!s->calls)
		return 0;
	s->calls_timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (s->calls_timer < 0 || timerfd_settime(s->calls_timer, 0, &when, NULL))
		return -errno;
	return watch(s, s->calls_timer, FROM_CALLS);
}

static int open_usage(struct session *s)
{
	const struct itimerspec when = {
		.it_value = { .tv_nsec = USAGE_NS },
		.it_interval = { .tv_nsec = USAGE_NS },
	};

	if (!s->o.cgroup)
		return 0;
	s->usage_timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (s->usage_timer < 0 || timerfd_settime(s->usage_timer, 0, &when, NULL))
		return -errno;
	return watch(s, s->usage_timer, FROM_USAGE);
}

static int open_signals(struct session *s)
{
	sigset_t set;

	signal_set(&set);
	s->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return s->signals < 0 ? -errno : watch(s, s->signals, FROM_SIGNAL);
}

int pump_open(struct session *s, struct problem *problem)
{
	int err;

	signal(SIGPIPE, SIG_IGN); /* not before the command has its own disposition */
	s->suspend_ns = clock_boot_ns() - clock_monotonic_ns();
	s->epoll = epoll_create1(EPOLL_CLOEXEC);
	err = s->epoll < 0 ? -errno : open_timer(s);
	if (!err)
		err = open_signals(s);
	if (!err)
		err = open_snapshots(s);
	if (!err)
		err = open_calls(s);
	if (!err)
		err = open_usage(s);
	if (!err)
		err = watch(s, probes_ring_fd(s->probes), FROM_RING);
	if (!err && s->o.unwinder)
		err = watch(s, unwinder_fd(s->o.unwinder), FROM_UNWINDER);
	if (!err && s->profile_timer >= 0)
		err = watch(s, s->profile_timer, FROM_PROFILE);
	for (size_t i = 0; !err && i < s->root_count; i++)
		if (s->pidfds[i] >= 0)
			err = watch(s, s->pidfds[i], FROM_PID + i);
	return err ? problem_set(problem, err, "event loop: %s", strerror(-err)) : 0;
}

/* A late tick is told, with its cause: the curve has no points there. */
static void find_gap(struct session *s, uint64_t now)
{
	uint64_t since = s->o.tick ? now - s->o.tick_ns : 0;
	int64_t suspend = clock_boot_ns() - clock_monotonic_ns();

	s->o.gap_ns = since > 2 * s->o.interval_ns && since > GAP_MIN_NS ? since : 0;
	s->o.gap_suspend = suspend - s->suspend_ns > (int64_t)GAP_MIN_NS;
	s->suspend_ns = suspend;
}

/* What the task tells by itself (the malloc shim's rings) is in order with the kernel's records
 * only when these are drained between the look at the rings and their reading. */
void pump_drain(struct session *s)
{
	probes_drain(s->probes);
	scope_threads(s);
	if (s->calls)
		heap_calls_pump(s->calls);
	for (size_t i = 0; s->stream.collectors[i]; i++) {
		const struct collector *c = s->stream.collectors[i];

		if (!c->mark || !c->mark(s->stream.selves[i]))
			continue;
		probes_drain(s->probes);
		c->take(s->stream.selves[i]);
	}
}

/* When the cgroup uses more than ever, all are asked what they hold. */
static void note_usage(struct session *s)
{
	struct memory_now now = {};

	for (size_t i = 0; s->stream.collectors[i]; i++)
		if (s->stream.collectors[i]->now)
			s->stream.collectors[i]->now(s->stream.selves[i], &now);
	for (size_t i = 0; now.usage_highest && s->stream.collectors[i]; i++)
		if (s->stream.collectors[i]->usage_peak)
			s->stream.collectors[i]->usage_peak(s->stream.selves[i]);
}

static void take_tick(struct session *s)
{
	uint64_t now = clock_boot_ns(), bytes, ns;

	find_gap(s, now);
	s->o.tick++;
	s->o.tick_ns = now;
	pump_drain(s);
	if (probes_sample(s->probes, stream_sample, &s->stream)) {
		s->samples_failed++;
		return;
	}
	for (size_t i = 0; s->stream.collectors[i]; i++)
		if (s->stream.collectors[i]->tick &&
		    s->stream.collectors[i]->tick(s->stream.selves[i]))
			s->samples_failed++;
	if (s->o.cgroup)
		note_usage(s);
	for (size_t i = 0; s->stream.collectors[i]; i++)
		if (s->stream.collectors[i]->shift)
			probes_resident_shift(s->probes,
					      s->stream.collectors[i]->shift(s->stream.selves[i]));
	stream_forget(&s->stream, 2);
	scope_check(s);
	probes_task_peak(s->probes, s->task, &bytes, &ns, &s->o.epoch);
	status_show(s);
}

/* All that is known by now is in it. */
static void take_snapshot(struct session *s)
{
	pump_drain(s);
	snapshot_begin(s);
}

static void on_timer(struct session *s)
{
	uint64_t expirations;

	if (read(s->timer, &expirations, sizeof(expirations)) == sizeof(expirations))
		take_tick(s);
}

static bool is_stopping(int signal)
{
	for (size_t i = 0; i < COUNT(stopping_signals); i++)
		if (stopping_signals[i] == signal)
			return true;
	return false;
}

static void on_signal(struct session *s)
{
	struct signalfd_siginfo info;

	while (read(s->signals, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGCHLD) {
			snapshot_reap(s);
			if (s->command && !command_reap(s->command, &s->status))
				s->stop = STOP_ENDED;
		} else if (info.ssi_signo == SIGUSR1 && s->resident) {
			take_snapshot(s);
		} else if (!s->command) {
			if (is_stopping(info.ssi_signo))
				s->stop = STOP_USER;
		} else if (info.ssi_code !=
			   SI_KERNEL) { /* the terminal has told the command itself */
			kill(command_pid(s->command), info.ssi_signo);
		}
	}
}

/* A tick of its own where usage rises: the one nearest to the peak accounts for it. */
static void on_usage(struct session *s)
{
	for (size_t i = 0; s->stream.collectors[i]; i++) {
		const struct collector *c = s->stream.collectors[i];

		if (!c->rises || !c->rises(s->stream.selves[i]))
			continue;
		take_tick(s);
		return;
	}
}

static void on_root_ended(struct session *s, size_t i)
{
	epoll_ctl(s->epoll, EPOLL_CTL_DEL, s->pidfds[i], NULL);
	if (++s->roots_ended == s->root_count)
		s->stop = STOP_ENDED;
}

static void dispatch(struct session *s, uint64_t from)
{
	uint64_t beats;

	switch (from) {
	case FROM_RING:
		pump_drain(s);
		if (s->stream.oom_now && s->o.cgroup)
			take_tick(s); /* before the victim's memory is gone */
		s->stream.oom_now = false;
		if (s->stream.cgroup_end_ns)
			scope_check(s);
		break;
	case FROM_TIMER:
		on_timer(s);
		break;
	case FROM_SIGNAL:
		on_signal(s);
		break;
	case FROM_UNWINDER:
		probes_drain(s->probes); /* processes are known before their mappings change */
		unwinder_pump(s->o.unwinder);
		break;
	case FROM_SNAPSHOT:
		if (read(s->snapshot_timer, &beats, sizeof(beats)) == sizeof(beats))
			take_snapshot(s);
		break;
	case FROM_CALLS:
		if (read(s->calls_timer, &beats, sizeof(beats)) == sizeof(beats))
			pump_drain(s);
		break;
	case FROM_USAGE:
		if (read(s->usage_timer, &beats, sizeof(beats)) == sizeof(beats))
			on_usage(s);
		break;
	case FROM_PROFILE:
		profiling_beat(s);
		break;
	default:
		on_root_ended(s, from - FROM_PID);
	}
}

/* Milliseconds until the end of --duration, rounded up; -1: none. */
static int time_left(const struct session *s)
{
	uint64_t end = s->o.start_ns + s->options.duration_ns, now = clock_boot_ns();

	if (!s->options.duration_ns)
		return -1;
	if (now >= end)
		return 0;
	return end - now > 86400 * NS_PER_S ? 86400 * 1000
					    : (end - now + NS_PER_MS - 1) / NS_PER_MS;
}

int pump_run(struct session *s, struct problem *problem)
{
	struct epoll_event events[EVENTS_MAX];

	take_tick(s);
	while (s->stop == STOP_NONE) {
		int left = time_left(s), n = epoll_wait(s->epoll, events, EVENTS_MAX, left);

		if (n < 0 && errno != EINTR)
			return problem_set(problem, -errno, "event loop: %s", strerror(errno));
		for (int i = 0; i < n; i++)
			dispatch(s, events[i].data.u64);
		if (left == 0 && s->stop == STOP_NONE)
			s->stop = STOP_DURATION;
	}
	take_tick(s);
	return 0;
}
