/* trap_cost.c - see trap_cost.h */
#include "session/trap_cost.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/clock.h"
#include "session/probes.h"
#include "session/uprobes.h"
#include "session/uprobes_try.h"

#define GUESS_NS 5000
#define HITS 1000

static uint64_t calls_ns(void)
{
	uint64_t from = clock_monotonic_ns();

	for (int i = 0; i < HITS; i++)
		trapped();
	return clock_monotonic_ns() - from;
}

/* Waits for its probe, then says what it has cost. */
static void child_run(int gate, int answer)
{
	uint64_t ns;
	char go;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (read(gate, &go, 1) != 1)
		_exit(1);
	calls_ns(); /* the first ones break pages loose */
	ns = calls_ns();
	_exit(write(answer, &ns, sizeof(ns)) != sizeof(ns));
}

static uint64_t measure(const struct probes *p, pid_t pid, int gate, int answer, uint64_t offset)
{
	const struct uprobe_site site = { .offset = offset };
	struct uprobes *attached;
	uint64_t ns = 0;

	if (uprobes_attach(probes_call_program(p, CALL_ENTRY), "/proc/self/exe", pid, false, &site,
			   1, &attached))
		return 0;
	if (write(gate, "", 1) != 1 || read(answer, &ns, sizeof(ns)) != sizeof(ns))
		ns = 0;
	uprobes_detach_all(&attached, 1);
	return ns / HITS;
}

uint64_t trap_cost_ns(const struct probes *p)
{
	uint64_t offset = trapped_offset();
	int gate[2], answer[2];
	uint64_t ns = 0;
	pid_t pid;

	if (!offset || pipe(gate))
		return GUESS_NS;
	if (pipe(answer)) {
		close(gate[0]);
		close(gate[1]);
		return GUESS_NS;
	}
	pid = fork();
	if (pid == 0) {
		close(gate[1]);
		child_run(gate[0], answer[1]);
	}
	close(gate[0]);
	close(answer[1]);
	if (pid > 0)
		ns = measure(p, pid, gate[1], answer[0], offset);
	close(gate[1]);
	close(answer[0]);
	if (pid > 0)
		waitpid(pid, NULL, 0);
	return ns ?: GUESS_NS;
}
