/* code.c - see code.h */
#include "python/code.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "python/lines.h"
#include "python/unicode.h"

#define OLDEST 8
#define NEWEST 14
#define UNIT 2 /* bytes of an instruction */

struct python_code {
	char *name, *file; /* NULL: could not be read */
	uint8_t *table;
	struct line_table lines;
};

static bool event_fits(const struct code_event *e, size_t bytes)
{
	return bytes >= sizeof(*e) && e->name_bytes <= sizeof(e->name) &&
	       e->file_bytes <= sizeof(e->file) && e->lines_bytes <= bytes - sizeof(*e) &&
	       e->lines_bytes <= e->lines_size && e->minor >= OLDEST && e->minor <= NEWEST;
}

/* A string that is none of Python's is as one that could not be read. */
static int take_string(const uint8_t *object, size_t bytes, uint8_t minor, char **ret)
{
	int err = python_unicode(object, bytes, minor, ret);

	return err == -EBADMSG ? 0 : err;
}

static int take_lines(struct python_code *c, const uint8_t *table, size_t bytes, bool cut)
{
	uint8_t *copy = malloc(bytes ? bytes : 1);

	if (!copy)
		return -ENOMEM;
	if (bytes)
		memcpy(copy, table, bytes);
	free(c->table);
	c->table = copy;
	c->lines.bytes = copy;
	c->lines.size = bytes;
	c->lines.cut = cut;
	return 0;
}

static int take_event(struct python_code *c, const struct code_event *e)
{
	bool lines = !(e->flags & PYTHON_LINES_UNREAD);
	int err = 0;

	c->lines.minor = e->minor;
	c->lines.first_line = e->first_line;
	if (!(e->flags & PYTHON_NAME_UNREAD))
		err = take_string(e->name, e->name_bytes, e->minor, &c->name);
	if (!err && !(e->flags & PYTHON_FILE_UNREAD))
		err = take_string(e->file, e->file_bytes, e->minor, &c->file);
	if (err)
		return err;
	return take_lines(c, (const uint8_t *)(e + 1), lines ? e->lines_bytes : 0,
			  !lines || e->flags & PYTHON_LINES_CUT || e->lines_bytes < e->lines_size);
}

int python_code_new(const struct code_event *e, size_t bytes, struct python_code **ret)
{
	struct python_code *c;
	int err;

	if (!event_fits(e, bytes))
		return -EBADMSG;
	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	err = take_event(c, e);
	if (err) {
		python_code_free(c);
		return err;
	}
	*ret = c;
	return 0;
}

void python_code_free(struct python_code *c)
{
	if (!c)
		return;
	free(c->name);
	free(c->file);
	free(c->table);
	free(c);
}

const char *python_code_name(const struct python_code *c)
{
	return c->name;
}

const char *python_code_file(const struct python_code *c)
{
	return c->file;
}

uint32_t python_code_first_line(const struct python_code *c)
{
	return c->lines.first_line;
}

int python_code_set_lines(struct python_code *c, const uint8_t *table, size_t bytes)
{
	return take_lines(c, table, bytes, false);
}

uint32_t python_code_line(const struct python_code *c, uint32_t instruction)
{
	if (instruction == FRAME_NO_INSTRUCTION)
		return 0;
	return line_table_find(&c->lines, (uint64_t)instruction * UNIT);
}
