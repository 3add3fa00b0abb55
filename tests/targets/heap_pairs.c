/* heap_pairs.c - what a pair of malloc and free costs.
 *
 *	heap_pairs [--pairs N] [--bytes N]
 *
 * N pairs (default 20 million) of blocks of as many bytes (48), from a few call sites in turn, 64
 *blocks live. Prints `ns_a_pair` of the fastest of 20 parts: what disturbs makes the others slower.
 */
#include "profile_clock.h"

#define LIVE 64
#define PARTS 20

static void *kept[LIVE];

static NOINLINE void *first(size_t bytes)
{
	void *p = malloc(bytes);

	KEEP_FRAME();
	return p;
}

static NOINLINE void *second(size_t bytes)
{
	void *p = malloc(bytes);

	KEEP_FRAME();
	return p;
}

static int64_t part(long pairs, size_t bytes)
{
	int64_t begin = cpu_ns();

	for (long i = 0; i < pairs; i++) {
		void **slot = &kept[i % LIVE];

		free(*slot);
		*slot = i & 1 ? first(bytes) : second(bytes);
	}
	return cpu_ns() - begin;
}

int main(int argc, char **argv)
{
	static const struct option options[] = { { "pairs", required_argument, NULL, 'p' },
						 { "bytes", required_argument, NULL, 'b' },
						 {} };
	long pairs = 20000000, bytes = 48;
	int64_t least = INT64_MAX;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		if (c != 'p' && c != 'b')
			return TARGET_FAILED;
		*(c == 'p' ? &pairs : &bytes) = target_number(optarg, "pairs or bytes");
	}
	for (int i = 0; i < PARTS; i++) {
		int64_t ns = part(pairs / PARTS, (size_t)bytes);

		if (ns < least)
			least = ns;
	}
	printf("ns_a_pair %.1f\n", (double)least * PARTS / (double)pairs);
}
