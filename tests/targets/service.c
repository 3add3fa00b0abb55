/* service.c - a service whose workers run tasks as Pulp's do: forked without exec, in a temporary
 * directory of their own, told by one line on stderr.
 *
 *	service --directory DIR [--tasks N] [--mib M] [--ms T] [--at-once K] [--before-ms B] [--end
 *exit|segv|hang]
 *
 * Truth: after B ms N children, K at a time, each chdir to ./tmpNNNNNNNN below DIR, write
 * "service [x]: INFO: Starting task id: UUID in domain: default" to stderr, touch M MiB, compute
 *for T ms and end as --end says. stdout: a line "UUID pid PID hwm_kB H" for each, in the order that
 *they ended, H by its own VmHWM before the end; then "done N". Names: the service and its children
 *are "service"; a UUID is 00000000-0000-7000-8000-<pid of the service, 6 digits><number, 6 digits>.
 */
#include "target.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

static const char *directory, *end = "exit";
static long tasks = 1, mib = 8, ms = 20, at_once = 1, before_ms;

static __attribute__((noinline)) void compute(long milliseconds)
{
	struct timespec start, now;

	clock_gettime(CLOCK_MONOTONIC, &start);
	do
		clock_gettime(CLOCK_MONOTONIC, &now);
	while ((now.tv_sec - start.tv_sec) * 1000 + (now.tv_nsec - start.tv_nsec) / 1000000 <
	       milliseconds);
}

static void work(long milliseconds)
{
	char *memory = target_anon(mib);

	compute(milliseconds);
	target_unmap(memory, 0);
}

static void task_run(const char *place, const char *uuid, int said)
{
	char line[256];
	int n;

	if (chdir(place))
		err(TARGET_FAILED, "chdir %s", place);
	n = snprintf(
	    line, sizeof(line),
	    "service [x]: INFO: Starting task id: %s in domain: default, task_type: work\n", uuid);
	if (write(STDERR_FILENO, line, n) != n)
		err(TARGET_FAILED, "stderr");
	work(ms);
	n = snprintf(line, sizeof(line), "%s pid %d hwm_kB %ld\n", uuid, (int)getpid(),
		     target_status_kb(0, "VmHWM"));
	if (write(said, line, n) != n)
		err(TARGET_FAILED, "stdout");
	if (!strcmp(end, "segv"))
		raise(SIGKILL);
	while (!strcmp(end, "hang"))
		pause();
	_exit(0);
}

static void task_begin(long number)
{
	char place[32], uuid[64];
	pid_t pid;

	snprintf(place, sizeof(place), "./tmp%08ld", number);
	snprintf(uuid, sizeof(uuid), "00000000-0000-7000-8000-%06d%06ld", (int)getpid() % 1000000,
		 number);
	if (mkdir(place, 0700) && errno != EEXIST)
		err(TARGET_FAILED, "mkdir %s", place);
	pid = fork();
	if (pid < 0)
		err(TARGET_FAILED, "fork");
	if (pid == 0)
		task_run(place, uuid, STDOUT_FILENO);
}

static void task_end(void)
{
	if (wait(NULL) < 0)
		err(TARGET_FAILED, "wait");
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "directory", required_argument, NULL, 'd' },
		{ "tasks", required_argument, NULL, 'n' },
		{ "mib", required_argument, NULL, 'm' },
		{ "ms", required_argument, NULL, 't' },
		{ "at-once", required_argument, NULL, 'k' },
		{ "before-ms", required_argument, NULL, 'b' },
		{ "end", required_argument, NULL, 'e' },
		{},
	};
	long running = 0;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'd')
			directory = optarg;
		else if (option == 'n')
			tasks = target_number(optarg, "tasks");
		else if (option == 'm')
			mib = target_number(optarg, "MiB");
		else if (option == 't')
			ms = target_number(optarg, "ms");
		else if (option == 'k')
			at_once = target_number(optarg, "tasks");
		else if (option == 'b')
			before_ms = target_number(optarg, "ms");
		else if (option == 'e')
			end = optarg;
		else
			return TARGET_FAILED;
	}
	if (!directory || chdir(directory))
		err(TARGET_FAILED, "--directory %s", directory ? directory : "is missing");
	prctl(PR_SET_NAME, "service");
	target_sleep_ms(before_ms);
	for (long i = 0; i < tasks; i++, running++) {
		if (running == at_once) {
			task_end();
			running--;
		}
		task_begin(i);
	}
	for (; running; running--)
		task_end();
	printf("done %ld\n", tasks);
	return 0;
}
