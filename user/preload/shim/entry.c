/* entry.c - malloc and its like, as the task calls them. Fast: one comparison with what is left to
 * the next sample (exact: nothing is ever left), one with a byte of the filter at a free, and a
 * jump to the next allocator. C++'s new and delete come through here by themselves. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "preload/shim/preload.h"

__thread struct thread self __attribute__((tls_model("initial-exec")));

#define PAGE 4096

/* May this allocation pass untold? Then it is taken off what is left. */
static inline __attribute__((always_inline)) bool passes(size_t bytes)
{
	uint64_t left = self.left;

	if (unlikely(bytes >= left))
		return false;
	self.left = left - bytes - 1;
	return true;
}

static inline void *told(void *p, size_t bytes, enum region_allocator by, struct site at,
			 uint64_t wanted)
{
	if (wanted && p)
		tell_alloc(p, bytes, by, at, wanted);
	return p;
}

NOINLINE static void *malloc_slow(size_t n, struct site at)
{
	uint64_t wanted = tell_wanted(n);

	return told(next.malloc(n), n, REGION_BY_MALLOC, at, wanted);
}

EXPORT void *malloc(size_t n)
{
	if (likely(passes(n)))
		return next.malloc(n);
	return malloc_slow(n, HERE);
}

void *own_malloc(size_t n) __attribute__((alias("malloc")));

NOINLINE static void *calloc_slow(size_t n, size_t size, struct site at)
{
	uint64_t wanted = tell_wanted(n * size);

	return told(next.calloc(n, size), n * size, REGION_BY_CALLOC, at, wanted);
}

EXPORT void *calloc(size_t n, size_t size)
{
	size_t bytes;

	if (unlikely(__builtin_mul_overflow(n, size, &bytes)) || likely(passes(bytes)))
		return next.calloc(n, size);
	return calloc_slow(n, size, HERE);
}

NOINLINE static void free_slow(void *p)
{
	if (!p || is_boot(p))
		return;
	tell_free(p, false);
	next.free(p);
}

EXPORT void free(void *p)
{
	if (unlikely(filter[filter_slot(p)])) {
		free_slow(p);
		return;
	}
	next.free(p);
}

/* Blocks of before the next allocator was known are copied, and left where they are. */
static void *realloc_boot(void *old, size_t n)
{
	size_t bytes = boot_size(old);
	void *p = next.malloc(n);

	return p ? memcpy(p, old, bytes < n ? bytes : n) : NULL;
}

/* The free is told first: as soon as the block is free another thread may get its address. */
NOINLINE static void *realloc_slow(void *old, size_t n, bool passed, struct site at)
{
	uint64_t wanted = passed ? 0 : tell_wanted(n);
	bool freed = false;
	void *p;

	if (old && is_boot(old))
		return told(realloc_boot(old, n), n, REGION_BY_REALLOC, at, wanted);
	if (old && filter[filter_slot(old)])
		freed = tell_free(old, true);
	p = next.realloc(old, n);
	if (freed && !p && n)
		tell_block_undo(old);
	return told(p, n, REGION_BY_REALLOC, at, wanted);
}

static void *own_realloc(void *old, size_t n)
{
	bool passed = passes(n);

	if (likely(passed && !filter[filter_slot(old)]))
		return next.realloc(old, n);
	return realloc_slow(old, n, passed, HERE);
}
EXPORT void *realloc(void *old, size_t n) __attribute__((alias("own_realloc")));

EXPORT void *reallocarray(void *old, size_t n, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes)) {
		errno = ENOMEM;
		return NULL;
	}
	if (unlikely(realloc != own_realloc)) /* an allocator before us that has no reallocarray */
		return realloc(old, bytes);
	return realloc_slow(old, bytes, passes(bytes), HERE);
}

EXPORT void *memalign(size_t alignment, size_t n)
{
	uint64_t wanted = passes(n) ? 0 : tell_wanted(n);

	return told(next.memalign(alignment, n), n, REGION_BY_MEMALIGN, HERE, wanted);
}

/* Those below have no stand-in: the next allocator is found first. */
static void need_next(void)
{
	if (unlikely(!next.aligned_alloc))
		next_resolve();
}

EXPORT void *aligned_alloc(size_t alignment, size_t n)
{
	uint64_t wanted = passes(n) ? 0 : tell_wanted(n);

	need_next();
	return told(next.aligned_alloc(alignment, n), n, REGION_BY_ALIGNED_ALLOC, HERE, wanted);
}

EXPORT int posix_memalign(void **ret, size_t alignment, size_t n)
{
	uint64_t wanted = passes(n) ? 0 : tell_wanted(n);
	int error;

	need_next();
	error = next.posix_memalign(ret, alignment, n);
	if (!error)
		told(*ret, n, REGION_BY_POSIX_MEMALIGN, HERE, wanted);
	return error;
}

EXPORT void *valloc(size_t n)
{
	uint64_t wanted = passes(n) ? 0 : tell_wanted(n);

	need_next();
	return told(next.valloc(n), n, REGION_BY_VALLOC, HERE, wanted);
}

EXPORT void *pvalloc(size_t n)
{
	uint64_t wanted = passes(n) ? 0 : tell_wanted(n);

	need_next();
	return told(next.pvalloc(n), n, REGION_BY_PVALLOC, HERE, wanted);
}

EXPORT size_t malloc_usable_size(void *p)
{
	if (unlikely(p && is_boot(p)))
		return boot_size(p);
	need_next();
	return next.usable_size(p);
}

/* Of C23, and of long ago: a free all the same. */
EXPORT void free_sized(void *p, size_t bytes)
{
	(void)bytes;
	free(p);
}

EXPORT void free_aligned_sized(void *p, size_t alignment, size_t bytes)
{
	(void)alignment;
	(void)bytes;
	free(p);
}

EXPORT void cfree(void *p)
{
	free(p);
}
