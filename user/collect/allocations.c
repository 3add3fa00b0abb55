/* allocations.c - see allocations.h */
#include "collect/allocations.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "artifact/allocations_files.h"
#include "collect/heap.h"
#include "collect/resident.h"
#include "collect/stack_build.h"
#include "collect/stacks.h"
#include "collect/usage_stacks.h"
#include "lib/clock.h"

struct allocations_collector {
	const struct observation *o;
	struct resident *resident;
	struct live_heap *heap;	   /* NULL: neither a shim nor uprobes tell it */
	struct allocations *pages; /* what the sources came to; NULL until built */
	struct allocations *blocks;
};

void *allocations_collector_new(const struct observation *o)
{
	struct allocations_collector *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->o = o;
	c->resident = resident_new(o);
	c->heap = o->heap || o->heap_calls ? live_heap_new(o) : NULL;
	if (!c->resident || ((o->heap || o->heap_calls) && !c->heap)) {
		allocations_collector_free(c);
		return NULL;
	}
	return c;
}

void allocations_collector_free(void *self)
{
	struct allocations_collector *c = self;

	resident_free(c->resident);
	live_heap_free(c->heap);
	allocations_free(c->pages);
	allocations_free(c->blocks);
	free(c);
}

void allocations_collector_record(void *self, const struct event_header *h)
{
	struct allocations_collector *c = self;

	resident_record(c->resident, h);
	if (c->heap)
		live_heap_record(c->heap, h);
}

void allocations_collector_sample(void *self, const struct sample_header *h)
{
	struct allocations_collector *c = self;

	resident_sample(c->resident, h);
	if (c->heap)
		live_heap_sample(c->heap, h);
}

void allocations_collector_now(const void *self, struct memory_now *ret)
{
	const struct allocations_collector *c = self;

	if (c->heap)
		live_heap_thinned(c->heap, &ret->sampled_since_ns);
}

void allocations_collector_usage_peak(void *self)
{
	struct allocations_collector *c = self;

	resident_mark(c->resident);
}

unsigned allocations_collector_shift(void *self)
{
	struct allocations_collector *c = self;

	return resident_shift(c->resident);
}

bool allocations_collector_mark(void *self)
{
	struct allocations_collector *c = self;

	return c->heap && live_heap_mark(c->heap);
}

void allocations_collector_take(void *self)
{
	struct allocations_collector *c = self;

	live_heap_take(c->heap);
}

void allocations_collector_totals(void *self, uint64_t peak_bytes, uint64_t peak_ns, uint64_t epoch)
{
	struct allocations_collector *c = self;

	(void)epoch;
	resident_end(c->resident, peak_bytes, peak_ns);
	if (c->heap && !c->o->snapshot)
		live_heap_end(c->heap);
}

/* The heap is the main source as soon as one process had a shim. */
static bool heap_is_told(const struct allocations_collector *c)
{
	return c->heap && live_heap_any(c->heap);
}

static uint64_t since_start(const struct allocations_collector *c, uint64_t time_ns)
{
	return time_ns > c->o->start_ns ? time_ns - c->o->start_ns : 0;
}

static struct allocations_facts facts_of(const struct allocations_collector *c, bool pages)
{
	uint64_t peak_ns, rss_peak_ns, rss_peak = resident_peak(c->resident, &rss_peak_ns);
	const struct process *first = processes_first(c->o->processes);
	struct allocations_facts facts = {
		.resident = pages,
		.gap_bytes = resident_gap_bytes(c->resident),
		.peak_bytes = rss_peak,
		.peak_rss_bytes = rss_peak,
		.peak_ns = since_start(c, rss_peak_ns),
		.start_utc_ns = c->o->start_utc_ns,
		.duration_ns = since_start(c, c->o->end_ns),
		.command = c->o->command,
		.pid = first ? first->pid : 0,
		.python = c->o->stacks->python_stacks > 0,
	};

	if (!pages) {
		facts.exact = live_heap_exact(c->heap);
		facts.gap_bytes = live_heap_gap_bytes(c->heap);
		facts.peak_bytes = live_heap_peak(c->heap, &peak_ns);
		facts.peak_ns = since_start(c, peak_ns);
	}
	return facts;
}

