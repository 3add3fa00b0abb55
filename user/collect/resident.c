/* resident.c - see resident.h: the records of pages, and whose they are. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "collect/resident_private.h"
#include "collect/stacks.h"

/* How coarse, from which RSS on. */
static const struct {
	uint64_t rss_bytes;
	unsigned shift;
} shifts[] = { { 0, 4 }, { 256ULL << 20, 6 }, { 8ULL << 30, 8 } };

struct resident *resident_new(const struct observation *o)
{
	struct resident *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->o = o;
	r->pages = pages_new(shifts[0].shift);
	r->page_bytes = sysconf(_SC_PAGESIZE);
	intern_init(&r->locations, sizeof(struct location), sizeof(struct location_key));
	thread_table_init(&r->threads, o);
	strings_init(&r->names);
	if (!r->pages) {
		resident_free(r);
		return NULL;
	}
	return r;
}

static void space_forget(struct resident *r, struct space *s)
{
	HASH_DEL(r->spaces, s);
	free(s);
}

void resident_found_forget(struct resident *r, uint32_t tgid)
{
	struct found *f;

	HASH_FIND(hh, r->founds, &tgid, sizeof(tgid), f);
	if (!f)
		return;
	HASH_DEL(r->founds, f);
	free(f);
}

void resident_free(struct resident *r)
{
	if (!r)
		return;
	while (r->spaces)
		space_forget(r, r->spaces);
	while (r->founds)
		resident_found_forget(r, r->founds->tgid);
	pages_free(r->pages);
	intern_clear(&r->locations);
	thread_table_clear(&r->threads);
	strings_clear(&r->names);
	free(r);
}

struct space *resident_space(struct resident *r, uint64_t image, const struct thread_key *process,
			     uint32_t pid)
{
	struct space *s;

	HASH_FIND(hh, r->spaces, &image, sizeof(image), s);
	if (s)
		return s;
	s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	s->image = image;
	s->process = *process;
	s->pid = pid;
	HASH_ADD(hh, r->spaces, image, sizeof(s->image), s);
	return s;
}

uint32_t resident_location(struct resident *r, const struct location_key *key)
{
	return key->thread == INTERN_NONE ? INTERN_NONE : intern_add(&r->locations, key);
}

static void on_born(struct resident *r, const struct pages_event *e)
{
	const struct thread_key thread = { e->h.start_ns, e->h.tgid, e->tid };
	enum page_kind kind = e->kind == 0 ? PAGE_FILE : e->kind == 1 ? PAGE_ANON : PAGE_SHMEM;
	const struct location_key key = {
		.node = e->stack ? stacks_node(r->o->stacks->tree, e->stack) : STACKS_ROOT,
		.thread = thread_table_get(&r->threads, &thread, e->h.pid, e->name),
		.kind = kind,
		.name = NO_NAME,
	};
	uint32_t location = resident_location(r, &key);
	int err;

	r->births++;
	r->stackless += !e->stack;
	if (location == INTERN_NONE) {
		r->failed++;
		return;
	}
	((struct location *)intern_at(&r->locations, location))->born +=
	    e->count > 1 ? e->count : 1ULL << pages_shift(r->pages);
	err = e->change == PAGES_FILLED ? pages_found(r->pages, e->image, e->first, e->count,
						      location, kind, e->rss_pages, e->h.time_ns)
					: pages_born(r->pages, e->image, e->first, e->count,
						     location, kind, e->rss_pages, e->h.time_ns);
	r->failed += err != 0;
}

static void on_pages(struct resident *r, const struct pages_event *e)
{
	const struct thread_key process = { e->h.start_ns, e->h.tgid, e->h.tgid };
	int err = resident_space(r, e->image, &process, e->h.pid) ? 0 : -ENOMEM;

	switch (e->change) {
	case PAGES_BORN:
	case PAGES_FILLED:
		on_born(r, e);
		break;
	case PAGES_DIED:
		err =
		    pages_died(r->pages, e->image, e->first, e->count, e->rss_pages, e->h.time_ns);
		break;
	case PAGES_MOVED:
		err = pages_moved(r->pages, e->image, e->first, e->count, e->to, e->rss_pages,
				  e->h.time_ns);
		break;
	case PAGES_FORKED:
		err = pages_forked(r->pages, e->image, e->to, e->rss_pages, e->h.time_ns);
		break;
	}
	r->failed += err != 0;
	if (e->rss_pages > r->rss_pages)
		r->rss_pages = e->rss_pages;
}

static void on_process(struct resident *r, const struct process_event *e)
{
	struct found *f;

	resident_found_forget(r, e->h.tgid);
	if (e->h.type != EV_PROCESS || !(e->root & ROOT_FOUND))
		return;
	f = calloc(1, sizeof(*f));
	if (!f) {
		r->failed++;
		return;
	}
	f->tgid = e->h.tgid;
	HASH_ADD(hh, r->founds, tgid, sizeof(f->tgid), f);
}

static void on_image_end(struct resident *r, const struct image_event *e)
{
	struct space *s;

	pages_dropped(r->pages, e->image, 0, e->h.time_ns);
	HASH_FIND(hh, r->spaces, &e->image, sizeof(e->image), s);
	if (s)
		space_forget(r, s);
}

void resident_record(struct resident *r, const struct event_header *h)
{
	if (r->o->end_ns)
		return; /* what is still there has been looked at */
	switch (h->type) {
	case EV_PAGES:
		on_pages(r, (const struct pages_event *)h);
		break;
	case EV_PROCESS:
	case EV_EXEC:
		on_process(r, (const struct process_event *)h);
		break;
	case EV_IMAGE_END:
		on_image_end(r, (const struct image_event *)h);
		break;
	}
}

unsigned resident_shift(const struct resident *r)
{
	unsigned shift = pages_shift(r->pages);

	for (size_t i = 0; i < sizeof(shifts) / sizeof(shifts[0]); i++)
		if (r->rss_pages * r->page_bytes >= shifts[i].rss_bytes && shifts[i].shift > shift)
			shift = shifts[i].shift;
	if (shift != pages_shift(r->pages) && pages_coarsen(r->pages, shift))
		return pages_shift(r->pages);
	return shift;
}

uint64_t resident_peak(const struct resident *r, uint64_t *ret_ns)
{
	uint64_t ns = 0, bytes = pages_peak(r->pages, &ns) * r->page_bytes;
	bool fell = r->peak_bytes >= bytes; /* the kernel's word comes with a fall after it */

	*ret_ns = fell ? r->peak_ns : ns;
	return fell ? r->peak_bytes : bytes;
}

void resident_mark(struct resident *r)
{
	pages_mark(r->pages);
}

uint64_t resident_gap_bytes(const struct resident *r)
{
	return r->page_bytes << pages_shift(r->pages);
}
