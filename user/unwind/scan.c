/* scan.c - see scan.h */
#include "unwind/scan.h"

#include <errno.h>
#include <stdlib.h>

#include "bpf/unwind.h"
#include "lib/clock.h"

#define SLICE_BYTES 8192 /* each new file costs an open, 150 µs at most */

struct scan {
	pid_t pid;
	struct files *files;
	struct maps_reader *reader;
	struct areas found;
	struct area *later;
	uint32_t later_count, refused;
	uint64_t began_ns;
};

int scan_new(pid_t pid, struct files *files, const struct areas_watch *watch, struct scan **ret)
{
	struct scan *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return -ENOMEM;
	s->pid = pid;
	s->files = files;
	s->found.watch = watch;
	s->began_ns = clock_monotonic_ns(); /* before the first line is read */
	err = maps_open(pid, &s->reader);
	if (err) {
		free(s);
		return err;
	}
	*ret = s;
	return 0;
}

void scan_free(struct scan *s)
{
	if (!s)
		return;
	maps_close(s->reader);
	areas_clear(&s->found);
	free(s->later);
	free(s);
}

static void region_found(void *context, const struct region *region)
{
	struct scan *s = context;
	struct area area = { .start = region->start,
			     .end = region->start + region->length,
			     .offset = region->offset,
			     .file = files_find(s->files, s->pid, region) };

	if (areas_put(&s->found, &area))
		s->refused++;
}

int scan_go_on(struct scan *s, uint64_t until_ns)
{
	int more;

	do
		more = maps_read(s->reader, SLICE_BYTES, region_found, s);
	while (more == 1 && clock_monotonic_ns() < until_ns);
	return more;
}

void scan_also(struct scan *s, const struct area *area)
{
	if (s->later_count >= PROCESS_MAPPINGS_MAX) {
		s->later_count = UINT32_MAX;
		return;
	}
	if (!s->later)
		s->later = calloc(PROCESS_MAPPINGS_MAX, sizeof(*s->later));
	if (s->later)
		s->later[s->later_count++] = *area;
	else
		s->later_count = UINT32_MAX;
}

int scan_finish(struct scan *s, struct areas *to)
{
	if (s->later_count == UINT32_MAX)
		return -E2BIG;
	for (uint32_t i = 0; i < s->later_count; i++)
		if (areas_put(&s->found, &s->later[i]))
			s->refused++;
	*to = s->found;
	s->found = (struct areas){ .watch = to->watch };
	return 0;
}

uint64_t scan_began_ns(const struct scan *s)
{
	return s->began_ns;
}

uint32_t scan_refused(const struct scan *s)
{
	return s->refused;
}
