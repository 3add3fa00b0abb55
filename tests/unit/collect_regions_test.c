/* collect_regions_test.c - the reader of the shims' shared memory; oracles: lists of what was
 * written into regions of the test's own, a lock's order, and a program that knows its heap. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/membarrier.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "collect/regions_private.h"
#include "lib/cleanup.h"
#include "tests/preload/replay.c"

#define RING_BYTES 4096
#define WORDS (RING_BYTES / 8)
#define BYTES region_bytes(RING_BYTES)
#define TOLD_MAX 200000
#define FUTURE (1ULL << 60)

static struct regions *all;
static bool trusted; /* the TSC, here */
static struct told told[TOLD_MAX];
static struct source *told_of[TOLD_MAX];
static size_t told_count;
/* A test's machine may be busy: threads rather wait than drop. */
static const struct region_wish exact = { .mode = REGION_EXACT, .full_wait_us = 10000000 };

static void tell(void *context, struct source *s, const struct told *event)
{
	(void)context;
	assert_true(told_count < TOLD_MAX);
	told_of[told_count] = s;
	told[told_count++] = *event;
}

static uint64_t take_events(bool everything)
{
	told_count = 0;
	return regions_take(all, everything, tell, NULL);
}

static uint64_t mark_and_take(void)
{
	regions_mark(all);
	return take_events(false);
}

static void fill_header(struct region *r, uint64_t id)
{
	*r = (struct region){
		.magic = REGION_MAGIC,
		.version = REGION_VERSION,
		.header_bytes = REGION_HEADER_BYTES,
		.bytes = BYTES,
		.rings = REGION_RINGS,
		.ring_bytes = RING_BYTES,
		.ring_offset = REGION_HEADER_BYTES,
		.ring_stride = REGION_EVENTS_OFFSET + RING_BYTES,
		.answers_offset = sizeof(struct region_ring),
		.events_offset = REGION_EVENTS_OFFSET,
		.id = id,
		.counter = 1,
	};
}

static struct region *make_region(uint64_t id)
{
	struct region *r =
	    mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(r, MAP_FAILED);
	fill_header(r, id);
	return r;
}

static int greet_region(struct region *r, struct source **ret)
{
	struct problem problem = { 0 };
	int err = regions_add(all, getpid(), (uint64_t)(uintptr_t)r, BYTES, &exact, ret, &problem);

	assert_int_equal(err != 0, problem.text[0] != 0);
	return err;
}

static struct source *added(struct region *r)
{
	struct source *s = NULL;

	assert_int_equal(greet_region(r, &s), 0);
	return s;
}

static struct region_ring *ring_of(struct region *r, uint32_t number)
{
	return (struct region_ring *)((char *)r + REGION_HEADER_BYTES +
				      number * (uint64_t)(REGION_EVENTS_OFFSET + RING_BYTES));
}

static struct region_ring *claim(struct region *r, uint32_t number)
{
	struct region_ring *ring = ring_of(r, number);

	ring->owner = 1000 + number;
	ring->claims++;
	return ring;
}

/* As the shim does it, but for busy_since. */
static void put(struct region_ring *ring, enum region_kind kind, uint64_t stamp, uint64_t a)
{
	uint64_t *words = (uint64_t *)((char *)ring + REGION_EVENTS_OFFSET);
	uint64_t event[4] = { stamp << 3 | kind, a, a + 1, a + 2 };

	for (uint64_t i = 0; i < region_event_words[kind]; i++)
		words[(ring->head + i) % WORDS] = event[i];
	ring->offered++;
	__atomic_store_n(&ring->head, ring->head + region_event_words[kind], __ATOMIC_RELEASE);
}

static struct source_counts counts_of(const struct source *s)
{
	struct source_counts c;

	regions_counts(s, &c);
	return c;
}

static int begin(void **state)
{
	(void)state;
	all = regions_new();
	if (!all)
		return -1;
	trusted = !all->counting_only;
	all->counting_only = false; /* the stamps of the test's own regions are small numbers */
	return 0;
}

static int end(void **state)
{
	(void)state;
	regions_free(all);
	return 0;
}

