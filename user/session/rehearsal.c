/* rehearsal.c - see rehearsal.h */
#include "session/rehearsal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "inspect/inspect.h"
#include "session/probes.h"

#define SAY(field, ...) snprintf(field, sizeof(field), __VA_ARGS__)
#define CHILD_BYTES (8u << 20)
#define PROFILE_PERIOD_NS 10000000
#define WORKER_NS 5000000000ull

static struct probes_config config(void)
{
	return (struct probes_config){
		.ring_bytes = RING_BYTES_MIN,
		.follow_children = true,
		.without = getenv("TASKDIAG_WITHOUT"),
	};
}

/* What came back of the child. */
struct seen {
	bool exit;
	uint64_t peak_bytes;
};

static void remember(void *context, const void *record, size_t bytes)
{
	const struct event_header *h = record;
	struct seen *seen = context;

	if (bytes < sizeof(*h))
		return;
	seen->exit |= h->type == EV_EXIT;
	if (h->type == EV_IMAGE_END && bytes >= sizeof(struct image_event))
		seen->peak_bytes = ((const struct image_event *)record)->peak_bytes;
}

static void missing(struct ability *a, const struct problem *problem, int err)
{
	a->state = ABILITY_MISSING;
	SAY(a->detail, "%.255s", problem->text[0] ? problem->text : strerror(-err));
	if (err == -EPERM)
		SAY(a->remedy, "run it as root: sudo taskdiag-bpf …; in a container: CAP_BPF and "
			       "CAP_PERFMON, and seccomp that allows bpf(2)");
	else
		SAY(a->remedy,
		    "needs Linux 5.8 with BTF; what the kernel says: taskdiag-bpf -v -- true");
}

static void tell_limits(struct ability *a, const struct probes *p)
{
	const char *limit = probes_limit(p, PROBES_OF_MEMORY, 0);

	if (!limit)
		return;
	a->state = ABILITY_LIMITED;
	SAY(a->detail, "%.255s", limit);
	SAY(a->remedy, "a newer kernel: rss_stat is traced since Linux 5.5, mark_victim since 2.6");
}

void rehearse_load(struct ability *a)
{
	const struct probes_config small = config();
	struct problem problem = {};
	struct probes *p = NULL;
	int err = probes_new(&small, &p, &problem);

	if (err)
		missing(a, &problem, err);
	else
		SAY(a->detail, "all of them");
	if (!err)
		tell_limits(a, p);
	probes_free(p);
}

static void child_run(int gate)
{
	char *memory, go;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (read(gate, &go, 1) != 1)
		_exit(0);
	memory =
	    mmap(NULL, CHILD_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory != MAP_FAILED)
		memset(memory, 1, CHILD_BYTES);
	_exit(0);
}

static int observe_child(struct probes *p, int gate[2], struct problem *problem)
{
	struct root root = {};
	pid_t pid = fork();
	uint64_t seen = 0;
	int err;

	if (pid < 0)
		return -errno;
	if (pid == 0) {
		close(gate[1]);
		child_run(gate[0]);
	}
	root.pid = pid;
	err = probes_adopt(p, &root, 1, &seen, problem);
	if (!err && !seen)
		err =
		    problem_set(problem, -ESRCH, "scan of processes: our own child was not found");
	if (write(gate[1], "", err ? 0 : 1) < 0)
		err = -errno;
	close(gate[1]);
	gate[1] = -1;
	waitpid(pid, NULL, 0);
	return err;
}

