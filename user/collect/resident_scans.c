/* resident_scans.c - what pagemap has: pages that were there before us, and at the end those
 * without an owner, and owners without a page. */
#include <errno.h>

#include "bpf/sampling.h"
#include "collect/pagemap.h"
#include "collect/resident_private.h"
#include "collect/stacks.h"
#include "lib/clock.h"

#define SCAN_NS (2 * NS_PER_S)

struct before {
	struct resident *r;
	const struct space *space;
	uint32_t thread;
};

/* Pages that were resident before us. */
static void on_before(void *context, const struct pagemap_area *area)
{
	const struct before *b = context;
	struct location_key key = { .node = STACKS_ROOT,
				    .thread = b->thread,
				    .kind = area->kind,
				    .name = strings_add(&b->r->names, area->mapping) };
	uint32_t location = key.name == INTERN_NONE ? INTERN_NONE : resident_location(b->r, &key);

	if (location == INTERN_NONE || pages_found(b->r->pages, b->space->image, area->first,
						   area->count, location, area->kind, 0, 0))
		b->r->failed++;
}

static void scan_before(struct resident *r, const struct process_sample *p)
{
	const struct thread_key key = { p->start_ns, p->tgid, p->pid };
	const struct space *s = resident_space(r, p->image, &key, p->pid);
	struct before b = { .r = r, .space = s };
	int err;

	resident_found_forget(r, p->tgid);
	b.thread = s ? thread_table_get(&r->threads, &key, p->pid, p->name) : INTERN_NONE;
	err = b.thread == INTERN_NONE ? -ENOMEM : pagemap_scan(p->pid, SCAN_NS, on_before, &b);
	if (err && err != -ESRCH)
		r->scan_err = err;
}

static void on_task(struct resident *r, const struct task_sample *t)
{
	r->rss_pages = t->rss_bytes / r->page_bytes;
	r->curve.rss_bytes = t->rss_bytes;
	live_curve_see(&r->curve, t->time_ns, t->rss_bytes, t->interval_peak_bytes);
}

void resident_sample(struct resident *r, const struct sample_header *h)
{
	const struct process_sample *p = (const struct process_sample *)h;
	struct found *f;

	if (h->type == SAMPLE_TASK && h->size == sizeof(struct task_sample))
		on_task(r, (const struct task_sample *)h);
	if (h->type != SAMPLE_PROCESS || h->size != sizeof(*p) || !p->image || r->o->end_ns)
		return;
	HASH_FIND(hh, r->founds, &p->tgid, sizeof(p->tgid), f);
	if (f)
		scan_before(r, p);
}

struct last {
	struct resident *r;
	const struct space *space;
	uint64_t owned;
};

/* Which of the sampled pages that are resident have an owner. */
static void on_last(void *context, const struct pagemap_area *area)
{
	unsigned shift;
	struct last *l = context;
	uint64_t end = area->first + area->count;

	shift = pages_shift(l->r->pages);
	l->r->end_pages += area->count;
	for (uint64_t group = area->first >> shift; group <= (end - 1) >> shift; group++) {
		uint64_t page = group_sample(group, shift);

		if (page < area->first || page >= end)
			continue;
		if (pages_owner(l->r->pages, l->space->image, page) == UINT32_MAX)
			l->r->unowned++;
		else
			l->owned++;
	}
}

static void count_owner(void *context, uint64_t page, uint32_t location)
{
	uint64_t *n = context;

	(void)page;
	(void)location;
	(*n)++;
}

void resident_end(struct resident *r, uint64_t peak_bytes, uint64_t peak_ns)
{
	r->peak_bytes = peak_bytes;
	r->peak_ns = peak_ns;
	pages_reached(r->pages, r->rss_pages, r->o->end_ns);
	for (struct space *s = r->spaces; s; s = s->hh.next) {
		struct last l = { .r = r, .space = s };
		uint64_t owners = 0;

		if (pagemap_scan(s->pid, SCAN_NS, on_last, &l))
			continue;
		pages_each(r->pages, s->image, count_owner, &owners);
		r->phantom += owners > l.owned ? owners - l.owned : 0;
		r->end_scan = true;
	}
}
