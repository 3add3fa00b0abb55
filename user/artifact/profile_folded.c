/* profile_folded.c - profile.folded: one line per stack, µs of wall time (see profile_files.h) */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "artifact/profile_files.h"
#include "artifact/profile_walk.h"
#include "lib/cleanup.h"

static void put(FILE *out, const char *s)
{
	for (; *s; s++)
		fputc(*s == ';' ? ':' : *s, out);
}

/* function (file.c:12) */
static int show(FILE *out, const struct profile_shown *f)
{
	const char *slash = f->file ? strrchr(f->file, '/') : NULL;

	put(out, f->name);
	if (!f->file)
		return 0;
	fputs(" (", out);
	put(out, slash && slash[1] ? slash + 1 : f->file);
	if (f->line)
		fprintf(out, ":%" PRIu32, f->line);
	fputc(')', out);
	return 0;
}

static int write_frames(struct profile_walk *w, uint32_t node, char end, FILE *out)
{
	size_t length = 0;
	const uint32_t *path = profile_walk_path(w, node, &length);

	if (!path)
		return -ENOMEM;
	for (size_t i = 0; i < length; i++) {
		fputs(profile_walk_label(w, path[i]), out);
		fputc(i + 1 < length ? ';' : end, out);
	}
	return 0;
}

static int write_lines(struct profile_walk *w, FILE *out)
{
	uint64_t period_ns = profile_period_ns(w->profile), marks = 0, told_us = 0;
	_cleanup_free_ const struct profile_line **lines = NULL;
	int err = profile_walk_lines(w, &lines);

	for (uint32_t i = 0; !err && i < w->lines.count; i++) {
		uint64_t us;

		err = write_frames(w, lines[i]->root, ';', out);
		if (!err)
			err = write_frames(w, lines[i]->node, ' ', out);
		/* what rounding takes from one line goes to the next: the sum stays true */
		marks += lines[i]->marks;
		us = (marks * period_ns + 500) / 1000;
		fprintf(out, "%" PRIu64 "\n", us - told_us);
		told_us = us;
	}
	return err;
}

int profile_write_folded(const struct profile *p, const struct profile_run *run, FILE *out)
{
	struct profile_walk w;
	int err = profile_walk_init(&w, p, show);

	(void)run; /* the format has no place for it */
	if (!err)
		err = write_lines(&w, out);
	profile_walk_clear(&w);
	return err ? err : ferror(out) ? -EIO : 0;
}
