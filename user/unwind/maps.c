/* maps.c - see maps.h */
#include "unwind/maps.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* A path may be PATH_MAX long, and each newline in it is written as four bytes. */
#define LINE_MAX_BYTES (4 * PATH_MAX + 256)
#define USER_END (1ULL << 56) /* with five levels of page tables */

struct maps_reader {
	int fd;
	size_t have;
	char buffer[LINE_MAX_BYTES + 1];
};

static int digit(char c, unsigned base)
{
	int value = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : 16;

	return value < (int)base ? value : -1;
}

/* A number and the character behind it. */
static bool number(const char **at, unsigned base, char behind, uint64_t *ret)
{
	uint64_t value = 0;
	const char *p = *at;

	for (; digit(*p, base) >= 0; p++)
		if (__builtin_mul_overflow(value, base, &value) ||
		    __builtin_add_overflow(value, digit(*p, base), &value))
			return false;
	if (p == *at || *p != behind)
		return false;
	*ret = value;
	*at = p + 1;
	return true;
}

/* "\012" for a newline, the one character that the kernel escapes */
static void unescape(char *s)
{
	char *to = s;

	for (; *s; s++) {
		if (!strncmp(s, "\\012", 4)) {
			*to++ = '\n';
			s += 3;
		} else {
			*to++ = *s;
		}
	}
	*to = '\0';
}

int maps_parse(char *line, size_t length, struct region *ret)
{
	uint64_t end, major, minor;
	const char *p = line, *flags;

	if (strlen(line) != length)
		return -EBADMSG;
	if (!number(&p, 16, '-', &ret->start) || !number(&p, 16, ' ', &end))
		return -EBADMSG;
	flags = p;
	for (int i = 0; i < 4; i++, p++)
		if (!*p || !strchr("rwxps-", *p))
			return -EBADMSG;
	if (*p++ != ' ' || !number(&p, 16, ' ', &ret->offset) || !number(&p, 16, ':', &major) ||
	    !number(&p, 16, ' ', &minor))
		return -EBADMSG;
	/* the kernel pads even the lines without a name, some not */
	if (!number(&p, 10, ' ', &ret->inode) && !number(&p, 10, '\0', &ret->inode))
		return -EBADMSG;
	if (p > line + length)
		p = line + length;
	p += strspn(p, " ");
	if (end <= ret->start || major > UINT_MAX || minor > UINT_MAX)
		return -EBADMSG;
	unescape((char *)p);
	ret->length = end - ret->start;
	ret->device = makedev(major, minor);
	ret->path = p;
	return flags[2] == 'x' && end <= USER_END;
}

int maps_open(pid_t pid, struct maps_reader **ret)
{
	struct maps_reader *m = malloc(sizeof(*m));
	char path[64];

	if (!m)
		return -ENOMEM;
	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	m->have = 0;
	m->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (m->fd < 0) {
		free(m);
		return errno == ENOENT ? -ESRCH : -errno;
	}
	*ret = m;
	return 0;
}

void maps_close(struct maps_reader *m)
{
	if (!m)
		return;
	close(m->fd);
	free(m);
}

static int lines_take(struct maps_reader *m, maps_fn found, void *context)
{
	char *line = m->buffer, *end;
	struct region region;
	int is;

	while ((end = memchr(line, '\n', m->have))) {
		*end = '\0';
		is = maps_parse(line, end - line, &region);
		if (is < 0)
			return is;
		if (is)
			found(context, &region);
		m->have -= end + 1 - line;
		line = end + 1;
	}
	memmove(m->buffer, line, m->have);
	return m->have == LINE_MAX_BYTES ? -EBADMSG : 0;
}

int maps_read(struct maps_reader *m, size_t bytes, maps_fn found, void *context)
{
	size_t done = 0;
	int err;

	while (done < bytes) {
		ssize_t n = read(m->fd, m->buffer + m->have, LINE_MAX_BYTES - m->have);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			return m->have ? -EBADMSG : 0;
		done += n;
		m->have += n;
		err = lines_take(m, found, context);
		if (err)
			return err;
	}
	return 1;
}
