/* profile_plt.c - calls that go through lazy binding stubs.
 *
 *	profile_plt [--ms CPU]
 *
 * Truth: call_through_plt calls call_each of profile_plt.so, beside the program, which calls 256
 * functions (far_…), each through a stub of .plt. Before every round the stubs are made as they
 *were when the library was loaded, so that each call goes through _dl_runtime_resolve; then 20
 *rounds go through the stubs only. Prints `resolved N` (stubs bound) and `cpu_ns NS`.
 *
 * The library is made of this file: -shared -fPIC -DPLUGIN -Wl,-z,lazy.
 */
#include "profile_clock.h"

#define FOUR(what, n) what(n##0) what(n##1) what(n##2) what(n##3)
#define SIXTEEN(what, n) FOUR(what, n##0) FOUR(what, n##1) FOUR(what, n##2) FOUR(what, n##3)
#define SIXTY_FOUR(what, n) \
	SIXTEEN(what, n##0) SIXTEEN(what, n##1) SIXTEEN(what, n##2) SIXTEEN(what, n##3)
#define ALL(what) SIXTY_FOUR(what, 0) SIXTY_FOUR(what, 1) SIXTY_FOUR(what, 2) SIXTY_FOUR(what, 3)
#define STUBS 256

#ifdef PLUGIN

/* visible to others, and so called through a stub even from here */
#define DEFINE(n)                               \
	int far_##n(int x);                     \
	NOINLINE int far_##n(int x)             \
	{                                       \
		__asm__ volatile("" : "+r"(x)); \
		return x + 1;                   \
	}
#define CALL(n) x = far_##n(x);

ALL(DEFINE)

int call_each(int x);
int call_each(int x)
{
	ALL(CALL)
	return x;
}

#else

#include <dlfcn.h>
#include <libgen.h>
#include <limits.h>
#include <link.h>

#define GOT_RESERVED 3 /* words that belong to the dynamic linker */

/* The words that the stubs jump through: DT_PLTGOT of the library. */
static void **find_got(void *handle)
{
	struct link_map *map;

	if (dlinfo(handle, RTLD_DI_LINKMAP, &map))
		errx(TARGET_FAILED, "%s", dlerror());
	for (const ElfW(Dyn) *d = map->l_ld; d->d_tag != DT_NULL; d++) {
		if (d->d_tag == DT_PLTGOT)
			return (void **)d->d_un.d_ptr + GOT_RESERVED;
	}
	errx(TARGET_FAILED, "the library has no stubs");
}

static NOINLINE int call_through_plt(int (*call_each)(int), int rounds)
{
	int x = 0;

	for (int i = 0; i < rounds; i++)
		x = call_each(x);
	return x;
}

int main(int argc, char **argv)
{
	int64_t end = option_number(argc, argv, "ms", 500) * 1000000LL;
	char self[PATH_MAX / 2] = "", path[PATH_MAX];
	void *handle, **got, *unbound[STUBS];
	int (*call_each)(int);
	long resolved = 0;

	if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
		err(TARGET_FAILED, "/proc/self/exe");
	snprintf(path, sizeof(path), "%s/profile_plt.so", dirname(self));
	handle = dlopen(path, RTLD_LAZY | RTLD_LOCAL);
	if (!handle)
		errx(TARGET_FAILED, "%s", dlerror());
	call_each = (int (*)(int))dlsym(handle, "call_each");
	if (!call_each)
		errx(TARGET_FAILED, "%s", dlerror());
	got = find_got(handle);
	memcpy(unbound, got, sizeof(unbound));
	for (; cpu_ns() < end; resolved += STUBS) {
		memcpy(got, unbound, sizeof(unbound));
		if (call_through_plt(call_each, 21) != 21 * STUBS)
			errx(TARGET_FAILED, "wrong number of calls");
		if (!memcmp(got, unbound, sizeof(unbound)))
			errx(TARGET_FAILED, "the stubs are not lazy");
	}
	printf("resolved %ld\ncpu_ns %lld\n", resolved, (long long)cpu_ns());
	return 0;
}

#endif
