/* findings_levels.c - bytes over time: of memory.csv, and of massif.out, which alone has the live
 * heap over time. */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/cleanup.h"
#include "report/findings_private.h"

#define MASSIF_MAX (64 << 20)
#define LEVELS_MAX 65536u

void levels_done(struct levels *l)
{
	free(l->time_s);
	free(l->bytes);
	*l = (struct levels){};
}

static int levels_room(struct levels *l, size_t n)
{
	*l = (struct levels){ .time_s = calloc(n + 1, sizeof(double)),
			      .bytes = calloc(n + 1, sizeof(double)) };
	if (l->time_s && l->bytes)
		return 0;
	levels_done(l);
	return -ENOMEM;
}

static void levels_add(struct levels *l, double time_s, double bytes)
{
	l->time_s[l->n] = time_s;
	l->bytes[l->n++] = bytes;
}

/* Of merged rows the floor: a mean would hide what a sawtooth falls back to. */
int levels_of_rss(struct levels *ret, const struct run *r)
{
	int err = levels_room(ret, r->n_rows);

	for (size_t i = 0; !err && i < r->n_rows; i++) {
		const struct run_row *row = &r->rows[i];
		bool merged = row->event == RUN_MERGED;
		double bytes = row->v[merged ? RUN_RSS_MIN : RUN_RSS];

		if (row->event != RUN_PEAK && !isnan(bytes))
			levels_add(ret, row->v[RUN_TIME], bytes);
	}
	return err;
}

static FILE *open_massif(const struct run *r)
{
	/* as run.c opens files of a hostile directory */
	int fd = openat(r->dirfd, "massif.out",
			O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	FILE *f = NULL;

	if (fd < 0)
		return NULL;
	if (!fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_size <= MASSIF_MAX)
		f = fdopen(fd, "r");
	if (!f)
		close(fd);
	return f;
}

int levels_of_heap(struct levels *ret, const struct run *r)
{
	_cleanup_fclose_ FILE *f = NULL;
	unsigned long long ms = 0, bytes;
	char line[256];
	int err;

	*ret = (struct levels){};
	if (!r->allocations || allocations_facts(r->allocations)->resident)
		return 0;
	f = open_massif(r);
	if (!f)
		return 0;
	err = levels_room(ret, LEVELS_MAX);
	while (!err && ret->n < LEVELS_MAX && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "time=%llu", &ms) == 1)
			continue;
		if (sscanf(line, "mem_heap_B=%llu", &bytes) != 1)
			continue;
		/* a hostile file may go back in time: what follows is not used */
		if (ret->n && (double)ms / 1e3 < ret->time_s[ret->n - 1])
			break;
		levels_add(ret, (double)ms / 1e3, (double)bytes);
	}
	return err;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

double sorted_median(double *values, size_t n)
{
	if (!n)
		return NAN;
	qsort(values, n, sizeof(*values), by_value);
	return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

double levels_median(const struct levels *l, double from_s, double to_s)
{
	_cleanup_free_ double *values = calloc(l->n + 1, sizeof(*values));
	size_t n = 0;

	for (size_t i = 0; values && i < l->n; i++)
		if (l->time_s[i] >= from_s && l->time_s[i] <= to_s)
			values[n++] = l->bytes[i];
	return sorted_median(values, n);
}

double levels_floor(const struct levels *l, double from_s, double to_s)
{
	double lowest = NAN, before = NAN;

	for (size_t i = 0; i < l->n && l->time_s[i] <= to_s; i++) {
		if (l->time_s[i] <= from_s)
			before = l->bytes[i];
		else
			lowest = fmin(lowest, l->bytes[i]);
	}
	return fmin(lowest, before);
}
