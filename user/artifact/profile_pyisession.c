/* profile_pyisession.c - profile.pyisession: a session as pyinstrument 4 and 5 save it (see
 * profile_files.h) */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "artifact/profile_files.h"
#include "artifact/profile_walk.h"
#include "lib/cleanup.h"
#include "lib/escape.h"

#define NS ((uint64_t)1000000000)

/* As escape_json(), without the quotes. */
static int put(FILE *out, const char *s)
{
	_cleanup_free_ char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return -ENOMEM;
	escape_json(f, s);
	if (fclose(f))
		return -ENOMEM;
	fwrite(text + 1, 1, size - 2, out);
	return 0;
}

/* pyinstrument hides frames without a file, as code that is not the user's: each gets one. */
static const char *file_of(const struct profile_shown *f)
{
	static const char *const files[] = { [SHOWN_PROCESS] = "process",
					     [SHOWN_THREAD] = "thread",
					     [SHOWN_FRAME] = "unknown",
					     [SHOWN_CAUSE] = "wait" };

	return f->file ? f->file : f->module ? f->module : files[f->kind];
}

/* "func\0file\0line"; a safe name holds neither \0 nor the \1 that would start an attribute. A
 * function of Python is known by its first line, so that its lines are one call: the line that it
 * was at is the attribute l. */
static int show(FILE *out, const struct profile_shown *f)
{
	int err;

	fputc('"', out);
	err = put(out, f->name);
	fputs("\\u0000", out);
	if (!err)
		err = put(out, file_of(f));
	if (f->python) {
		fprintf(out, "\\u0000%" PRIu32, f->first_line);
		if (f->line)
			fprintf(out, "\\u0001l%" PRIu32, f->line);
	} else {
		fprintf(out, "\\u0000%" PRIu32, f->file ? f->line : 0);
	}
	fputc('"', out);
	return err;
}

static void write_seconds(FILE *out, const char *key, uint64_t ns)
{
	fprintf(out, "%s%" PRIu64 ".%09" PRIu64, key, ns / NS, ns % NS);
}

static uint64_t running_marks(const struct profile *p)
{
	uint64_t marks = 0;

	for (uint32_t i = 0; i < profile_sample_count(p); i++) {
		const struct profile_sample *s = profile_sample_at(p, i);

		if (profile_cause_at(p, s->cause)->running)
			marks += s->marks;
	}
	return marks;
}

static int write_frames(struct profile_walk *w, uint32_t node, const char *end, FILE *out)
{
	size_t length = 0;
	const uint32_t *path = profile_walk_path(w, node, &length);

	if (!path)
		return -ENOMEM;
	for (size_t i = 0; i < length; i++) {
		fputs(profile_walk_label(w, path[i]), out);
		fputs(i + 1 < length ? "," : end, out);
	}
	return 0;
}

static int write_records(struct profile_walk *w, FILE *out)
{
	uint64_t period_ns = profile_period_ns(w->profile);
	_cleanup_free_ const struct profile_line **lines = NULL;
	int err = profile_walk_lines(w, &lines);

	fputs("\"frame_records\":[", out);
	for (uint32_t i = 0; !err && i < w->lines.count; i++) {
		fputs(i ? ",\n[[" : "\n[[", out);
		err = write_frames(w, lines[i]->root, ",", out);
		if (!err)
			err = write_frames(w, lines[i]->node, "]", out);
		write_seconds(out, ",", lines[i]->marks * period_ns);
		fputc(']', out);
	}
	fputs("]}\n", out);
	return err;
}

/* Where Debian, pip and CPython's own build put what is not the user's; each ends a prefix. */
static const char *const library_dirs[] = { "/site-packages/", "/dist-packages/", "/lib/python" };

/* Bytes of @file up to the end of such a directory; 0: the user's own. */
static size_t prefix_of(const char *file)
{
	for (size_t i = 0; i < sizeof(library_dirs) / sizeof(library_dirs[0]); i++) {
		const char *at = strstr(file, library_dirs[i]), *end;

		if (!at)
			continue;
		end = strchr(at + strlen(library_dirs[i]) - 1, '/');
		if (end)
			return (size_t)(end - file) + 1;
	}
	return 0;
}

/* pyinstrument folds what lies below these: the libraries of every interpreter that was seen. */
static int write_prefixes(const struct profile *p, FILE *out)
{
	struct strings seen;
	int err = 0;

	strings_init(&seen);
	for (uint32_t i = 0; !err && i < profile_frame_count(p); i++) {
		const struct profile_frame *f = profile_frame_at(p, i);
		_cleanup_free_ char *file =
		    f->python && f->file ? profile_safe_name(f->file) : NULL;
		size_t length = file ? prefix_of(file) : 0;

		if (f->python && f->file && !file)
			err = -ENOMEM;
		if (!length)
			continue;
		file[length] = '\0';
		err = strings_add(&seen, file) == INTERN_NONE ? -ENOMEM : 0;
	}
	fputs("\"sys_prefixes\":[", out);
	for (uint32_t i = 0; !err && i < strings_count(&seen); i++) {
		fputs(i ? "," : "", out);
		escape_json(out, strings_at(&seen, i));
	}
	fputs("],\n", out);
	strings_clear(&seen);
	return err;
}

static int write_head(const struct profile *p, const struct profile_run *run, FILE *out)
{
	_cleanup_free_ char *command = profile_safe_name(run->command ? run->command : "");
	uint64_t period_ns = profile_period_ns(p);

	if (!command)
		return -ENOMEM;
	/* duration: of all threads together, so that the records are a part of it */
	write_seconds(out, "{\"start_time\":", run->start_utc_ns);
	write_seconds(out, ",\n\"duration\":", profile_marks(p) * period_ns);
	write_seconds(out, ",\n\"cpu_time\":", running_marks(p) * period_ns);
	write_seconds(out, ",\n\"min_interval\":", period_ns);
	write_seconds(out, ",\n\"max_interval\":", period_ns);
	fprintf(out, ",\n\"sample_count\":%" PRIu64 ",\n\"target_description\":", profile_marks(p));
	escape_json(out, command);
	fputs(",\n\"program\":", out); /* instead of target_description before 4.7 */
	escape_json(out, command);
	/* never the frame of a record: pyinstrument cuts off what the stacks begin with here */
	fputs(",\n\"start_call_stack\":[\"[taskdiag-bpf]\\u0000\\u00000\"],\n"
	      "\"sys_path\":[],\n",
	      out);
	return write_prefixes(p, out);
}

int profile_write_pyisession(const struct profile *p, const struct profile_run *run, FILE *out)
{
	struct profile_walk w;
	int err = profile_walk_init(&w, p, show);

	if (!err)
		err = write_head(p, run, out);
	if (!err)
		err = write_records(&w, out);
	profile_walk_clear(&w);
	return err ? err : ferror(out) ? -EIO : 0;
}
