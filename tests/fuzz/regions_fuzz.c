/* regions_fuzz.c - shared memory and records of malloc shims whose task lies.
 *
 * The first byte says how the heap is observed; what follows are steps, one byte each and what it
 * takes: see steps[]. Regions are mappings of our own, found as those of a task are; without root
 * they are refused, and only the records are tried.
 *
 * Oracle: whatever was told, the sums of all locations are the sum of the task, at the peak and
 * now.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <x86intrin.h>

#include "collect/heap_private.h"
#include "collect/regions_private.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define RING_BYTES 4096
#define WORDS (RING_BYTES / 8)
#define BYTES region_bytes(RING_BYTES)
#define REGIONS 6
#define PROCESSES 8
#define RINGS 4 /* the first ones, and the last, which are borrowed */

struct input {
	const uint8_t *at, *end;
};

static struct observation o;
static struct live_heap *h;
static struct region *regions[REGIONS];

static void must(int truth)
{
	if (!truth)
		abort();
}

static uint8_t byte(struct input *in)
{
	return in->at < in->end ? *in->at++ : 0;
}

static uint64_t raw(struct input *in)
{
	uint64_t value = 0;

	for (int i = 0; i < 8; i++)
		value |= (uint64_t)byte(in) << 8 * i;
	return value;
}

/* Mostly small; what is near the ends of numbers; anything. */
static uint64_t number(struct input *in)
{
	uint8_t first = byte(in);

	if (first < 224)
		return first;
	if (first < 232)
		return 1ULL << (8 * (first - 224) + 7);
	if (first < 240)
		return UINT64_MAX - (first - 232);
	return first < 248 ? __rdtsc() + (uint64_t)(first - 244) * 1000 : raw(in);
}

/* Few, so that they meet again; the upper bits of some are a kind or a flag. */
static uint64_t address(struct input *in)
{
	uint8_t first = byte(in);

	return first == 255 ? raw(in) : 0x10000 + (uint64_t)(first & 31) * 0x1000;
}

/* ---- what the kernel tells */

static struct event_header header(struct input *in, uint32_t type, size_t size)
{
	uint32_t process = byte(in) % PROCESSES;

	return (struct event_header){
		.type = type,
		.size = (uint32_t)size,
		.time_ns = clock_boot_ns(),
		.start_ns = process + 1,
		.tgid = process + 100,
		.pid = (uint32_t)getpid(),
	};
}

/* In memory that ends where the record does. */
static void record(const void *e, size_t size)
{
	void *copy = malloc(size);

	must(!!copy);
	memcpy(copy, e, size);
	live_heap_record(h, copy);
	free(copy);
}

static void say_process(struct input *in)
{
	struct process_event e = { .name = "process" };

	e.h = header(in, byte(in) & 1 ? EV_EXEC : EV_PROCESS, sizeof(e));
	e.parent_tgid = byte(in) % PROCESSES + 100;
	record(&e, sizeof(e));
}

static void say_exit(struct input *in)
{
	struct exit_event e = { 0 };

	e.h = header(in, EV_EXIT, sizeof(e));
	record(&e, sizeof(e));
}

static uint64_t token(struct input *in)
{
	uint64_t ring = byte(in) % (2 * RINGS), sequence = byte(in) % 16;

	ring = ring < RINGS ? ring : REGION_RINGS - 1 - (ring - RINGS);
	return REGION_TOKEN | ring << REGION_TOKEN_RING_SHIFT | sequence;
}

static void say_stack(struct input *in)
{
	struct {
		struct heap_stack_event e;
		struct heap_pair pairs[4];
	} r = { .e.name = "thread" };
	size_t pairs = byte(in) % 5, size = sizeof(r.e) + pairs * sizeof(r.pairs[0]);

	r.e.h = header(in, EV_HEAP_STACK, size);
	r.e.token = byte(in) & 7 ? token(in) : raw(in);
	r.e.cfa = address(in);
	r.e.stack = number(in);
	r.e.count = (uint32_t)(byte(in) & 3 ? pairs : number(in));
	r.e.roots = (uint32_t)number(in);
	r.e.tid = byte(in);
	for (size_t i = 0; i < pairs; i++)
		r.pairs[i] = (struct heap_pair){ address(in), number(in) };
	record(&r, size);
}

static void say_flush(struct input *in)
{
	struct heap_flush_event e = { .ring = number(in), .used = number(in) };

	e.h = header(in, EV_HEAP_FLUSH, sizeof(e));
	record(&e, sizeof(e));
}

static void say_block(struct input *in)
{
	struct heap_block_event e = { .name = "thread" };

	e.h = header(in, byte(in) & 1 ? EV_HEAP_FREE : EV_HEAP_ALLOC, sizeof(e));
	e.address = address(in);
	e.bytes = number(in);
	e.stamp = number(in);
	e.gap = number(in);
	e.stack = byte(in);
	e.allocator = byte(in);
	e.tid = byte(in);
	record(&e, sizeof(e));
}

/* ---- what the task writes */

static void fill(struct region *r, struct input *in)
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
		.id = byte(in) % 16 + 1,
		.parent_id = byte(in) % 16 + 1,
		.reason = byte(in) % 3,
		.clock = byte(in) & 1,
		.counter = 1,
	};
	for (int i = 0; i < RINGS; i++)
		r->parent_heads[i] = number(in);
}

