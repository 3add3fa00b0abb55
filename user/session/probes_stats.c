/* probes_stats.c - what the verifier says of each program: from its own log, for bpf_prog_info has
 * no number before Linux 5.16. */
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "session/probes_private.h"
#include "taskdiag.skel.h"

#define LOG_STATS 4 /* BPF_LOG_STATS of the kernel: the numbers alone, since Linux 5.2 */
#define LOG_BYTES 65536
#define PROGRAMS_MAX 128

int probes_stats_want(struct probes *p)
{
	struct bpf_program *program;
	int err = 0;

	p->logs = calloc(PROGRAMS_MAX, sizeof(*p->logs));
	if (!p->logs)
		return -ENOMEM;
	bpf_object__for_each_program (program, p->skel->obj) {
		char *log;

		if (!bpf_program__autoload(program) || p->log_count == PROGRAMS_MAX)
			continue;
		log = p->logs[p->log_count++] = calloc(1, LOG_BYTES);
		err = log ? bpf_program__set_log_buf(program, log, LOG_BYTES) : -ENOMEM;
		if (!err)
			err = bpf_program__set_log_level(program, LOG_STATS);
		if (err)
			return err;
	}
	return 0;
}

void probes_stats_forget(struct probes *p)
{
	for (size_t i = 0; i < p->log_count; i++)
		free(p->logs[i]);
	free(p->logs);
	p->logs = NULL;
	p->log_count = 0;
}

void probes_stats(const struct probes *p,
		  void (*fn)(void *context, const char *program, unsigned instructions),
		  void *context)
{
	struct bpf_program *program;

	bpf_object__for_each_program (program, p->skel->obj) {
		size_t bytes = 0;
		const char *log = bpf_program__log_buf(program, &bytes);
		const char *processed = log ? strstr(log, "processed ") : NULL;
		unsigned instructions;

		if (processed && sscanf(processed, "processed %u insns", &instructions) == 1)
			fn(context, bpf_program__name(program), instructions);
	}
}
