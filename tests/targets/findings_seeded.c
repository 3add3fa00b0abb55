/* findings_seeded.c - programs in which one thing stands out, or, to a careless eye, seems to.
 *
 *	findings_seeded KIND [--seconds S]
 *
 *	leak		leak_rows() keeps 256 kB each 50 ms, beside 4 MiB of noise that comes and
 *goes burst		fill_table() has 200 MiB for a moment in the middle, over 20 MiB cache
 *a healthy cache: filled to 64 MiB, emptied, filled again; nothing stands out
 *	lock		worker() of 4 threads sleeps in a mutex that the others wait for
 *	cpu		4 threads in spin(): pin them to one CPU
 *	fragments	make_holes() has 96 MiB in blocks of 2,000 bytes, then frees all but each
 *40th
 */
#include "target.h"

#include <pthread.h>

#define THREADS 4

static double seconds = 8;
static volatile bool over;
static void *volatile keep;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static char *filled(size_t bytes)
{
	char *memory = malloc(bytes);

	if (!memory)
		err(TARGET_FAILED, "malloc");
	memset(memory, 1, bytes);
	keep = memory; /* else the compiler leaves out what is freed unread */
	return memory;
}

static __attribute__((noinline)) void leak_rows(void)
{
	filled(256 * 1024);
}

static __attribute__((noinline)) void make_noise(void)
{
	char *noise = filled(((unsigned)rand() % 16 + 1) * 256 * 1024);

	target_sleep_ms(10); /* far less than between two of them: most ticks see the floor */
	free(noise);
}

static void leak(double end)
{
	while (now() < end) {
		leak_rows();
		make_noise();
		target_sleep_ms(40);
	}
}

static __attribute__((noinline)) void fill_table(void)
{
	char *table = filled(200 * MIB);

	target_sleep_ms(150);
	free(table);
}

static void burst(double end)
{
	char *level = filled(20 * MIB);

	target_sleep_ms((long)((end - now()) * 500));
	fill_table();
	while (now() < end)
		target_sleep_ms(20);
	free(level);
}

static void cache(double end)
{
	char *entries[64];

	while (now() < end) {
		for (int i = 0; i < 64; i++) {
			entries[i] = filled(MIB);
			target_sleep_ms(12);
		}
		for (int i = 0; i < 64; i++)
			free(entries[i]);
	}
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static void *worker(void *unused)
{
	(void)unused;
	while (!over) {
		pthread_mutex_lock(&mutex);
		for (double end = now() + 0.01; now() < end;)
			;
		pthread_mutex_unlock(&mutex);
	}
	return NULL;
}

static void *spin(void *unused)
{
	while (!over)
		;
	return unused;
}

static void run_threads(double end, void *(*body)(void *))
{
	pthread_t threads[THREADS];

	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, body, NULL))
			errx(TARGET_FAILED, "no thread");
	while (now() < end)
		target_sleep_ms(50);
	over = true;
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
}

static void lock(double end)
{
	run_threads(end, worker);
}

static void cpu(double end)
{
	run_threads(end, spin);
}

static __attribute__((noinline)) void make_holes(char **blocks, size_t n)
{
	for (size_t i = 0; i < n; i++)
		blocks[i] = filled(2000);
	for (size_t i = 0; i < n; i++)
		if (i % 40)
			free(blocks[i]);
}

static void fragments(double end)
{
	size_t n = 96 * MIB / 2000;
	char **blocks = calloc(n, sizeof(*blocks));

	if (!blocks)
		err(TARGET_FAILED, "calloc");
	make_holes(blocks, n);
	while (now() < end) {
		char *small = filled(100);

		target_sleep_ms(20);
		free(small);
	}
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(double end);
	} kinds[] = {
		{ "leak", leak }, { "burst", burst }, { "cache", cache },
		{ "lock", lock }, { "cpu", cpu },     { "fragments", fragments },
	};

	if (argc == 4 && !strcmp(argv[2], "--seconds"))
		seconds = (double)target_number(argv[3], "seconds");
	for (size_t i = 0; argc > 1 && i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (!strcmp(argv[1], kinds[i].name)) {
			kinds[i].run(now() + seconds);
			return 0;
		}
	errx(TARGET_FAILED, "usage: findings_seeded KIND [--seconds S]");
}
