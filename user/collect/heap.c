/* heap.c - see heap.h: the records, and when rings are read. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "collect/heap_private.h"
#include "lib/clock.h"

#define MARK_EVERY_NS (50 * NS_PER_MS)
#define FULL_WAIT_US 1000000 /* a thread waits for us before an event is lost */

struct live_heap *live_heap_new(const struct observation *o)
{
	struct live_heap *h = calloc(1, sizeof(*h));

	if (!h)
		return NULL;
	h->o = o;
	intern_init(&h->locations, sizeof(struct heap_location_key),
		    sizeof(struct heap_location_key));
	intern_init(&h->stacks, sizeof(struct live_stack), sizeof(struct live_stack));
	thread_table_init(&h->threads, o);
	h->next_ns = UINT64_MAX;
	h->heap = heap_new();
	h->regions = regions_new();
	if (!h->heap || !h->regions) {
		live_heap_free(h);
		errno = ENOMEM;
		return NULL;
	}
	regions_mark(h->regions); /* the first pair of the two clocks: records may come before
				   * anything is read */
	return h;
}

void live_heap_free(struct live_heap *h)
{
	struct live_process *p, *next;

	if (!h)
		return;
	HASH_ITER (hh, h->processes, p, next)
		live_process_free(h, p);
	while (h->spaces)
		live_space_free(h, h->spaces);
	regions_free(h->regions);
	heap_free(h->heap);
	intern_clear(&h->locations);
	intern_clear(&h->stacks);
	thread_table_clear(&h->threads);
	free(h);
}

static void on_region(struct live_heap *h, const struct event_header *header)
{
	const struct region_event *e = (const struct region_event *)header;
	const struct region_wish wish = {
		.mode = h->o->sample_bytes ? REGION_SAMPLED : REGION_EXACT,
		.flags = (h->o->heap_oracle ? REGION_ORACLE : 0) | (h->thin_ns ? REGION_THIN : 0),
		.gap_bytes = h->thin_ns ? THIN_GAP_BYTES : h->o->sample_bytes,
		.full_wait_us = FULL_WAIT_US,
	};
	struct live_process *p = live_process(h, header, true);
	struct source *source;

	h->wanted = true;
	h->regions_seen++;
	if (!p) {
		h->failed++;
		return;
	}
	p->greeted = true;
	if (regions_add(h->regions, (pid_t)e->h.pid, e->address, e->bytes, &wish, &source,
			&h->problem)) {
		h->regions_refused++;
		return;
	}
	live_space_add(h, p, source, header);
}

static void on_process(struct live_heap *h, const struct event_header *header)
{
	const struct process_event *e = (const struct process_event *)header;
	struct live_process *parent = live_process_of(h, e->parent_tgid);
	struct live_process *p = live_process(h, header, true);

	if (!p) {
		h->failed++;
		return;
	}
	memcpy(p->name, e->name, sizeof(p->name));
	p->name[sizeof(p->name) - 1] = 0;
	if (parent && parent != p && !p->space && !p->fork && !live_called(h))
		live_fork_begin(h, p, parent);
}

static void on_exec(struct live_heap *h, const struct event_header *header)
{
	const struct process_event *e = (const struct process_event *)header;
	struct live_process *p = live_process(h, header, true);

	h->wanted = true;
	if (!p) {
		h->failed++;
		return;
	}
	live_process_end(h, p, header->time_ns, false);
	memcpy(p->name, e->name, sizeof(p->name));
	p->name[sizeof(p->name) - 1] = 0;
	p->executed = true;
	p->greeted = false;
}

static void on_end(struct live_heap *h, const struct event_header *header)
{
	struct live_process *p = live_process(h, header, false);

	if (!p)
		return;
	h->wanted |= p->space != NULL;
	live_process_end(h, p, header->time_ns, true);
	live_process_free(h, p);
}

static void on_stack(struct live_heap *h, const struct event_header *header)
{
	struct live_space *s = live_space_of(h, live_process(h, header, false));

	if (s)
		live_token_add(h, s, (const struct heap_stack_event *)header);
}

static void on_flush(struct live_heap *h, const struct event_header *header)
{
	(void)header;
	h->wanted = true;
}

static void on_block(struct live_heap *h, const struct event_header *header)
{
	struct live_space *s = live_space_of(h, live_process(h, header, false));

	if (s)
		live_sampled(h, s, (const struct heap_block_event *)header);
	else
		h->late_after_end += header->type == EV_HEAP_ALLOC;
}

static void on_calls(struct live_heap *h, const struct event_header *header)
{
	live_calls_record(h, (const struct heap_calls_event *)header);
}

/* EV_IMAGE_END says nothing that EV_EXEC and EV_EXIT do not, and may come after the next program
 * of the process has greeted us. */
static void (*const on_record[])(struct live_heap *h, const struct event_header *e) = {
	[EV_PROCESS] = on_process,  [EV_EXEC] = on_exec,	[EV_EXIT] = on_end,
	[EV_REGION] = on_region,    [EV_HEAP_STACK] = on_stack, [EV_HEAP_FLUSH] = on_flush,
	[EV_HEAP_ALLOC] = on_block, [EV_HEAP_FREE] = on_block,	[EV_HEAP_CALLS] = on_calls,
	[EV_LEAVE] = on_end,
};

void live_heap_record(struct live_heap *h, const struct event_header *e)
{
	if (h->ended || e->type >= sizeof(on_record) / sizeof(on_record[0]) || !on_record[e->type])
		return;
	on_record[e->type](h, e);
}

bool live_heap_mark(struct live_heap *h)
{
	uint64_t now;

	if (!h->spaces || h->ended || live_called(h))
		return false;
	now = clock_boot_ns();
	if (!h->wanted && now - h->marked_ns < MARK_EVERY_NS)
		return false;
	h->marked_ns = now;
	h->wanted = false;
	live_memos_follow(h);
	regions_mark(h->regions);
	live_spaces_marked(h);
	return true;
}

void live_heap_take(struct live_heap *h)
{
	h->takes++;
	live_forks_copy(h);
	regions_take(h->regions, false, live_told, h);
	live_spaces_settle(h, false);
	live_heap_weigh(h);
}

void live_heap_end(struct live_heap *h)
{
	struct live_process *p, *next;

	if (h->ended)
		return;
	h->ended = true;
	regions_mark(h->regions);
	h->takes++;
	live_forks_copy(h);
	regions_take(h->regions, true, live_told, h);
	live_spaces_settle(h, true);
	HASH_ITER (hh, h->processes, p, next)
		live_process_free(h, p);
	while (h->spaces)
		live_space_free(h, h->spaces);
}

void live_heap_sample(struct live_heap *h, const struct sample_header *s)
{
	if (s->type == SAMPLE_TASK && s->size == sizeof(struct task_sample))
		h->curve.rss_bytes = ((const struct task_sample *)s)->rss_bytes;
}

bool live_heap_any(const struct live_heap *h)
{
	return h->spaces_seen > 0;
}

uint64_t live_heap_peak(const struct live_heap *h, uint64_t *ret_ns)
{
	return heap_peak_bytes(h->heap, ret_ns);
}

uint64_t live_heap_gap_bytes(const struct live_heap *h)
{
	return h->gap_bytes > h->o->sample_bytes ? h->gap_bytes : h->o->sample_bytes;
}
