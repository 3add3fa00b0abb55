/* settings.c - the environment as the kernel has put it on the stack: it is read before main, when
 * the task's own getenv or libc's environ may not be fit for use. */
#include <stddef.h>
#include <string.h>

#include "preload/region.h"
#include "preload/shim/settings.h"

#define ARGUMENTS_MAX (1 << 22)

extern char **environ;
extern void *__libc_stack_end __attribute__((weak)); /* of glibc's loader: points to argc */

static char **first_environ(void)
{
	long *argc = &__libc_stack_end ? __libc_stack_end : NULL;
	char **argv;

	if (!argc || *argc < 0 || *argc > ARGUMENTS_MAX)
		return environ;
	argv = (char **)(argc + 1);
	return argv[*argc] ? environ : argv + *argc + 1;
}

static const char *variable(const char *name, size_t length)
{
	char **e = first_environ();

	for (; e && *e; e++)
		if (strncmp(*e, name, length) == 0)
			return *e + length;
	return NULL;
}

/* "key=number" at @text: the number, at most @max; else @otherwise. */
static uint32_t number_at(const char *text, size_t key_bytes, uint32_t max, uint32_t otherwise)
{
	const char *c = text + key_bytes;
	uint64_t value = 0;

	if (*c < '0' || *c > '9')
		return otherwise;
	for (; *c >= '0' && *c <= '9'; c++)
		value = value * 10 + (uint64_t)(*c - '0') > max ? max
								: value * 10 + (uint64_t)(*c - '0');
	return (uint32_t)value;
}

struct settings settings_read(void)
{
	struct settings s = { .wait_ms = 2000, .child_wait_ms = 2000 };
	const char *text = variable("TASKDIAG_SHIM=", 14);
	const char *preloaded = variable("LD_PRELOAD=", 11);
	const uint32_t ring_max = REGION_RING_BYTES_MAX / 1024;

	s.emulated = preloaded && strstr(preloaded, "/vgpreload_");
	while (text && *text) {
		if (strncmp(text, "wait=", 5) == 0)
			s.wait_ms = number_at(text, 5, 60000, s.wait_ms);
		else if (strncmp(text, "child=", 6) == 0)
			s.child_wait_ms = number_at(text, 6, 60000, s.child_wait_ms);
		else if (strncmp(text, "ring=", 5) == 0)
			s.ring_kib = number_at(text, 5, ring_max, s.ring_kib);
		else if (strncmp(text, "listen", 6) == 0)
			s.listen = true;
		text = strchr(text, ',');
		if (text)
			text++;
	}
	if (s.ring_kib < 4 || s.ring_kib & (s.ring_kib - 1))
		s.ring_kib = REGION_RING_BYTES / 1024;
	return s;
}
