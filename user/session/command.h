/* command.h - a command that we start: held before its exec until the probes stand, then let go. */
#ifndef TASKDIAG_COMMAND_H
#define TASKDIAG_COMMAND_H

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

#include "lib/identity.h"
#include "lib/problem.h"

struct command;
struct shim;

/** Forks; the child waits. @argv is borrowed. The child gets the signal mask @mask. @hold: it is to
 * be stopped right after its exec, if we may: see command_will_hold(). @shim: that it is to load,
 * borrowed; or NULL. */
int command_new(char *const argv[], const struct identity *user, const sigset_t *mask, bool hold,
		const struct shim *shim, struct command **ret, struct problem *problem);
/** It will stop after its exec, and run on with command_continue() only. */
bool command_will_hold(const struct command *c);
/** Kills the child if it has not been let go (it has executed nothing yet). NULL is fine. */
void command_free(struct command *c);

pid_t command_pid(const struct command *c);

/**
 * Lets it exec, and waits until it has. -ENOENT and friends if exec failed: *ret_exit is then 127
 * (not found) or 126 (found but not executable), as a shell gives it. @hold: it has executed its
 * new program then, but not one instruction of it: until command_continue().
 */
int command_release(struct command *c, int *ret_exit, struct problem *problem);
/** Lets it run when it is held; it is not traced from then on. If we die before, the kernel does.
 */
void command_continue(struct command *c);

/** Reaps. -EAGAIN while it runs; else 0 and the wait(2) status. */
int command_reap(struct command *c, int *ret_status);

#endif
