/* rehearsal_shim.c - the malloc shim in small: our own program is started with it, and has to
 * greet.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "session/probes.h"
#include "session/rehearsal.h"
#include "session/shim.h"

#define SAY(field, ...) snprintf(field, sizeof(field), __VA_ARGS__)
#define SETTINGS "wait=20" /* ms that it waits for an answer, which it does not get */

static void remember(void *context, const void *record, size_t bytes)
{
	const struct event_header *h = record;
	bool *greeted = context;

	if (bytes >= sizeof(*h))
		*greeted |= h->type == EV_REGION;
}

static void child_run(const struct shim *shim, int gate)
{
	char *const argv[] = { "taskdiag-bpf", "--version", NULL };
	char go;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (read(gate, &go, 1) != 1 || shim_environment(shim) || !freopen("/dev/null", "w", stdout))
		_exit(0);
	setenv("TASKDIAG_SHIM", SETTINGS, 1);
	execv("/proc/self/exe", argv);
	_exit(0);
}

static int observe_child(struct probes *p, const struct shim *shim, struct problem *problem)
{
	struct root root = { .armed = 1 };
	uint64_t seen = 0;
	int gate[2], err;
	pid_t pid;

	if (pipe(gate))
		return -errno;
	pid = fork();
	if (pid == 0) {
		close(gate[1]);
		child_run(shim, gate[0]);
	}
	close(gate[0]);
	err = pid < 0 ? -errno : 0;
	root.pid = pid;
	if (!err)
		err = probes_adopt(p, &root, 1, &seen, problem);
	if (!err && write(gate[1], "", 1) != 1)
		err = -errno;
	close(gate[1]);
	if (pid > 0)
		waitpid(pid, NULL, 0);
	return err ? err : probes_drain(p);
}

void rehearse_shim(struct ability *a)
{
	const struct probes_config config = {
		.ring_bytes = RING_BYTES_DEFAULT,
		.follow_children = true,
		.without = getenv("TASKDIAG_WITHOUT"),
		.stacks = true,
		.heap = true,
	};
	struct problem problem = {};
	struct probes *p = NULL;
	struct shim *shim = NULL;
	const char *limit;
	bool greeted = false;
	int err = shim_new(false, &shim, &problem);

	if (!err)
		err = probes_new(&config, &p, &problem);
	if (!err)
		err = probes_attach(p, remember, &greeted, &problem);
	if (!err)
		err = probes_attach_shim(p, shim_path(shim));
	if (!err)
		err = observe_child(p, shim, &problem);
	limit = p ? probes_limit(p, PROBES_OF_RESIDENT, 0) : NULL;
	if (!err && greeted) {
		SAY(a->detail, "a started program has loaded it, and its probes were hit");
	} else {
		a->state = ABILITY_LIMITED;
		SAY(a->detail, "%.255s",
		    problem.text[0] ? problem.text
		    : err	    ? strerror(-err)
		    : limit	    ? limit
				    : "a program that was started with it was not heard of");
		SAY(a->remedy, "of commands pages are told, not the heap, which needs Linux 6.1, "
			       "CONFIG_UPROBES=y and CAP_SYS_ADMIN");
	}
	probes_free(p);
	shim_free(shim);
}
