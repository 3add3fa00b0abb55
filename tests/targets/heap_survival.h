/* heap_survival.h - what the programs of tests/e2e/heap_survival.bats share: blocks whose number is
 * known, and a table of cases.
 *
 * Sizes are seldom ones, so that a block of the C library's is none of these by chance.
 */
#ifndef HEAP_SURVIVAL_H
#define HEAP_SURVIVAL_H

#include "target.h"

#include <sys/syscall.h>

#define NOINLINE __attribute__((noinline, noclone, no_icf)) /* two that are alike stay two */
/* A call before it is no tail call: the frame of the caller stays. */
#define KEEP_FRAME() __asm__ volatile("" ::: "memory")
#define KEPT_BYTES 1022
#define KEPT_MAX 4096

struct survival_case {
	const char *name;
	int (*run)(void);
};

/* Where they are found, so that no compiler takes the allocation away. */
static void *volatile survival_kept[KEPT_MAX];
static volatile long survival_kept_count;

static inline __attribute__((always_inline)) void survival_keep(long blocks)
{
	for (long i = 0; i < blocks; i++) {
		void *p = malloc(KEPT_BYTES);

		if (!p)
			_exit(TARGET_FAILED);
		survival_kept[survival_kept_count++ % KEPT_MAX] = p;
	}
}

static NOINLINE __attribute__((unused)) void keep(long blocks)
{
	survival_keep(blocks);
}

static NOINLINE __attribute__((unused)) void keep_in_child(long blocks)
{
	survival_keep(blocks);
}

/* Pairs of malloc and free of sizes that take turns. */
static NOINLINE __attribute__((unused)) void churn(long pairs)
{
	for (long i = 0; i < pairs; i++) {
		void *volatile p = malloc(100 + (size_t)(i & 31) * 61);

		free(p);
	}
}

/* By write(): stdio has a buffer of its own, and a sandbox may leave nothing else. */
static inline void say(const char *what, const char *function, long blocks)
{
	char line[128];
	int n = snprintf(line, sizeof(line), "%s %s %ld\n", what, function, blocks * KEPT_BYTES);

	if (write(1, line, (size_t)n) != n)
		_exit(TARGET_FAILED);
}

/* Blocks of one process that are still there when it ends; at the peak as well, since nothing else
 * in these programs is as large. */
static inline void say_kept(const char *function, long blocks)
{
	say("held", function, blocks);
	say("left", function, blocks);
}

static inline int survival_main(const struct survival_case *cases, int argc, char **argv)
{
	for (; cases->name; cases++)
		if (argc > 1 && !strcmp(argv[1], cases->name))
			return cases->run();
	fprintf(stderr, "%s: no such case\n", argc > 1 ? argv[1] : "(none)");
	return 64;
}

#endif
