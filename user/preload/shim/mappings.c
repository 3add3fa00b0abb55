/* mappings.c - mmap and its like: what is anonymous and private is told. What the next allocator
 * maps for itself is not: its blocks are. An unmapping is told before it is done, as a free is. */
#include <stdarg.h>
#include <sys/mman.h>

#include "preload/shim/preload.h"

static void *map(void *p, size_t n, int rights, int flags, int fd, long offset, struct site at)
{
	bool wanted = tells_ranges(at.caller);
	bool replaces = wanted && flags & MAP_FIXED;
	void *mapped;

	if (replaces)
		tell_unmap(p, n);
	mapped = next.mmap(p, n, rights, flags, fd, offset);
	if (mapped == MAP_FAILED) {
		if (replaces)
			tell_map_undo(p);
		return mapped;
	}
	if (wanted && flags & MAP_ANONYMOUS && (flags & MAP_TYPE) == MAP_PRIVATE)
		tell_map(mapped, n, REGION_BY_MMAP, at);
	return mapped;
}

EXPORT void *mmap(void *p, size_t n, int rights, int flags, int fd, long offset)
{
	return map(p, n, rights, flags, fd, offset, HERE);
}

EXPORT void *mmap64(void *p, size_t n, int rights, int flags, int fd, long offset)
{
	return map(p, n, rights, flags, fd, offset, HERE);
}

EXPORT int munmap(void *p, size_t n)
{
	bool told = tells_ranges((uint64_t)__builtin_return_address(0));
	int error;

	if (told)
		tell_unmap(p, n);
	error = next.munmap(p, n);
	if (error && told)
		tell_map_undo(p);
	return error;
}

EXPORT void *mremap(void *p, size_t old, size_t n, int flags, ...)
{
	bool told = tells_ranges((uint64_t)__builtin_return_address(0));
	void *to = NULL, *moved;
	va_list rest;

	if (flags & MREMAP_FIXED) {
		va_start(rest, flags);
		to = va_arg(rest, void *);
		va_end(rest);
	}
	if (told)
		tell_unmap(p, old);
	moved = next.mremap(p, old, n, flags, to);
	if (told && moved == MAP_FAILED)
		tell_map_undo(p);
	else if (told)
		tell_map(moved, n, REGION_BY_MREMAP, HERE);
	return moved;
}
