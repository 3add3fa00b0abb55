/* regions.c - the table of sources; see regions.h */
#include "collect/regions_private.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/cleanup.h"

#define CPUINFO "/proc/cpuinfo"
#define CLOCKSOURCE "/sys/devices/system/clocksource/clocksource0/current_clocksource"

static struct tracked *tracked_of(struct source *s)
{
	return (struct tracked *)s;
}

struct regions *regions_new(void)
{
	_cleanup_free_ struct regions *r = calloc(1, sizeof(*r));
	long commands = syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);
	int err;

	if (!r)
		return NULL;
	err = region_device(&r->shmem);
	if (err) {
		errno = -err;
		return NULL;
	}
	r->membarrier = commands > 0 && commands & MEMBARRIER_CMD_GLOBAL_EXPEDITED;
	r->counting_only = !tsc_trusted(CPUINFO, CLOCKSOURCE);
	r->give_up_ns = GIVE_UP_NS;
	return take_ptr(r);
}

static void tracked_free(struct tracked *t)
{
	for (uint32_t i = 0; i < t->used; i++)
		ring_free(t->rings[t->numbers[i]]);
	free(t->pairs);
	munmap(t->shared, t->bytes);
	close(t->fd);
	free(t);
}

void regions_free(struct regions *r)
{
	if (!r)
		return;
	HASH_CLEAR(hh, r->by_id);
	for (size_t i = 0; i < r->count; i++)
		tracked_free(r->sources[i]);
	free(r->sources);
	free(r->heap);
	free(r);
}

struct source *regions_find(const struct regions *r, uint64_t id)
{
	struct tracked *t;

	HASH_FIND(hh, r->by_id, &id, sizeof(id), t);
	return t ? &t->source : NULL;
}

static int reserve(struct regions *r)
{
	size_t room = r->room ? 2 * r->room : 16;
	struct tracked **sources;

	if (r->count == SOURCES_MAX)
		return -ENOSPC;
	if (r->count < r->room)
		return 0;
	sources = realloc(r->sources, room * sizeof(struct tracked *));
	if (!sources)
		return -ENOMEM;
	r->sources = sources;
	r->room = room;
	return 0;
}

static void fill(struct tracked *t, const struct region *header)
{
	t->source.id = header->id;
	t->source.reason = header->reason;
	if (header->reason == REGION_FORK) {
		t->source.parent_id = header->parent_id;
		memcpy(t->source.parent_heads, header->parent_heads,
		       sizeof(t->source.parent_heads));
	}
	t->bytes = header->bytes;
	t->ring_bytes = header->ring_bytes;
	t->counting = header->clock == REGION_COUNTER;
	t->no_barrier = header->no_barrier != 0;
}

