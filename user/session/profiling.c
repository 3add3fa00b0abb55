/* profiling.c - what a profile adds to a session: the worker, the tables for unwinding, the brake.
 *
 *   attach: worker, side-band ──► probes ──► processes, threads ──► tables stand
 *   beat: switches counted ──► too many for --max-overhead: waits are read from outside from now on
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "inspect/inspect.h"
#include "lib/cleanup.h"
#include "lib/clock.h"
#include "session/state.h"
#include "unwind/unwinder.h"

#define CACHE_PLACE "/var/cache/taskdiag-bpf"
#define CACHE_BYTES (512u << 20)
#define HASTE (-15) /* nice value while the tables must follow the task */
#define SETTLE_NS (2 * NS_PER_S)
/* What a switch costs the task, rounded up: 313 ns for who goes and comes, 158 for who wakes. */
#define SWITCH_NS 500
#define BRAKE_NS (250 * NS_PER_MS) /* between two looks at the switch rate */

bool profiling_is_on(const struct session *s)
{
	return s->o.stacks != NULL;
}

static int ask_execs(void *context, uint32_t tgid, uint64_t start_ns, uint32_t *ret)
{
	const struct session *s = context;

	return probes_execs(s->probes, tgid, start_ns, ret);
}

/* What is mapped has to be known before it runs for long: a few microseconds of work that must not
 * wait for a turn among busy neighbours (50 ms of a started command's first stacks were lost so).
 */
static void hurry(struct session *s, bool on)
{
	if (on)
		s->nice = getpriority(PRIO_PROCESS, 0);
	setpriority(PRIO_PROCESS, 0, on ? HASTE : s->nice);
}

int profiling_new(struct session *s, struct problem *problem)
{
	struct unwinder_config config = {
		.cache = CACHE_PLACE,
		.cache_bytes = CACHE_BYTES,
		.follow_children = s->options.follow_children,
		.execs = ask_execs,
		.context = s,
	};
	int err = inspect_new(inspect_self, &s->o.inspect);

	hurry(s, true);
	if (err)
		return problem_set(problem, err, "inspection worker: %s", strerror(-err));
	config.inspect = s->o.inspect;
	probes_unwind_maps(s->probes, &config.maps.chunks, &config.maps.mappings,
			   &config.maps.processes, &config.maps.pythons);
	return unwinder_new(&config, &s->o.unwinder, problem);
}

static int beat(struct session *s, uint64_t period_ns)
{
	struct itimerspec every = {
		.it_value = { .tv_sec = period_ns / NS_PER_S, .tv_nsec = period_ns % NS_PER_S },
		.it_interval = { .tv_sec = period_ns / NS_PER_S, .tv_nsec = period_ns % NS_PER_S },
	};

	return timerfd_settime(s->profile_timer, 0, &every, NULL) ? -errno : 0;
}

/* All CPUs' time that the host of a virtual machine gave to others, seconds since boot. */
static double host_steal(void)
{
	_cleanup_fclose_ FILE *stat = fopen("/proc/stat", "re");
	unsigned long long ticks = 0;

	if (!stat || fscanf(stat, "cpu %*u %*u %*u %*u %*u %*u %*u %llu", &ticks) != 1)
		return 0;
	return (double)ticks / sysconf(_SC_CLK_TCK);
}

int profiling_begin(struct session *s, struct problem *problem)
{
	int err;

	s->o.steal_s = -host_steal();
	s->o.wakes = probes_wakes(s->probes);
	unwinder_pump(s->o.unwinder);
	unwinder_settle(s->o.unwinder, SETTLE_NS);
	err = s->o.period_ns ? probes_threads(s->probes, stream_sample, &s->stream) : 0;
	if (err)
		return problem_set(problem, err, "scan of threads: %s", strerror(-err));
	probes_drain(s->probes);
	if (!s->o.waits)
		return 0;
	s->brake_ns = clock_boot_ns();
	s->profile_timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	err = s->profile_timer < 0 ? -errno : beat(s, BRAKE_NS);
	return err ? problem_set(problem, err, "timer of the profile: %s", strerror(-err)) : 0;
}

/* Whether looking at the task's switches costs more than it may. */
static bool switches_too_often(struct session *s)
{
	uint64_t drops[DROP_MAX], now = clock_boot_ns(), since = now - s->brake_ns, switches;

	probes_drops(s->probes, drops);
	switches = drops[NOTE_SWITCHES] - s->brake_switches;
	s->brake_ns = now;
	s->brake_switches = drops[NOTE_SWITCHES];
	return (double)switches * SWITCH_NS > s->options.max_overhead * since;
}

/* Before waits are read from outside it is the brake that beats, then the profile. */
void profiling_beat(struct session *s)
{
	uint64_t beats;

	if (read(s->profile_timer, &beats, sizeof(beats)) != sizeof(beats))
		return;
	probes_drain(s->probes); /* what a first stack asks for is asked while its process lives */
	if (!s->o.outside_ns) {
		if (!switches_too_often(s))
			return;
		probes_leave_switches(s->probes);
		s->o.outside_ns = clock_boot_ns();
		beat(s, s->o.period_ns);
	}
	if (probes_threads(s->probes, stream_sample, &s->stream))
		s->samples_failed++;
}

void profiling_end(struct session *s)
{
	hurry(s, false);
	s->o.steal_s += host_steal();
	if (!s->o.period_ns)
		return;
	if (probes_threads(s->probes, stream_sample, &s->stream))
		s->samples_failed++;
	probes_drain(s->probes);
	probes_threads_left(s->probes, s->task, s->o.period_ns, session_last_state, s);
}

void profiling_free(struct session *s)
{
	inspect_free(s->o.inspect); /* its requests point to files of the unwinder */
	unwinder_free(s->o.unwinder);
	if (s->profile_timer >= 0)
		close(s->profile_timer);
}
