/* pages_private.h - what pages.c and pages_move.c share. */
#ifndef TASKDIAG_PAGES_PRIVATE_H
#define TASKDIAG_PAGES_PRIVATE_H

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "aggregate/blocks.h"
#include "aggregate/pages.h"
#include "bpf/sampling.h"

#define PAGE_END (1ULL << 52) /* of 4 KiB and 64 bits; their groups fit into the key of a block */

struct space {
	uint64_t id;
	struct blocks owners; /* sampled page → location; tag: its kind */
	UT_hash_handle hh;
};

struct pages {
	struct space *spaces;
	struct highwater *sums;
	uint64_t samples, steps;
	unsigned shift;
};

/* One event at a range of pages. */
struct range {
	struct space *space;
	uint64_t first, end;
	uint64_t rss, time_ns;
};

static inline bool within(const struct range *e, uint64_t page)
{
	return page >= e->first && page < e->end;
}

/* Groups that the range touches: [group_first, group_end). */
static inline uint64_t group_first(const struct pages *p, const struct range *e)
{
	return e->first >> p->shift;
}

static inline uint64_t group_end(const struct pages *p, const struct range *e)
{
	return e->end > e->first ? ((e->end - 1) >> p->shift) + 1 : group_first(p, e);
}

struct space *pages_space(const struct pages *p, uint64_t id); /* NULL: unknown */
/** As much of [first, first + count) as can be pages. */
struct range pages_range(struct space *s, uint64_t first, uint64_t count, uint64_t rss,
			 uint64_t time_ns);
/** Gives sampled @page its owner; @replace: also where it has one. The location is known. 0,
 * -ENOMEM, -ENOSPC. */
int pages_own(struct pages *p, uint64_t page, uint32_t location, unsigned kind, bool replace,
	      const struct range *e);
typedef void pages_owned_fn(struct pages *p, struct block *owner, const struct range *e,
			    void *context);
/** Calls @fn for each owned sample of the range; it may remove that one. */
void pages_each_owned(struct pages *p, const struct range *e, pages_owned_fn *fn, void *context);
void pages_die_within(struct pages *p, const struct range *e);

#endif
