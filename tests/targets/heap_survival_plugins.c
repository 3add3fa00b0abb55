/* heap_survival_plugins.c - code that comes and goes at the same address, with the same bytes: who
 * knows a stack by its words names the old code for the new one.
 *
 *	heap_survival_plugins CASE	see cases[]
 *
 * Truth: as in heap_survival.c. Two libraries beside the program differ in the names of their
 * functions only: from_a(), from_b() call back into the program, which keeps a block each time.
 * Prints also `same_address N`: loads at the address of the load before, which is what this is
 *about.
 *
 * The libraries are made of this file: -shared -fPIC -DPLUGIN=from_a, from_b.
 */
#ifdef PLUGIN

void PLUGIN(void (*back)(long), long n);
void *plugin_entry(void);

__attribute__((noinline)) void PLUGIN(void (*back)(long), long n)
{
	back(n);
	__asm__ volatile("" ::: "memory"); /* no tail call: its frame stays */
}

void *plugin_entry(void)
{
	return (void *)PLUGIN;
}

#else

#include "heap_survival.h"

#include <dlfcn.h>
#include <libgen.h>
#include <limits.h>
#include <link.h>
#include <pthread.h>
#include <sys/stat.h>

#define ROUNDS 10 /* of each library */
#define CALLS 10
typedef void work_fn(void (*back)(long), long n);

static const char *const names[] = { "from_a", "from_b" };
static uintptr_t last_base;
static long same_address, wait_ms = 250;
static bool names_known = true;

static void path_of(char path[PATH_MAX], int which)
{
	char self[PATH_MAX / 2] = "";

	if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
		err(TARGET_FAILED, "/proc/self/exe");
	snprintf(path, PATH_MAX, "%s/heap_survival_%s.so", dirname(self), names[which]);
}

static void *load(int which, work_fn **work)
{
	char path[PATH_MAX];
	struct link_map *map;
	void *handle, *(*entry)(void);

	path_of(path, which);
	handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!handle)
		errx(TARGET_FAILED, "%s", dlerror());
	entry = (void *(*)(void))dlsym(handle, "plugin_entry");
	if (!entry || dlinfo(handle, RTLD_DI_LINKMAP, &map))
		errx(TARGET_FAILED, "%s", dlerror());
	*work = (work_fn *)entry();
	same_address += map->l_addr == last_base;
	last_base = map->l_addr;
	return handle;
}

static int said(void)
{
	if (same_address < ROUNDS)
		fprintf(stderr, "only %ld of %d loads were at the same address\n", same_address,
			2 * ROUNDS);
	say_kept("keep", 2 * ROUNDS * CALLS);
	if (names_known) {
		say_kept("from_a", ROUNDS * CALLS);
		say_kept("from_b", ROUNDS * CALLS);
	}
	return same_address < ROUNDS ? TARGET_FAILED : 9;
}

/* Called from one place, so that all is the same but the library. What walks stacks may be told of
 * a mapping a little after it is there, on a busy machine tens of milliseconds: that is not what
 * this is about. */
static NOINLINE void run(work_fn *work)
{
	target_sleep_ms(wait_ms);
	for (int i = 0; i < CALLS; i++)
		work(keep, 1);
	KEEP_FRAME();
}

static int opened_and_closed(void)
{
	work_fn *work;

	for (int i = 0; i < 2 * ROUNDS; i++) {
		void *handle = load(i % 2, &work);

		run(work);
		if (dlclose(handle))
			errx(TARGET_FAILED, "%s", dlerror());
	}
	return said();
}

static int called_at_once(void)
{
	wait_ms = 0;
	return opened_and_closed();
}

static int called_at_once_unnamed(void)
{
	names_known = false;
	return called_at_once();
}

/* ---- a thread calls what another one loads */

static pthread_barrier_t loaded, called;
static work_fn *volatile to_call;

static void *caller(void *unused)
{
	for (;;) {
		pthread_barrier_wait(&loaded);
		if (!to_call)
			return unused;
		run(to_call);
		pthread_barrier_wait(&called);
	}
}

static int opened_for_a_thread(void)
{
	pthread_t thread;
	work_fn *work;

	pthread_barrier_init(&loaded, NULL, 2);
	pthread_barrier_init(&called, NULL, 2);
	if (pthread_create(&thread, NULL, caller, NULL))
		return TARGET_FAILED;
	for (int i = 0; i < 2 * ROUNDS; i++) {
		void *handle = load(i % 2, &work);

		to_call = work;
		pthread_barrier_wait(&loaded);
		pthread_barrier_wait(&called);
		if (dlclose(handle))
			errx(TARGET_FAILED, "%s", dlerror());
	}
	to_call = NULL;
	pthread_barrier_wait(&loaded);
	pthread_join(thread, NULL);
	return said();
}

/* ---- a program with a loader of its own */

static char *map_file(int which, char *at, size_t *bytes)
{
	char path[PATH_MAX], *map;
	struct stat st;
	int fd;

	path_of(path, which);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st))
		err(TARGET_FAILED, "%s", path);
	*bytes = (size_t)st.st_size;
	map = mmap(at, *bytes, PROT_READ | PROT_EXEC, MAP_PRIVATE | (at ? MAP_FIXED : 0), fd, 0);
	if (map == MAP_FAILED)
		err(TARGET_FAILED, "%s", path);
	close(fd);
	return map;
}

/* The code needs no relocation, and stands in the file as far from its begin as in memory. */
static int mapped_by_hand(void)
{
	work_fn *work;
	uintptr_t offsets[2];
	char *map = NULL;
	size_t bytes;

	for (int which = 0; which < 2; which++) {
		void *handle = load(which, &work);

		offsets[which] = (uintptr_t)work - last_base;
		dlclose(handle);
	}
	for (int i = 0; i < 2 * ROUNDS; i++) {
		char *before = map;

		map = map_file(i % 2, map, &bytes);
		same_address += map == before;
		run((work_fn *)(map + offsets[i % 2]));
	}
	return said();
}

static const struct survival_case cases[] = {
	{ "dlopen", opened_and_closed },
	{ "dlopen-at-once", called_at_once_unnamed },
	{ "dlopen-at-once-named", called_at_once },
	{ "dlopen-thread", opened_for_a_thread },
	{ "loader", mapped_by_hand },
	{ NULL, NULL },
};

int main(int argc, char **argv)
{
	return survival_main(cases, argc, argv);
}

#endif
