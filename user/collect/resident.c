/* resident.c - see resident.h */
#include "collect/resident.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uthash.h>

#include "aggregate/intern.h"
#include "aggregate/pages.h"
#include "bpf/sampling.h"
#include "collect/pagemap.h"
#include "collect/stack_build.h"
#include "collect/stacks.h"
#include "lib/clock.h"

#define THREADS_MAX 16384 /* told apart; all further ones are one */
#define SCAN_NS (2 * NS_PER_S)
#define NO_NAME UINT32_MAX

/* How coarse, from which RSS on. */
static const struct {
	uint64_t rss_bytes;
	unsigned shift;
} shifts[] = { { 0, 4 }, { 256ULL << 20, 6 }, { 8ULL << 30, 8 } };

static const enum allocator allocators[] = { [PAGE_FILE] = ALLOCATOR_PAGE_FILE,
					     [PAGE_ANON] = ALLOCATOR_PAGE_ANON,
					     [PAGE_SHMEM] = ALLOCATOR_PAGE_SHMEM };

struct thread_key {
	uint64_t start_ns;
	uint32_t tgid, tid;
};

struct page_thread {
	struct thread_key key;
	uint32_t pid;
	char process[NAME_BYTES], name[NAME_BYTES];
};

struct location_key {
	uint32_t node;	 /* of the raw tree of stacks */
	uint32_t thread; /* number of a page_thread */
	uint32_t kind;	 /* enum page_kind */
	uint32_t name;	 /* of a mapping: it was there before us; NO_NAME */
};

struct location {
	struct location_key key;
	uint64_t born; /* pages, ever */
};

/* An address space of which something is known. */
struct space {
	uint64_t image;
	struct thread_key process; /* tid is that of the first thread */
	uint32_t pid;
	UT_hash_handle hh;
};

/* A process that was there before us: its pages have to be looked for. */
struct found {
	uint32_t tgid;
	UT_hash_handle hh;
};

struct resident {
	const struct observation *o;
	struct pages *pages;
	struct intern locations, threads;
	struct strings names;
	struct space *spaces;
	struct found *founds;
	uint64_t births, stackless, failed;
	uint64_t page_bytes, rss_pages;
	uint64_t peak_bytes, peak_ns;	      /* of the kernel's own count */
	uint64_t end_pages, phantom, unowned; /* of the scan at the end, sampled ones scaled */
	bool end_scan;
	int scan_err; /* of a scan at the start */
};

struct resident *resident_new(const struct observation *o)
{
	struct resident *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->o = o;
	r->pages = pages_new(shifts[0].shift);
	r->page_bytes = sysconf(_SC_PAGESIZE);
	intern_init(&r->locations, sizeof(struct location), sizeof(struct location_key));
	intern_init(&r->threads, sizeof(struct page_thread), sizeof(struct thread_key));
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

static void found_forget(struct resident *r, uint32_t tgid)
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
		found_forget(r, r->founds->tgid);
	pages_free(r->pages);
	intern_clear(&r->locations);
	intern_clear(&r->threads);
	strings_clear(&r->names);
	free(r);
}

static void name_copy(char *to, const char *from)
{
	size_t length = strnlen(from, NAME_BYTES - 1);

	memmove(to, from, length);
	to[length] = 0;
}

/* INTERN_NONE: no memory. */
static uint32_t thread_of(struct resident *r, const struct thread_key *key, uint32_t pid,
			  const char *name)
{
	const struct process *p = processes_find(r->o->processes, key->tgid, key->start_ns);
	bool full = r->threads.count >= THREADS_MAX;
	const struct thread_key others = {};
	uint32_t number = intern_add(&r->threads, full ? &others : key);
	struct page_thread *t;

	if (number == INTERN_NONE)
		return number;
	t = intern_at(&r->threads, number);
	t->pid = full ? 0 : pid;
	name_copy(t->process, full ? "[others]" : p ? p->name : t->process);
	name_copy(t->name, full ? "[others]" : name);
	return number;
}

