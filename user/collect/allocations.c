/* allocations.c - see allocations.h */
#include "collect/allocations.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "artifact/allocations_files.h"
#include "collect/resident.h"
#include "collect/stack_build.h"
#include "collect/stacks.h"
#include "lib/clock.h"

struct allocations_collector {
	const struct observation *o;
	struct resident *resident;
	struct allocations *result; /* NULL until it is built */
};

void *allocations_collector_new(const struct observation *o)
{
	struct allocations_collector *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->o = o;
	c->resident = resident_new(o);
	if (!c->resident) {
		free(c);
		return NULL;
	}
	return c;
}

void allocations_collector_free(void *self)
{
	struct allocations_collector *c = self;

	resident_free(c->resident);
	allocations_free(c->result);
	free(c);
}

void allocations_collector_record(void *self, const struct event_header *h)
{
	struct allocations_collector *c = self;

	resident_record(c->resident, h);
}

void allocations_collector_sample(void *self, const struct sample_header *h)
{
	struct allocations_collector *c = self;

	resident_sample(c->resident, h);
}

unsigned allocations_collector_shift(void *self)
{
	struct allocations_collector *c = self;

	return resident_shift(c->resident);
}

void allocations_collector_totals(void *self, uint64_t peak_bytes, uint64_t peak_ns, uint64_t epoch)
{
	struct allocations_collector *c = self;

	(void)epoch;
	resident_end(c->resident, peak_bytes, peak_ns);
}

static uint64_t since_start(const struct allocations_collector *c, uint64_t time_ns)
{
	return time_ns > c->o->start_ns ? time_ns - c->o->start_ns : 0;
}

static int build(struct allocations_collector *c)
{
	uint64_t peak_ns, peak = resident_peak(c->resident, &peak_ns);
	const struct process *first = processes_first(c->o->processes);
	const struct allocations_facts facts = {
		.resident = true,
		.gap_bytes = resident_gap_bytes(c->resident),
		.peak_bytes = peak,
		.peak_rss_bytes = peak,
		.peak_ns = since_start(c, peak_ns),
		.start_utc_ns = c->o->start_utc_ns,
		.duration_ns = since_start(c, c->o->end_ns),
		.command = c->o->command,
		.pid = first ? first->pid : 0,
		.python = c->o->stacks->python_stacks > 0,
	};
	struct stack_build *b = NULL;
	int err;

	c->result = allocations_new(&facts);
	if (!c->result)
		return -ENOMEM;
	err = stack_build_new(c->o->stacks, allocations_tree(c->result), &b);
	if (!err)
		err = resident_entries(c->resident, b, c->result);
	stack_build_free(b);
	if (err) {
		allocations_free(c->result);
		c->result = NULL;
	}
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

int allocations_collector_write(void *self, struct rundir *r, struct problem *problem)
{
	struct allocations_collector *c = self;
	const struct allocations_options options = { .memray_format = c->o->memray_format };
	int err = c->result ? 0 : build(c);

	if (err)
		return problem_set(problem, err, "put the allocations together: %s",
				   strerror(-err));
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		FILE *file = rundir_begin(r, files[i].name, problem);

		if (!file)
			return -EIO;
		err = files[i].write(c->result, &options, file);
		if (rundir_end(r, file, problem))
			return -EIO;
		if (err)
			return problem_set(problem, err, "write %s: %s", files[i].name,
					   strerror(-err));
	}
	return 0;
}

json_t *allocations_collector_manifest(void *self, json_t *limits)
{
	struct allocations_collector *c = self;
	uint64_t peak_ns, peak = resident_peak(c->resident, &peak_ns);
	json_t *o = json_object();

	if (!o)
		return NULL;
	resident_limits(c->resident, limits);
	json_object_set_new(o, "status", json_string(json_array_size(limits) ? "limited" : "ok"));
	json_object_set(o, "limits", limits);
	json_object_set_new(o, "source", json_string("resident"));
	json_object_set_new(o, "exact", json_false());
	json_object_set_new(o, "peak_bytes", json_integer(peak));
	json_object_set_new(o, "peak_time_s", json_real(since_start(c, peak_ns) / 1e9));
	json_object_set_new(o, "gap_bytes", json_integer(resident_gap_bytes(c->resident)));
	if (resident_manifest(c->resident, o)) {
		json_decref(o);
		return NULL;
	}
	return o;
}
