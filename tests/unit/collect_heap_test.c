/* collect_heap_test.c - the live heap of a task; oracles: sums done by hand for streams that the
 * test writes itself, as shims and the kernel would. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <x86intrin.h>
#include <cmocka.h>

#include "collect/heap_private.h"
#include "lib/clock.h"

#define RING_BYTES 4096
#define WORDS (RING_BYTES / 8)
#define BYTES region_bytes(RING_BYTES)
#define PARENT 100
#define CHILD 101
#define GRANDCHILD 102
#define STACK_A 0xaaaa
#define STACK_B 0xbbbb
#define UNKNOWN_TOKEN (REGION_TOKEN | 7)

static struct observation o;
static struct live_heap *h;
static uint64_t sequence;

/* Records and stamps have two clocks: what is to be told apart by their time lies far enough apart
 * for these. */
static void pause_a_bit(void)
{
	usleep(200);
}

static struct event_header header(uint32_t type, uint32_t size, uint32_t tgid)
{
	return (struct event_header){
		.type = type,
		.size = size,
		.time_ns = clock_boot_ns(),
		.start_ns = tgid * 1000,
		.tgid = tgid,
		.pid = (uint32_t)getpid(),
	};
}

static void send(const void *record)
{
	live_heap_record(h, record);
	pause_a_bit();
}

static void say_process(uint32_t type, uint32_t tgid, uint32_t parent)
{
	struct process_event e = { .parent_tgid = parent, .name = "program" };

	pause_a_bit();
	e.h = header(type, sizeof(e), tgid);
	send(&e);
}

static void say_exit(uint32_t tgid)
{
	struct exit_event e = { 0 };

	pause_a_bit();
	e.h = header(EV_EXIT, sizeof(e), tgid);
	send(&e);
}

static struct region *make_region(uint64_t id)
{
	struct region *r =
	    mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(r, MAP_FAILED);
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
	return r;
}

static void greet(uint32_t tgid, struct region *r)
{
	struct region_event e = { .address = (uintptr_t)r, .bytes = BYTES };

	pause_a_bit();
	e.h = header(EV_REGION, sizeof(e), tgid);
	send(&e);
	assert_int_equal(r->ready, REGION_ANSWERED);
}

static struct region *started(uint32_t tgid, uint64_t id)
{
	struct region *r = make_region(id);

	say_process(EV_PROCESS, tgid, 1);
	say_process(EV_EXEC, tgid, 1);
	greet(tgid, r);
	return r;
}

static struct region_ring *ring_of(struct region *r, uint32_t number)
{
	return (struct region_ring *)((char *)r + REGION_HEADER_BYTES +
				      number * (uint64_t)(REGION_EVENTS_OFFSET + RING_BYTES));
}

static uint64_t stamp_of(struct region *r)
{
	if (r->clock == REGION_COUNTER || r->wish.clock == REGION_COUNTER)
		return ++r->counter;
	return __rdtsc();
}

static void put(struct region *r, uint32_t number, enum region_kind kind, uint64_t a, uint64_t b,
		uint64_t c)
{
	struct region_ring *ring = ring_of(r, number);
	uint64_t *words = (uint64_t *)((char *)ring + REGION_EVENTS_OFFSET);
	uint64_t event[4] = { stamp_of(r) << 3 | kind, a, b, c };

	if (!ring->owner) {
		ring->owner = 1000 + number;
		ring->claims++;
	}
	for (uint64_t i = 0; i < region_event_words[kind]; i++)
		words[(ring->head + i) % WORDS] = event[i];
	ring->offered++;
	__atomic_store_n(&ring->head, ring->head + region_event_words[kind], __ATOMIC_RELEASE);
}

static uint64_t ask(uint32_t tgid, uint32_t ring, uint64_t stack, uint32_t count)
{
	struct {
		struct heap_stack_event e;
		struct heap_pair pair;
	} r = { .e = { .stack = stack, .count = count, .roots = count, .name = "worker" } };

	r.e.token = REGION_TOKEN | (uint64_t)ring << REGION_TOKEN_RING_SHIFT | ++sequence;
	r.e.tid = 500 + ring;
	r.e.h = header(EV_HEAP_STACK, sizeof(r), tgid);
	live_heap_record(h, &r.e.h);
	return r.e.token;
}

