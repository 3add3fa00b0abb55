/* alloc_lines.c - see alloc_lines.h
 *
 *	entry i ──► sample of slice i ──source_lines_add()──► sample i: its new stack
 */
#include "report/alloc_lines.h"

#include <errno.h>

/* A sample for every entry, in their order: the slice is its number. */
static int add_samples(struct allocations *a)
{
	struct profile *p = allocations_tree(a);
	uint32_t cause = profile_cause(p, "cpu", true);

	if (cause == PROFILE_NONE)
		return -ENOMEM;
	for (size_t i = 0; i < allocations_count(a); i++) {
		const struct allocation_entry *e = allocations_at(a, i);
		int err = profile_add(p, e->stack, e->thread, cause, (uint32_t)i, 1);

		if (err)
			return err;
	}
	return 0;
}

/* Into an empty one: everything keeps its number. */
static bool copy_tree(struct profile *to, const struct profile *from)
{
	bool good = true;

	for (uint32_t i = 0; i < profile_mapping_count(from); i++)
		good &= profile_mapping(to, profile_mapping_at(from, i)) == i;
	for (uint32_t i = 0; i < profile_process_count(from); i++)
		good &= profile_process(to, profile_process_at(from, i)) == i;
	for (uint32_t i = 0; i < profile_thread_count(from); i++)
		good &= profile_thread(to, profile_thread_at(from, i)) == i;
	for (uint32_t i = 0; i < profile_frame_count(from); i++)
		good &= profile_frame(to, profile_frame_at(from, i)) == i;
	for (uint32_t i = 0; i < profile_stack_count(from); i++)
		good &= profile_stack(to, profile_stack_parent(from, i),
				      profile_stack_frame(from, i)) == i;
	return good;
}

static int add_entries(struct allocations *to, const struct allocations *from,
		       const struct profile *with)
{
	for (size_t i = 0; i < allocations_count(from); i++) {
		struct allocation_entry e = *allocations_at(from, i);
		int err;

		e.stack = profile_sample_at(with, (uint32_t)i)->stack;
		err = allocations_add(to, &e);
		if (err)
			return err;
	}
	return 0;
}

int alloc_lines_add(struct allocations *a, struct inspect *inspect, bool debuginfod,
		    source_lines_fn note, void *context, struct allocations **ret)
{
	struct allocations *fresh = NULL;
	struct profile *with = NULL;
	int err = add_samples(a);

	if (!err)
		err = source_lines_add(allocations_tree(a), inspect, debuginfod, note, context,
				       &with);
	if (!err) {
		fresh = allocations_new(allocations_facts(a));
		err = fresh && copy_tree(allocations_tree(fresh), with)
			  ? add_entries(fresh, a, with)
			  : -ENOMEM;
	}
	profile_free(with);
	if (err)
		allocations_free(fresh);
	else
		*ret = fresh;
	return err;
}
