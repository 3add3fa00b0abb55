/* pprof_frames.c - mappings and locations of a pprof message → frames (see pprof_reader.h) */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/pprof_reader.h"

static int add_mapping(struct pprof_reader *r, const struct wire_field *f)
{
	uint64_t v[8] = {};
	struct profile_mapping m;
	struct wire_cursor c;
	struct wire_field g;
	const char *build_id;
	struct pprof_entry e = {};
	int err;

	wire_start(&c, f->data, f->size);
	while ((err = wire_next(&c, &g)) > 0)
		if (g.number < 8 && !g.bytes)
			v[g.number] = g.value;
	if (err)
		return pprof_damaged(r, "has a damaged mapping");
	m = (struct profile_mapping){ .path = pprof_string(r, v[5]),
				      .start = v[2],
				      .limit = v[3],
				      .offset = v[4],
				      .named = v[7] };
	build_id = pprof_string(r, v[6]);
	if (!m.path || !build_id)
		return -EBADMSG;
	m.build_id = *build_id ? build_id : NULL;
	e.id = v[1];
	e.at = profile_mapping(r->profile, &m);
	return e.at == PROFILE_NONE ? -ENOMEM : pprof_add(r, &r->mappings, e);
}

static int mappings_walk(struct pprof_reader *r, const struct wire_field *f)
{
	return f->number == PPROF_MAPPING && f->bytes ? add_mapping(r, f) : 0;
}

static int add_frame(struct pprof_reader *r, const struct profile_frame *frame)
{
	int err = pprof_grow(r, &r->frames, r->n_frames, &r->frame_room, sizeof(*r->frames));
	uint32_t number;

	if (err)
		return err;
	number = profile_frame(r->profile, frame);
	if (number == PROFILE_NONE)
		return -ENOMEM;
	r->frames[r->n_frames++] = number;
	return 0;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

/* A location without lines: the module and the place in it. */
static int add_bare_frame(struct pprof_reader *r, struct profile_frame *frame)
{
	const struct profile_mapping *m =
	    frame->mapping == PROFILE_NONE ? NULL : profile_mapping_at(r->profile, frame->mapping);
	char name[320];

	if (m)
		snprintf(name, sizeof(name), "%.256s+0x%llx", base_name(m->path),
			 (unsigned long long)frame->address);
	else
		snprintf(name, sizeof(name), "0x%llx", (unsigned long long)frame->address);
	frame->name = name;
	return add_frame(r, frame);
}

/* The format has no word for it. Compiled code has a mapping, and no first line in our files. */
static bool is_python(const struct profile_frame *f)
{
	size_t n = f->file ? strlen(f->file) : 0;

	if (f->mapping != PROFILE_NONE || !n)
		return false;
	return f->first_line || *f->file == '<' || (n > 3 && !strcmp(f->file + n - 3, ".py"));
}

static int add_line(struct pprof_reader *r, const struct wire_field *f, struct profile_frame frame,
		    bool inlined)
{
	uint64_t v[3] = {};
	const struct pprof_function *function;
	struct wire_cursor c;
	struct wire_field g;
	struct pprof_entry *e;
	int err;

	wire_start(&c, f->data, f->size);
	while ((err = wire_next(&c, &g)) > 0)
		if (g.number < 3 && !g.bytes)
			v[g.number] = g.value;
	if (err)
		return pprof_damaged(r, "has a damaged line");
	e = pprof_find(&r->functions, v[1]);
	if (!e)
		return pprof_damaged(r, "names a function that it does not hold");
	function = &r->function_data[e->at];
	frame.name = pprof_string(r, function->name);
	frame.system_name = pprof_string(r, function->system_name);
	frame.file = pprof_string(r, function->file);
	if (!frame.name || !frame.system_name || !frame.file)
		return -EBADMSG;
	if (!*frame.system_name || !strcmp(frame.system_name, frame.name))
		frame.system_name = NULL;
	frame.file = *frame.file ? frame.file : NULL;
	frame.line = v[2] <= INT32_MAX ? (uint32_t)v[2] : 0;
	frame.first_line = function->first_line <= INT32_MAX ? (uint32_t)function->first_line : 0;
	frame.inlined = inlined;
	frame.python = is_python(&frame);
	return add_frame(r, &frame);
}

static int add_lines(struct pprof_reader *r, const struct wire_field *f,
		     struct profile_frame *frame, unsigned lines)
{
	struct wire_cursor c;
	struct wire_field g;
	unsigned i = 0;
	int err;

	wire_start(&c, f->data, f->size);
	while ((err = wire_next(&c, &g)) > 0) {
		if (g.number != 4 || !g.bytes)
			continue;
		err = add_line(r, &g, *frame, ++i < lines);
		if (err)
			return err;
	}
	return lines ? 0 : add_bare_frame(r, frame);
}

static int add_location(struct pprof_reader *r, const struct wire_field *f)
{
	struct profile_frame frame = { .mapping = PROFILE_NONE };
	struct pprof_entry e = { .at = (uint32_t)r->n_frames }, *mapping;
	uint64_t v[4] = {};
	struct wire_cursor c;
	struct wire_field g;
	unsigned lines = 0;
	int err;

	wire_start(&c, f->data, f->size);
	while ((err = wire_next(&c, &g)) > 0) {
		if (g.number < 4 && !g.bytes)
			v[g.number] = g.value;
		lines += g.number == 4 && g.bytes;
	}
	if (err)
		return pprof_damaged(r, "has a damaged location");
	mapping = pprof_find(&r->mappings, v[2]);
	if (v[2] && !mapping)
		return pprof_damaged(r, "names a mapping that it does not hold");
	if (mapping)
		frame.mapping = mapping->at;
	frame.address = v[3];
	err = add_lines(r, f, &frame, lines);
	e.id = v[1];
	e.n = (uint32_t)(r->n_frames - e.at);
	return err ? err : pprof_add(r, &r->locations, e);
}

static int locations_walk(struct pprof_reader *r, const struct wire_field *f)
{
	return f->number == PPROF_LOCATION && f->bytes ? add_location(r, f) : 0;
}

int pprof_reader_frames(struct pprof_reader *r)
{
	int err = pprof_walk(r, r->data, r->size, mappings_walk);

	if (!err)
		err = pprof_sort(r, &r->mappings);
	if (!err)
		err = pprof_walk(r, r->data, r->size, locations_walk);
	return err ? err : pprof_sort(r, &r->locations);
}
