/* pages.h - which location first touched each resident page of a task: births and deaths in, who
 * held what at the peak of RSS out.
 *
 *   birth, death, move, fork ──► sampled pages (space + page → location) ──► highwater
 *
 * One page of each aligned group of 2^shift pages stands for the group (stratified sampling): a
 * pure function of its number, page_sampled() in bpf/sampling.h, says whether it is that page, so
 * that the kernel side, a scan and this table agree without any state between them. The samples of
 * shift + 1 are among those of shift: sampling may become coarser while the run goes on. The peak
 * is that of the RSS that the caller tells with every event, not of what is sampled.
 *
 * An event costs the groups of its range, or the samples of its space where these are fewer; a
 * birth at most 4 Mi. 24 bytes a sample, 38 with the room that its table needs (46 below 2^18).
 * Pure.
 */
#ifndef TASKDIAG_PAGES_H
#define TASKDIAG_PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "aggregate/highwater.h"

/* Pages of files and shared memory are not copied by fork: they come back by faults of their own.
 */
enum page_kind { PAGE_FILE, PAGE_ANON, PAGE_SHMEM };

struct pages;

/** @shift: 0 … SAMPLING_SHIFT_MAX. NULL with errno set (EINVAL, ENOMEM). */
struct pages *pages_new(unsigned shift);
void pages_free(struct pages *p); /* NULL is fine */

/* Pages [first, first + count) of @space, those below 2^52; @rss_before: RSS of the task before
 * this, in pages. All return 0; -ENOMEM; -ENOSPC beyond 4 Mi samples: sample coarser. Then they
 * have taken what they could. */
int pages_born(struct pages *p, uint64_t space, uint64_t first, uint64_t count, uint32_t location,
	       enum page_kind kind, uint64_t rss_before, uint64_t time_ns);
/** Only those that have no owner: a scan has found them. */
int pages_found(struct pages *p, uint64_t space, uint64_t first, uint64_t count, uint32_t location,
		enum page_kind kind, uint64_t rss_before, uint64_t time_ns);
int pages_died(struct pages *p, uint64_t space, uint64_t first, uint64_t count, uint64_t rss_before,
	       uint64_t time_ns);
/** mremap: owners go along, also where the places overlap; what was at the new place is gone. The
 * samples of the new place are others: each has the owner of the group that its page was in, and at
 * the edges, where the sample of that group is not in the range, of the nearest whose sample is;
 * of the group itself where none is. */
int pages_moved(struct pages *p, uint64_t space, uint64_t first, uint64_t count, uint64_t to,
		uint64_t rss_before, uint64_t time_ns);
/** @child has a copy of the anonymous pages of @parent, and nothing else. */
int pages_forked(struct pages *p, uint64_t parent, uint64_t child, uint64_t rss_before,
		 uint64_t time_ns);
void pages_dropped(struct pages *p, uint64_t space, uint64_t rss_before, uint64_t time_ns);

/** Coarser from now on. What was held at the peak stays. 0; -EINVAL: @shift is below the present
 * one or above the largest. */
int pages_coarsen(struct pages *p, unsigned shift);
unsigned pages_shift(const struct pages *p);

/** The location of a sampled page; UINT32_MAX: none, or not a sampled page. */
uint32_t pages_owner(const struct pages *p, uint64_t space, uint64_t page);
/** Calls @fn for each sampled page of @space that has an owner, in no order. */
void pages_each(const struct pages *p, uint64_t space,
		void (*fn)(void *context, uint64_t page, uint32_t location), void *context);
size_t pages_samples(const struct pages *p); /* that have an owner, of all spaces */
/** Groups and slots that changes have looked at so far: what the work was. */
uint64_t pages_steps(const struct pages *p);

uint64_t pages_peak(const struct pages *p, uint64_t *ret_time_ns); /* of RSS, in pages */
void pages_reached(struct pages *p, uint64_t rss, uint64_t time_ns);
size_t pages_locations(const struct pages *p);
/** bytes: in pages, scaled to all; count: of samples. held: at the peak. */
struct highwater_amount pages_held(const struct pages *p, uint32_t location);
struct highwater_amount pages_live(const struct pages *p, uint32_t location);
/** What is resident now is to be kept beside what was at the peak, in place of a moment before. */
void pages_mark(struct pages *p);
int64_t pages_marked(const struct pages *p, uint32_t location); /* in pages, an estimate */

#endif
