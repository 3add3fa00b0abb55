/* source_lines.c - see source_lines.h */
#include "report/source_lines.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/clock.h"
#include "symbolize/debugfiles.h"
#include "symbolize/open_below.h"
#include "symbolize/symbolize.h"

#define ALL_LINES_NS (60 * NS_PER_S)

/* The frames of one file, and what is known of their addresses. */
struct source {
	uint64_t *addresses; /* sorted, each once */
	size_t count;
	int fd;
	struct symbolize_name *names; /* copies; those of an address in a row */
	size_t name_count;
	size_t *first; /* of each address, and one beyond */
};

struct source_lines {
	const struct profile *old;
	struct profile *fresh;
	struct inspect *inspect;
	bool debuginfod;
	source_lines_fn note;
	void *context;
	struct source *sources; /* one a mapping */
	bool no_memory;
};

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Python and perf maps have lines, or never will. */
static bool wants_lines(const struct profile *p, const struct profile_frame *f)
{
	return f->mapping != PROFILE_NONE && !f->file && !f->inlined &&
	       *profile_mapping_at(p, f->mapping)->path == '/';
}

static int addresses_collect(struct source_lines *l)
{
	size_t frames = profile_frame_count(l->old);

	for (uint32_t i = 0; i < frames; i++) {
		const struct profile_frame *f = profile_frame_at(l->old, i);

		if (wants_lines(l->old, f))
			l->sources[f->mapping].count++;
	}
	for (uint32_t m = 0; m < profile_mapping_count(l->old); m++) {
		struct source *s = &l->sources[m];

		s->addresses = calloc(s->count + 1, sizeof(*s->addresses));
		if (!s->addresses)
			return -ENOMEM;
		s->count = 0;
	}
	for (uint32_t i = 0; i < frames; i++) {
		const struct profile_frame *f = profile_frame_at(l->old, i);

		if (wants_lines(l->old, f)) {
			struct source *s = &l->sources[f->mapping];

			s->addresses[s->count++] = f->address;
		}
	}
	for (uint32_t m = 0; m < profile_mapping_count(l->old); m++) {
		struct source *s = &l->sources[m];
		size_t n = 0;

		if (s->count)
			qsort(s->addresses, s->count, sizeof(*s->addresses), compare);
		for (size_t i = 0; i < s->count; i++)
			if (!n || s->addresses[n - 1] != s->addresses[i])
				s->addresses[n++] = s->addresses[i];
		s->count = n;
	}
	return 0;
}

/*
 * The file that the task ran, or its debug file
 */

static bool has_build_id(struct source_lines *l, int fd, const char *wanted)
{
	uint8_t build_id[INSPECT_BUILD_ID_MAX];
	char hex[DEBUGFILES_HEX_MAX], link[256];
	uint32_t bytes;

	if (inspect_debug_link(l->inspect, fd, build_id, &bytes, link, sizeof(link)) || !bytes)
		return false;
	debugfiles_hex(build_id, bytes, hex);
	return !strcmp(hex, wanted);
}

static uint32_t from_hex(const char *hex, uint8_t ret[INSPECT_BUILD_ID_MAX])
{
	uint32_t n = 0;
	unsigned int byte;

	while (n < INSPECT_BUILD_ID_MAX && hex[2 * n] && hex[2 * n + 1] &&
	       sscanf(hex + 2 * n, "%2x", &byte) == 1)
		ret[n++] = byte;
	return n;
}

/* It has the symbols and the lines, if no code. The fd, or -ENOENT. */
static int debug_file_open(struct source_lines *l, const struct profile_mapping *m)
{
	uint8_t build_id[INSPECT_BUILD_ID_MAX];
	struct debugfiles_wanted wanted = {
		.root = "", .path = m->path, .build_id = build_id, .link = ""
	};
	const char *cause;

	wanted.build_id_bytes = from_hex(m->build_id, build_id);
	for (size_t n = 0;; n++) {
		_cleanup_close_ int fd = debugfiles_open(&wanted, n);

		if (fd == -ERANGE)
			break;
		if (fd >= 0 && has_build_id(l, fd, m->build_id))
			return take_fd(&fd);
	}
	return l->debuginfod ? debugfiles_fetch(build_id, wanted.build_id_bytes, &cause) : -ENOENT;
}

