/* naming.c - what a task is called: by what it writes, or by what a helper says; late is fine. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utlist.h>

#include "lib/clock.h"
#include "lib/identity.h"
#include "watch/private.h"

#define HELPER_NS (30 * NS_PER_S)
#define TRIES 1000

static bool is_taken(struct watch *w, const char *id)
{
	struct indexed_task row;
	struct stat st;

	return !index_find(w->config.index, id, &row) ||
	       !fstatat(store_runs(w->config.store), id, &st, AT_SYMLINK_NOFOLLOW);
}

void naming_free_id(struct watch *w, const char *wanted, char ret[TASK_ID_MAX + 1])
{
	snprintf(ret, TASK_ID_MAX + 1, "%s", wanted);
	for (int n = 2; n < TRIES && is_taken(w, ret); n++)
		snprintf(ret, TASK_ID_MAX + 1, "%.*s-%d", TASK_ID_MAX - 5, wanted, n);
}

void naming_rename(struct watch *w, struct watched *t, const char *wanted)
{
	char id[TASK_ID_MAX + 1];

	if (!strcmp(wanted, t->row.id))
		return;
	naming_free_id(w, wanted, id);
	watch_change(w);
	/* what is being written has its old name until it is whole: see saved() */
	if (t->over && !t->saver && store_rename(w->config.store, t->row.id, id))
		return;
	if (t->row.partial)
		store_remove(w->config.store, t->row.id, true);
	t->row.partial = false;
	if (index_rename(w->config.index, t->row.id, id))
		return;
	w->renamed++;
	strcpy(t->row.id, id);
}

static void helper_run(const struct rule *rule, const struct task_event *e, int out)
{
	char pid[16], start[32], parent[16];
	char *const argv[] = { rule->id_helper, pid, start, parent, NULL };
	char *const environment[] = { "PATH=/usr/local/bin:/usr/bin:/bin", NULL };
	struct problem problem = {};
	struct identity who;

	snprintf(pid, sizeof(pid), "%u", e->h.pid);
	snprintf(start, sizeof(start), "%llu", (unsigned long long)e->h.start_ns);
	snprintf(parent, sizeof(parent), "%u", e->parent_pid);
	if (dup2(out, STDOUT_FILENO) < 0 ||
	    identity_named(rule->helper_user ? rule->helper_user : "nobody", &who, &problem) ||
	    identity_become(&who))
		_exit(126);
	alarm(HELPER_NS / NS_PER_S);
	execve(rule->id_helper, argv, environment);
	_exit(127);
}

void naming_ask(struct watch *w, struct watched *t, const struct task_event *e)
{
	int pipes[2];

	(void)w;
	if (!t->rule->id_helper || pipe2(pipes, O_CLOEXEC | O_NONBLOCK))
		return;
	t->helper = fork();
	if (t->helper == 0)
		helper_run(t->rule, e, pipes[1]);
	close(pipes[1]);
	if (t->helper < 0) {
		close(pipes[0]);
		t->helper = 0;
		return;
	}
	t->helper_fd = pipes[0];
	t->helper_ns = clock_boot_ns();
}

static void answered(struct watch *w, struct watched *t)
{
	size_t n = 0;

	while (n < t->answer_bytes && t->answer[n] != '\n')
		n++;
	t->answer[n] = 0;
	if (task_id_is_valid(t->answer))
		naming_rename(w, t, t->answer);
}

static void listen_to(struct watch *w, struct watched *t)
{
	ssize_t n = read(t->helper_fd, t->answer + t->answer_bytes,
			 sizeof(t->answer) - 1 - t->answer_bytes);

	if (n > 0) {
		t->answer_bytes += n;
		return;
	}
	if (n < 0 && errno == EAGAIN && clock_boot_ns() - t->helper_ns < HELPER_NS)
		return;
	close(t->helper_fd);
	t->helper_fd = -1;
	kill(t->helper, SIGKILL);
	waitpid(t->helper, NULL, 0);
	t->helper = 0;
	if (n == 0)
		answered(w, t);
}

void naming_reap(struct watch *w)
{
	struct watched *t;

	DL_FOREACH(w->tasks, t)
	if (t->helper_fd >= 0)
		listen_to(w, t);
}
