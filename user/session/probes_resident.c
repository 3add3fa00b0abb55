/* probes_resident.c - what only the resident source needs of the BPF side. */
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "session/probes_private.h"
#include "session/syscall_events.h"
#include "taskdiag.skel.h"

static const struct part syscalls = { "syscalls", NULL,
				      "pages that the task gives back are only found by scans",
				      USE_RESIDENT };

static const struct part births = { "rss_stat", NULL,
				    "births of pages are told by faults: a huge page counts as one "
				    "page, a page of zeros as one of a "
				    "file; needs Linux 6.2",
				    USE_RESIDENT };

int probes_attach_syscalls(struct probes *p)
{
	struct syscall_events *events;
	int err = syscall_events_new(&events), failed = err;

	for (size_t i = 0; !err && i < SYSCALL_PARTS; i++) {
		struct bpf_program *program =
		    bpf_object__find_program_by_name(p->skel->obj, syscall_parts[i]);
		struct bpf_link *link;
		int result = bpf_program__autoload(program)
				 ? syscall_events_attach(events, program, &link)
				 : -EOPNOTSUPP;

		if (result)
			failed = result;
		else
			p->syscalls[p->syscall_count++] = link;
	}
	if (!err)
		syscall_events_free(events);
	if (p->by_faults)
		probes_limit_add(p, &births, -EOPNOTSUPP);
	return failed ? probes_limit_add(p, &syscalls, failed) : 0;
}

void probes_resident_shift(struct probes *p, uint32_t shift)
{
	p->skel->data->resident_shift = shift;
}
