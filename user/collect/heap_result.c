/* heap_result.c - what the live heap came to: entries of allocations, limits, the manifest. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collect/heap_private.h"
#include "collect/stack_build.h"
#include "lib/clock.h"

static uint32_t entry_stack(struct stack_build *b, const struct heap_location_key *l)
{
	uint32_t stack;

	if (l->name == LOCATION_UNKNOWN)
		return stack_build_name(b, PROFILE_NO_STACK, "[stack unknown]");
	stack = stack_build_stack(b, l->node);
	return stack == PROFILE_NO_STACK ? stack_build_name(b, PROFILE_NO_STACK, "[stack lost]")
					 : stack;
}

static struct allocation_sum sum_of(struct highwater_amount a)
{
	return (struct allocation_sum){ (uint64_t)a.bytes, (uint64_t)a.count };
}

/* Live when its process ended, or still now. */
static struct allocation_sum leaked_of(const struct heap_totals *t)
{
	const struct allocation_sum live = sum_of(t->live), left = sum_of(t->leaked);

	return (struct allocation_sum){ live.bytes + left.bytes, live.count + left.count };
}

int live_heap_entries(struct live_heap *h, struct stack_build *b, struct allocations *a)
{
	uint32_t *threads = NULL;
	int err = thread_table_add(&h->threads, allocations_tree(a), &threads);

	for (uint32_t i = 0; !err && i < h->locations.count; i++) {
		const struct heap_location_key *l = intern_at(&h->locations, i);
		const struct heap_totals t = heap_location(h->heap, i);
		struct allocation_entry e = {
			.thread = threads[l->thread],
			.allocator = l->allocator,
			.peak = sum_of(t.held),
			.leaked = leaked_of(&t),
			.allocated = sum_of(t.allocated),
			.temporary = sum_of(t.temporary),
			.error_95_bytes = heap_error_95(h->heap, i),
		};

		if (!e.allocated.count && !e.peak.count && !e.leaked.count)
			continue;
		e.stack = entry_stack(b, l);
		err = e.stack == PROFILE_NO_STACK ? -ENOMEM : allocations_add(a, &e);
	}
	free(threads);
	return err ? err : live_curve_add(&h->curve, h->o->start_ns, a);
}

/* Everything that makes the sums less than exact: key of the manifest, count, and the sentence. */
struct fault {
	const char *key, *limit;
	uint64_t count;
};

#define FAULTS 32

static size_t faults_of(const struct live_heap *h, struct fault *f)
{
	const struct source_counts c = live_counts(h);
	const struct heap_counts n = heap_count(h->heap);
	const struct fault all[] = {
		{ "lost",
		  "allocations and frees found no room in the rings of the malloc shim: the "
		  "observer was too slow; give it a CPU, or sample: --sample-bytes",
		  c.lost },
		{ "lost_no_ring",
		  "allocations and frees of threads that got no ring (more than 240 at once)",
		  c.lost_no_ring },
		{ "lost_early", "allocations while the malloc shim was starting", c.lost_early },
		{ "lost_samples", "samples found no room in the malloc shim's set", c.lost_set },
		{ "late", "allocations and frees came after their order was given up", c.late },
		{ "late_after_end", "allocations came of processes that had ended or have no shim",
		  h->late_after_end },
		{ "malformed", "rings of the malloc shim that make no sense: they are not read on",
		  c.malformed },
		{ "residual", "allocations and frees were offered, and neither read nor lost",
		  h->residual },
		{ "children_off",
		  "forked children without a malloc shim (a sandbox, a signal handler within an "
		  "allocation, no room): what they allocate is missing",
		  c.children_off },
		{ "foreign",
		  "programs with an allocator of their own in front of the malloc shim: what it "
		  "gives "
		  "out is missing",
		  c.foreign },
		{ "regions_refused",
		  "processes whose malloc shim was not answered: their allocations are missing",
		  h->regions_refused },
		{ "refused", "allocations found no room in the observer, or had no sane size",
		  n.refused },
		{ "unknown_frees", "frees of addresses that were not live: allocations were missed",
		  live_called(h) ? 0
		  : h->thin_ns	 ? h->thin_unknown_frees
				 : n.unknown_frees },
		{ "duplicates", "allocations at an address that was live: frees were missed",
		  n.duplicates },
		{ "undos_refused", "frees that failed could not be taken back",
		  n.undos_refused + h->undos_unknown },
		{ "moves_unknown", "mappings moved by threads that got no ring of their own",
		  h->moves_unknown },
		{ "forks_inexact",
		  "forked processes whose copy of the heap is not as it was at the fork",
		  h->forks_inexact },
		{ "checks_wrong", "stacks that the memo had wrong", h->checks_wrong },
		{ "calls_lost",
		  "allocations and frees by malloc & co. whose record, or whose entry, was lost: "
		  "--ring-size",
		  h->o->heap_lost + h->o->calls_lost },
		{ "calls_nested",
		  "blocks that an allocator made for another block: they are not counted",
		  h->o->calls_nested },
		{ "calls_nowhere",
		  "processes in which no allocator was found (a static program without symbols, or "
		  "an allocator of its own)",
		  h->calls.nowhere },
		{ "calls_failed", "times that allocators of a process could not have probes",
		  h->calls.failed },
		{ "calls_headless",
		  "processes whose main thread has ended: no probe sees what is left of them",
		  h->calls.headless },
		{ "calls_throwing",
		  "operators new of an allocator of its own: they may throw, and no probe survives "
		  "that; what they allocate is missing",
		  h->calls.throwing },
		{ "calls_left_out", "functions or USDT probes of allocators that have no probe",
		  h->calls.left_out },
		{ "records_failed", "records found no room in the observer's memory", h->failed },
	};

	_Static_assert(sizeof(all) / sizeof(all[0]) <= FAULTS, "they fit");
	memcpy(f, all, sizeof(all));
	return sizeof(all) / sizeof(all[0]);
}

