/* alloc_known.c - memory whose owners are known to the byte.
 *
 *	alloc_known [--before-ms N] [--hold-ms N] [--small]
 *
 * Truth: four functions hold 64 + 32 + 48 + 5 MiB together, all of it touched; that is the peak.
 * Before, decoy_before has held 100 MiB and given them back; afterwards hold_c gives back its 48
 *and decoy_after takes 30. --small: in blocks of 4000 bytes instead of one each. Then it waits
 * --hold-ms. First it prints `begins` and waits --before-ms. Prints `holds FUNCTION bytes` for
 *each, and `ready` at the peak.
 */
#include "profile_clock.h"

#define SMALL 4000L

struct held {
	void **blocks;
	size_t count;
	long piece;
};

static long small;

static NOINLINE struct held hold(long bytes)
{
	long piece = small ? SMALL : bytes;
	struct held h = { .count = bytes / piece, .piece = piece };

	/* the list itself is in nobody's count: it comes from mmap and is never touched twice */
	h.blocks = mmap(NULL, h.count * sizeof(void *), PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (h.blocks == MAP_FAILED)
		err(TARGET_FAILED, "mmap");
	for (size_t i = 0; i < h.count; i++) {
		h.blocks[i] = malloc(piece);
		if (!h.blocks[i])
			err(TARGET_FAILED, "malloc");
		memset(h.blocks[i], 1, piece);
	}
	return h;
}

static void give_back(struct held *h)
{
	for (size_t i = 0; i < h->count; i++)
		free(h->blocks[i]);
	munmap(h->blocks, h->count * sizeof(void *));
}

#define HOLDER(name, mib)                        \
	static NOINLINE struct held name(void)   \
	{                                        \
		struct held h = hold((mib)*MIB); \
                                                 \
		KEEP_FRAME();                    \
		return h;                        \
	}

HOLDER(hold_a, 64)
HOLDER(hold_b, 32)
HOLDER(hold_c, 48)
HOLDER(hold_d, 5)
HOLDER(decoy_before, 100)
HOLDER(decoy_after, 30)

static void say(const char *name, const struct held *h)
{
	printf("holds %s %ld\n", name, (long)h->count * h->piece);
}

int main(int argc, char **argv)
{
	struct held before, a, b, c, d, after;
	long hold_ms = option_number(argc, argv, "hold-ms", 0);

	small = option_number(argc, argv, "small", 0);
	printf("begins\n");
	fflush(stdout);
	target_sleep_ms(option_number(argc, argv, "before-ms", 0));
	before = decoy_before();
	give_back(&before);
	a = hold_a();
	b = hold_b();
	c = hold_c();
	d = hold_d();
	say("hold_a", &a);
	say("hold_b", &b);
	say("hold_c", &c);
	say("hold_d", &d);
	printf("ready\n");
	fflush(stdout);
	usleep(hold_ms * 1000);
	give_back(&c);
	after = decoy_after();
	give_back(&after);
	give_back(&a);
	give_back(&b);
	give_back(&d);
	return 0;
}
