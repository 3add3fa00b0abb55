/* replay.c - see replay.h. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "preload/region.h"
#include "replay.h"

#define RANGES 65536

static void *need(void *p)
{
	if (!p) {
		perror("shim_observer");
		exit(125);
	}
	return p;
}

void replay_init(struct replay *r)
{
	memset(r, 0, sizeof(*r));
	r->slots = 1 << 16;
	r->blocks = need(calloc(r->slots, sizeof(*r->blocks)));
	r->ranges = need(calloc(RANGES, sizeof(*r->ranges)));
}

void replay_drop(struct replay *r)
{
	free(r->blocks);
	free(r->ranges);
}

bool is_tagged(uint64_t bytes)
{
	return bytes > 13 && bytes % 1009 == 13;
}

static struct block *find(struct replay *r, uint64_t address)
{
	size_t i = (address >> 4) * 0x9e3779b97f4a7c15ULL % r->slots;

	while (r->blocks[i].address && r->blocks[i].address != address)
		i = (i + 1) % r->slots;
	return &r->blocks[i];
}

static void insert(struct replay *r, struct block b)
{
	struct block *slot;

	if (r->used * 2 > r->slots) {
		struct block *old = r->blocks;
		size_t slots = r->slots;

		r->slots *= 2;
		r->used = 0;
		r->blocks = need(calloc(r->slots, sizeof(*r->blocks)));
		for (size_t i = 0; i < slots; i++)
			if (old[i].live)
				insert(r, old[i]);
		free(old);
	}
	slot = find(r, b.address);
	r->used += !slot->address;
	*slot = b;
}

static void grow(struct totals *t, uint64_t bytes)
{
	t->live += bytes;
	t->allocations++;
	if (t->live > t->peak)
		t->peak = t->live;
}

static void take(struct replay *r, uint64_t address)
{
	struct block *b = find(r, address);

	if (!b->live) {
		r->unknown++;
		return;
	}
	r->all.live -= b->bytes;
	if (is_tagged(b->bytes))
		r->tagged.live -= b->bytes;
	b->live = false;
	r->frees++;
}

static void add(struct replay *r, const struct event *e, bool sampled)
{
	struct block b = { e->words[0] & REGION_ADDRESS, e->words[1], true };
	double weight = 1;

	if (find(r, b.address)->live) {
		take(r, b.address);
		r->duplicates++;
	}
	insert(r, b);
	grow(&r->all, b.bytes);
	if (is_tagged(b.bytes))
		grow(&r->tagged, b.bytes);
	if (!sampled)
		return;
	weight = 1 / -expm1(-((double)b.bytes + 1) / (double)e->words[2]);
	r->estimate += weight * (double)b.bytes;
	if (is_tagged(b.bytes))
		r->tagged_estimate += weight * (double)b.bytes;
}

static void add_range(struct replay *r, uint64_t start, uint64_t end)
{
	if (r->range_count == RANGES || end <= start)
		return;
	r->ranges[r->range_count++] = (struct range){ start, end };
	r->mapped.live += end - start;
}

static void unmap(struct replay *r, uint64_t start, uint64_t bytes)
{
	uint64_t end = start + ((bytes + 4095) & -4096UL);

	r->taken = 0;
	r->undo_range = (struct range){ 0 };
	for (size_t i = 0; i < r->range_count;) {
		struct range old = r->ranges[i];

		if (old.end <= start || old.start >= end) {
			i++;
			continue;
		}
		r->ranges[i] = r->ranges[--r->range_count];
		r->mapped.live -= old.end - old.start;
		add_range(r, old.start, start < old.start ? old.start : start);
		add_range(r, end > old.end ? old.end : end, old.end);
		r->undo_range.start = old.start > start ? old.start : start;
		r->undo_range.end = old.end < end ? old.end : end;
		r->taken += r->undo_range.end - r->undo_range.start;
		i = 0;
	}
}

static void map(struct replay *r, const struct event *e)
{
	uint64_t start = e->words[0] & REGION_ADDRESS,
		 end = start + ((e->words[1] + 4095) & -4096UL);

	if (e->words[0] >> 56 == REGION_BY_MREMAP && !r->taken)
		return;
	r->taken = 0;
	add_range(r, start, end);
	r->mapped.allocations++;
	if (r->mapped.live > r->mapped.peak)
		r->mapped.peak = r->mapped.live;
}

static void undo(struct replay *r, uint64_t address)
{
	struct block *b = find(r, address);

	r->undone++;
	if (b->address && !b->live) {
		b->live = true;
		r->all.live += b->bytes;
		r->tagged.live += is_tagged(b->bytes) ? b->bytes : 0;
		r->frees--;
	} else if (r->undo_range.end) {
		add_range(r, r->undo_range.start, r->undo_range.end);
	}
	r->taken = 0;
}

void replay_event(struct replay *r, const struct event *e, bool sampled)
{
	switch (e->kind) {
	case REGION_ALLOC:
		add(r, e, sampled);
		break;
	case REGION_FREE:
		take(r, e->words[0] & REGION_ADDRESS);
		break;
	case REGION_MAP:
		map(r, e);
		break;
	case REGION_UNMAP:
		unmap(r, e->words[0] & REGION_ADDRESS, e->words[1]);
		break;
	case REGION_UNDO:
		undo(r, e->words[0]);
		break;
	}
}