/* The fd, or -1 with a note. */
static int source_open(struct source_lines *l, const struct profile_mapping *m)
{
	_cleanup_close_ int fd = open_below("", m->path, true, NULL);
	const char *cause = fd < 0 ? strerror(-fd) : NULL;
	int debug_fd;

	if (fd >= 0 && !m->build_id) {
		l->note(l->context, m->path,
			"it has no build-id: whether it still is what the task ran cannot be told");
		return take_fd(&fd);
	}
	if (fd >= 0 && has_build_id(l, fd, m->build_id))
		return take_fd(&fd);
	if (fd >= 0)
		cause = "it is not what the task ran: another build-id";
	debug_fd = m->build_id ? debug_file_open(l, m) : -ENOENT;
	if (debug_fd < 0)
		l->note(l->context, m->path, cause);
	return debug_fd < 0 ? -1 : debug_fd;
}

/*
 * Names
 */

static void on_names(void *context, size_t index, const struct symbolize_name *names, size_t count,
		     const char *problem)
{
	struct source_lines *l = context;
	struct source *s = &l->sources[index];
	size_t at = 0, with_lines = 0;

	for (size_t i = 0; i < count; i++)
		with_lines += names[i].file != NULL;
	if (!problem && !with_lines)
		problem = "no debug file with lines was found";
	if (problem)
		l->note(l->context, profile_mapping_at(l->old, index)->path, problem);
	s->names = calloc(count + 1, sizeof(*s->names));
	s->first = calloc(s->count + 1, sizeof(*s->first));
	if (!s->names || !s->first) {
		l->no_memory = true;
		return;
	}
	for (size_t i = 0; i < count; i++) {
		struct symbolize_name *name = &s->names[s->name_count++];

		*name = names[i];
		name->name = strdup(names[i].name);
		name->file = names[i].file ? strdup(names[i].file) : NULL;
		l->no_memory |= !name->name || (names[i].file && !name->file);
		while (at < s->count && at <= name->address)
			s->first[at++] = i;
	}
	while (at <= s->count)
		s->first[at++] = count;
}

static int names_ask(struct source_lines *l)
{
	const struct symbolize_options options = { .lines = true, .debuginfod = l->debuginfod };
	struct symbolizer *symbolizer;
	int err = symbolizer_new(l->inspect, &options, &symbolizer);

	for (uint32_t m = 0; !err && m < profile_mapping_count(l->old); m++) {
		const struct profile_mapping *mapping = profile_mapping_at(l->old, m);
		struct source *s = &l->sources[m];
		struct symbolize_file file = { .path = mapping->path, .root = "" };

		if (!s->count)
			continue;
		file.fd = s->fd = source_open(l, mapping);
		if (s->fd >= 0)
			err = symbolizer_ask(symbolizer, m, &file, s->addresses, s->count, on_names,
					     l);
	}
	if (!err)
		symbolizer_finish(symbolizer, ALL_LINES_NS);
	symbolizer_free(symbolizer);
	return err ? err : l->no_memory ? -ENOMEM : 0;
}

static const struct symbolize_name *names_of(const struct source_lines *l,
					     const struct profile_frame *f, size_t *ret_count)
{
	const struct source *s;
	const uint64_t *at;
	size_t i;

	*ret_count = 0;
	if (!wants_lines(l->old, f))
		return NULL;
	s = &l->sources[f->mapping];
	at = s->first ? bsearch(&f->address, s->addresses, s->count, sizeof(*at), compare) : NULL;
	if (!at)
		return NULL;
	i = at - s->addresses;
	*ret_count = s->first[i + 1] - s->first[i];
	return &s->names[s->first[i]];
}

/*
 * The new profile
 */

/* "libc.so.6+0x1f": what the run could not name. */
static bool is_nameless(const struct profile *p, const struct profile_frame *f)
{
	const char *path = profile_mapping_at(p, f->mapping)->path, *slash = strrchr(path, '/');
	const char *base = slash ? slash + 1 : path;
	size_t length = strlen(base);

	return !strncmp(f->name, base, length) && !strncmp(f->name + length, "+0x", 3);
}

