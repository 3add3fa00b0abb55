/* heap_usdt.c - a program that offers its samples as the USDT probes otel_memory:alloc and free.
 *
 *	heap_usdt
 *
 * Prints `begins`, waits for SIGUSR2. Then two functions hold blocks from an allocator that samples
 * one in 64 KiB on average (p = 1 − e^(−n/T), it stands for n/p bytes): 60,000 of 500 bytes, 400 of
 * 100,000; as many again have been freed before. The probes fire while somebody looks (semaphores).
 * Prints `holds FUNCTION bytes`, `samples N` (those that were told and not freed), `ready`, and
 *waits for SIGUSR2.
 */
#include "profile_clock.h"

#include <math.h>
#include <signal.h>

#define GAP 65536.0

__attribute__((section(".probes"))) volatile unsigned short alloc_semaphore, free_semaphore;

/* As sys/sdt.h of systemtap makes them. */
#define NOTE(name, semaphore, arguments)                                            \
	"990: nop\n"                                                                \
	".pushsection .note.stapsdt, \"\", \"note\"\n"                              \
	".balign 4\n"                                                               \
	".4byte 992f - 991f, 994f - 993f, 3\n"                                      \
	"991: .asciz \"stapsdt\"\n"                                                 \
	"992: .balign 4\n"                                                          \
	"993: .8byte 990b\n"                                                        \
	".8byte _.stapsdt.base\n"                                                   \
	".8byte " semaphore "\n"                                                    \
	".asciz \"otel_memory\"\n"                                                  \
	".asciz \"" name "\"\n"                                                     \
	".asciz \"" arguments "\"\n"                                                \
	"994: .balign 4\n"                                                          \
	".popsection\n"                                                             \
	".ifndef _.stapsdt.base\n"                                                  \
	".pushsection .stapsdt.base, \"aG\", \"progbits\", .stapsdt.base, comdat\n" \
	".weak _.stapsdt.base\n"                                                    \
	".hidden _.stapsdt.base\n"                                                  \
	"_.stapsdt.base: .space 1\n"                                                \
	".size _.stapsdt.base, 1\n"                                                 \
	".popsection\n"                                                             \
	".endif\n"

struct block {
	struct block *next;
	int sampled;
};

static uint64_t state = 42, samples;

static double draw(void)
{
	state = state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (double)(state >> 11) * 0x1p-53;
}

static NOINLINE void *allocate(size_t bytes)
{
	struct block *b = malloc(bytes);
	double p = 1 - exp(-(double)bytes / GAP);
	uint64_t stands_for = (uint64_t)((double)bytes / p + draw());

	if (!b)
		err(TARGET_FAILED, "malloc");
	b->sampled = draw() < p;
	if (b->sampled && alloc_semaphore) {
		samples++;
		__asm__ volatile(NOTE("alloc", "alloc_semaphore", "8@%0 8@%1 8@%2")
				 :
				 : "r"(b), "r"(bytes), "m"(stands_for));
	}
	return b;
}

static void release(struct block *b)
{
	if (b->sampled && free_semaphore) {
		samples--;
		__asm__ volatile(NOTE("free", "free_semaphore", "8@%0") : : "r"(b));
	}
	free(b);
}

static NOINLINE struct block *many(long count, size_t bytes)
{
	struct block *all = NULL;

	while (count--) {
		struct block *b = allocate(bytes);

		b->next = all;
		all = b;
	}
	return all;
}

static NOINLINE struct block *small_ones(void)
{
	struct block *all = many(60000, 500);

	KEEP_FRAME();
	return all;
}

static NOINLINE struct block *large_ones(void)
{
	struct block *all = many(400, 100000);

	KEEP_FRAME();
	return all;
}

static void release_all(struct block *all)
{
	while (all) {
		struct block *next = all->next;

		release(all);
		all = next;
	}
}

int main(void)
{
	struct block *small, *large;
	sigset_t signals;
	int signal;

	sigemptyset(&signals);
	sigaddset(&signals, SIGUSR2);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	puts("begins");
	fflush(stdout);
	sigwait(&signals, &signal);
	if (!alloc_semaphore || !free_semaphore)
		errx(TARGET_FAILED, "nobody looks");
	release_all(small_ones());
	release_all(large_ones());
	small = small_ones();
	large = large_ones();
	printf("holds small_ones %d\nholds large_ones %d\nsamples %llu\nready\n", 60000 * 500,
	       400 * 100000, (unsigned long long)samples);
	fflush(stdout);
	sigwait(&signals, &signal);
	release_all(small);
	release_all(large);
}
