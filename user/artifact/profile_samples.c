/* profile_samples.c - see profile_samples.h */
#include "artifact/profile_samples.h"

#include <errno.h>

static uint32_t last_slice(const struct profile *p)
{
	uint32_t last = 0;

	for (uint32_t i = 0; i < profile_sample_count(p); i++)
		if (profile_sample_at(p, i)->slice > last)
			last = profile_sample_at(p, i)->slice;
	return last;
}

/* 0; -E2BIG when there are more than @limit; -ENOMEM. */
static int merge(struct profile_samples *s, size_t limit)
{
	intern_clear(&s->merged);
	for (uint32_t i = 0; i < profile_sample_count(s->profile); i++) {
		struct profile_sample key = *profile_sample_at(s->profile, i);
		uint32_t at;

		key.slice = (uint32_t)((uint64_t)key.slice >> s->shift << s->shift);
		at = intern_add(&s->merged, &key);
		if (at == INTERN_NONE)
			return -ENOMEM;
		if (at >= limit)
			return -E2BIG;
		((struct profile_sample *)intern_at(&s->merged, at))->marks += key.marks;
	}
	return 0;
}

int profile_samples_init(struct profile_samples *s, const struct profile *p, size_t limit)
{
	uint64_t last = last_slice(p);
	int err = 0;

	*s = (struct profile_samples){ .profile = p };
	intern_init(&s->merged, sizeof(struct profile_sample),
		    offsetof(struct profile_sample, marks));
	/* pairs can at best halve their number */
	while (profile_sample_count(p) >> s->shift > limit && last >> s->shift)
		s->shift++;
	if (s->shift)
		err = merge(s, last >> s->shift ? limit : SIZE_MAX);
	while (err == -E2BIG) {
		s->shift++;
		err = merge(s, last >> s->shift ? limit : SIZE_MAX);
	}
	return err;
}

void profile_samples_clear(struct profile_samples *s)
{
	intern_clear(&s->merged);
}

uint32_t profile_samples_count(const struct profile_samples *s)
{
	return s->shift ? s->merged.count : (uint32_t)profile_sample_count(s->profile);
}

const struct profile_sample *profile_samples_at(const struct profile_samples *s, uint32_t i)
{
	return s->shift ? intern_at(&s->merged, i) : profile_sample_at(s->profile, i);
}

uint64_t profile_samples_slice_ns(const struct profile_samples *s)
{
	return profile_slice_ns(s->profile) << s->shift;
}
