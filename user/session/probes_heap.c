/* probes_heap.c - the probes at the sites of the malloc shim. */
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "inspect/elf_symbols.h"
#include "lib/cleanup.h"
#include "session/probes_private.h"
#include "session/uprobes.h"
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

struct search {
	uint64_t offsets[HEAP_PARTS]; /* in the file; 0: not found */
};

static int take_site(void *context, const struct elf_file *f, const Elf64_Sym *symbol,
		     const char *name)
{
	struct search *search = context;

	for (size_t i = 0; i < HEAP_PARTS; i++)
		if (!strcmp(heap_parts[i].site, name))
			search->offsets[i] = elf_text_offset(f, symbol->st_value);
	return 0;
}

/* It is stripped by those who package us: the sites are dynamic symbols. */
static int find_sites(const char *path, struct search *search)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct elf_file file = {};
	int err;

	if (fd < 0)
		return -errno;
	err = elf_file_open(fd, &file);
	if (!err)
		err = elf_symbols(&file, SHT_DYNSYM, take_site, search);
	elf_file_close(&file);
	for (size_t i = 0; !err && i < HEAP_PARTS; i++)
		if (!search->offsets[i])
			err = -ENOENT;
	return err;
}

int probes_attach_shim(struct probes *p, const char *path)
{
	struct search search = {};
	int err = p->heap ? find_sites(path, &search) : -EOPNOTSUPP;

	for (size_t i = 0; !err && i < HEAP_PARTS; i++) {
		const struct uprobe_site site = { .offset = search.offsets[i] };
		struct bpf_program *program =
		    bpf_object__find_program_by_name(p->skel->obj, heap_parts[i].name);

		err = uprobes_attach(bpf_program__fd(program), path, 0, false, &site, 1,
				     &p->shim[p->shim_count]);
		if (!err)
			p->shim_count++;
	}
	return err ? probes_limit_add(p, &heap, err) : 0;
}
