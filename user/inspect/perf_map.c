/* perf_map.c - reads a perf map backwards, line by line. */
#include "inspect/perf_map.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"

#define BUFFER 65536

struct perf_map {
	const uint64_t *addresses;
	size_t count, open; /* open: not yet found */
	uint32_t *next;	    /* the first open one at or behind each, shortened as they are found */
	perf_map_fn fn;
	void *context;
	struct perf_map_stats stats;
};

/* Union-find with path halving: found addresses are skipped, however often lines overlap. */
static size_t next_open(struct perf_map *m, size_t i)
{
	while (m->next[i] != i) {
		m->next[i] = m->next[m->next[i]];
		i = m->next[i];
	}
	return i;
}

static size_t lower_bound(const struct perf_map *m, uint64_t start)
{
	size_t low = 0, high = m->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (m->addresses[middle] < start)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool parse_hex(const char **at, const char *end, uint64_t *ret)
{
	const char *p = *at;
	uint64_t value = 0;
	int digits = 0;

	if (end - p > 2 && p[0] == '0' && (p[1] == 'x' || p[1] == 'X'))
		p += 2;
	for (; p < end && *p != ' '; p++, digits++) {
		unsigned char c = (unsigned char)*p | 0x20;
		unsigned int digit = *p >= '0' && *p <= '9' ? (unsigned int)(*p - '0')
				     : c >= 'a' && c <= 'f' ? c - 'a' + 10u
							    : 16;

		if (digit > 15 || value >> 60)
			return false;
		value = value << 4 | digit;
	}
	if (!digits || p == end)
		return false;
	while (p < end && *p == ' ')
		p++;
	*at = p;
	*ret = value;
	return true;
}

/* 0 also for a line that is malformed: it is counted */
static int take_line(struct perf_map *m, const char *line, size_t size)
{
	const char *at = line, *end = line + size;
	char name[PERF_MAP_NAME_MAX];
	uint64_t start, bytes;
	size_t name_size;
	int err = 0;

	while (end > line && (end[-1] == '\r' || end[-1] == ' '))
		end--;
	if (end == line)
		return 0;
	m->stats.lines++;
	if (size > PERF_MAP_LINE_MAX || memchr(line, '\0', size) || !parse_hex(&at, end, &start) ||
	    !parse_hex(&at, end, &bytes) || at == end || start + bytes < start) {
		m->stats.skipped++;
		return 0;
	}
	name_size = (size_t)(end - at);
	if (name_size > sizeof(name) - 1)
		name_size = sizeof(name) - 1;
	memcpy(name, at, name_size);
	name[name_size] = '\0';
	for (size_t i = next_open(m, lower_bound(m, start));
	     !err && i < m->count && m->addresses[i] < start + bytes; i = next_open(m, i)) {
		m->next[i] = (uint32_t)i + 1;
		m->open--;
		err = m->fn(m->context, i, start, name);
	}
	return err;
}

/* The lines of buffer[0..size) from the last to the first. What stands before the first newline is
 * the end of a line that starts further ahead in the file: its size is returned. */
static int take_lines(struct perf_map *m, const char *buffer, size_t *size)
{
	const char *newline;
	int err = 0;

	while (!err && m->open && (newline = memrchr(buffer, '\n', *size))) {
		size_t line = (size_t)(newline - buffer) + 1;

		err = take_line(m, buffer + line, *size - line);
		*size = line - 1;
	}
	return err;
}

static int read_backwards(struct perf_map *m, int fd, uint64_t left, char *buffer)
{
	size_t carry = 0; /* bytes at the start of the buffer whose line is not complete */
	bool skipping = false;
	int err = 0;

	while (!err && m->open && left) {
		size_t step = left < BUFFER ? left : BUFFER;

		memmove(buffer + step, buffer, carry);
		left -= step;
		if (pread(fd, buffer, step, (off_t)left) != (ssize_t)step)
			return -EIO;
		carry += step;
		if (skipping) {
			char *newline = memrchr(buffer, '\n', carry);

			carry = newline ? (size_t)(newline - buffer) : 0;
			skipping = !newline;
			if (skipping)
				continue;
		}
		err = take_lines(m, buffer, &carry);
		if (carry > PERF_MAP_LINE_MAX && left) {
			m->stats.lines++;
			m->stats.skipped++;
			skipping = true;
			carry = 0;
		}
	}
	return !err && m->open && carry ? take_line(m, buffer, carry) : err;
}

int perf_map_find(int fd, const uint64_t *addresses, size_t count, perf_map_fn fn, void *context,
		  struct perf_map_stats *ret)
{
	_cleanup_free_ char *buffer = malloc(BUFFER + PERF_MAP_LINE_MAX);
	_cleanup_free_ uint32_t *next = calloc(count + 1, sizeof(*next));
	struct perf_map m = { .addresses = addresses,
			      .count = count,
			      .open = count,
			      .next = next,
			      .fn = fn,
			      .context = context };
	struct stat st;
	int err;

	if (!buffer || !next)
		return -ENOMEM;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || count >= UINT32_MAX)
		return -EINVAL;
	if ((uint64_t)st.st_size > PERF_MAP_BYTES_MAX)
		return -EFBIG;
	for (size_t i = 0; i <= count; i++)
		next[i] = (uint32_t)i;
	err = read_backwards(&m, fd, (uint64_t)st.st_size, buffer);
	*ret = m.stats;
	return err;
}
