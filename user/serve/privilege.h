/* privilege.h - what a process of the daemon may do: the web process nothing but answer and read
 * one directory; the collector what probes need, and no more.
 */
#ifndef TASKDIAG_SERVE_PRIVILEGE_H
#define TASKDIAG_SERVE_PRIVILEGE_H

#include "lib/identity.h"
#include "lib/problem.h"

/**
 * For good, before any request is read: the user @who (NULL: who we are, if that is not root; else
 * nobody), no capabilities, no new privileges, no file but below @dirfd (Landlock, where the kernel
 * has it), no system call that a server of files does not need (seccomp). 0 or -errno with a
 * problem.
 */
int privilege_web(const struct identity *who, int dirfd, struct problem *problem);

/**
 * The collector keeps the capabilities that probes and /proc need (BPF, PERFMON, SYS_PTRACE, …) and
 * gives up all others. 0 or -errno with a problem.
 */
int privilege_collector(struct problem *problem);

#endif