static void two_regions_are_told_in_the_order_of_stamps(void **state)
{
	struct region *regions[2] = { make_region(1), make_region(2) };
	struct source *sources[2] = { added(regions[0]), added(regions[1]) };
	uint64_t read[2][REGION_RINGS] = { 0 }, stamp = 1;

	(void)state;
	for (uint32_t i = 0; i < 2 * 16; i++)
		claim(regions[i % 2], i / 2 * 15);
	for (int i = 0; i < 1000; i++) {
		stamp += (uint64_t)i % 3 != 0; /* some are equal */
		put(ring_of(regions[i % 7 % 2], (uint32_t)(i * 31 % 16) * 15),
		    1 + (uint32_t)i % (REGION_KINDS - 1), stamp, (uint64_t)i * 10);
	}
	assert_int_equal(mark_and_take(), 1000);
	for (size_t i = 0; i < told_count; i++) {
		const struct told *e = &told[i];
		uint64_t n = e->words[0] / 10, *at = &read[told_of[i] == sources[1]][e->ring];

		assert_true(!i || e->stamp >= told[i - 1].stamp);
		assert_int_equal(e->kind, 1 + n % (REGION_KINDS - 1));
		assert_int_equal(e->ring, n * 31 % 16 * 15);
		assert_ptr_equal(told_of[i], sources[n % 7 % 2]);
		assert_int_equal(e->tid, 1000 + e->ring);
		*at += region_event_words[e->kind];
		assert_int_equal(e->head, *at);
		for (uint32_t k = 1; k < 3; k++)
			assert_int_equal(e->words[k],
					 k + 1 < region_event_words[e->kind] ? e->words[0] + k : 0);
	}
	for (uint32_t i = 0; i < 32; i++)
		assert_int_equal(ring_of(regions[i % 2], i / 2 * 15)->tail,
				 ring_of(regions[i % 2], i / 2 * 15)->head);
	assert_int_equal(counts_of(sources[0]).read + counts_of(sources[1]).read, 1000);
	assert_int_equal(counts_of(sources[0]).read, counts_of(sources[0]).offered);
	assert_int_equal(counts_of(sources[0]).late + counts_of(sources[1]).late, 0);
	assert_int_equal(mark_and_take(), 0);
	assert_ptr_equal(regions_find(all, 2), sources[1]);
	regions_remove(all, sources[0]);
	assert_null(regions_find(all, 1));
	assert_ptr_equal(regions_find(all, 2), sources[1]);
}

static void nothing_above_what_a_busy_ring_may_still_write_is_told(void **state)
{
	struct region *r = make_region(1), *other = make_region(2);
	struct region_ring *busy = claim(other, 0), *ring = claim(r, 0);
	struct source *s = added(r);

	(void)state;
	added(other);
	busy->busy_since = 50;
	put(ring, REGION_FREE, 40, 1);
	put(ring, REGION_FREE, 50, 2);
	assert_int_equal(mark_and_take(), 1);
	assert_int_equal(told[0].words[0], 1);
	assert_int_equal(ring->tail, 2);
	assert_false(regions_drained(s));
	put(busy, REGION_FREE, 50, 3);
	busy->busy_since = 0;
	put(ring, REGION_FREE, 60, 4);
	assert_int_equal(take_events(false), 0); /* nothing without a mark */
	assert_int_equal(mark_and_take(), 3);
	assert_int_equal(told[2].words[0], 4);
	assert_true(regions_drained(s));
}

static void a_ring_has_room_while_another_is_busy(void **state)
{
	struct region *r = make_region(1);
	struct region_ring *busy = claim(r, 0), *ring = claim(r, 1);
	struct source *s = added(r);
	uint64_t n = 0;

	(void)state;
	busy->busy_since = 10;
	for (int round = 0; round < 50; round++) {
		while (ring->head + 3 - ring->tail <= WORDS && n < 7000)
			put(ring, REGION_UNMAP, 100 + n, n * 3), n++;
		assert_int_equal(mark_and_take(), 0);
	}
	assert_int_equal(n, 7000); /* of the 170 that it holds */
	assert_int_equal(ring->tail, ring->head);
	busy->busy_since = 0;
	put(ring, REGION_UNMAP, 100 + n, n * 3);
	assert_int_equal(mark_and_take(), 7001);
	for (size_t i = 0; i < told_count; i++) {
		assert_int_equal(told[i].stamp, 100 + i);
		assert_int_equal(told[i].words[0], i * 3);
		assert_int_equal(told[i].words[1], i * 3 + 1);
	}
	busy->busy_since = 10;
	for (int round = 0; round < 2000; round++) {
		while (ring->head + 3 - ring->tail <= WORDS)
			put(ring, REGION_UNMAP, tsc_now(), n++);
		mark_and_take();
	}
	assert_in_range(n, 80000, 99999); /* bounded: it is full in the end */
	busy->busy_since = 0;
	mark_and_take();
	assert_int_equal(counts_of(s).read, counts_of(s).offered);
	assert_int_equal(counts_of(s).malformed + counts_of(s).late, 0);
	regions_remove(all, s);
	assert_int_equal(all->held_words, 0);
}

