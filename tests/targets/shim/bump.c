/* bump.c - an allocator that a signal handler may call: blocks of 8 KiB, of one list without locks.
 * For tests: it stands behind the shim. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define BLOCK 8192
#define BLOCKS 16384

static char memory[BLOCKS][BLOCK] __attribute__((aligned(4096)));
static uint8_t taken[BLOCKS];
static uint32_t hint;

static void *take(size_t n)
{
	uint32_t first = __atomic_fetch_add(&hint, 1, __ATOMIC_RELAXED);

	for (uint32_t i = 0; n <= BLOCK && i < BLOCKS; i++) {
		uint32_t k = (first + i) % BLOCKS;

		if (!__atomic_exchange_n(&taken[k], 1, __ATOMIC_ACQ_REL))
			return memory[k];
	}
	return NULL;
}

void *malloc(size_t n)
{
	return take(n);
}

void free(void *p)
{
	if (p)
		__atomic_store_n(&taken[((char *)p - memory[0]) / BLOCK], 0, __ATOMIC_RELEASE);
}

void *calloc(size_t n, size_t size)
{
	void *p = take(n * size);

	return p ? memset(p, 0, n * size) : NULL;
}

void *realloc(void *p, size_t n)
{
	return p ? (n <= BLOCK ? p : NULL) : take(n);
}

void *memalign(size_t alignment, size_t n)
{
	return alignment <= 4096 ? take(n) : NULL;
}
