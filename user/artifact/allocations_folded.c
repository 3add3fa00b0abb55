/* allocations_folded.c - allocations.folded: one line per stack, bytes live at the peak (see
 * allocations_files.h) */
#include <errno.h>

#include "artifact/allocations_files.h"
#include "artifact/folded.h"
#include "lib/cleanup.h"

static int add_entries(struct profile_walk *w, const struct allocations *a)
{
	for (size_t i = 0; i < allocations_count(a); i++) {
		const struct allocation_entry *e = allocations_at(a, i);
		uint32_t node;

		if (!e->peak.bytes)
			continue;
		node = profile_walk_stack(w, e->stack);
		if (node == INTERN_NONE || profile_walk_add(w, e->thread, node, e->peak.bytes))
			return -ENOMEM;
	}
	return 0;
}

static int write_lines(struct profile_walk *w, const struct allocations *a, FILE *out)
{
	_cleanup_free_ const struct profile_line **lines = NULL;
	int err = add_entries(w, a);

	if (!err)
		err = profile_walk_sorted(w, &lines);
	for (uint32_t i = 0; !err && i < w->lines.count; i++)
		err = folded_line(w, lines[i], lines[i]->marks, out);
	return err;
}

int allocations_write_folded(const struct allocations *a, const struct allocations_options *options,
			     FILE *out)
{
	struct profile_walk w;
	int err = profile_walk_init(&w, allocations_names(a), folded_show);

	(void)options;
	if (!err)
		err = write_lines(&w, a, out);
	profile_walk_clear(&w);
	return err ? err : ferror(out) ? -EIO : 0;
}
