/* probes_heap.c - the probes at the sites of the malloc shim. */
#include <bpf/libbpf.h>
#include <errno.h>

#include "session/probes_private.h"
#include "taskdiag.skel.h"

const struct heap_part heap_parts[HEAP_PARTS] = {
	/* first what it answers to: who greets is told at once that it may begin */
	{ "heap_stack", "taskdiag_stack" }, { "heap_flush", "taskdiag_flush" },
	{ "heap_alloc", "taskdiag_alloc" }, { "heap_free", "taskdiag_free" },
	{ "heap_hello", "taskdiag_hello" },
};

static const struct part heap = { "heap_stack", NULL,
				  "the heap of the command is not observed, only its pages",
				  USE_RESIDENT };

int probes_attach_shim(struct probes *p, const char *path)
{
	if (!p->heap)
		return probes_limit_add(p, &heap, -EOPNOTSUPP);
	for (size_t i = 0; i < HEAP_PARTS; i++) {
		LIBBPF_OPTS(bpf_uprobe_opts, options, .func_name = heap_parts[i].site);
		struct bpf_program *program =
		    bpf_object__find_program_by_name(p->skel->obj, heap_parts[i].name);
		struct bpf_link *link =
		    bpf_program__attach_uprobe_opts(program, -1, path, 0, &options);

		if (!link)
			return probes_limit_add(p, &heap, -errno);
		p->links[p->link_count++] = link;
	}
	return 0;
}
