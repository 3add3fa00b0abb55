/* worker.h - the other side of inspect.h: a process without any privilege that reads files which a
 * hostile task has made.
 *
 * Before it reads the first byte it has: no capabilities and no way to get them (no_new_privs), the
 * uid and gid of nobody if it was root, only its socket and standard error as open fds, limits on
 * memory, CPU and files, and a seccomp filter that knows no open, no socket and no exec.
 */
#ifndef TASKDIAG_WORKER_H
#define TASKDIAG_WORKER_H

#define WORKER_SOCKET 3 /* where a worker that was executed finds it */

/* CPU time after which it ends by itself, between two requests; and after which it is killed. */
#define WORKER_RETIRES_S 60
#define WORKER_CPU_S 120

/** Serves requests on @socket until its other end is closed. Never returns. */
void worker_main(int socket) __attribute__((noreturn));

/** Gives up every privilege. 0 or -errno: then the caller must not go on. (sandbox.c) */
int sandbox_enter(int socket);

#endif
