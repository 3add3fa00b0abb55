/* pythons.c - see pythons.h */
#include "unwind/pythons.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "python/layout.h"

struct slot {
	uint32_t file;
	uint64_t bias;
	uint32_t refs;
	uint64_t idle_since; /* number of the give that left it; 0: never used */
	struct python_layout layout;
};

struct pythons {
	int map;
	struct slot slots[PYTHON_LAYOUTS_MAX]; /* 0 is none */
	uint32_t used;			       /* slots that ever were in use */
	uint32_t serials;
	uint64_t gives, refused;
	uint64_t counts[PYTHON_COUNTS]; /* of layouts that are gone, and of walks from outside */
	char problem[160];
};

int pythons_new(int map, struct pythons **ret)
{
	struct pythons *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->map = map;
	*ret = p;
	return 0;
}

void pythons_free(struct pythons *p)
{
	free(p);
}

/* What the kernel has counted is in its copy only. */
static void counts_add(const struct pythons *p, uint32_t number, uint64_t ret[PYTHON_COUNTS])
{
	struct python_layout layout;

	if (p->map < 0 || bpf_map_lookup_elem(p->map, &number, &layout))
		return;
	for (int i = 0; i < PYTHON_COUNTS; i++)
		ret[i] += layout.counts[i];
}

/* One that was never used, else the one that has rested longest. 0: all are in use. */
static uint32_t slot_free(struct pythons *p)
{
	uint32_t best = 0;

	if (p->used + 1 < PYTHON_LAYOUTS_MAX)
		return ++p->used;
	for (uint32_t i = 1; i < PYTHON_LAYOUTS_MAX; i++)
		if (!p->slots[i].refs &&
		    (!best || p->slots[i].idle_since < p->slots[best].idle_since))
			best = i;
	if (best)
		counts_add(p, best, p->counts);
	return best;
}

static uint32_t slot_find(const struct pythons *p, uint32_t file, uint64_t bias)
{
	for (uint32_t i = 1; i <= p->used; i++)
		if (p->slots[i].file == file && p->slots[i].bias == bias)
			return i;
	return 0;
}

uint32_t pythons_take(struct pythons *p, uint32_t file, const struct inspect_python *facts,
		      uint64_t bias)
{
	uint32_t number = slot_find(p, file, bias);
	struct python_layout layout;
	struct slot *slot;

	if (number) {
		p->slots[number].refs++;
		return number;
	}
	if (python_layout(facts, bias, &layout, p->problem, sizeof(p->problem)))
		return 0;
	number = slot_free(p);
	if (!number) {
		p->refused++;
		return 0;
	}
	layout.serial = ++p->serials;
	memset(layout.counts, 0, sizeof(layout.counts));
	slot = &p->slots[number];
	*slot = (struct slot){ .file = file, .bias = bias, .refs = 1, .layout = layout };
	if (p->map >= 0 && bpf_map_update_elem(p->map, &number, &layout, BPF_ANY)) {
		slot->file = slot->refs = 0;
		p->refused++;
		return 0;
	}
	return number;
}

void pythons_unknown(struct pythons *p, const char *cause)
{
	snprintf(p->problem, sizeof(p->problem), "%s", cause);
}

void pythons_give(struct pythons *p, uint32_t number)
{
	struct slot *slot = number && number < PYTHON_LAYOUTS_MAX ? &p->slots[number] : NULL;

	if (slot && slot->refs && !--slot->refs)
		slot->idle_since = ++p->gives;
}

const struct python_layout *pythons_at(const struct pythons *p, uint32_t number)
{
	return number && number <= p->used && p->slots[number].file ? &p->slots[number].layout
								    : NULL;
}

const char *pythons_problem(const struct pythons *p)
{
	return *p->problem ? p->problem : NULL;
}

uint64_t pythons_refused(const struct pythons *p)
{
	return p->refused;
}

void pythons_counts(const struct pythons *p, uint64_t ret[PYTHON_COUNTS])
{
	memcpy(ret, p->counts, sizeof(p->counts));
	for (uint32_t i = 1; i <= p->used; i++)
		counts_add(p, i, ret);
}

void pythons_count(struct pythons *p, uint32_t which)
{
	if (which < PYTHON_COUNTS)
		p->counts[which]++;
}
