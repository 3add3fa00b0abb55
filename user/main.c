/* main.c - the table of verbs. */
#include <fcntl.h>
#include <locale.h>
#include <string.h>
#include <unistd.h>

#include "cli/cmd.h"
#include "inspect/worker.h"

const struct verb_row verb_rows[] = {
	{ "summary", "RUN_DIR", "one screen: what ran, the peak and who held it, what was lost",
	  cmd_summary },
	{ "plot", "RUN_DIR", "memory.svg, and memory.png where gnuplot is installed", cmd_plot },
	{ "html", "RUN_DIR", "report.html: one offline page", cmd_html },
	{ "tree", "RUN_DIR", "where the time went: a tree of calls, per process and thread",
	  cmd_tree },
	{ "top", "RUN_DIR", "where the time went: functions, causes of waits, threads", cmd_top },
	{ "flamegraph", "RUN_DIR", "flamegraph.svg: where the time went, as one picture",
	  cmd_flamegraph },
	{ "table", "RUN_DIR", "who held the memory: places, allocators, threads", cmd_table },
	{ "leaks", "RUN_DIR", "what was live at the end: bytes, pieces, stacks", cmd_leaks },
	{ "diff", "RUN_A RUN_B", "what grew at the peak from one run to another", cmd_diff },
	{ "ci", "-- COMMAND",
	  "run a command and judge it by a budget: a job that fails when it is over", cmd_ci },
	{ "check", "RUN_DIR...", "judge runs that there are by a budget", cmd_check },
	{ "serve", NULL, "a daemon: every task that its rules find, artifacts over HTTP",
	  cmd_serve },
	{ "cleanup", NULL, "remove what the daemon has kept for longer than it is to",
	  cmd_cleanup },
	{ "doctor", NULL,
	  "what this kernel and these privileges allow, and the remedy for the rest", cmd_doctor },
	{ "man", NULL, "this manual page, as troff", cmd_man },
	{ "completion", NULL, "completion for bash", cmd_completion },
	{},
};

/* A caller may have closed them: a file of ours that came to be descriptor 2 would get our
 * messages. */
static void open_standard_files(void)
{
	int fd;

	while ((fd = open("/dev/null", O_RDWR)) >= 0 && fd <= STDERR_FILENO)
		;
	if (fd > STDERR_FILENO)
		close(fd);
}

int main(int argc, char **argv)
{
	open_standard_files();
	if (argc == 2 && !strcmp(argv[1], "inspect-worker")) /* see inspect_self */
		worker_main(WORKER_SOCKET);
	setlocale(LC_CTYPE,
		  ""); /* for the width of names on a terminal; numbers stay as they are */
	for (const struct verb_row *verb = verb_rows; argc > 1 && verb->name; verb++)
		if (!strcmp(argv[1], verb->name))
			return verb->run(argc - 1, argv + 1);
	return cmd_run(argc, argv);
}