static void all_tells_what_is_above_the_horizon_too(void **state)
{
	struct region *r = make_region(1);
	struct region_ring *ring = claim(r, 0), *busy = claim(r, 1);
	struct source *s = added(r);

	(void)state;
	busy->busy_since = 10;
	put(ring, REGION_FREE, 40, 1);
	assert_int_equal(mark_and_take(), 0);
	assert_int_equal(take_events(true), 1);
	put(busy, REGION_FREE, 11, 2);
	busy->busy_since = 0;
	assert_int_equal(counts_of(s).late, 0);
	assert_int_equal(mark_and_take(), 1);
	assert_int_equal(counts_of(s).late, 1);
}

static void a_ring_that_stays_busy_is_given_up_and_what_it_tells_then_is_late(void **state)
{
	struct region *r = make_region(1);
	struct region_ring *ring = claim(r, 3), *stuck = claim(r, 200);
	struct source *s = added(r);

	(void)state;
	stuck->busy_since = 50;
	put(ring, REGION_FREE, 60, 1);
	assert_int_equal(mark_and_take(), 0);
	stuck->busy_since = 51; /* it crawls: a living one would be at the clock of the mark */
	assert_int_equal(mark_and_take(), 0);
	all->give_up_ns = 0;
	assert_int_equal(mark_and_take(), 1);
	put(stuck, REGION_FREE, 55, 2);
	assert_int_equal(mark_and_take(), 1);
	assert_int_equal(told[0].words[0], 2);
	assert_int_equal(counts_of(s).late, 1);
	all->give_up_ns = GIVE_UP_NS;
	stuck->busy_since = tsc_now(); /* it goes on, and counts again */
	put(ring, REGION_FREE, tsc_now(), 3);
	assert_int_equal(mark_and_take(), 0);
	stuck->busy_since = 0;
	assert_int_equal(mark_and_take(), 1);
	assert_int_equal(counts_of(s).late, 1);
}

static void a_process_that_is_gone_holds_up_nobody(void **state)
{
	struct region *r = make_region(1);
	struct source *s = added(r);

	(void)state;
	claim(r, 0)->busy_since = 10;
	put(claim(r, 1), REGION_FREE, 60, 1);
	assert_int_equal(mark_and_take(), 0);
	regions_gone(s);
	assert_int_equal(mark_and_take(), 1);
	assert_true(regions_drained(s));
}

static void make_bad(struct region_ring *ring, int how)
{
	uint64_t *words = (uint64_t *)((char *)ring + REGION_EVENTS_OFFSET);

	while (how < 2 && ring->head < WORDS)
		put(ring, REGION_FREE, 10, 1); /* each is good */
	if (how == 0)
		ring->head = WORDS + 2;
	else if (how == 1)
		ring->head = (uint64_t)-2; /* "before" the tail */
	else if (how == 2)
		words[0] = 10 << 3, ring->head = 4; /* no kind */
	else if (how == 3)
		put(ring, REGION_ALLOC, 10, 1), ring->head--; /* cut */
	else
		put(ring, REGION_ALLOC, FUTURE, 1);
}

static void a_ring_that_makes_no_sense_is_given_up_and_the_others_are_read(void **state)
{
	(void)state;
	for (int how = 0; how < 5; how++) {
		struct region *r = make_region((uint64_t)how);
		struct region_ring *bad = claim(r, 0), *good = claim(r, 1);
		struct source *s = added(r);

		make_bad(bad, how);
		bad->busy_since = how == 4 ? 0 : 5; /* holds up the mark that finds it */
		put(good, REGION_FREE, 20, 7);
		regions_mark(all);
		take_events(false);
		regions_mark(all);
		take_events(false);
		assert_int_equal(counts_of(s).malformed, 1);
		assert_int_equal(counts_of(s).read, 1);
		assert_int_equal(good->tail, 2);
		bad->head = bad->tail = 0; /* what the task puts right stays given up */
		put(bad, REGION_FREE, 30, 8);
		assert_int_equal(mark_and_take(), 0);
		assert_int_equal(counts_of(s).malformed, 1);
		regions_remove(all, s);
	}
}

