/* heap_sampling.c - five functions whose bytes are known, from a thousand samples down to three.
 *
 *	heap_sampling [GAP]		bytes between two samples: what the sizes are made for
 *(65,536)
 *
 * Truth: each function holds what it prints, `holds FUNCTION BYTES BLOCK_BYTES`; all at once, at
 *the end, which is the peak. Blocks that are small against the gap are samples by Poisson's law;
 *those of hold_large are as large as the gap.
 */
#include "profile_clock.h"

static long gap = 65536;

/* The list of blocks is in nobody's count: nothing is ever given back. */
static inline __attribute__((always_inline)) long hold(long bytes, long least, long most)
{
	long held = 0, block = least;

	for (; held<bytes; block = block + 16> most ? least : block + 16) {
		void *volatile p = malloc((size_t)block);

		if (!p)
			err(TARGET_FAILED, "malloc");
		held += block;
	}
	return held;
}

#define HOLDER(name, gaps, least, most)                                                           \
	static NOINLINE void name(void)                                                           \
	{                                                                                         \
		printf("holds " #name " %ld %ld\n", hold((gaps)*gap, least, most), (long)(most)); \
		KEEP_FRAME();                                                                     \
	}

HOLDER(hold_many, 1024, 24, 2000)
HOLDER(hold_some, 128, 4000, 4000)
HOLDER(hold_few, 8, 1000, 1000)
HOLDER(hold_fewer, 3, 3000, 3000)
HOLDER(hold_large, 6, gap, gap)

int main(int argc, char **argv)
{
	static char buffer[BUFSIZ];

	setvbuf(stdout, buffer, _IOFBF, sizeof(buffer)); /* else it is in hold_many()'s count */
	if (argc > 1)
		gap = target_number(argv[1], "bytes");
	hold_many();
	hold_some();
	hold_few();
	hold_fewer();
	hold_large();
	return 0;
}