void rehearse_child(struct ability *a)
{
	const struct probes_config small = config();
	struct problem problem = {};
	struct probes *p = NULL;
	struct seen seen = {};
	int gate[2] = { -1, -1 }, err = probes_new(&small, &p, &problem);

	if (!err)
		err = probes_attach(p, remember, &seen, &problem);
	if (!err && pipe(gate))
		err = -errno;
	if (!err)
		err = observe_child(p, gate, &problem);
	if (!err)
		err = probes_drain(p);
	if (err) {
		missing(a, &problem, err);
	} else if (!seen.exit || (probes_event_driven(p) && seen.peak_bytes < CHILD_BYTES)) {
		a->state = ABILITY_MISSING;
		SAY(a->detail, "its exit was %s, its peak read as %llu of %u bytes",
		    seen.exit ? "seen" : "not seen", (unsigned long long)seen.peak_bytes,
		    CHILD_BYTES);
		SAY(a->remedy, "please report this with the output of: uname -a");
	} else {
		SAY(a->detail, "fork to exit, every page of 8 MB");
		tell_limits(a, p);
	}
	probes_free(p);
	for (int i = 0; i < 2; i++)
		if (gate[i] >= 0)
			close(gate[i]);
}

void rehearse_pss(struct ability *a)
{
	if (!access("/proc/self/smaps_rollup", R_OK)) {
		SAY(a->detail, "/proc/PID/smaps_rollup");
		return;
	}
	a->state = ABILITY_LIMITED;
	SAY(a->detail, "/proc/self/smaps_rollup: %s", strerror(errno));
	SAY(a->remedy, "a kernel with CONFIG_PROC_PAGE_MONITOR=y; PSS is left empty without");
}

/* Loads and attaches what a profile needs, and lets its clock beat. */
void rehearse_profile(struct ability *a)
{
	struct probes_config small = config();
	struct problem problem = {};
	struct probes *p = NULL;
	int err;

	small.period_ns = PROFILE_PERIOD_NS;
	small.stacks = true;
	small.waits = true;
	err = probes_new(&small, &p, &problem);
	if (!err)
		err = probes_attach(p, remember, &(struct seen){}, &problem);
	if (err) {
		missing(a, &problem, err);
	} else if (probes_wakes(p)) {
		SAY(a->detail, "clock events; waits are walked by the thread that waited");
	} else {
		a->state = ABILITY_LIMITED;
		SAY(a->detail, "%.255s", probes_limit(p, PROBES_OF_PROFILE, 0));
		SAY(a->remedy, "Linux 6.16, which has the tracepoint sched_exit_tp");
	}
	probes_free(p);
}

void rehearse_resident(struct ability *a)
{
	struct probes_config small = config();
	struct problem problem = {};
	struct probes *p = NULL;
	int err;

	small.stacks = true;
	small.resident = true;
	err = probes_new(&small, &p, &problem);
	if (!err)
		err = probes_attach(p, remember, &(struct seen){}, &problem);
	if (err) {
		missing(a, &problem, err);
	} else if (!probes_limit(p, PROBES_OF_RESIDENT, 0)) {
		SAY(a->detail, "births by rss_stat, deaths by system calls");
	} else {
		a->state = ABILITY_LIMITED;
		SAY(a->detail, "%.255s", probes_limit(p, PROBES_OF_RESIDENT, 0));
		SAY(a->remedy, "Linux 6.2 with CONFIG_FTRACE_SYSCALLS=y, not locked down");
	}
	probes_free(p);
}

static void take_rows(void *context, int err, const char *cause, const struct inspect_rows *rows)
{
	struct ability *a = context;

	if (!err) {
		SAY(a->detail, "a worker without privilege; %zu rows of our own program",
		    rows->row_count);
		return;
	}
	a->state = ABILITY_MISSING;
	SAY(a->detail, "%.255s", cause);
	SAY(a->remedy, "seccomp must allow a process to restrict itself (prctl, seccomp)");
}

void rehearse_worker(struct ability *a)
{
	static char *const argv[] = { "/proc/self/exe", "inspect-worker", NULL };
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct inspect *inspect = NULL;
	int err = fd < 0 ? -errno : inspect_new(argv, &inspect);

	if (!err)
		err = inspect_rows(inspect, fd, take_rows, a);
	if (!err)
		err = inspect_wait(inspect, WORKER_NS);
	if (err)
		take_rows(a, err, strerror(-err), NULL);
	inspect_free(inspect);
	if (fd >= 0)
		close(fd);
}
