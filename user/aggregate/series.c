/* series.c - see series.h */
#include "aggregate/series.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct series {
	struct series_point *points;
	uint64_t *extras; /* of each point so many */
	size_t extra_count;
	size_t length, capacity, limit;
};

struct series *series_new(size_t limit, size_t extras)
{
	struct series *s;

	if (limit < 16) {
		errno = EINVAL;
		return NULL;
	}
	s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	s->limit = limit;
	s->extra_count = extras;
	return s;
}

void series_free(struct series *s)
{
	if (!s)
		return;
	free(s->points);
	free(s->extras);
	free(s);
}

static struct series_point merge(const struct series_point *a, const struct series_point *b)
{
	struct series_point m = *b;

	m.ticks = a->ticks + b->ticks;
	m.rss_bytes = ((double)a->rss_bytes * a->ticks + (double)b->rss_bytes * b->ticks) / m.ticks;
	if (a->min_bytes < b->min_bytes) {
		m.min_bytes = a->min_bytes;
		m.min_ns = a->min_ns;
	}
	if (a->peak_bytes >= b->peak_bytes) {
		m.peak_bytes = a->peak_bytes;
		m.peak_ns = a->peak_ns;
	}
	if (b->pss_bytes == NOT_MEASURED)
		m.pss_bytes = a->pss_bytes;
	m.gap_ns = a->gap_ns + b->gap_ns;
	m.gap_suspend = a->gap_suspend || b->gap_suspend;
	return m;
}

static void extras_move(struct series *s, size_t to, size_t from)
{
	if (s->extra_count)
		memmove(s->extras + to * s->extra_count, s->extras + from * s->extra_count,
			s->extra_count * sizeof(*s->extras));
}

/* Halves the older half: the recent past stays sharp, and a run of any length fits. */
static void compact(struct series *s)
{
	size_t old = s->length / 2 & ~(size_t)1, out = 0;

	for (size_t i = 0; i < old; i += 2) {
		extras_move(s, out, i + 1);
		s->points[out++] = merge(&s->points[i], &s->points[i + 1]);
	}
	for (size_t i = old; i < s->length; i++) {
		extras_move(s, out, i);
		s->points[out++] = s->points[i];
	}
	s->length = out;
}

static int reserve(struct series *s)
{
	size_t capacity = s->capacity ? s->capacity * 2 : 64;
	struct series_point *grown;
	uint64_t *extras;

	if (s->length < s->capacity)
		return 0;
	if (capacity > s->limit)
		capacity = s->limit;
	if (capacity == s->capacity) {
		compact(s);
		return 0;
	}
	grown = reallocarray(s->points, capacity, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	s->points = grown;
	if (s->extra_count) {
		extras = reallocarray(s->extras, capacity, s->extra_count * sizeof(*s->extras));
		if (!extras)
			return -ENOMEM;
		s->extras = extras;
	}
	s->capacity = capacity;
	return 0;
}

int series_add(struct series *s, const struct series_point *point, const uint64_t *extras)
{
	struct series_point *p;
	int err;

	if (s->length && point->time_ns < s->points[s->length - 1].time_ns)
		return -EINVAL;
	err = reserve(s);
	if (err)
		return err;
	if (s->extra_count)
		memcpy(s->extras + s->length * s->extra_count, extras,
		       s->extra_count * sizeof(*extras));
	p = &s->points[s->length++];
	*p = *point;
	p->ticks = 1;
	p->last_bytes = p->min_bytes = p->rss_bytes;
	p->min_ns = p->time_ns;
	if (p->peak_bytes < p->rss_bytes || !p->peak_ns) { /* not measured between the ticks */
		p->peak_bytes = p->rss_bytes;
		p->peak_ns = p->time_ns;
	}
	return 0;
}

size_t series_length(const struct series *s)
{
	return s->length;
}

const struct series_point *series_at(const struct series *s, size_t index)
{
	return &s->points[index];
}

const uint64_t *series_extras_at(const struct series *s, size_t index)
{
	return s->extra_count ? s->extras + index * s->extra_count : NULL;
}

int series_peak(const struct series *s, uint64_t *ret_bytes, uint64_t *ret_time_ns)
{
	const struct series_point *peak = NULL;

	for (size_t i = 0; i < s->length; i++)
		if (!peak || s->points[i].peak_bytes > peak->peak_bytes)
			peak = &s->points[i];
	if (!peak)
		return -ENODATA;
	if (ret_bytes)
		*ret_bytes = peak->peak_bytes;
	if (ret_time_ns)
		*ret_time_ns = peak->peak_ns;
	return 0;
}

int series_has_peak_row(const struct series *s, size_t index)
{
	const struct series_point *p = &s->points[index], *before;
	uint64_t highest;

	if (p->ticks > 1 || p->peak_bytes <= p->last_bytes || p->peak_ns >= p->time_ns)
		return 0;
	if (!index)
		return 1;
	before = &s->points[index - 1];
	if (p->peak_bytes <= before->last_bytes || p->peak_ns < before->time_ns)
		return 0;
	if (p->peak_ns > before->time_ns)
		return 1;
	/* the events had it higher at that very tick than its own reading: only a peak of all
	 * matters */
	return !series_peak(s, &highest, NULL) && p->peak_bytes == highest;
}
