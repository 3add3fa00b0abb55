/* python_codes.c - see python_codes.h */
#include "collect/python_codes.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <uthash.h>

#include "lib/cleanup.h"
#include "python/code.h"
#include "unwind/unwinder.h"

#define LINES_MAX (1u << 20)
#define LINES_DATA 32 /* where the bytes of a bytes object begin */

struct entry {
	uint64_t id, code, check;
	uint32_t serial;
	bool ambiguous;
	struct python_code *decoded;
	UT_hash_handle hh;
};

struct python_codes {
	struct entry *table;
	struct python_codes_stats stats;
};

struct python_codes *python_codes_new(void)
{
	return calloc(1, sizeof(struct python_codes));
}

void python_codes_free(struct python_codes *c)
{
	struct entry *e, *next;

	if (!c)
		return;
	HASH_ITER (hh, c->table, e, next) {
		HASH_DEL(c->table, e);
		python_code_free(e->decoded);
		free(e);
	}
	free(c);
}

/* A function of thousands of lines has a longer table than a record takes. */
static bool lines_complete(struct python_code *code, const struct code_event *e,
			   struct unwinder *unwinder)
{
	_cleanup_free_ uint8_t *table = NULL;

	if (!(e->flags & (PYTHON_LINES_CUT | PYTHON_LINES_UNREAD)))
		return true;
	if (!unwinder || !e->lines_size || e->lines_size > LINES_MAX)
		return false;
	table = malloc(e->lines_size);
	return table &&
	       unwinder_memory(unwinder, e->h.pid, e->lines + LINES_DATA, table, e->lines_size) ==
		   e->lines_size &&
	       !python_code_set_lines(code, table, e->lines_size);
}

static int entry_again(struct python_codes *c, struct entry *known, const struct code_event *e)
{
	if (known->code == e->code && known->check == e->check && known->serial == e->serial)
		return 0;
	c->stats.ambiguous += !known->ambiguous;
	known->ambiguous = true;
	return 0;
}

int python_codes_add(struct python_codes *c, const struct code_event *event, size_t bytes,
		     struct unwinder *unwinder)
{
	struct entry *e;
	int err;

	HASH_FIND(hh, c->table, &event->id, sizeof(event->id), e);
	if (e)
		return entry_again(c, e, event);
	if (c->stats.codes >= CODES_MAX)
		return -ENOSPC;
	e = calloc(1, sizeof(*e));
	if (!e)
		return -ENOMEM;
	err = python_code_new(event, bytes, &e->decoded);
	if (err) {
		c->stats.malformed += err == -EBADMSG;
		free(e);
		return err;
	}
	e->id = event->id;
	e->code = event->code;
	e->check = event->check;
	e->serial = event->serial;
	c->stats.codes++;
	c->stats.nameless += !python_code_name(e->decoded);
	c->stats.lineless += !lines_complete(e->decoded, event, unwinder);
	HASH_ADD(hh, c->table, id, sizeof(e->id), e);
	return 0;
}

void python_codes_frame(struct python_codes *c, uint64_t frame, struct profile_frame *ret)
{
	uint64_t id = FRAME_CODE(frame);
	struct entry *e;

	HASH_FIND(hh, c->table, &id, sizeof(id), e);
	*ret = (struct profile_frame){ .name = "[python code gone]",
				       .mapping = PROFILE_NONE,
				       .python = true };
	if (!e || e->ambiguous || !python_code_name(e->decoded)) {
		c->stats.gone++;
		return;
	}
	ret->name = python_code_name(e->decoded);
	ret->file = python_code_file(e->decoded);
	ret->first_line = python_code_first_line(e->decoded);
	if (FRAME_INSTRUCTION(frame) != FRAME_NO_INSTRUCTION)
		ret->line = python_code_line(e->decoded, FRAME_INSTRUCTION(frame));
	if (!ret->line)
		ret->line = ret->first_line;
}

void python_codes_stats(const struct python_codes *c, struct python_codes_stats *ret)
{
	*ret = c->stats;
}
