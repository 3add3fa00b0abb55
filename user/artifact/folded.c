/* folded.c - see folded.h */
#include "artifact/folded.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

static void put(FILE *out, const char *s)
{
	for (; *s; s++)
		fputc(*s == ';' ? ':' : *s, out);
}

/* function (file.c:12) */
int folded_show(FILE *out, const struct profile_shown *f)
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

int folded_line(struct profile_walk *w, const struct profile_line *line, uint64_t value, FILE *out)
{
	int err = write_frames(w, line->root, ';', out);

	if (!err)
		err = write_frames(w, line->node, ' ', out);
	fprintf(out, "%" PRIu64 "\n", value);
	return err;
}