static void events_of_the_wildest_memory_are_bounded(void **state)
{
	uint64_t seed = 88172645463325252ULL;
	struct region *r = make_region(1);
	struct source *s = added(r);

	(void)state;
	for (int round = 0; round < 200; round++) {
		for (uint32_t i = 0; i < REGION_RINGS; i += 5) {
			uint64_t *words = (uint64_t *)ring_of(r, i);

			for (size_t k = 0; k < (REGION_EVENTS_OFFSET + RING_BYTES) / 8;
			     k += 1 + k / 64 * (k < 2500)) {
				seed ^= seed << 13;
				seed ^= seed >> 7;
				seed ^= seed << 17;
				words[k] = seed >> (seed & 63);
			}
		}
		/* the header that was checked is not read again */
		memset((char *)r + 16, (int)seed, 200);
		regions_mark(all);
		assert_in_range(take_events(round % 2), 0, REGION_RINGS * WORDS);
	}
	assert_true(counts_of(s).malformed >= 40);
	assert_true(counts_of(s).malformed <= REGION_RINGS);
}

static void a_memory_that_is_no_region_is_refused(void **state)
{
	struct problem problem = { 0 };
	struct source *s;
	struct region *r = make_region(1), *gone = make_region(2);
	uint64_t at = (uint64_t)(uintptr_t)r;

	(void)state;
	r->ring_stride = 8;
	assert_int_equal(greet_region(r, &s), -EBADMSG);
	fill_header(r, 1);
	r->ring_bytes = 1 << 30;
	assert_int_equal(greet_region(r, &s), -EBADMSG);
	fill_header(r, 1); /* what is mapped there is of another size, or nothing is */
	assert_int_equal(regions_add(all, getpid(), at, BYTES * 2, &exact, &s, &problem), -ENOENT);
	assert_int_equal(regions_add(all, getpid(), at + 8, BYTES, &exact, &s, &problem), -EBADMSG);
	assert_int_equal(regions_add(all, getpid(), at, 0, &exact, &s, &problem), -EBADMSG);
	assert_int_equal(regions_add(all, getpid(), at, (uint64_t)-4096, &exact, &s, &problem),
			 -EBADMSG);
	assert_int_equal(regions_add(all, -1, at, BYTES, &exact, &s, &problem), -EBADMSG);
	munmap(gone, BYTES);
	assert_int_equal(greet_region(gone, &s), -ENOENT);
	r->ready = REGION_ABANDONED;
	assert_int_equal(greet_region(r, &s), -EALREADY);
	r->ready = REGION_WAITING;
	assert_int_equal(greet_region(r, &s), 0);
	assert_int_equal(r->ready, REGION_ANSWERED);
	assert_int_equal(r->wish.mode, REGION_EXACT);
	assert_int_equal(r->wish.clock, REGION_TSC);
	r->ready = REGION_WAITING;
	assert_int_equal(greet_region(r, &s), -EBADMSG); /* that id is there */
}

/* What can shrink would end us by a SIGBUS. */
static void a_file_or_a_memfd_in_the_place_of_a_region_is_refused(void **state)
{
	char path[] = "/tmp/region.XXXXXX";
	int fds[] = { memfd_create("zero", 0), mkstemp(path) };

	(void)state;
	unlink(path);
	for (int i = 0; i < 2; i++) {
		struct source *s;
		struct region *r;

		assert_true(fds[i] >= 0);
		assert_int_equal(ftruncate(fds[i], (off_t)BYTES), 0);
		r = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fds[i], 0);
		assert_ptr_not_equal(r, MAP_FAILED);
		fill_header(r, 1);
		assert_int_equal(greet_region(r, &s), -EBADMSG);
		assert_int_equal(r->ready, REGION_WAITING);
		munmap(r, BYTES);
		close(fds[i]);
	}
}

static size_t pages(struct region *r)
{
	static unsigned char there[1 << 14];
	size_t n = 0;

	assert_int_equal(mincore(r, BYTES, there), 0);
	for (size_t i = 0; i < BYTES / 4096; i++)
		n += there[i] & 1;
	return n;
}

static void rings_that_nobody_claimed_get_no_page(void **state)
{
	struct region *r = make_region(1);
	struct source *s = added(r);
	size_t before;

	(void)state;
	put(claim(r, 7), REGION_FREE, 1, 1);
	put(claim(r, 255), REGION_FREE, 2, 2);
	before = pages(r);
	assert_true(before < 64);
	assert_int_equal(mark_and_take(), 2);
	assert_int_equal(counts_of(s).offered, 2);
	put(claim(r, 100), REGION_FREE, 3, 3); /* between known ones */
	put(claim(r, 0), REGION_FREE, 4, 4);
	assert_int_equal(mark_and_take(), 2);
	assert_true(pages(r) <= 2 * before);
}

