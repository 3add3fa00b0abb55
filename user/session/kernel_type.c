/* kernel_type.c - see kernel_type.h */
#include "session/kernel_type.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "lib/cleanup.h"

#define WINDOW 65536
#define OVERLAP 64 /* a name may stand across two windows */

/* With their ends, before and behind: no part of a longer one. */
static const struct {
	const char *text;
	size_t bytes;
} names[KERNEL_TYPES] = {
#define NAME(name)                           \
	{                                    \
		"\0" name, sizeof("\0" name) \
	}
	[KERNEL_MEM_ALLOC] = NAME("bpf_mem_alloc"),
	[KERNEL_EXIT_TP] = NAME("btf_trace_sched_exit_tp"),
	[KERNEL_RSS_STAT] = NAME("mm_rss_stat"),
};

static void search(bool found[KERNEL_TYPES])
{
	_cleanup_close_ int fd = open("/sys/kernel/btf/vmlinux", O_RDONLY | O_CLOEXEC);
	char window[OVERLAP + WINDOW];
	size_t kept = 0;
	ssize_t n;

	if (fd < 0)
		return;
	while ((n = read(fd, window + kept, WINDOW)) > 0) {
		size_t bytes = kept + (size_t)n;

		for (int i = 0; i < KERNEL_TYPES; i++)
			found[i] |= memmem(window, bytes, names[i].text, names[i].bytes) != NULL;
		kept = bytes < OVERLAP ? bytes : OVERLAP;
		memmove(window, window + bytes - kept, kept);
	}
}

bool kernel_type_exists(enum kernel_type type)
{
	static bool searched, found[KERNEL_TYPES];

	if (!searched)
		search(found);
	searched = true;
	return found[type];
}
