/* profile_dlopen.c - two shared libraries that come and go at the same address.
 *
 *	profile_dlopen [--rounds N] [--ms CPU]
 *
 * Truth: profile_plugin_a.so and profile_plugin_b.so, beside the program, are loaded in turn, N
 *times; each burns CPU in its own function (burn_in_plugin_a, called by plugin_a_work; so for b),
 *and is unloaded. They have the same size in memory, so the second comes to where the first was,
 *but another layout: whoever uses old rows or old names for the new file is wrong. At the end
 *nothing is loaded. Prints `plugin a CPU`, `plugin b CPU`, `same_address N` (loads at the address
 *of the load before), `cpu_ns`.
 *
 * The plugins are made of this file: -shared -fPIC -DPLUGIN_A or -DPLUGIN_B.
 */
#include "profile_clock.h"

#ifdef PLUGIN_A

NOINLINE void burn_in_plugin_a(int64_t ns)
{
	burn_cpu_ns(ns);
	KEEP_FRAME();
}

void plugin_work(int64_t ns);
NOINLINE void plugin_work(int64_t ns)
{
	volatile char room[1000];

	room[0] = 1;
	burn_in_plugin_a(ns);
	room[1] = room[0];
}

#elif defined(PLUGIN_B)

/* moves what follows, within the same page */
NOINLINE int unused_in_plugin_b(int x)
{
	__asm__ volatile(".fill 700, 1, 0x90");
	return x * 3;
}

void plugin_work(int64_t ns);
static NOINLINE void burn_in_plugin_b(int64_t ns)
{
	volatile int64_t room[5] = { ns };

	burn_cpu_ns(room[0]);
	KEEP_FRAME();
}

NOINLINE void plugin_work(int64_t ns)
{
	burn_in_plugin_b(ns);
	KEEP_FRAME();
}

#else

#include <dlfcn.h>
#include <libgen.h>
#include <limits.h>
#include <link.h>

static uintptr_t last_base;
static long same_address;

/* Returns the CPU time that the plugin has burnt. */
static NOINLINE int64_t load_and_run(const char *path, int64_t ns)
{
	void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	void (*work)(int64_t);
	struct link_map *map;
	int64_t start;

	if (!handle)
		errx(TARGET_FAILED, "%s", dlerror());
	work = (void (*)(int64_t))dlsym(handle, "plugin_work");
	if (!work || dlinfo(handle, RTLD_DI_LINKMAP, &map))
		errx(TARGET_FAILED, "%s", dlerror());
	same_address += map->l_addr == last_base;
	last_base = map->l_addr;
	start = cpu_ns();
	work(ns);
	start = cpu_ns() - start;
	if (dlclose(handle))
		errx(TARGET_FAILED, "%s", dlerror());
	return start;
}

int main(int argc, char **argv)
{
	long rounds = option_number(argc, argv, "rounds", 10);
	int64_t ns = option_number(argc, argv, "ms", 30) * 1000000LL, a = 0, b = 0;
	char self[PATH_MAX / 2] = "", path_a[PATH_MAX], path_b[PATH_MAX];

	if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
		err(TARGET_FAILED, "/proc/self/exe");
	snprintf(path_a, sizeof(path_a), "%s/profile_plugin_a.so", dirname(self));
	snprintf(path_b, sizeof(path_b), "%s/profile_plugin_b.so", self);
	for (long i = 0; i < rounds; i++) {
		a += load_and_run(path_a, ns);
		b += load_and_run(path_b, ns);
	}
	printf("plugin a %lld\nplugin b %lld\nsame_address %ld\ncpu_ns %lld\n", (long long)a,
	       (long long)b, same_address, (long long)cpu_ns());
	return 0;
}

#endif