static void an_answer_goes_to_its_ring_until_its_box_is_full(void **state)
{
	struct region *r = make_region(1);
	struct region_ring *ring = claim(r, 9);
	struct region_answer *box = (struct region_answer *)(ring + 1),
			     a = { .count = 2, .roots = 1, .pairs = { { 1, 2 }, { 3, 4 } } };
	struct source *s = added(r);

	(void)state; /* no mark has seen the ring yet */
	a.token = REGION_TOKEN | 9ULL << REGION_TOKEN_RING_SHIFT;
	for (uint64_t i = 0; i < REGION_ANSWERS; i++) {
		a.stack = i + 1;
		assert_int_equal(regions_answer(s, &a), 0);
		assert_int_equal(ring->answers_given, i + 1);
		assert_memory_equal(&box[i], &a, 40 + 2 * 16);
	}
	assert_int_equal(regions_answer(s, &a), -ENOSPC);
	ring->answers_taken = 1;
	a.stack = 77;
	assert_int_equal(regions_answer(s, &a), 0);
	assert_int_equal(box[0].stack, 77);
	ring->answers_taken = 1000; /* more than there were */
	assert_int_equal(regions_answer(s, &a), -ENOSPC);
	a.count = REGION_PAIRS + 1;
	assert_int_equal(regions_answer(s, &a), -EINVAL);
	a.count = 2;
	a.token &= ~REGION_TOKEN;
	assert_int_equal(regions_answer(s, &a), -EINVAL);
	a.token = REGION_TOKEN | 8ULL << REGION_TOKEN_RING_SHIFT;
	assert_int_equal(regions_answer(s, &a), -EINVAL);
}

static void an_epoch_and_an_off_are_told_by_control(void **state)
{
	struct region *r = make_region(1);
	struct source *s = added(r);

	(void)state;
	regions_epoch(s);
	assert_int_equal(r->control, 1);
	r->control = 12345;
	regions_epoch(s);
	assert_int_equal(r->control, 12346); /* the shim counts its own on it, too */
	regions_thin(s, 65536);
	assert_int_equal(r->wish.gap_bytes, 65536);
	assert_true(r->control == (12346 | REGION_CONTROL_THIN));
	regions_turn_off(s);
	regions_epoch(s);
	assert_true(r->control == (12347 | REGION_CONTROL_THIN | REGION_CONTROL_OFF));
}

static void a_fork_is_where_its_parent_was(void **state)
{
	struct region *r = make_region(5);
	struct source *s;

	(void)state;
	r->reason = REGION_FORK;
	r->parent_id = 4;
	for (uint32_t i = 0; i < REGION_RINGS; i++)
		r->parent_heads[i] = i * 3;
	s = added(r);
	r->parent_heads[200] = 1;
	assert_int_equal(s->reason, REGION_FORK);
	assert_int_equal(s->parent_id, 4);
	assert_int_equal(s->parent_heads[200], 600);
}

static void counters_are_in_order_each_for_itself(void **state)
{
	struct region *a = make_region(1), *b = make_region(2);
	struct source *s[2];

	(void)state;
	a->clock = b->clock = REGION_COUNTER;
	s[0] = added(a);
	s[1] = added(b);
	assert_int_equal(a->wish.clock, REGION_COUNTER);
	claim(a, 0)->busy_since = 4; /* holds up a, not b */
	put(claim(a, 1), REGION_FREE, 3, 1);
	put(ring_of(a, 1), REGION_FREE, 5, 2);
	a->counter = 6;
	put(claim(b, 1), REGION_FREE, 9, 3);
	put(claim(b, 2), REGION_FREE, 8, 4);
	b->counter = 10;
	assert_int_equal(mark_and_take(), 3);
	for (size_t i = 0; i < told_count; i++)
		for (size_t k = 0; k < i; k++)
			assert_true(told_of[i] != told_of[k] || told[k].stamp < told[i].stamp);
	ring_of(a, 0)->busy_since = 0;
	assert_int_equal(mark_and_take(), 1);
	assert_int_equal(counts_of(s[0]).late + counts_of(s[1]).late, 0);
}

