/* kernel_type.c - see kernel_type.h */
#include "session/kernel_type.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "lib/cleanup.h"

#define WINDOW 65536
#define NAME_MAX_BYTES 128

bool kernel_type_exists(const char *name)
{
	_cleanup_close_ int fd = open("/sys/kernel/btf/vmlinux", O_RDONLY | O_CLOEXEC);
	size_t length = strlen(name) + 1, kept = 0; /* with its end: no prefix of a longer one */
	char window[WINDOW + NAME_MAX_BYTES];
	ssize_t n;

	if (fd < 0 || length > NAME_MAX_BYTES)
		return false;
	while ((n = read(fd, window + kept, WINDOW)) > 0) {
		kept += n;
		if (memmem(window, kept, name, length))
			return true;
		if (kept >= length) { /* it may stand across two windows */
			memmove(window, window + kept - (length - 1), length - 1);
			kept = length - 1;
		}
	}
	return false;
}
