/* resident_result.c - what the resident source came to: entries of allocations, the manifest. */
#include <errno.h>
#include <stdlib.h>

#include "collect/resident_private.h"
#include "collect/stack_build.h"

static const enum allocator allocators[] = { [PAGE_FILE] = ALLOCATOR_PAGE_FILE,
					     [PAGE_ANON] = ALLOCATOR_PAGE_ANON,
					     [PAGE_SHMEM] = ALLOCATOR_PAGE_SHMEM };

static uint32_t entry_stack(struct resident *r, struct stack_build *b, const struct location *l)
{
	uint32_t stack;

	if (l->key.name != NO_NAME) {
		stack = stack_build_name(b, PROFILE_NO_STACK, "[before attach]");
		return stack_build_name(b, stack, strings_at(&r->names, l->key.name));
	}
	stack = stack_build_stack(b, l->key.node);
	return stack == PROFILE_NO_STACK ? stack_build_name(b, stack, "[stack lost]") : stack;
}

int resident_entries(struct resident *r, struct stack_build *b, struct allocations *a)
{
	uint32_t *threads = NULL;
	int err = thread_table_add(&r->threads, allocations_tree(a), &threads);

	for (uint32_t i = 0; !err && i < r->locations.count; i++) {
		const struct location *l = intern_at(&r->locations, i);
		struct highwater_amount held = pages_held(r->pages, i);
		int64_t marked = pages_marked(r->pages, i);
		struct allocation_entry e = {
			.thread = threads[l->key.thread],
			.allocator = allocators[l->key.kind],
			.peak = { held.bytes * r->page_bytes, held.bytes },
			.allocated = { l->born * r->page_bytes, l->born },
			.usage_bytes = marked > 0 ? (uint64_t)marked * r->page_bytes : 0,
		};

		if (!held.bytes && !l->born && !marked)
			continue;
		e.stack = entry_stack(r, b, l);
		err = e.stack == PROFILE_NO_STACK ? -ENOMEM : allocations_add(a, &e);
	}
	free(threads);
	return err ? err : live_curve_add(&r->curve, r->o->start_ns, a);
}

static uint64_t attributed(const struct resident *r, bool before)
{
	uint64_t pages = 0;

	for (uint32_t i = 0; i < r->locations.count; i++) {
		const struct location *l = intern_at(&r->locations, i);

		if (!before || l->key.name != NO_NAME)
			pages += pages_held(r->pages, i).bytes;
	}
	return pages * r->page_bytes;
}

static void limit_add(json_t *limits, const char *text)
{
	json_array_append_new(limits, json_string(text));
}

void resident_limits(const struct resident *r, json_t *limits)
{
	if (r->scan_err == -ETIME)
		limit_add(
		    limits,
		    "pages from before the attach: more than could be read in 2 s of a process");
	else if (r->scan_err)
		limit_add(limits,
			  "pages from before the attach could not be read: /proc/PID/pagemap");
	if (r->failed)
		limit_add(limits,
			  "records of pages found no room in the observer: see records_failed");
}

/* Pages that came, ever. */
static uint64_t born(const struct resident *r)
{
	uint64_t pages = 0;

	for (uint32_t i = 0; i < r->locations.count; i++)
		pages += ((const struct location *)intern_at(&r->locations, i))->born;
	return pages;
}

int resident_manifest(const struct resident *r, json_t *o)
{
	uint64_t peak_ns, peak = resident_peak(r, &peak_ns), known = attributed(r, false);
	uint64_t group = 1ULL << pages_shift(r->pages), scale = r->end_pages ? r->end_pages : 1;
	json_t *remainder = json_pack("[{s:s,s:I}]", "name", "not attributed", "bytes",
				      (json_int_t)(peak > known ? peak - known : 0));

	json_object_set_new(o, "mode", json_string("pages"));
	json_object_set_new(o, "interval_95", json_null()); /* one page stands for its neighbours */
	json_object_set_new(o, "allocated_bytes", json_integer(born(r) * r->page_bytes));
	json_object_set_new(o, "allocations", json_integer(born(r)));
	json_object_set_new(o, "leaked_bytes", json_null());
	json_object_set_new(o, "one_page_in", json_integer(group));
	json_object_set_new(o, "attributed_bytes", json_integer(known));
	json_object_set_new(o, "before_attach_bytes", json_integer(attributed(r, true)));
	json_object_set_new(o, "remainder", remainder);
	json_object_set_new(o, "births", json_integer(r->births));
	json_object_set_new(o, "births_without_stack", json_integer(r->stackless));
	json_object_set_new(o, "records_failed", json_integer(r->failed));
	json_object_set_new(o, "last_scan",
			    r->end_scan
				? json_pack("{s:I,s:f,s:f}", "resident_bytes",
					    (json_int_t)(r->end_pages * r->page_bytes),
					    "phantom_ratio", (double)r->phantom * group / scale,
					    "unowned_ratio", (double)r->unowned * group / scale)
				: json_null());
	return remainder ? 0 : -ENOMEM;
}