static void a_source_whose_tsc_is_taken_away_goes_on_by_its_counter(void **state)
{
	struct region *r = make_region(1);
	struct region_ring *ring = claim(r, 0);
	struct source *s = added(r);

	(void)state;
	put(ring, REGION_FREE, tsc_now(), 1);
	regions_mark(all);
	r->clock = REGION_COUNTER;
	r->counter = FUTURE + 1;
	put(ring, REGION_FREE, FUTURE, 2);
	assert_int_equal(take_events(false), 1);
	assert_int_equal(mark_and_take(), 1);
	assert_int_equal(told[0].stamp, FUTURE);
	assert_int_equal(counts_of(s).malformed, 0);
	r->clock = REGION_TSC; /* never back */
	put(ring, REGION_FREE, FUTURE + 1, 3);
	r->counter++;
	r->counter++;
	assert_int_equal(mark_and_take(), 1);
}

static void a_time_is_between_those_of_the_marks_around_it(void **state)
{
	struct clock_pairs p = { 0 };
	uint64_t before, after, stamp, s = NS_PER_S;

	(void)state;
	assert_int_equal(clock_pairs_line(&p, 5), 0);
	assert_int_equal(clock_pairs_nearest(&p, 5), 0);
	for (uint64_t i = 1; i <= 200; i++)
		clock_pairs_add(&p, i * 1000, i * s);
	clock_pairs_add(&p, 201000, 203 * s); /* a suspend */
	assert_int_equal(p.count, CLOCK_PAIRS);
	assert_int_equal(clock_pairs_line(&p, 180500), 180 * s + s / 2);
	assert_int_equal(clock_pairs_line(&p, 200500), 201 * s + s / 2);
	assert_int_equal(clock_pairs_line(&p, 100000), 100 * s); /* older than all */
	assert_int_equal(clock_pairs_line(&p, 202000), 206 * s);
	assert_true(clock_pairs_line(&p, UINT64_MAX) <= INT64_MAX);
	assert_int_equal(clock_pairs_nearest(&p, 180400), 180 * s);
	assert_int_equal(clock_pairs_nearest(&p, 180600), 181 * s);
	assert_int_equal(clock_pairs_nearest(&p, 1), (202 - CLOCK_PAIRS) * s);
	clock_pairs_add(&p, 201001, 203 * s + 1);
	clock_pairs_add(&p, 201002, 203 * s + 2); /* in place of the last */
	assert_int_equal(p.pairs[p.count - 1].stamp, 201002);
	assert_int_equal(p.pairs[p.count - 2].stamp, 201000);
	before = clock_boot_ns();
	regions_mark(all);
	stamp = tsc_now();
	regions_mark(all);
	after = clock_boot_ns();
	assert_in_range(regions_time(all, stamp), before, after);
}

static void put_file(char *path, const char *text)
{
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static void the_tsc_is_trusted_where_the_kernel_does(void **state)
{
	static const struct {
		const char *cpuinfo, *source;
		bool trusted;
	} cases[] = {
		{ "a\nflags\t\t: fpu constant_tsc nonstop_tsc\n", "tsc\n", true },
		{ "flags\t\t: nonstop_tsc x constant_tsc lm\n", "kvm-clock\n", true },
		{ "flags\t\t: constant_tsc nonstop_tsc\n", "hpet\n", false },
		{ "flags\t\t: constant_tsc nonstop_tsc_s3\n", "tsc\n", false },
		{ "flags\t\t: nonstop_tsc\n", "tsc\n", false },
		{ "constant_tsc nonstop_tsc\n", "tsc\n", false },
		{ "", "", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char cpu[] = "/tmp/cpu.XXXXXX", source[] = "/tmp/source.XXXXXX";

		put_file(cpu, cases[i].cpuinfo);
		put_file(source, cases[i].source);
		assert_int_equal(tsc_trusted(cpu, source), cases[i].trusted);
		unlink(cpu);
		unlink(source);
	}
	assert_false(tsc_trusted("/nonexistent", "/nonexistent"));
}

#define WRITERS 4
#define EVENTS 20000

static struct region *written;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t next_number;

/* Writes as ring.h of the shim; the lock makes the true order known: its number. */
static void *write_events(void *number)
{
	struct region_ring *ring = claim(written, (uint32_t)(uintptr_t)number);
	uint64_t last = tsc_now(), n;

	for (int i = 0; i < EVENTS; i++) {
		while (ring->head + 2 - __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE) > WORDS)
			sched_yield();
		__atomic_store_n(&ring->busy_since, last, __ATOMIC_RELAXED);
		__asm__ volatile("" ::: "memory");
		pthread_mutex_lock(&lock);
		last = tsc_now();
		n = next_number++;
		pthread_mutex_unlock(&lock);
		put(ring, REGION_FREE, last, n);
		__atomic_store_n(&ring->busy_since, 0, __ATOMIC_RELEASE);
	}
	return NULL;
}

static void threads_that_write_all_the_while_are_told_in_their_order(void **state)
{
	pthread_t threads[WRITERS];
	uint64_t expected = 0;
	struct source *s;

	(void)state;
	if (!trusted)
		skip();
	syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED, 0, 0);
	written = make_region(1);
	next_number = 0;
	s = added(written);
	for (uintptr_t i = 0; i < WRITERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, write_events, (void *)i), 0);
	while (expected < WRITERS * EVENTS) {
		mark_and_take();
		for (size_t i = 0; i < told_count; i++)
			assert_int_equal(told[i].words[0], expected++);
	}
	for (int i = 0; i < WRITERS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(counts_of(s).offered, expected);
	assert_int_equal(counts_of(s).late + counts_of(s).malformed, 0);
}

