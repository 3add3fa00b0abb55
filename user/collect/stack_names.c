/* stack_names.c - see stack_names.h */
#include "collect/stack_names.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "collect/stacks.h"
#include "lib/cleanup.h"
#include "lib/clock.h"
#include "symbolize/symbolize.h"
#include "unwind/unwinder.h"

#define ALL_NAMES_NS (60 * NS_PER_S)

/* The addresses of one file, or the raw ones of one process, and their names. */
struct named {
	uint64_t *addresses; /* sorted, each once */
	size_t count, room;
	struct symbolize_name *names; /* copies; those of an address in a row */
	size_t name_count;
	size_t *first; /* of each address, and one beyond */
};

struct frame_names {
	struct task_stacks *stacks;
	struct named *files; /* file numbers, then processes */
	size_t file_count, count;
};

static size_t slot_of(const struct frame_names *n, uint64_t frame, uint32_t proc)
{
	return frame & FRAME_RAW ? n->file_count + proc : FRAME_FILE(frame);
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static int address_add(struct named *f, uint64_t address)
{
	if (f->count == f->room) {
		size_t room = f->room ? f->room * 2 : 64;
		uint64_t *grown = reallocarray(f->addresses, room, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		f->addresses = grown;
		f->room = room;
	}
	f->addresses[f->count++] = address;
	return 0;
}

static void addresses_sort(struct named *f)
{
	size_t n = 0;

	if (f->count)
		qsort(f->addresses, f->count, sizeof(*f->addresses), compare);
	for (size_t i = 0; i < f->count; i++)
		if (!n || f->addresses[n - 1] != f->addresses[i])
			f->addresses[n++] = f->addresses[i];
	f->count = n;
}

/* The process whose raw frames stand below @node: parents come first, so that one pass finds all.
 */
static int collect(struct frame_names *n)
{
	const struct stacks *s = n->stacks->tree;
	size_t count = stacks_count(s);
	_cleanup_free_ uint32_t *proc = calloc(count, sizeof(*proc));
	int err = proc ? 0 : -ENOMEM;

	for (size_t i = STACKS_OVERFLOW + 1; !err && i < count; i++) {
		uint64_t frame = stacks_frame(s, i);

		proc[i] = proc[stacks_parent(s, i)];
		if ((frame & FRAME_KIND) == FRAME_PROCESS)
			proc[i] = (uint32_t)frame;
		if (frame & FRAME_KIND || slot_of(n, frame, proc[i]) >= n->count)
			continue;
		err = address_add(&n->files[slot_of(n, frame, proc[i])], FRAME_ADDRESS(frame));
	}
	for (size_t i = 0; !err && i < n->count; i++)
		addresses_sort(&n->files[i]);
	return err;
}

struct wanted {
	struct frame_names *names;
	size_t slot;
};

static char *copy(const char *text)
{
	return text ? strdup(text) : NULL;
}

static void on_names(void *context, size_t index, const struct symbolize_name *names, size_t count,
		     const char *problem)
{
	struct frame_names *n = context;
	struct named *f = &n->files[index];
	size_t at = 0;

	if (problem)
		task_stacks_problem(n->stacks, "%s: %s",
				    index < n->file_count
					? unwinder_file(n->stacks->o->unwinder, index)->path
					: n->stacks->procs[index - n->file_count]->name,
				    problem);
	f->names = calloc(count ? count : 1, sizeof(*f->names));
	f->first = calloc(f->count + 1, sizeof(*f->first));
	if (!f->names || !f->first)
		return;
	for (size_t i = 0; i < count; i++) {
		f->names[i] = names[i];
		f->names[i].name = copy(names[i].name);
		f->names[i].file = copy(names[i].file);
		while (at < f->count && at <= names[i].address)
			f->first[at++] = i;
	}
	while (at <= f->count)
		f->first[at++] = count;
	f->name_count = count;
}

static int ask(struct frame_names *n, struct symbolizer *symbolizer)
{
	int err = 0;

	for (size_t i = 0; !err && i < n->count; i++) {
		struct symbolize_file file = {
			.fd = -1, .path = "[jit]", .root = "", .perf_map = true
		};
		const struct unwind_file *known = NULL;

		if (!n->files[i].count)
			continue;
		if (i < n->file_count)
			known = unwinder_file(n->stacks->o->unwinder, i);
		else
			file.fd = n->stacks->procs[i - n->file_count]->perf_map;
		if (known) {
			file.fd = known->fd;
			file.perf_map = false;
			file.path = known->path;
			file.root = known->root ? known->root : "";
		}
		err = symbolizer_ask(symbolizer, i, &file, n->files[i].addresses, n->files[i].count,
				     on_names, n);
	}
	return err;
}

int frame_names_new(struct task_stacks *stacks, struct frame_names **ret)
{
	const struct symbolize_options options = {};
	struct frame_names *n = calloc(1, sizeof(*n));
	struct symbolizer *symbolizer = NULL;
	int err;

	if (!n)
		return -ENOMEM;
	n->stacks = stacks;
	while (unwinder_file(stacks->o->unwinder, n->file_count + 1))
		n->file_count++;
	n->file_count++; /* number 0 is none */
	n->count = n->file_count + stacks->proc_count;
	n->files = calloc(n->count, sizeof(*n->files));
	err = n->files ? 0 : -ENOMEM;
	if (!err)
		err = collect(n);
	if (!err)
		err = symbolizer_new(stacks->o->inspect, &options, &symbolizer);
	if (!err)
		err = ask(n, symbolizer);
	if (!err)
		symbolizer_finish(symbolizer, ALL_NAMES_NS);
	symbolizer_free(symbolizer);
	if (err) {
		frame_names_free(n);
		return err;
	}
	*ret = n;
	return 0;
}

void frame_names_free(struct frame_names *n)
{
	if (!n)
		return;
	for (size_t i = 0; n->files && i < n->count; i++) {
		struct named *f = &n->files[i];

		for (size_t k = 0; f->names && k < f->name_count; k++) {
			free((char *)f->names[k].name);
			free((char *)f->names[k].file);
		}
		free(f->names);
		free(f->first);
		free(f->addresses);
	}
	free(n->files);
	free(n);
}

const struct symbolize_name *frame_names_of(const struct frame_names *n, uint64_t frame,
					    uint32_t proc, size_t *ret_count)
{
	static const struct symbolize_name unknown = { .name = "[unknown]", .unresolved = true };
	size_t slot = slot_of(n, frame, proc), i;
	uint64_t address = FRAME_ADDRESS(frame), *at;
	const struct named *f;

	*ret_count = 1;
	if (slot >= n->count)
		return &unknown;
	f = &n->files[slot];
	at = f->first && f->count
		 ? bsearch(&address, f->addresses, f->count, sizeof(address), compare)
		 : NULL;
	if (!at)
		return &unknown;
	i = at - f->addresses;
	if (f->first[i] == f->first[i + 1])
		return &unknown;
	*ret_count = f->first[i + 1] - f->first[i];
	return &f->names[f->first[i]];
}