static void alloc(uint32_t tgid, struct region *r, uint32_t ring, uint64_t address, uint64_t bytes,
		  uint64_t stack)
{
	put(r, ring, REGION_ALLOC, address, bytes, ask(tgid, ring, stack, 0));
}

static void release(struct region *r, uint32_t ring, uint64_t address)
{
	put(r, ring, REGION_FREE, address, 0, 0);
}

static void look(void)
{
	pause_a_bit();
	h->wanted = true;
	assert_true(live_heap_mark(h));
	live_heap_take(h);
}

static struct heap_totals totals(uint64_t stack, uint32_t allocator)
{
	uint32_t node = stack ? stacks_node(o.stacks->tree, stack) : STACKS_ROOT;
	struct heap_totals sum = { 0 };

	for (uint32_t i = 0; i < h->locations.count; i++) {
		const struct heap_location_key *l = intern_at(&h->locations, i);
		const struct heap_totals t = heap_location(h->heap, i);

		if (l->node != node || l->allocator != allocator)
			continue;
		sum.held.bytes += t.held.bytes;
		sum.live.bytes += t.live.bytes;
		sum.leaked.bytes += t.leaked.bytes;
		sum.allocated.bytes += t.allocated.bytes;
		sum.allocated.count += t.allocated.count;
		sum.temporary.bytes += t.temporary.bytes;
	}
	return sum;
}

static uint64_t peak(void)
{
	return live_heap_peak(h, NULL);
}

static int begin_with(uint64_t sample_bytes)
{
	const uint64_t frames[][2] = { { 0x10, 0x20 }, { 0x10, 0x30 } };

	o = (struct observation){ .heap = true, .sample_bytes = sample_bytes };
	o.processes = processes_new();
	o.stacks = task_stacks_new(&o);
	h = live_heap_new(&o);
	if (!o.processes || !o.stacks || !h)
		return -1;
	return stacks_add(o.stacks->tree, STACK_A, frames[0], 2) ||
	       stacks_add(o.stacks->tree, STACK_B, frames[1], 2);
}

static int begin(void **state)
{
	(void)state;
	return begin_with(0);
}

static int begin_sampled(void **state)
{
	(void)state;
	return begin_with(65536);
}

static int end(void **state)
{
	(void)state;
	live_heap_free(h);
	task_stacks_free(o.stacks);
	processes_free(o.processes);
	return 0;
}

static void threads_that_free_each_others_blocks_come_to_the_sums_done_by_hand(void **state)
{
	struct region *r = started(PARENT, 1);

	(void)state;
	alloc(PARENT, r, 0, 0x1000, 100, STACK_A);
	alloc(PARENT, r, 1, 0x2000, 1000, STACK_B);
	release(r, 1, 0x1000);
	alloc(PARENT, r, 0, 0x1000, 50, STACK_A);
	release(r, 0, 0x1000); /* by who made it, and nothing else since: temporary */
	release(r, 0, 0x2000);
	alloc(PARENT, r, 1, 0x3000, 7, STACK_B);
	look();
	live_heap_end(h);
	assert_int_equal(peak(), 1100);
	assert_int_equal(totals(STACK_A, REGION_BY_MALLOC).held.bytes, 100);
	assert_int_equal(totals(STACK_B, REGION_BY_MALLOC).held.bytes, 1000);
	assert_int_equal(totals(STACK_A, REGION_BY_MALLOC).allocated.count, 2);
	assert_int_equal(totals(STACK_A, REGION_BY_MALLOC).temporary.bytes, 50);
	assert_int_equal(totals(STACK_B, REGION_BY_MALLOC).temporary.bytes, 0);
	assert_int_equal(totals(STACK_B, REGION_BY_MALLOC).live.bytes, 7);
	assert_true(live_heap_exact(h));
}