static int build(struct allocations_collector *c, bool pages, struct allocations **ret)
{
	const struct allocations_facts facts = facts_of(c, pages);
	struct allocations *a = allocations_new(&facts);
	struct stack_build *b = NULL;
	int err;

	if (!a)
		return -ENOMEM;
	err = stack_build_new(c->o->stacks, allocations_tree(a), &b);
	if (!err)
		err =
		    pages ? resident_entries(c->resident, b, a) : live_heap_entries(c->heap, b, a);
	stack_build_free(b);
	if (err)
		allocations_free(a);
	else
		*ret = a;
	return err;
}

static const struct {
	const char *name;
	allocations_write_fn *write;
} files[] = {
	{ "allocations.folded", allocations_write_folded },
	{ "allocations.pb.gz", allocations_write_pprof },
	{ "allocations.speedscope.json", allocations_write_speedscope },
	{ "memray.bin", allocations_write_memray },
	{ "massif.out", allocations_write_massif },
};

static int write_file(struct allocations_collector *c, struct rundir *r, const char *name,
		      allocations_write_fn *write, const struct allocations *a,
		      struct problem *problem)
{
	const struct allocations_options options = { .memray_format = c->o->memray_format };
	FILE *file = rundir_begin(r, name, problem);
	int err;

	if (!file)
		return -EIO;
	err = write(a, &options, file);
	if (rundir_end(r, file, problem))
		return -EIO;
	return err ? problem_set(problem, err, "write %s: %s", name, strerror(-err)) : 0;
}

int allocations_collector_write(void *self, struct rundir *r, struct problem *problem)
{
	struct allocations_collector *c = self;
	const struct allocations *a;
	int err = c->pages ? 0 : build(c, true, &c->pages);

	if (!err && heap_is_told(c) && !c->blocks)
		err = build(c, false, &c->blocks);
	if (err)
		return problem_set(problem, err, "put the allocations together: %s",
				   strerror(-err));
	a = c->blocks ?: c->pages;
	for (size_t i = 0; !err && i < sizeof(files) / sizeof(files[0]); i++)
		err = write_file(c, r, files[i].name, files[i].write, a, problem);
	if (!err && c->blocks)
		err =
		    write_file(c, r, "resident.pb.gz", allocations_write_pprof, c->pages, problem);
	return err;
}

/* Beside the heap pages are the second source: what they came to stands in an object of its own. */
static int set_resident(const struct allocations_collector *c, json_t *o)
{
	json_t *pages = json_object();
	uint64_t peak_ns, peak = resident_peak(c->resident, &peak_ns);

	if (!pages)
		return -ENOMEM;
	json_object_set_new(pages, "peak_bytes", json_integer(peak));
	json_object_set_new(pages, "peak_time_s", json_real(since_start(c, peak_ns) / 1e9));
	json_object_set_new(pages, "gap_bytes", json_integer(resident_gap_bytes(c->resident)));
	if (resident_manifest(c->resident, pages)) {
		json_decref(pages);
		return -ENOMEM;
	}
	return json_object_set_new(o, "resident", pages) ? -ENOMEM : 0;
}

static int manifest_fill(struct allocations_collector *c, json_t *o)
{
	bool told = heap_is_told(c);
	const struct allocations_facts facts = facts_of(c, !told);
	int err;

	json_object_set_new(o, "source", json_string(told ? "heap" : "resident"));
	json_object_set_new(o, "exact", json_boolean(facts.exact));
	json_object_set_new(o, "peak_bytes", json_integer(facts.peak_bytes));
	json_object_set_new(o, "peak_time_s", json_real(facts.peak_ns / 1e9));
	json_object_set_new(o, "gap_bytes", json_integer(facts.gap_bytes));
	if (c->o->cgroup && (c->pages || !build(c, true, &c->pages)))
		json_object_set_new(o, "held",
				    json_pack("{s:o,s:o}", "look",
					      usage_stacks_json(c->pages, USAGE_LOOK), "rss_peak",
					      usage_stacks_json(c->pages, USAGE_RSS_PEAK)));
	if (!told)
		return resident_manifest(c->resident, o);
	err = live_heap_manifest(c->heap, o);
	return err ? err : set_resident(c, o);
}

json_t *allocations_collector_manifest(void *self, json_t *limits)
{
	struct allocations_collector *c = self;
	json_t *o = json_object();

	if (!o)
		return NULL;
	resident_limits(c->resident, limits);
	if (c->heap)
		live_heap_limits(c->heap, limits);
	json_object_set_new(o, "status", json_string(json_array_size(limits) ? "limited" : "ok"));
	json_object_set(o, "limits", limits);
	if (manifest_fill(c, o)) {
		json_decref(o);
		return NULL;
	}
	return o;
}