static struct space *space_of(struct resident *r, uint64_t image, const struct thread_key *process,
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

static uint32_t location_of(struct resident *r, const struct location_key *key)
{
	return key->thread == INTERN_NONE ? INTERN_NONE : intern_add(&r->locations, key);
}

static void on_born(struct resident *r, const struct pages_event *e)
{
	const struct thread_key thread = { e->h.start_ns, e->h.tgid, e->tid };
	enum page_kind kind = e->kind == 0 ? PAGE_FILE : e->kind == 1 ? PAGE_ANON : PAGE_SHMEM;
	const struct location_key key = {
		.node = e->stack ? stacks_node(r->o->stacks->tree, e->stack) : STACKS_ROOT,
		.thread = thread_of(r, &thread, e->h.pid, e->name),
		.kind = kind,
		.name = NO_NAME,
	};
	uint32_t location = location_of(r, &key);
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
	int err = space_of(r, e->image, &process, e->h.pid) ? 0 : -ENOMEM;

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

	found_forget(r, e->h.tgid);
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
	uint32_t location = key.name == INTERN_NONE ? INTERN_NONE : location_of(b->r, &key);

	if (location == INTERN_NONE || pages_found(b->r->pages, b->space->image, area->first,
						   area->count, location, area->kind, 0, 0))
		b->r->failed++;
}

static void scan_before(struct resident *r, const struct process_sample *p)
{
	const struct thread_key key = { p->start_ns, p->tgid, p->pid };
	const struct space *s = space_of(r, p->image, &key, p->pid);
	struct before b = { .r = r, .space = s };
	int err;

	found_forget(r, p->tgid);
	b.thread = s ? thread_of(r, &key, p->pid, p->name) : INTERN_NONE;
	err = b.thread == INTERN_NONE ? -ENOMEM : pagemap_scan(p->pid, SCAN_NS, on_before, &b);
	if (err && err != -ESRCH)
		r->scan_err = err;
}

void resident_sample(struct resident *r, const struct sample_header *h)
{
	const struct process_sample *p = (const struct process_sample *)h;
	struct found *f;

	if (h->type == SAMPLE_TASK && h->size == sizeof(struct task_sample))
		r->rss_pages = ((const struct task_sample *)h)->rss_bytes / r->page_bytes;
	if (h->type != SAMPLE_PROCESS || h->size != sizeof(*p) || !p->image || r->o->end_ns)
		return;
	HASH_FIND(hh, r->founds, &p->tgid, sizeof(p->tgid), f);
	if (f)
		scan_before(r, p);
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

uint64_t resident_peak(const struct resident *r, uint64_t *ret_ns)
{
	uint64_t ns = 0, bytes = pages_peak(r->pages, &ns) * r->page_bytes;
	bool fell = r->peak_bytes >= bytes; /* the kernel's word comes with a fall after it */

	*ret_ns = fell ? r->peak_ns : ns;
	return fell ? r->peak_bytes : bytes;
}

uint64_t resident_gap_bytes(const struct resident *r)
{
	return r->page_bytes << pages_shift(r->pages);
}

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

/* Processes and threads of the tree, in the order of our threads. */
static int add_threads(struct resident *r, struct profile *p, uint32_t **ret)
{
	uint32_t *numbers = calloc(r->threads.count ? r->threads.count : 1, sizeof(*numbers));

	if (!numbers)
		return -ENOMEM;
	*ret = numbers;
	for (uint32_t i = 0; i < r->threads.count; i++) {
		const struct page_thread *t = intern_at(&r->threads, i);
		char name[NAME_BYTES + 16];
		uint32_t process = PROFILE_NONE;

		snprintf(name, sizeof(name), "%s-%u", t->process, t->pid);
		for (size_t k = 0; k < profile_process_count(p); k++)
			if (profile_process_at(p, k)->pid == t->pid &&
			    !strcmp(profile_process_at(p, k)->name, name))
				process = k;
		if (process == PROFILE_NONE)
			process = profile_process(
			    p, &(struct profile_process){ .name = name, .pid = t->pid });
		if (process == PROFILE_NONE)
			return -ENOMEM;
		numbers[i] =
		    profile_thread(p, &(struct profile_thread){
					  .name = t->name, .process = process, .tid = t->key.tid });
		if (numbers[i] == PROFILE_NONE)
			return -ENOMEM;
	}
	return 0;
}

int resident_entries(struct resident *r, struct stack_build *b, struct allocations *a)
{
	uint32_t *threads = NULL;
	int err = add_threads(r, allocations_tree(a), &threads);

	for (uint32_t i = 0; !err && i < r->locations.count; i++) {
		const struct location *l = intern_at(&r->locations, i);
		struct highwater_amount held = pages_held(r->pages, i);
		struct allocation_entry e = {
			.thread = threads[l->key.thread],
			.allocator = allocators[l->key.kind],
			.peak = { held.bytes * r->page_bytes, held.bytes },
			.allocated = { l->born * r->page_bytes, l->born },
		};

		if (!held.bytes && !l->born)
			continue;
		e.stack = entry_stack(r, b, l);
		err = e.stack == PROFILE_NO_STACK ? -ENOMEM : allocations_add(a, &e);
	}
	free(threads);
	return err;
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