static void an_answered_stack_has_the_number_that_the_ring_tells_later(void **state)
{
	struct region *r = started(PARENT, 1);

	(void)state;
	alloc(PARENT, r, 0, 0x5000, 0, STACK_A);
	look(); /* the ring is found */
	put(r, 0, REGION_ALLOC, 0x1000, 100, ask(PARENT, 0, STACK_A, 1));
	put(r, 0, REGION_ALLOC, 0x2000, 200, ask(PARENT, 0, STACK_B, 1));
	assert_int_equal(ring_of(r, 0)->answers_given, 2);
	put(r, 0, REGION_ALLOC, 0x3000, 4, 1);
	put(r, 0, REGION_ALLOC, 0x4000, 8, 2);
	look();
	assert_int_equal(totals(STACK_A, REGION_BY_MALLOC).live.bytes, 104);
	assert_int_equal(totals(STACK_B, REGION_BY_MALLOC).live.bytes, 208);
	assert_int_equal(h->unknown_stacks, 0);
}

static void a_realloc_or_munmap_that_fails_takes_nothing(void **state)
{
	struct region *r = started(PARENT, 1);

	(void)state;
	alloc(PARENT, r, 0, 0x1000, 100, STACK_A);
	put(r, 0, REGION_MAP, 0x100000 | (uint64_t)REGION_BY_MMAP << 56, 8192,
	    ask(PARENT, 0, STACK_B, 0));
	put(r, 0, REGION_FREE, 0x1000 | REGION_TENTATIVE, 0, 0);
	put(r, 0, REGION_UNDO, 0x1000, 0, 0);
	put(r, 0, REGION_UNMAP, 0x101000 | REGION_TENTATIVE, 4096, 0);
	put(r, 0, REGION_UNDO, 0x101000, 0, 0);
	look();
	assert_int_equal(heap_live_bytes(h->heap), 8292);
	release(r, 0, 0x1000);
	put(r, 0, REGION_UNMAP, 0x100000 | REGION_TENTATIVE, 8192, 0);
	look();
	assert_int_equal(heap_live_bytes(h->heap), 0);
	assert_int_equal(totals(STACK_A, REGION_BY_MALLOC).temporary.bytes, 0);
	assert_true(live_heap_exact(h));
}

static void an_mremap_counts_only_what_was_known_before(void **state)
{
	struct region *r = started(PARENT, 1);
	uint64_t moved = (uint64_t)REGION_BY_MREMAP << 56;

	(void)state;
	put(r, 0, REGION_MAP, 0x100000 | (uint64_t)REGION_BY_MMAP << 56, 4096,
	    ask(PARENT, 0, STACK_A, 0));
	put(r, 0, REGION_UNMAP, 0x100000 | REGION_TENTATIVE, 4096, 0);
	put(r, 0, REGION_MAP, 0x200000 | moved, 5 * 4096 - 1, ask(PARENT, 0, STACK_B, 0));
	put(r, 0, REGION_UNMAP, 0x900000 | REGION_TENTATIVE, 4096, 0);
	put(r, 0, REGION_MAP, 0xa00000 | moved, 4096, ask(PARENT, 0, STACK_B, 0));
	look();
	assert_int_equal(heap_live_bytes(h->heap), 5 * 4096);
	assert_int_equal(totals(STACK_B, ALLOCATOR_MMAP).live.bytes, 5 * 4096);
	assert_int_equal(totals(STACK_A, ALLOCATOR_MMAP).live.bytes, 0);
}

static struct region *forked(uint64_t id, struct region *parent, uint64_t head)
{
	struct region *r = make_region(id);

	r->reason = REGION_FORK;
	r->parent_id = parent->id;
	r->parent_heads[0] = head;
	return r;
}

