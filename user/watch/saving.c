/* saving.c - run directories are written by children of the collector: it goes on meanwhile, and
 * what a child touches is its own copy. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utlist.h>

#include "lib/clock.h"
#include "serve/retention.h"
#include "watch/private.h"

static void child_run(struct watch *w, struct watched *t, struct session *s, bool partial)
{
	struct problem problem = {};
	json_t *manifest = NULL;
	char path[4096];
	int err = -ENAMETOOLONG;

	prctl(PR_SET_NAME, "taskdiag-save");
	if (setegid(store_group(w->config.store))) /* who serves may read it */
		_exit(1);
	signal(SIGTERM, SIG_IGN); /* of the whole service: what is known is to be saved */
	if (partial) {		  /* the one before it is of no use any more */
		store_remove(w->config.store, t->saved_as, true);
	}
	if (snprintf(path, sizeof(path), "%s/runs/%s%s", store_path(w->config.store), t->saved_as,
		     partial ? ".partial" : "") < (int)sizeof(path))
		err = host_save(s, path, t->saved_as, partial, w->config.page, &manifest, &problem);
	if (err)
		fprintf(stderr, "taskdiag-bpf: task %s: not saved: %s\n", t->saved_as,
			problem.text[0] ? problem.text : strerror(-err));
	_exit(err != 0);
}

int saving_begin(struct watch *w, struct watched *t, struct session *s, bool partial)
{
	pid_t pid;

	strcpy(t->saved_as, t->row.id);
	pid = fork();
	if (pid == 0)
		child_run(w, t, s, partial);
	if (pid < 0)
		return -errno;
	w->savers++;
	if (partial)
		t->snapshot = pid;
	else
		t->saver = pid;
	return 0;
}

static void saved(struct watch *w, struct watched *t, bool good)
{
	t->saver = 0;
	w->savers--;
	watch_change(w);
	if (good && strcmp(t->saved_as, t->row.id) &&
	    store_rename(w->config.store, t->saved_as, t->row.id))
		good = false;
	if (t->row.partial && good)
		store_remove(w->config.store, t->row.id, true);
	if (good && !retention_row(w->config.store, t->row.id, &t->row)) {
		t->row.state = INDEXED_DONE;
	} else {
		t->row.state = INDEXED_LOST;
		w->unsaved++;
	}
	index_put(w->config.index, &t->row);
	index_curve_drop(w->config.index, t->row.id);
}

static void snapshot_done(struct watch *w, struct watched *t, bool good)
{
	t->snapshot = 0;
	w->savers--;
	if (!good || t->over)
		return;
	watch_change(w);
	t->row.partial = true;
	index_put(w->config.index, &t->row);
}

static void reap(struct watch *w, int flags)
{
	struct watched *t;
	int status;

	DL_FOREACH(w->tasks, t)
	{
		if (t->snapshot > 0 && waitpid(t->snapshot, &status, flags) == t->snapshot)
			snapshot_done(w, t, WIFEXITED(status) && !WEXITSTATUS(status));
		if (t->saver > 0 && waitpid(t->saver, &status, flags) == t->saver)
			saved(w, t, WIFEXITED(status) && !WEXITSTATUS(status));
	}
}

void saving_reap(struct watch *w)
{
	reap(w, WNOHANG);
}

void saving_wait(struct watch *w)
{
	uint64_t until = clock_boot_ns() + 10 * NS_PER_S;
	uint32_t before = w->savers;

	while (w->savers && w->savers == before && clock_boot_ns() < until) {
		saving_reap(w);
		if (w->savers == before)
			usleep(2000);
	}
}