/* The directory of what make builds, from where this test is in it. */
static const char *built(const char *name, char *path, size_t room)
{
	char self[512];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	assert_true(n > 0);
	self[n] = 0;
	for (int up = 0; up < 2 && strrchr(self, '/'); up++)
		*strrchr(self, '/') = 0;
	snprintf(path, room, "%s/%s", self, name);
	if (access(path, R_OK) != 0)
		snprintf(path, room, "build/%s", name);
	return access(path, R_OK) == 0 ? path : NULL;
}

static pid_t start(const char *shim, char *const argv[], int out)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	dup2(out, 1);
	setenv("LD_PRELOAD", shim, 1);
	setenv("TASKDIAG_SHIM", "listen,wait=20000,child=20000", 1);
	execv(argv[0], argv);
	_exit(127);
}

/* The shim's mapping, as EV_REGION would tell it. */
static bool find_region(pid_t pid, uint64_t *start, uint64_t *bytes)
{
	char path[64], line[4096];
	_cleanup_fclose_ FILE *f = NULL;
	uint64_t end;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		if (!strstr(line, "rw-s") || !strstr(line, "/dev/zero (deleted)") ||
		    sscanf(line, "%lx-%lx", start, &end) != 2)
			continue;
		*bytes = end - *start;
		return true;
	}
	return false;
}

static void replay_one(void *context, struct source *s, const struct told *e)
{
	struct event event = { .stamp = e->stamp, .kind = e->kind };

	(void)s;
	memcpy(event.words, e->words, sizeof(event.words));
	replay_event(context, &event, false);
}

static struct source *greet(pid_t pid)
{
	struct problem problem = { 0 };
	struct source *s = NULL;
	uint64_t at, bytes;
	int err = -ENOENT;

	/* it stands there before its header is filled: it is sane once it says hello */
	for (int i = 0; err && i < 20000; i++) {
		usleep(1000);
		problem.text[0] = 0;
		if (find_region(pid, &at, &bytes))
			err = regions_add(all, pid, at, bytes, &exact, &s, &problem);
	}
	assert_string_equal(err ? problem.text : "", "");
	assert_non_null(s);
	return s;
}

static void told_to_the_byte(char *program, const char *shim)
{
	char *argv[] = { program, "4", "5000", NULL }, said[300] = "", ours[300];
	struct source_counts c;
	struct source *s;
	struct replay replay;
	int out[2], status;
	pid_t pid;

	replay_init(&replay);
	assert_int_equal(pipe(out), 0);
	pid = start(shim, argv, out[1]);
	close(out[1]);
	s = greet(pid);
	while (waitpid(pid, &status, WNOHANG) != pid) {
		regions_mark(all);
		regions_take(all, false, replay_one, &replay);
	}
	assert_int_equal(status, 0);
	assert_true(read(out[0], said, sizeof(said) - 1) > 0);
	close(out[0]);
	regions_gone(s);
	regions_mark(all);
	regions_take(all, false, replay_one, &replay);
	assert_true(regions_drained(s));
	c = counts_of(s);
	assert_true(c.read > 0);
	assert_int_equal(c.offered, c.read + c.lost);
	assert_int_equal(c.lost + c.late + c.malformed + c.lost_no_ring + c.lost_early, 0);
	snprintf(ours, sizeof(ours), "tagged_allocs=%lu tagged_live=%lu tagged_peak=%lu\n",
		 replay.tagged.allocations, replay.tagged.live, replay.tagged.peak);
	assert_string_equal(ours, said);
	assert_int_equal(replay.unknown + replay.duplicates, 0);
	replay_drop(&replay);
	regions_remove(all, s);
}