static void a_fork_copies_what_was_before_it_to_the_byte(void **state)
{
	struct region *r = started(PARENT, 1), *child;
	uint64_t head;

	(void)state;
	alloc(PARENT, r, 0, 0x1000, 1, STACK_A); /* read before the fork */
	alloc(PARENT, r, 0, 0x5000, 1000, STACK_A);
	look();
	alloc(PARENT, r, 0, 0x2000, 20, STACK_B); /* not read, but before it */
	release(r, 0, 0x5000);
	head = ring_of(r, 0)->head;
	say_process(EV_PROCESS, CHILD, PARENT);
	alloc(PARENT, r, 0, 0x3000, 300, STACK_B); /* after it, read before the child greets */
	release(r, 0, 0x1000);
	look();
	assert_int_equal(heap_live_bytes(h->heap), 320);
	child = forked(2, r, head);
	greet(CHILD, child);
	release(child, 0, 0x2000); /* its own copy */
	look();
	look();
	assert_int_equal(heap_live_bytes(h->heap), 320 + 1);
	assert_int_equal(totals(STACK_A, REGION_BY_MALLOC).live.bytes, 1);
	assert_int_equal(totals(STACK_B, REGION_BY_MALLOC).live.bytes, 320);
	assert_int_equal(totals(STACK_B, REGION_BY_MALLOC).allocated.bytes, 320);
	assert_int_equal(peak(), 1021);
	live_heap_end(h);
	assert_int_equal(h->forks, 1);
	assert_true(live_heap_exact(h));
}

static void a_child_of_a_silent_child_has_the_heap_of_its_grandparent(void **state)
{
	struct region *r = started(PARENT, 1);
	uint64_t head;

	(void)state;
	alloc(PARENT, r, 0, 0x1000, 10, STACK_A);
	head = ring_of(r, 0)->head;
	say_process(EV_PROCESS, CHILD, PARENT);
	look();
	say_process(EV_PROCESS, GRANDCHILD, CHILD);
	say_exit(CHILD);
	release(r, 0, 0x1000);
	look();
	greet(GRANDCHILD, forked(3, r, head));
	look();
	look();
	assert_int_equal(heap_live_bytes(h->heap), 10);
	assert_int_equal(h->forks_inexact, 0);
	assert_int_equal(h->copies_wanted, 0);
	assert_int_equal(h->log_count, 0);
}

/* The observer was late: all of it is read at once. */
static void three_generations_in_one_batch_have_what_they_inherit(void **state)
{
	struct region *r = started(PARENT, 1), *child, *grandchild;
	uint64_t head;

	(void)state;
	alloc(PARENT, r, 0, 0x1000, 10, STACK_A);
	alloc(PARENT, r, 0, 0x2000, 200, STACK_A);
	head = ring_of(r, 0)->head;
	say_process(EV_PROCESS, CHILD, PARENT);
	child = forked(2, r, head);
	greet(CHILD, child);
	release(child, 0, 0x1000);
	alloc(CHILD, child, 0, 0x3000, 3000, STACK_B);
	head = ring_of(child, 0)->head;
	say_process(EV_PROCESS, GRANDCHILD, CHILD);
	alloc(CHILD, child, 0, 0x4000, 40000, STACK_B);
	grandchild = forked(3, child, head);
	greet(GRANDCHILD, grandchild);
	release(grandchild, 0, 0x2000);
	release(grandchild, 0, 0x3000);
	look();
	look();
	look();
	assert_int_equal(heap_live_bytes(h->heap), 210 + (200 + 3000 + 40000) + 0);
	live_heap_end(h);
	assert_int_equal(h->forks, 2);
	assert_true(live_heap_exact(h));
}

/* Two threads without a ring of their own: what one frees for a trial stands between the other's.
 */
static void an_undo_in_a_borrowed_ring_finds_its_free(void **state)
{
	struct region *r = started(PARENT, 1);
	uint32_t ring = REGION_RINGS - 1;

	(void)state;
	alloc(PARENT, r, 0, 0x1000, 10, STACK_A);
	alloc(PARENT, r, 0, 0x2000, 200, STACK_A);
	put(r, ring, REGION_FREE, 0x1000 | REGION_TENTATIVE, 0, 0);
	put(r, ring, REGION_FREE, 0x2000 | REGION_TENTATIVE, 0, 0);
	put(r, ring - 1, REGION_UNDO, 0x1000, 0, 0);
	look();
	assert_int_equal(heap_live_bytes(h->heap), 10);
	put(r, ring, REGION_UNDO, 0x2000, 0, 0);
	release(r, ring, 0x1000);
	look();
	assert_int_equal(heap_live_bytes(h->heap), 200);
	assert_true(live_heap_exact(h));
	put(r, ring, REGION_UNDO, 0x5000, 0, 0);
	look();
	assert_false(live_heap_exact(h));
}

