/* hooks.c - calls of the task that change what the shim may rely on. Each is handed on by a jump:
 * the loader finds a library by who called dlopen. */
#include <stdarg.h>
#include <sys/prctl.h>
#include <linux/seccomp.h>

#include "preload/shim/preload.h"
#include "preload/shim/syscalls.h"

#define FAR_AHEAD (1ULL << 36) /* cycles; more than any thread can be late with a stamp */

/* Code is about to come to, or to go from, addresses that memos know. */
static void drop_memos(void)
{
	if (!next.dlopen)
		next_resolve();
	if (wiped.mode == REGION_EXACT)
		__atomic_fetch_add(&shim.region->control, 1, __ATOMIC_RELAXED);
}

EXPORT void *dlopen(const char *file, int flags)
{
	drop_memos();
	return next.dlopen(file, flags);
}

EXPORT void *dlmopen(long space, const char *file, int flags)
{
	drop_memos();
	return next.dlmopen(space, file, flags);
}

EXPORT int dlclose(void *library)
{
	drop_memos();
	return next.dlclose(library);
}

/* rdtsc will kill: count on from far ahead of it. */
static void count_stamps(void)
{
	if (shim.counting || wiped.mode == REGION_OFF || !shim.region)
		return;
	__atomic_store_n(&shim.region->counter, stamp() + FAR_AHEAD, __ATOMIC_RELEASE);
	__atomic_store_n(&shim.region->clock, REGION_COUNTER, __ATOMIC_RELEASE);
	__atomic_store_n(&shim.counting, 1, __ATOMIC_RELEASE);
}

static void note_sandbox(bool strict)
{
	if (strict)
		count_stamps();
	shim.no_syscalls = 1;
}

static void note_prctl(int what, unsigned long a)
{
	if (what == PR_SET_TSC && a != PR_TSC_ENABLE)
		count_stamps();
	if (what == PR_SET_SECCOMP || (what == PR_SET_NO_NEW_PRIVS && a))
		note_sandbox(what == PR_SET_SECCOMP && a == SECCOMP_MODE_STRICT);
}

/* What libseccomp calls: seccomp has no function of its own. As declared it has the frame of a
 * variadic function, and what it is asked for may return on another stack. */
EXPORT long syscall(long number, long a, long b, long c, long d, long e, long f)
{
	if (unlikely(number == SYS_seccomp && a <= SECCOMP_SET_MODE_FILTER))
		note_sandbox(a == SECCOMP_SET_MODE_STRICT);
	if (unlikely(number == SYS_prctl))
		note_prctl((int)a, (unsigned long)b);
	return next.syscall(number, a, b, c, d, e, f);
}

EXPORT int prctl(int what, ...)
{
	unsigned long a, b, c, d;
	va_list rest;

	va_start(rest, what);
	a = va_arg(rest, unsigned long);
	b = va_arg(rest, unsigned long);
	c = va_arg(rest, unsigned long);
	d = va_arg(rest, unsigned long);
	va_end(rest);
	note_prctl(what, a);
	return next.prctl(what, a, b, c, d);
}