static void a_program_that_knows_its_heap_is_told_to_the_byte_while_it_runs(void **state)
{
	char shim[600], program[600];

	(void)state;
	if (!built("preload.so", shim, sizeof(shim)) ||
	    !built("targets/shim/known", program, sizeof(program)))
		skip();
	all->counting_only = !trusted;
	told_to_the_byte(program, shim);
	all->counting_only = true;
	told_to_the_byte(program, shim);
}

/* Adds what children of @pid wait with. Until it has left its parent's region, a child offers that:
 * it is known. */
static void greet_children(pid_t pid, struct source *children[], int *count)
{
	char path[64], line[256] = "";
	_cleanup_fclose_ FILE *f = NULL;
	struct problem problem = { 0 };
	uint64_t at, bytes;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", pid, pid);
	f = fopen(path, "re");
	if (!f || !fgets(line, sizeof(line), f) || *count == 8)
		return;
	if (find_region(atoi(line), &at, &bytes) &&
	    !regions_add(all, atoi(line), at, bytes, &exact, &children[*count], &problem))
		++*count;
}

static uint64_t live_of(struct source *child, struct source *parent)
{
	struct replay replay;
	uint64_t live;

	replay_init(&replay);
	for (size_t i = 0; i < told_count; i++)
		if (told_of[i] == child ||
		    (told_of[i] == parent && told[i].head <= child->parent_heads[told[i].ring]))
			replay_one(&replay, NULL, &told[i]);
	assert_int_equal(replay.unknown + replay.duplicates, 0);
	live = replay.tagged.live;
	replay_drop(&replay);
	return live;
}

/* tests/targets/shim/forks.c: 100 blocks of 1,022; a child frees 40 and makes 10 of 2,031 */
static void a_fork_child_has_what_its_parent_had_then(void **state)
{
	char shim[600], program[600], *argv[] = { program, "fork", NULL };
	struct source *parent, *children[8];
	int count = 0, status;
	pid_t pid;

	(void)state;
	if (!built("preload.so", shim, sizeof(shim)) ||
	    !built("targets/shim/forks", program, sizeof(program)))
		skip();
	all->counting_only = !trusted;
	told_count = 0;
	pid = start(shim, argv, 1);
	parent = greet(pid);
	while (waitpid(pid, &status, WNOHANG) != pid) {
		greet_children(pid, children, &count);
		regions_mark(all);
		regions_take(all, false, tell, NULL);
	}
	assert_int_equal(status, 0);
	regions_mark(all);
	regions_take(all, true, tell, NULL);
	assert_int_equal(count, 3);
	for (int i = 0; i < count; i++) {
		assert_int_equal(children[i]->reason, REGION_FORK);
		assert_int_equal(children[i]->parent_id, parent->id);
		assert_int_equal(live_of(children[i], parent), 60 * 1022 + 10 * 2031);
		assert_int_equal(counts_of(children[i]).late, 0);
	}
}

#define with(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with(two_regions_are_told_in_the_order_of_stamps),
		with(nothing_above_what_a_busy_ring_may_still_write_is_told),
		with(a_ring_has_room_while_another_is_busy),
		with(all_tells_what_is_above_the_horizon_too),
		with(a_ring_that_stays_busy_is_given_up_and_what_it_tells_then_is_late),
		with(a_process_that_is_gone_holds_up_nobody),
		with(a_ring_that_makes_no_sense_is_given_up_and_the_others_are_read),
		with(events_of_the_wildest_memory_are_bounded),
		with(a_memory_that_is_no_region_is_refused),
		with(a_file_or_a_memfd_in_the_place_of_a_region_is_refused),
		with(rings_that_nobody_claimed_get_no_page),
		with(an_answer_goes_to_its_ring_until_its_box_is_full),
		with(an_epoch_and_an_off_are_told_by_control),
		with(a_fork_is_where_its_parent_was),
		with(counters_are_in_order_each_for_itself),
		with(a_source_whose_tsc_is_taken_away_goes_on_by_its_counter),
		with(a_time_is_between_those_of_the_marks_around_it),
		with(the_tsc_is_trusted_where_the_kernel_does),
		with(threads_that_write_all_the_while_are_told_in_their_order),
		with(a_program_that_knows_its_heap_is_told_to_the_byte_while_it_runs),
		with(a_fork_child_has_what_its_parent_had_then),
	};

	if (geteuid() != 0) {
		puts("collect_regions_test: needs root: /proc/PID/map_files");
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
