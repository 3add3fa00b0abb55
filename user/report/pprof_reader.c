/* pprof_reader.c - see pprof_reader.h: the tables of a message that everything else points to. */
#include "report/pprof_reader.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Of each table; beyond it somebody wants our memory or time. */
#define ENTRIES_MAX (4u << 20)
#define STRING_MAX (16u << 10) /* a report shows a name again and again */

int pprof_damaged(struct pprof_reader *r, const char *cause)
{
	r->cause = cause;
	return -EBADMSG;
}

int pprof_too_large(struct pprof_reader *r, const char *cause)
{
	r->cause = cause;
	return -E2BIG;
}

int pprof_grow(struct pprof_reader *r, void *array, size_t n, size_t *room, size_t size)
{
	size_t wanted = *room ? *room * 2 : 64;
	void *grown;

	if (n < *room)
		return 0;
	if (n >= ENTRIES_MAX)
		return pprof_too_large(r, "holds too many entries");
	grown = reallocarray(*(void **)array, wanted, size);
	if (!grown)
		return -ENOMEM;
	*(void **)array = grown;
	*room = wanted;
	return 0;
}

static int by_id(const void *a, const void *b)
{
	uint64_t x = ((const struct pprof_entry *)a)->id, y = ((const struct pprof_entry *)b)->id;

	return x < y ? -1 : x > y;
}

int pprof_add(struct pprof_reader *r, struct pprof_table *t, struct pprof_entry e)
{
	int err = pprof_grow(r, &t->entries, t->n, &t->room, sizeof(*t->entries));

	if (!err)
		t->entries[t->n++] = e;
	return err;
}

int pprof_sort(struct pprof_reader *r, struct pprof_table *t)
{
	if (t->n)
		qsort(t->entries, t->n, sizeof(*t->entries), by_id);
	for (size_t i = 0; i < t->n; i++)
		if (!t->entries[i].id || (i && t->entries[i].id == t->entries[i - 1].id))
			return pprof_damaged(r, "has an id of 0 or an id twice");
	return 0;
}

/* Ids mostly count from 1: then no search is needed. */
struct pprof_entry *pprof_find(const struct pprof_table *t, uint64_t id)
{
	struct pprof_entry wanted = { .id = id };

	if (id && id <= t->n && t->entries[id - 1].id == id)
		return &t->entries[id - 1];
	return t->n ? bsearch(&wanted, t->entries, t->n, sizeof(wanted), by_id) : NULL;
}

const char *pprof_string(struct pprof_reader *r, uint64_t i)
{
	if (i < r->n_strings)
		return r->strings[i];
	pprof_damaged(r, "names a string that it does not hold");
	return NULL;
}

int pprof_walk(struct pprof_reader *r, const void *data, size_t size, pprof_field_fn *field)
{
	struct wire_cursor c;
	struct wire_field f;
	int err;

	wire_start(&c, data, size);
	while ((err = wire_next(&c, &f)) > 0) {
		err = field(r, &f);
		if (err)
			return err;
	}
	return err ? pprof_damaged(r, "is not a pprof profile, or is cut") : 0;
}

static int add_string(struct pprof_reader *r, const struct wire_field *f)
{
	int err = pprof_grow(r, &r->strings, r->n_strings, &r->string_room, sizeof(*r->strings));

	if (err)
		return err;
	if (f->size > STRING_MAX)
		return pprof_too_large(r, "has a name that is too long");
	if (f->size && memchr(f->data, '\0', f->size))
		return pprof_damaged(r, "holds a string with a NUL byte");
	r->strings[r->n_strings] = strndup((const char *)f->data, f->size);
	if (!r->strings[r->n_strings])
		return -ENOMEM;
	r->n_strings++;
	return 0;
}

static int add_function(struct pprof_reader *r, const struct wire_field *f)
{
	struct pprof_entry e = { .at = (uint32_t)r->functions.n };
	struct pprof_function function = {};
	struct wire_cursor c;
	struct wire_field g;
	int err;

	wire_start(&c, f->data, f->size);
	while ((err = wire_next(&c, &g)) > 0) {
		uint64_t *const to[] = { NULL,		 &e.id,
					 &function.name, &function.system_name,
					 &function.file, &function.first_line };

		if (g.number < 6 && !g.bytes)
			*to[g.number] = g.value;
	}
	if (err)
		return pprof_damaged(r, "has a damaged function");
	err = pprof_grow(r, &r->function_data, e.at, &r->function_room, sizeof(*r->function_data));
	if (err)
		return err;
	r->function_data[e.at] = function;
	return pprof_add(r, &r->functions, e);
}

static int add_comment(struct pprof_reader *r, uint64_t string)
{
	if (r->n_comments < PPROF_COMMENTS_MAX)
		r->comments[r->n_comments++] = string;
	return 0;
}

static int strings_walk(struct pprof_reader *r, const struct wire_field *f)
{
	if (f->number == PPROF_PERIOD && !f->bytes)
		r->period = f->value;
	if (f->number == PPROF_COMMENT)
		return pprof_repeated(r, f, add_comment);
	if (!f->bytes)
		return 0;
	if (f->number == PPROF_STRING)
		return add_string(r, f);
	return f->number == PPROF_FUNCTION ? add_function(r, f) : 0;
}

static int add_sample_type(struct pprof_reader *r, const struct wire_field *f)
{
	struct wire_cursor c;
	struct wire_field g;
	uint64_t type = 0;
	int err;

	wire_start(&c, f->data, f->size);
	while ((err = wire_next(&c, &g)) > 0)
		if (g.number == 1 && !g.bytes)
			type = g.value;
	if (err)
		return pprof_damaged(r, "has a damaged sample type");
	if (!pprof_string(r, type))
		return -EBADMSG;
	if (r->n_types == PPROF_VALUES_MAX)
		return pprof_too_large(r, "has too many sample types");
	r->types[r->n_types++] = type;
	return 0;
}

static int types_walk(struct pprof_reader *r, const struct wire_field *f)
{
	return f->number == PPROF_SAMPLE_TYPE && f->bytes ? add_sample_type(r, f) : 0;
}

int pprof_reader_type(const struct pprof_reader *r, const char *type)
{
	for (unsigned i = 0; i < r->n_types; i++)
		if (!strcmp(r->strings[r->types[i]], type))
			return (int)i;
	return -1;
}

int pprof_reader_start(struct pprof_reader *r)
{
	int err = pprof_walk(r, r->data, r->size, strings_walk);

	if (err)
		return err;
	if (!r->n_strings || *r->strings[0])
		return pprof_damaged(r, "is not a pprof profile: it has no string table");
	err = pprof_sort(r, &r->functions);
	return err ? err : pprof_walk(r, r->data, r->size, types_walk);
}