static void a_fork_that_only_executes_never_counts(void **state)
{
	struct region *r = started(PARENT, 1), *other = make_region(2);

	(void)state;
	alloc(PARENT, r, 0, 0x1000, 500, STACK_A);
	say_process(EV_PROCESS, CHILD, PARENT);
	look();
	say_process(EV_EXEC, CHILD, PARENT);
	greet(CHILD, other);
	alloc(CHILD, other, 0, 0x1000, 3, STACK_B);
	look();
	live_heap_end(h);
	assert_int_equal(peak(), 503);
	assert_int_equal(h->forks, 0);
	assert_int_equal(h->forks_dropped, 1);
	assert_true(live_heap_exact(h));
}

static void processes_one_after_another_do_not_add_up(void **state)
{
	struct region *r = started(PARENT, 1), *second;

	(void)state;
	alloc(PARENT, r, 0, 0x1000, 1000, STACK_A);
	say_exit(PARENT); /* all is read in one batch */
	second = started(CHILD, 2);
	alloc(CHILD, second, 0, 0x1000, 900, STACK_B);
	look();
	look();
	assert_int_equal(peak(), 1000);
	assert_int_equal(heap_live_bytes(h->heap), 900);
	assert_int_equal(totals(STACK_A, REGION_BY_MALLOC).leaked.bytes, 1000);
	live_heap_end(h);
	assert_int_equal(h->residual, 0);
	assert_true(live_heap_exact(h));
}

static void what_an_exec_drops_has_not_leaked(void **state)
{
	struct region *r = started(PARENT, 1), *second = make_region(2);

	(void)state;
	alloc(PARENT, r, 0, 0x1000, 1000, STACK_A);
	say_process(EV_EXEC, PARENT, 1);
	greet(PARENT, second);
	alloc(PARENT, second, 0, 0x1000, 5, STACK_B);
	look();
	live_heap_end(h);
	assert_int_equal(peak(), 1000);
	assert_int_equal(totals(STACK_A, REGION_BY_MALLOC).leaked.bytes, 0);
	assert_int_equal(totals(STACK_A, REGION_BY_MALLOC).live.bytes, 0);
	assert_int_equal(totals(STACK_B, REGION_BY_MALLOC).live.bytes, 5);
}

static void an_event_without_its_stack_keeps_its_bytes(void **state)
{
	struct region *r = started(PARENT, 1);

	(void)state;
	put(r, 0, REGION_ALLOC, 0x1000, 100, UNKNOWN_TOKEN);
	put(r, 0, REGION_ALLOC, 0x2000, 200, 12345); /* a number that nobody gave */
	look();
	assert_int_equal(totals(0, REGION_BY_MALLOC).live.bytes, 300);
	assert_int_equal(h->unknown_stacks, 2);
	assert_int_equal(((struct heap_location_key *)intern_at(&h->locations, 0))->name,
			 LOCATION_UNKNOWN);
}

static void a_lost_event_or_an_unknown_free_is_not_exact(void **state)
{
	struct region *r = started(PARENT, 1);
	json_t *limits = json_array();

	(void)state;
	alloc(PARENT, r, 0, 0x1000, 100, STACK_A);
	look();
	assert_true(live_heap_exact(h));
	release(r, 0, 0x9000);
	look();
	assert_false(live_heap_exact(h));
	ring_of(r, 0)->offered += 3;
	ring_of(r, 0)->lost += 3;
	live_heap_end(h);
	assert_int_equal(h->sums.lost, 3);
	live_heap_limits(h, limits);
	assert_int_equal(json_array_size(limits), 2);
	json_decref(limits);
}

