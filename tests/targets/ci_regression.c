/* ci_regression.c - a program with an allocation regression that a flag seeds.
 *
 *	ci_regression [--seeded | --seeded-mib N] [--spin-ms N]
 *
 * Truth: load_rows holds 24 MiB until the end and gives it back. --seeded: cache_rows, which it
 * calls, keeps a copy of 16 MiB (or N, at most 16) that nobody gives back. --spin-ms: burn runs so
 * long on the CPU.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* no copies either, and no tail calls: a function is one, and its callers are on the stack */
#define NOINLINE __attribute__((noinline, noclone))
#define KEEP_FRAME() __asm__ volatile("" ::: "memory")

#define ROWS 24
#define CACHED 16
#define MIB (1u << 20)

static char *rows[ROWS], *cached[CACHED];

/* Through a volatile pointer: what is never read would be no allocation. */
static void *(*volatile take)(size_t size) = malloc;

static NOINLINE char *filled(size_t size, int value)
{
	char *block = take(size);

	if (!block)
		err(1, "malloc");
	memset(block, value, size);
	return block;
}

static NOINLINE void cache_rows(long mib)
{
	for (long i = 0; i < mib && i < CACHED; i++)
		cached[i] = filled(MIB, (int)i);
}

static NOINLINE void load_rows(long seeded)
{
	for (int i = 0; i < ROWS; i++)
		rows[i] = filled(MIB, i);
	if (seeded)
		cache_rows(seeded);
	KEEP_FRAME();
}

static NOINLINE void burn(long ms)
{
	struct timespec now;

	do
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	while (now.tv_sec * 1000 + now.tv_nsec / 1000000 < ms);
}

int main(int argc, char **argv)
{
	long seeded = 0, ms = 0;

	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--seeded"))
			seeded = CACHED;
		else if (!strcmp(argv[i], "--seeded-mib") && i + 1 < argc)
			seeded = strtol(argv[++i], NULL, 10);
		else if (!strcmp(argv[i], "--spin-ms") && i + 1 < argc)
			ms = strtol(argv[++i], NULL, 10);
		else
			errx(2, "%s: not known", argv[i]);
	}
	load_rows(seeded);
	burn(ms);
	for (int i = 0; i < ROWS; i++)
		free(rows[i]);
	return 0;
}
