/* allocations.c - see allocations.h */
#include "aggregate/allocations.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "aggregate/intern.h"

struct allocations {
	struct allocations_facts facts;
	struct profile *tree;
	struct intern entries, points;
	struct allocation_entry sum;
	double error_squares; /* of all entries */
};

static const char *const names[ALLOCATORS] = {
	[ALLOCATOR_MALLOC] = "malloc",
	[ALLOCATOR_REALLOC] = "realloc",
	[ALLOCATOR_CALLOC] = "calloc",
	[ALLOCATOR_POSIX_MEMALIGN] = "posix_memalign",
	[ALLOCATOR_ALIGNED_ALLOC] = "aligned_alloc",
	[ALLOCATOR_MEMALIGN] = "memalign",
	[ALLOCATOR_VALLOC] = "valloc",
	[ALLOCATOR_PVALLOC] = "pvalloc",
	[ALLOCATOR_MMAP] = "mmap",
	[ALLOCATOR_PAGE_ANON] = "anonymous page",
	[ALLOCATOR_PAGE_FILE] = "file page",
	[ALLOCATOR_PAGE_SHMEM] = "shared memory page",
};

const char *allocator_name(enum allocator a)
{
	return (unsigned)a < ALLOCATORS ? names[a] : "unknown";
}

struct allocations *allocations_new(const struct allocations_facts *facts)
{
	struct allocations *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	a->facts = *facts;
	a->sum.stack = PROFILE_NO_STACK;
	a->sum.thread = PROFILE_NONE;
	a->sum.allocator = ALLOCATORS;
	intern_init(&a->entries, sizeof(struct allocation_entry),
		    offsetof(struct allocation_entry, peak));
	intern_init(&a->points, sizeof(struct allocation_point), 0);
	a->tree = profile_new(1, 1); /* it has no samples: neither period nor slice is asked for */
	if (!a->tree) {
		allocations_free(a);
		errno = ENOMEM;
		return NULL;
	}
	return a;
}

void allocations_free(struct allocations *a)
{
	if (!a)
		return;
	intern_clear(&a->points);
	intern_clear(&a->entries);
	profile_free(a->tree);
	free(a);
}

struct profile *allocations_tree(struct allocations *a)
{
	return a->tree;
}

const struct profile *allocations_names(const struct allocations *a)
{
	return a->tree;
}

/* Signed numbers of the formats hold it then. */
static bool add_number(uint64_t *to, uint64_t more)
{
	return !__builtin_add_overflow(*to, more, to) && *to <= INT64_MAX;
}

static bool add_sum(struct allocation_sum *to, const struct allocation_sum *more)
{
	return add_number(&to->bytes, more->bytes) && add_number(&to->count, more->count);
}

static bool add_sums(struct allocation_entry *to, const struct allocation_entry *more)
{
	return add_sum(&to->peak, &more->peak) && add_sum(&to->leaked, &more->leaked) &&
	       add_sum(&to->allocated, &more->allocated) &&
	       add_sum(&to->temporary, &more->temporary) &&
	       add_number(&to->usage_bytes, more->usage_bytes);
}

static double square_of(uint64_t error)
{
	return (double)error * (double)error;
}

static uint64_t error_of(double squares)
{
	double error = ceil(sqrt(squares));

	return error < (double)INT64_MAX ? (uint64_t)error : INT64_MAX;
}

static bool is_known(const struct allocations *a, const struct allocation_entry *e)
{
	return (e->stack == PROFILE_NO_STACK || e->stack < profile_stack_count(a->tree)) &&
	       e->thread < profile_thread_count(a->tree) && e->allocator < ALLOCATORS;
}

int allocations_add(struct allocations *a, const struct allocation_entry *e)
{
	struct allocation_entry key = { .stack = e->stack,
					.thread = e->thread,
					.allocator = e->allocator };
	struct allocation_entry sum = a->sum, *entry;
	double square = square_of(e->error_95_bytes);
	uint32_t i;

	if (!is_known(a, e))
		return -EINVAL;
	if (!add_sums(&sum, e))
		return -EOVERFLOW;
	i = intern_add(&a->entries, &key);
	if (i == INTERN_NONE)
		return -ENOMEM;
	entry = intern_at(&a->entries, i);
	add_sums(entry, e); /* a part of the sum: it has room for it */
	entry->error_95_bytes = error_of(square_of(entry->error_95_bytes) + square);
	a->error_squares += square;
	sum.error_95_bytes = error_of(a->error_squares);
	a->sum = sum;
	return 0;
}

int allocations_point(struct allocations *a, const struct allocation_point *p)
{
	const struct allocation_point *last =
	    a->points.count ? intern_at(&a->points, a->points.count - 1) : NULL;

	if (last && p->time_ns < last->time_ns)
		return -EINVAL;
	return intern_append(&a->points, p) == INTERN_NONE ? -ENOMEM : 0;
}

const struct allocations_facts *allocations_facts(const struct allocations *a)
{
	return &a->facts;
}

size_t allocations_count(const struct allocations *a)
{
	return a->entries.count;
}

const struct allocation_entry *allocations_at(const struct allocations *a, size_t i)
{
	return intern_at(&a->entries, (uint32_t)i);
}

size_t allocations_point_count(const struct allocations *a)
{
	return a->points.count;
}

const struct allocation_point *allocations_point_at(const struct allocations *a, size_t i)
{
	return intern_at(&a->points, (uint32_t)i);
}

struct allocation_entry allocations_sum(const struct allocations *a)
{
	return a->sum;
}