static struct region *region_of(struct input *in)
{
	return regions[byte(in) % REGIONS];
}

static void new_region(struct input *in)
{
	struct region_event e = { .bytes = BYTES };
	struct region **r = &regions[byte(in) % REGIONS];

	if (!*r) {
		*r = mmap(NULL, BYTES, PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		must(*r != MAP_FAILED);
		fill(*r, in);
	}
	e.h = header(in, EV_REGION, sizeof(e));
	e.address = (uintptr_t)*r + (byte(in) ? 0 : number(in));
	e.bytes = byte(in) ? BYTES : number(in);
	record(&e, sizeof(e));
}

static struct region_ring *ring_of(struct region *r, uint8_t which)
{
	uint64_t number = which % (2 * RINGS);

	number = number < RINGS ? number : REGION_RINGS - 1 - (number - RINGS);
	return (struct region_ring *)((char *)r + REGION_HEADER_BYTES +
				      number * (REGION_EVENTS_OFFSET + RING_BYTES));
}

/* As a shim does it; but for the words. */
static void write_event(struct input *in)
{
	struct region *r = region_of(in);
	struct region_ring *ring;
	uint64_t kind, *words;

	if (!r)
		return;
	ring = ring_of(r, byte(in));
	words = (uint64_t *)((char *)ring + REGION_EVENTS_OFFSET);
	kind = byte(in) % REGION_KINDS;
	ring->claims++;
	ring->owner = 7;
	words[ring->head % WORDS] =
	    (r->wish.clock == REGION_COUNTER ? ++r->counter : __rdtsc()) << 3 | kind;
	words[(ring->head + 1) % WORDS] =
	    (kind == REGION_CHECK || kind == REGION_ASK ? token(in) : address(in)) |
	    (uint64_t)(byte(in) & 143) << 56;
	words[(ring->head + 2) % WORDS] = number(in);
	words[(ring->head + 3) % WORDS] = byte(in) & 1 ? token(in) : number(in);
	ring->offered++;
	__atomic_store_n(&ring->head, ring->head + region_event_words[kind], __ATOMIC_RELEASE);
}

static void poke_ring(struct input *in)
{
	struct region *r = region_of(in);
	uint8_t which = byte(in), word = byte(in);

	if (r) /* its header, or its events */
		((uint64_t *)ring_of(
		    r, which))[word & 128 ? REGION_EVENTS_OFFSET / 8 + (word & 127) : word % 48] =
		    number(in);
}

static void poke_header(struct input *in)
{
	struct region *r = region_of(in);
	uint8_t word = byte(in);

	if (r)
		((uint64_t *)r)[(size_t)word * 2] = number(in);
}

static void punch_out(struct input *in)
{
	struct region *r = region_of(in);

	if (r)
		madvise((char *)r + (size_t)byte(in) * 4096, 4096, MADV_REMOVE);
}

/* ---- when it is read */

static void look(struct input *in)
{
	h->wanted |= byte(in) & 1;
	if (live_heap_mark(h))
		live_heap_take(h);
}

static void lose_patience(struct input *in)
{
	h->regions->give_up_ns = byte(in) & 1 ? 0 : GIVE_UP_NS;
}

typedef void step_fn(struct input *in);
static step_fn *const steps[] = {
	new_region,    write_event, write_event, write_event, say_process, say_stack,
	say_stack,     say_block,   say_flush,	 say_exit,    poke_ring,   poke_header,
	lose_patience, look,	    punch_out,	 look,
};

static void check_sums(void)
{
	uint64_t held = 0, live = 0;

	for (uint32_t i = 0; i < h->locations.count; i++) {
		const struct heap_totals t = heap_location(h->heap, i);

		held += (uint64_t)t.held.bytes;
		live += (uint64_t)t.live.bytes;
		heap_error_95(h->heap, i);
	}
	must(held == heap_peak_bytes(h->heap, NULL));
	must(live == heap_live_bytes(h->heap));
}

static void check_manifest(void)
{
	json_t *object = json_object(), *limits = json_array();

	live_heap_limits(h, limits);
	must(!live_heap_manifest(h, object));
	json_decref(object);
	json_decref(limits);
}

static void forget(void)
{
	live_heap_free(h);
	task_stacks_free(o.stacks);
	processes_free(o.processes);
	for (int i = 0; i < REGIONS; i++) {
		if (regions[i])
			munmap(regions[i], BYTES);
		regions[i] = NULL;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, data + size };
	uint8_t how = byte(&in);

	o = (struct observation){ .heap = true,
				  .heap_oracle = how & 2,
				  .sample_bytes = how & 1 ? 65536 : 0 };
	o.processes = processes_new();
	o.stacks = task_stacks_new(&o);
	h = live_heap_new(&o);
	must(o.processes && o.stacks && h);
	while (in.at < in.end) {
		step_fn *step = steps[byte(&in) % (sizeof(steps) / sizeof(steps[0]))];

		step(&in);
	}
	live_heap_end(h);
	check_sums();
	check_manifest();
	forget();
	return 0;
}
