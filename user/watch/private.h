/* private.h - what the files of watch/ share. */
#ifndef TASKDIAG_WATCH_PRIVATE_H
#define TASKDIAG_WATCH_PRIVATE_H

#include <sys/types.h>

#include "session/host.h"
#include "watch/watch.h"

#define SAVERS_MAX 8 /* children that write run directories at once */

/* A task that is observed, or being saved. */
struct watched {
	struct watched *next, *prev; /* utlist */
	const struct rule *rule;     /* of a configuration that is kept */
	const struct rules *rules;
	struct indexed_task row;
	uint64_t start_boot_ns;
	pid_t saver;	    /* writes its run directory; 0: none */
	pid_t snapshot;	    /* writes a snapshot */
	pid_t helper;	    /* is asked for its id */
	int helper_fd;	    /* its answer; -1 */
	uint64_t helper_ns; /* begun then */
	char answer[TASK_ID_MAX + 2];
	size_t answer_bytes;
	char saved_as[TASK_ID_MAX + 1]; /* directory that the saver makes */
	bool over;			/* its session has ended */
};

struct kept_config {
	struct kept_config *next;
	const struct serve_config *serve;
};

struct watch {
	struct watch_config config;
	const struct serve_config *serve;
	struct host *host;
	struct watched *tasks;
	uint64_t begun[RULES_MAX];   /* tasks of each rule, for 1 in N */
	uint32_t running[RULES_MAX]; /* now */
	uint32_t running_all, savers;
	uint64_t skipped_sample, skipped_limit, unsaved, renamed;
	uint64_t numbers_ns; /* the daemon's own were written then */
	bool changing;	     /* a transaction of the index is open */
};

/** Opens a transaction unless one is; closed at the end of watch_pump(). */
void watch_change(struct watch *w);

/** Starts the child that writes its run directory, or a snapshot. (saving.c) */
int saving_begin(struct watch *w, struct watched *t, struct session *s, bool partial);
/** Takes what children have left. (saving.c) */
void saving_reap(struct watch *w);
/** Waits for one of them. (saving.c) */
void saving_wait(struct watch *w);

/** An id that nobody has: as @wanted, or with a number behind. (naming.c) */
void naming_free_id(struct watch *w, const char *wanted, char ret[TASK_ID_MAX + 1]);
/** Its id is known better now. (naming.c) */
void naming_rename(struct watch *w, struct watched *t, const char *id);
/** Asks the rule's helper. (naming.c) */
void naming_ask(struct watch *w, struct watched *t, const struct task_event *e);
/** Takes what helpers have answered. (naming.c) */
void naming_reap(struct watch *w);

#endif
