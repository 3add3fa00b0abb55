/* profiling.c - what a profile adds to a session: the worker, the tables for unwinding, the brake.
 *
 *   attach: worker, side-band ──► probes ──► processes, threads ──► tables stand
 *   tick: switches counted ──► too many for --max-overhead: waits are read from outside from now on
 */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "inspect/inspect.h"
#include "lib/clock.h"
#include "session/pump.h"
#include "session/state.h"
#include "unwind/unwinder.h"

#define CACHE_PLACE "/var/cache/taskdiag-bpf"
#define CACHE_BYTES (512u << 20)
#define SETTLE_NS (2 * NS_PER_S)
/* What a switch costs the task: two looks at it; measured, see docs/performance.md. */
#define SWITCH_NS 500
#define BRAKE_MIN_NS (500 * NS_PER_MS)

static char *const worker_argv[] = { "/proc/self/exe", "inspect-worker", NULL };

bool profiling_is_on(const struct session *s)
{
	return s->o.period_ns > 0;
}

static int ask_execs(void *context, uint32_t tgid, uint64_t start_ns, uint32_t *ret)
{
	const struct session *s = context;

	return probes_execs(s->probes, tgid, start_ns, ret);
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
	int err = inspect_new(worker_argv, &s->o.inspect);

	if (err)
		return problem_set(problem, err, "inspection worker: %s", strerror(-err));
	config.inspect = s->o.inspect;
	probes_unwind_maps(s->probes, &config.maps.chunks, &config.maps.mappings,
			   &config.maps.processes);
	return unwinder_new(&config, &s->o.unwinder, problem);
}

int profiling_begin(struct session *s, struct problem *problem)
{
	int err;

	s->o.wakes = probes_wakes(s->probes);
	unwinder_pump(s->o.unwinder);
	unwinder_settle(s->o.unwinder, SETTLE_NS);
	err = probes_threads(s->probes, stream_sample, &s->stream);
	if (err)
		return problem_set(problem, err, "scan of threads: %s", strerror(-err));
	probes_drain(s->probes);
	s->brake_ns = clock_boot_ns();
	return 0;
}

/* From now on a clock of ours reads what threads wait for. It beats at the profile's frequency. */
static int go_outside(struct session *s)
{
	struct itimerspec beat = {
		.it_value = { .tv_nsec = 1 },
		.it_interval = { .tv_sec = s->o.period_ns / NS_PER_S,
				 .tv_nsec = s->o.period_ns % NS_PER_S },
	};

	s->outside_timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (s->outside_timer < 0 || timerfd_settime(s->outside_timer, 0, &beat, NULL))
		return -errno;
	probes_leave_switches(s->probes);
	s->o.outside_ns = clock_boot_ns();
	return pump_watch_outside(s);
}

void profiling_tick(struct session *s)
{
	uint64_t drops[DROP_MAX], now = clock_boot_ns(), since = now - s->brake_ns, switches;

	if (!s->o.waits || s->o.outside_ns || since < BRAKE_MIN_NS)
		return;
	probes_drops(s->probes, drops);
	switches = drops[NOTE_SWITCHES] - s->brake_switches;
	s->brake_ns = now;
	s->brake_switches = drops[NOTE_SWITCHES];
	if ((double)switches * SWITCH_NS > s->options.max_overhead * since && go_outside(s))
		s->samples_failed++;
}

void profiling_outside(struct session *s)
{
	uint64_t beats;

	if (read(s->outside_timer, &beats, sizeof(beats)) != sizeof(beats))
		return;
	probes_drain(s->probes); /* threads are known before they are told of */
	if (probes_threads(s->probes, stream_sample, &s->stream))
		s->samples_failed++;
}

void profiling_end(struct session *s)
{
	if (probes_threads(s->probes, stream_sample, &s->stream))
		s->samples_failed++;
	probes_drain(s->probes);
}

void profiling_free(struct session *s)
{
	unwinder_free(s->o.unwinder);
	inspect_free(s->o.inspect);
	if (s->outside_timer >= 0)
		close(s->outside_timer);
}
