/* highwater.c - see highwater.h */
#include "aggregate/highwater.h"

#include <errno.h>
#include <stdlib.h>

#include "aggregate/cells.h"

struct location {
	struct highwater_amount live;
	struct highwater_amount held; /* at the peak of this epoch */
	uint64_t epoch;
	int64_t marked; /* bytes at mark number */
	uint64_t mark;
};

struct highwater {
	struct cells locations;
	size_t known;
	uint64_t epoch; /* counts the peaks so far */
	uint64_t peak, peak_ns;
	uint64_t marks;
};

struct highwater *highwater_new(void)
{
	struct highwater *h = calloc(1, sizeof(*h));

	if (h)
		cells_init(&h->locations, sizeof(struct location));
	return h;
}

void highwater_free(struct highwater *h)
{
	if (!h)
		return;
	cells_clear(&h->locations);
	free(h);
}

void highwater_reached(struct highwater *h, uint64_t sum, uint64_t time_ns)
{
	if (sum <= h->peak)
		return;
	h->peak = sum;
	h->peak_ns = time_ns;
	h->epoch++;
}

static void note_held(const struct highwater *h, struct location *l)
{
	if (l->mark != h->marks) {
		l->marked = l->live.bytes;
		l->mark = h->marks;
	}
	if (l->epoch == h->epoch)
		return;
	l->held = l->live;
	l->epoch = h->epoch;
}

/* Wraps where a hostile sum would overflow: taken back, it is what it was. */
static int64_t add(int64_t a, int64_t b)
{
	return (int64_t)((uint64_t)a + (uint64_t)b);
}

int highwater_change(struct highwater *h, uint32_t location, int64_t bytes, int64_t count,
		     uint64_t sum_before, uint64_t time_ns)
{
	struct location *l = cells_get(&h->locations, location);

	if (!l)
		return -ENOMEM;
	if (location >= h->known)
		h->known = (size_t)location + 1;
	highwater_reached(h, sum_before, time_ns);
	note_held(h, l);
	l->live.bytes = add(l->live.bytes, bytes);
	l->live.count = add(l->live.count, count);
	return 0;
}

uint64_t highwater_peak(const struct highwater *h)
{
	return h->peak;
}

uint64_t highwater_peak_ns(const struct highwater *h)
{
	return h->peak_ns;
}

size_t highwater_locations(const struct highwater *h)
{
	return h->known;
}

struct highwater_amount highwater_live(const struct highwater *h, uint32_t location)
{
	const struct location *l = cells_find(&h->locations, location);

	return l ? l->live : (struct highwater_amount){ 0 };
}

struct highwater_amount highwater_held(const struct highwater *h, uint32_t location)
{
	const struct location *l = cells_find(&h->locations, location);

	if (!l)
		return (struct highwater_amount){ 0 };
	return l->epoch == h->epoch ? l->held : l->live;
}

void highwater_mark(struct highwater *h)
{
	h->marks++;
}

int64_t highwater_marked(const struct highwater *h, uint32_t location)
{
	const struct location *l = cells_find(&h->locations, location);

	if (!l || !h->marks)
		return 0;
	return l->mark == h->marks ? l->marked : l->live.bytes;
}

void highwater_rescale(struct highwater *h, uint32_t location, struct highwater_amount live)
{
	struct location *l = cells_find(&h->locations, location);

	if (!l)
		return;
	note_held(h, l);
	l->live = live;
}
