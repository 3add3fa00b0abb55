/* without_bpf.h - a command where BPF is refused: what wait4(2) tells of it. Private to cli/. */
#ifndef TASKDIAG_WITHOUT_BPF_H
#define TASKDIAG_WITHOUT_BPF_H

#include "lib/identity.h"
#include "lib/problem.h"
#include "report/verdict_reading.h"

/**
 * Runs @argv to its end. Returns its status as a shell gives it, 126 and 127 included; then
 * @problem says why. @user: who it runs as; NULL: as we do.
 */
int without_bpf_run(char *const argv[], const struct identity *user, struct usage *ret,
		    struct problem *problem);

#endif
