/* watch.h - the daemon's collector: rules make processes of the host tasks; each is observed, and
 * leaves a run directory and a row of the index.
 *
 *   host (probes) ──accept──► rules ──► watched task ──tick──► row, curve
 *                                          └──ended──► saver (a child) ──► runs/<id>/ ──► row
 */
#ifndef TASKDIAG_WATCH_H
#define TASKDIAG_WATCH_H

#include "rules/config.h"
#include "serve/index.h"
#include "serve/store.h"
#include "session/session.h"

struct watch;

struct watch_config {
	const struct serve_config *serve; /* borrowed until watch_free() or another comes */
	struct store *store;
	struct index *index;   /* a writer */
	session_extra_fn page; /* adds report.html to a run directory; may be NULL */
	bool verbose;
};

/** From here on tasks are observed. -ENOENT: the configuration asks for no diagnostics, or has no
 * rules: nothing is attached. */
int watch_new(const struct watch_config *config, struct watch **ret, struct problem *problem);
/** Tasks that run end as "detached" and are saved: waits for that, at most @patience_ns. NULL is
 * fine. */
void watch_free(struct watch *w, uint64_t patience_ns);

int watch_fd(const struct watch *w); /* epoll: readable when watch_pump() has something to do */
void watch_pump(struct watch *w);

/** Other rules from now on; tasks that run keep theirs. -EXDEV: they want diagnostics that were not
 * loaded: a new start is needed. @serve: borrowed. */
int watch_reload(struct watch *w, const struct serve_config *serve, struct problem *problem);

/** Begins a snapshot of a running task; watch_pump() ends it: the row then says partial. 0;
 * -ENOENT: it does not run; -EAGAIN: too much is being written. */
int watch_snapshot(struct watch *w, const char *id);
/** Whether one of that task is still being written. */
bool watch_is_snapshotting(const struct watch *w, const char *id);

#endif