static void a_program_without_the_shim_is_named(void **state)
{
	json_t *limits = json_array();

	(void)state;
	started(PARENT, 1);
	say_process(EV_PROCESS, CHILD, PARENT);
	say_process(EV_EXEC, CHILD, PARENT);
	say_exit(CHILD);
	live_heap_end(h);
	assert_false(live_heap_exact(h));
	live_heap_limits(h, limits);
	assert_int_equal(json_array_size(limits), 1);
	assert_non_null(strstr(json_string_value(json_array_get(limits, 0)), "program: 1 "));
	json_decref(limits);
}

static void the_manifest_says_what_was_told(void **state)
{
	struct region *r = started(PARENT, 1);
	json_t *m = json_object(), *heap;

	(void)state;
	alloc(PARENT, r, 0, 0x1000, 100, STACK_A);
	alloc(PARENT, r, 0, 0x2000, 11, STACK_B);
	release(r, 0, 0x1000);
	live_heap_end(h);
	assert_int_equal(live_heap_manifest(h, m), 0);
	heap = json_object_get(m, "heap");
	assert_int_equal(json_integer_value(json_object_get(m, "allocated_bytes")), 111);
	assert_int_equal(json_integer_value(json_object_get(m, "leaked_bytes")), 11);
	assert_int_equal(json_integer_value(json_object_get(heap, "events_offered")), 3);
	assert_int_equal(json_integer_value(json_object_get(heap, "events_read")), 3);
	assert_string_equal(json_string_value(json_object_get(heap, "status")), "exact");
	json_decref(m);
}

static void say_block(uint32_t type, uint64_t address, uint64_t bytes, uint64_t gap)
{
	struct heap_block_event e = {
		.h = header(type, sizeof(e), PARENT),
		.address = address,
		.bytes = bytes,
		.gap = gap,
		.stack = STACK_A,
		.tid = 7,
		.name = "worker",
	};

	live_heap_record(h, &e.h);
}

static void a_sample_weighs_what_it_stands_for(void **state)
{
	int64_t weight = llround(1000 / -expm1(-1001. / 65536));

	(void)state;
	started(PARENT, 1);
	say_block(EV_HEAP_ALLOC, 0x1000, 1000, 65536);
	assert_in_range(totals(STACK_A, REGION_BY_MALLOC).live.bytes, weight - 1, weight + 1);
	say_block(EV_HEAP_FREE, 0x1000, 0, 0);
	assert_int_equal(heap_live_bytes(h->heap), 0);
	say_block(EV_HEAP_FREE, 0x1000, REGION_FREE_UNDO, 0);
	assert_in_range(totals(STACK_A, REGION_BY_MALLOC).live.bytes, weight - 1, weight + 1);
	say_exit(PARENT);
	assert_int_equal(heap_live_bytes(h->heap), 0);
	assert_in_range(totals(STACK_A, REGION_BY_MALLOC).leaked.bytes, weight - 1, weight + 1);
	assert_false(live_heap_exact(h));
	assert_int_equal(live_heap_gap_bytes(h), 65536);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(threads_that_free_each_others_blocks_come_to_the_sums_done_by_hand),
		TEST(an_answered_stack_has_the_number_that_the_ring_tells_later),
		TEST(a_realloc_or_munmap_that_fails_takes_nothing),
		TEST(an_mremap_counts_only_what_was_known_before),
		TEST(a_fork_copies_what_was_before_it_to_the_byte),
		TEST(a_child_of_a_silent_child_has_the_heap_of_its_grandparent),
		TEST(three_generations_in_one_batch_have_what_they_inherit),
		TEST(an_undo_in_a_borrowed_ring_finds_its_free),
		TEST(a_fork_that_only_executes_never_counts),
		TEST(processes_one_after_another_do_not_add_up),
		TEST(what_an_exec_drops_has_not_leaked),
		TEST(an_event_without_its_stack_keeps_its_bytes),
		TEST(a_lost_event_or_an_unknown_free_is_not_exact),
		TEST(a_program_without_the_shim_is_named),
		TEST(the_manifest_says_what_was_told),
		cmocka_unit_test_setup_teardown(a_sample_weighs_what_it_stands_for, begin_sampled,
						end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
