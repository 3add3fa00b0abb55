/* profile_folded.c - profile.folded: one line per stack, µs of wall time (see profile_files.h) */
#include <errno.h>

#include "artifact/folded.h"
#include "artifact/profile_files.h"
#include "lib/cleanup.h"

static int write_lines(struct profile_walk *w, FILE *out)
{
	uint64_t period_ns = profile_period_ns(w->profile), marks = 0, told_us = 0;
	_cleanup_free_ const struct profile_line **lines = NULL;
	int err = profile_walk_lines(w, &lines);

	for (uint32_t i = 0; !err && i < w->lines.count; i++) {
		uint64_t us;

		/* what rounding takes from one line goes to the next: the sum stays true */
		marks += lines[i]->marks;
		us = (marks * period_ns + 500) / 1000;
		err = folded_line(w, lines[i], us - told_us, out);
		told_us = us;
	}
	return err;
}

int profile_write_folded(const struct profile *p, const struct profile_run *run, FILE *out)
{
	struct profile_walk w;
	int err = profile_walk_init(&w, p, folded_show);

	(void)run; /* the format has no place for it */
	if (!err)
		err = write_lines(&w, out);
	profile_walk_clear(&w);
	return err ? err : ferror(out) ? -EIO : 0;
}