/* A frame of the run, from its function to what is inlined innermost. Returns the new stack. */
static uint32_t frame_push(struct source_lines *l, uint32_t stack, const struct profile_frame *old)
{
	size_t count;
	const struct symbolize_name *names = names_of(l, old, &count);

	if (!count)
		return profile_stack(l->fresh, stack, profile_frame(l->fresh, old));
	for (size_t i = count; i-- > 0;) {
		struct profile_frame f = *old;

		f.file = names[i].file;
		f.line = names[i].line;
		f.inlined = names[i].inlined;
		if (f.inlined || (!names[i].unresolved && is_nameless(l->old, old))) {
			f.name = names[i].name;
			f.system_name = NULL;
		}
		stack = profile_stack(l->fresh, stack, profile_frame(l->fresh, &f));
		if (stack == PROFILE_NONE)
			break;
	}
	return stack;
}

/* Mappings, processes, threads and causes come in the same order, and keep their numbers. */
static bool tables_copy(struct profile *fresh, const struct profile *old)
{
	bool good = true;

	for (uint32_t i = 0; i < profile_mapping_count(old); i++)
		good &= profile_mapping(fresh, profile_mapping_at(old, i)) == i;
	for (uint32_t i = 0; i < profile_process_count(old); i++)
		good &= profile_process(fresh, profile_process_at(old, i)) == i;
	for (uint32_t i = 0; i < profile_thread_count(old); i++)
		good &= profile_thread(fresh, profile_thread_at(old, i)) == i;
	for (uint32_t i = 0; i < profile_cause_count(old); i++) {
		const struct profile_cause *cause = profile_cause_at(old, i);

		good &= profile_cause(fresh, cause->name, cause->running) == i;
	}
	return good;
}

static int rebuild(struct source_lines *l)
{
	size_t stacks = profile_stack_count(l->old);
	_cleanup_free_ uint32_t *stack_of = calloc(stacks + 1, sizeof(*stack_of));

	l->fresh = profile_new(profile_period_ns(l->old), profile_slice_ns(l->old));
	if (!stack_of || !l->fresh || !tables_copy(l->fresh, l->old))
		return -ENOMEM;
	for (uint32_t i = 0; i < stacks; i++) { /* a parent comes before its children */
		uint32_t parent = profile_stack_parent(l->old, i);

		stack_of[i] =
		    frame_push(l, parent == PROFILE_NO_STACK ? PROFILE_NO_STACK : stack_of[parent],
			       profile_frame_at(l->old, profile_stack_frame(l->old, i)));
		if (stack_of[i] == PROFILE_NONE)
			return -ENOMEM;
	}
	for (uint32_t i = 0; i < profile_sample_count(l->old); i++) {
		const struct profile_sample *s = profile_sample_at(l->old, i);
		uint32_t stack =
		    s->stack == PROFILE_NO_STACK ? PROFILE_NO_STACK : stack_of[s->stack];

		if (profile_add(l->fresh, stack, s->thread, s->cause, s->slice, s->marks))
			return -ENOMEM;
	}
	return 0;
}

static void sources_free(struct source_lines *l)
{
	for (uint32_t m = 0; l->sources && m < profile_mapping_count(l->old); m++) {
		struct source *s = &l->sources[m];

		for (size_t i = 0; i < s->name_count; i++) {
			free((char *)s->names[i].name);
			free((char *)s->names[i].file);
		}
		free(s->names);
		free(s->first);
		free(s->addresses);
		cleanup_close(&s->fd);
	}
	free(l->sources);
}

int source_lines_add(const struct profile *p, struct inspect *inspect, bool debuginfod,
		     source_lines_fn note, void *context, struct profile **ret)
{
	struct source_lines l = { .old = p,
				  .inspect = inspect,
				  .debuginfod = debuginfod,
				  .note = note,
				  .context = context };
	size_t mappings = profile_mapping_count(p);
	int err;

	l.sources = calloc(mappings + 1, sizeof(*l.sources));
	for (size_t m = 0; l.sources && m < mappings; m++)
		l.sources[m].fd = -1;
	err = l.sources ? addresses_collect(&l) : -ENOMEM;
	if (!err)
		err = names_ask(&l);
	if (!err)
		err = rebuild(&l);
	sources_free(&l);
	if (err)
		profile_free(l.fresh);
	else
		*ret = l.fresh;
	return err;
}