bool live_heap_exact(const struct live_heap *h)
{
	struct fault faults[FAULTS];
	size_t count = faults_of(h, faults);

	for (size_t i = 0; i < count; i++)
		if (faults[i].count)
			return false;
	return h->spaces_seen && !h->without_shim && !live_heap_gap_bytes(h) && !h->calls.samples &&
	       !h->calls.braked_ns;
}

__attribute__((format(printf, 2, 3))) static void limit_add(json_t *limits, const char *format, ...)
{
	char text[640];
	va_list list;

	va_start(list, format);
	vsnprintf(text, sizeof(text), format, list);
	va_end(list);
	/* names are hostile bytes: what is no UTF-8 is shown as ? */
	for (char *c = text; *c; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
	json_array_append_new(limits, json_string(text));
}

static void limit_shimless(const struct live_heap *h, json_t *limits)
{
	char names[LIVE_NAMES * (NAME_BYTES + 2) + 1] = "";
	size_t length = 0;

	if (!h->without_shim)
		return;
	for (size_t i = 0; i < LIVE_NAMES && i < h->without_shim; i++)
		length += (size_t)snprintf(names + length, sizeof(names) - length, "%s%s",
					   i ? ", " : "", h->without_names[i]);
	limit_add(limits,
		  "%s%s: %llu programs without the malloc shim (static, set-uid, musl, or they "
		  "never allocated): their heap is missing",
		  names, h->without_shim > LIVE_NAMES ? " and others" : "",
		  (unsigned long long)h->without_shim);
}

static double since_start(const struct live_heap *h, uint64_t time_ns)
{
	return time_ns > h->o->start_ns ? (double)(time_ns - h->o->start_ns) / NS_PER_S : 0;
}

static void limit_calls(const struct live_heap *h, json_t *limits)
{
	if (!live_called(h))
		return;
	if (h->calls.failed)
		limit_add(limits, "heap: probes at malloc & co.: %s", strerror(-h->calls.err));
	if (h->calls.processes)
		limit_add(limits,
			  "heap: what was allocated before its process had probes (the first after "
			  "%.3f s) is not in it; %llu frees of such blocks were seen",
			  since_start(h, h->calls.begin_ns),
			  (unsigned long long)heap_count(h->heap).unknown_frees);
	if (h->calls.braked_ns)
		limit_add(
		    limits,
		    "heap: nothing is told from %.3f s on: the traps of malloc & co. cost more "
		    "than --max-overhead; allow more, or start the task with: taskdiag-bpf -- "
		    "COMMAND",
		    since_start(h, h->calls.braked_ns));
}

void live_heap_limits(const struct live_heap *h, json_t *limits)
{
	struct fault faults[FAULTS];
	size_t count = faults_of(h, faults);

	for (size_t i = 0; i < count; i++)
		if (faults[i].count)
			limit_add(limits, "heap: %llu %s: see heap.%s",
				  (unsigned long long)faults[i].count, faults[i].limit,
				  faults[i].key);
	if (h->unknown_stacks)
		limit_add(limits,
			  "heap: %llu allocations are in [stack unknown]: their bytes are "
			  "right, records of their stacks were lost",
			  (unsigned long long)h->unknown_stacks);
	if (h->problem.text[0])
		limit_add(limits, "heap: %s", h->problem.text);
	if (h->thin_ns)
		limit_add(limits,
			  "heap: from %.3f s on one allocation in %llu bytes is looked at: looking "
			  "at each cost about %.0f %% of the task's time, more than --max-overhead "
			  "(%.0f %%); --exact looks at all",
			  since_start(h, h->thin_ns), (unsigned long long)THIN_GAP_BYTES,
			  100 * h->thin_share, 100 * h->o->heap_overhead);
	limit_shimless(h, limits);
	limit_calls(h, limits);
}

static json_t *heap_object(const struct live_heap *h)
{
	const struct source_counts c = live_counts(h);
	const struct {
		const char *key;
		uint64_t value;
	} more[] = {
		{ "python_allocators", h->o->python_allocators },
		{ "processes", h->spaces_seen },
		{ "without_shim", h->without_shim },
		{ "events_offered", c.offered },
		{ "events_read", c.read },
		{ "memo_hits", c.hits },
		{ "traps", c.traps },
		{ "answers", h->answers },
		{ "answers_full", h->answers_full },
		{ "answers_refused", c.refused_answers },
		{ "samples", c.samples },
		{ "events_cut", c.cut },
		{ "nested", c.nested },
		{ "checks", h->checks },
		{ "forks", h->forks },
		{ "forks_unused", h->forks_dropped },
		{ "unknown_stacks", h->unknown_stacks },
		{ "tokens_unused", h->tokens_dropped },
		{ "functions", h->calls.functions },
		{ "functions_stepped", h->calls.stepped },
		{ "frees_before", live_called(h) ? heap_count(h->heap).unknown_frees : 0 },
	};
	struct fault faults[FAULTS];
	size_t count = faults_of(h, faults);
	json_t *o = json_object();

	json_object_set_new(o, "status",
			    json_string(live_heap_exact(h)	 ? "exact"
					: live_heap_gap_bytes(h) ? "sampled"
								 : "incomplete"));
	json_object_set_new(o, "by",
			    json_string(!live_called(h)	   ? "shim"
					: h->calls.samples ? "usdt"
							   : "uprobes"));
	json_object_set_new(o, "sampled_since_s",
			    h->thin_ns ? json_real(since_start(h, h->thin_ns)) : json_null());
	json_object_set_new(o, "sampled_since_cost",
			    h->thin_ns ? json_real(h->thin_share) : json_null());
	json_object_set_new(o, "braked_s",
			    h->calls.braked_ns ? json_real(since_start(h, h->calls.braked_ns))
					       : json_null());
	for (size_t i = 0; i < sizeof(more) / sizeof(more[0]); i++)
		json_object_set_new(o, more[i].key, json_integer((json_int_t)more[i].value));
	for (size_t i = 0; i < count; i++)
		json_object_set_new(o, faults[i].key, json_integer((json_int_t)faults[i].count));
	return o;
}

static json_t *interval_95(const struct live_heap *h)
{
	uint64_t peak = live_heap_peak(h, NULL), error = heap_error_95_sum(h->heap);

	if (!live_heap_gap_bytes(h))
		return json_null();
	return json_pack("[I,I]", (json_int_t)(peak > error ? peak - error : 0),
			 (json_int_t)(peak + error));
}

int live_heap_manifest(const struct live_heap *h, json_t *o)
{
	struct allocation_sum allocated = { 0 }, leaked = { 0 };

	for (uint32_t i = 0; i < h->locations.count; i++) {
		const struct heap_totals t = heap_location(h->heap, i);

		allocated.bytes += (uint64_t)t.allocated.bytes;
		allocated.count += (uint64_t)t.allocated.count;
		leaked.bytes += leaked_of(&t).bytes;
	}
	json_object_set_new(o, "mode", json_string(live_heap_gap_bytes(h) ? "sampled" : "exact"));
	json_object_set_new(o, "interval_95", interval_95(h));
	json_object_set_new(o, "allocated_bytes", json_integer((json_int_t)allocated.bytes));
	json_object_set_new(o, "allocations", json_integer((json_int_t)allocated.count));
	json_object_set_new(o, "leaked_bytes", json_integer((json_int_t)leaked.bytes));
	json_object_set_new(o, "remainder", json_array());
	return json_object_set_new(o, "heap", heap_object(h)) ? -ENOMEM : 0;
}