static int answer(struct tracked *t, const struct region_wish *wish)
{
	struct region *shared = t->shared;
	uint32_t waiting = REGION_WAITING;

	if (t->regions->counting_only || wish->clock == REGION_COUNTER)
		t->counting = true;
	shared->wish = *wish;
	shared->wish.clock = t->counting ? REGION_COUNTER : REGION_TSC;
	if (!__atomic_compare_exchange_n(&shared->ready, &waiting, REGION_ANSWERED, false,
					 __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		return -EALREADY;
	syscall(SYS_futex, &shared->ready, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
	return 0;
}

static void keep(struct regions *r, struct tracked *t)
{
	t->index = r->count;
	r->sources[r->count++] = t;
	HASH_ADD(hh, r->by_id, source.id, sizeof(t->source.id), t);
	r->without_barrier += t->no_barrier;
}

int regions_add(struct regions *r, pid_t pid, uint64_t address, uint64_t bytes,
		const struct region_wish *wish, struct source **ret, struct problem *problem)
{
	_cleanup_free_ struct region *header = malloc(sizeof(*header));
	_cleanup_free_ struct tracked *t = calloc(1, sizeof(*t));
	int err = header && t ? reserve(r) : -ENOMEM;

	if (err)
		return problem_set(problem, err, "pid %d: its malloc shim is not heard: %s", pid,
				   err == -ENOSPC ? "too many processes" : strerror(-err));
	err = region_map(r->shmem, pid, address, bytes, &t->fd, &t->shared, header, problem);
	if (err)
		return err;
	t->regions = r;
	fill(t, header);
	if (regions_find(r, t->source.id))
		err =
		    problem_set(problem, -EBADMSG, "pid %d: its malloc shim is known already", pid);
	else if (answer(t, wish))
		err = problem_set(problem, -EALREADY,
				  "pid %d: its malloc shim has not waited: it is off", pid);
	if (err) {
		tracked_free(take_ptr(t));
		return err;
	}
	*ret = &t->source;
	keep(r, take_ptr(t));
	return 0;
}

void regions_gone(struct source *s)
{
	tracked_of(s)->gone = true;
}

bool regions_drained(const struct source *s)
{
	const struct tracked *t = (const struct tracked *)s;

	for (uint32_t i = 0; i < t->used; i++) {
		const struct ring *ring = t->rings[t->numbers[i]];

		if (!ring->malformed && ring->tail != ring->marked)
			return false;
	}
	return true;
}

void regions_remove(struct regions *r, struct source *s)
{
	struct tracked *t = tracked_of(s);

	HASH_DEL(r->by_id, t);
	r->sources[t->index] = r->sources[--r->count];
	r->sources[t->index]->index = t->index;
	r->rings -= t->used;
	r->without_barrier -= t->no_barrier;
	tracked_free(t);
}

bool regions_read_to(const struct source *s, const uint64_t heads[REGION_RINGS])
{
	const struct tracked *t = (const struct tracked *)s;

	for (uint32_t i = 0; i < REGION_RINGS; i++) {
		const struct ring *ring = t->rings[i];

		if (heads[i] && (!ring || (!ring->malformed && ring->tail < heads[i])))
			return false;
	}
	return true;
}

int regions_answer(struct source *s, const struct region_answer *answer)
{
	struct tracked *t = tracked_of(s);
	uint32_t number = (answer->token & ~REGION_TOKEN) >> REGION_TOKEN_RING_SHIFT;
	struct region_answer *box;
	struct ring *ring;
	uint64_t taken;

	if (!(answer->token & REGION_TOKEN))
		return -EINVAL;
	if (!t->rings[number]) /* claimed since the last mark */
		rings_find(t);
	ring = t->rings[number];
	if (!ring || answer->count > REGION_PAIRS || answer->roots > answer->count)
		return -EINVAL;
	taken = __atomic_load_n(&ring->shared->answers_taken, __ATOMIC_ACQUIRE);
	if (ring->answers_given - taken >= REGION_ANSWERS)
		return -ENOSPC;
	box = (struct region_answer *)(ring->shared + 1) + ring->answers_given % REGION_ANSWERS;
	memcpy(box, answer, offsetof(struct region_answer, pairs[answer->count]));
	__atomic_store_n(&ring->shared->answers_given, ++ring->answers_given, __ATOMIC_RELEASE);
	return 0;
}

void regions_epoch(struct source *s)
{
	__atomic_fetch_add(&tracked_of(s)->shared->control, 1, __ATOMIC_RELEASE);
}

void regions_thin(struct source *s, uint64_t gap_bytes)
{
	struct tracked *t = tracked_of(s);

	__atomic_store_n(&t->shared->wish.gap_bytes, gap_bytes, __ATOMIC_RELAXED);
	__atomic_fetch_or(&t->shared->control, REGION_CONTROL_THIN, __ATOMIC_RELEASE);
}

void regions_turn_off(struct source *s)
{
	__atomic_fetch_or(&tracked_of(s)->shared->control, REGION_CONTROL_OFF, __ATOMIC_RELEASE);
}

/* Figures of a task may be anything: a sum stops at the top. */
static void add_shared(uint64_t *sum, const uint64_t *shared)
{
	if (__builtin_add_overflow(*sum, __atomic_load_n(shared, __ATOMIC_RELAXED), sum))
		*sum = UINT64_MAX;
}

/* offered goes up first: of a thread that was killed in an event one is neither read nor lost. */
static bool is_cut(const struct ring *ring)
{
	uint64_t offered = __atomic_load_n(&ring->shared->offered, __ATOMIC_RELAXED);
	uint64_t lost = __atomic_load_n(&ring->shared->lost, __ATOMIC_RELAXED);

	return !ring->malformed && offered - lost - ring->read == 1;
}

void regions_counts(const struct source *s, struct source_counts *ret)
{
	const struct tracked *t = (const struct tracked *)s;
	const struct region *shared = t->shared;

	*ret = (struct source_counts){ 0 };
	for (uint32_t i = 0; i < t->used; i++) {
		const struct ring *ring = t->rings[t->numbers[i]];

		add_shared(&ret->offered, &ring->shared->offered);
		add_shared(&ret->lost, &ring->shared->lost);
		add_shared(&ret->hits, &ring->shared->hits);
		add_shared(&ret->traps, &ring->shared->traps);
		ret->read += ring->read;
		ret->late += ring->late;
		ret->malformed += ring->malformed;
		ret->cut += t->gone && is_cut(ring);
	}
	add_shared(&ret->lost_no_ring, &shared->lost_no_ring);
	add_shared(&ret->lost_early, &shared->lost_early);
	add_shared(&ret->lost_set, &shared->lost_set);
	add_shared(&ret->samples, &shared->samples);
	add_shared(&ret->sample_frees, &shared->sample_frees);
	add_shared(&ret->nested, &shared->nested);
	add_shared(&ret->refused_answers, &shared->refused_answers);
	add_shared(&ret->children_off, &shared->children_off);
	ret->foreign = shared->foreign != 0;
}

static uint64_t last_mark(const struct regions *r)
{
	return r->pairs.count ? r->pairs.pairs[r->pairs.count - 1].boot_ns : 0;
}

uint64_t regions_time(const struct regions *r, uint64_t stamp)
{
	return r->counting_only ? last_mark(r) : clock_pairs_line(&r->pairs, stamp);
}

uint64_t regions_time_of(const struct source *s, uint64_t stamp)
{
	const struct tracked *t = (const struct tracked *)s;

	if (!t->counting)
		return clock_pairs_line(&t->regions->pairs, stamp);
	return t->pairs ? clock_pairs_nearest(t->pairs, stamp) : last_mark(t->regions);
}
