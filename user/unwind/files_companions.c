/* files_companions.c - the files that a program will map, by what it mapped when it ran last: their
 * tables are in the space before it maps them; see files.h
 *
 *   new file ──► cache_companions_load() ──► entries without a number ──► rows from the cache
 *                                                  └──(mapped)──► files.c: number, name
 *
 * To load two libraries of 800,000 rows takes 60 ms, in which a program that starts is walked
 * without them. A held command waits until they stand.
 */
#include "unwind/files_private.h"

#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"

#define WARM_MAX 1024		     /* of a run: what a task's programs make us guess is bounded */
#define WARM_WORDS (SPACE_WORDS / 2) /* beyond, room is for what is mapped */
#define KEEP_MAX 128		     /* lists that a run writes */

static void warm_add(struct files *f, const struct pin_identity *id)
{
	struct entry *e;

	HASH_FIND(hh, f->by_identity, id, sizeof(*id), e);
	if (e || f->warm_count == WARM_MAX)
		return;
	e = calloc(1, sizeof(*e));
	if (!e)
		return;
	e->files = f;
	e->file.shown.fd = -1;
	e->identity = *id;
	e->idle_ns = clock_monotonic_ns();
	HASH_ADD(hh, f->by_identity, identity, sizeof(e->identity), e);
	*f->warm_end = e;
	f->warm_end = &e->next_warm;
	f->warm_next = f->warm_next ?: e;
	f->warm_count++;
}

void files_companions_want(struct entry *program)
{
	struct files *f = program->files;
	struct pin_identity list[CACHE_COMPANIONS_MAX];
	size_t count;

	if (!f->cache || cache_companions_load(f->cache, &program->identity, list, &count))
		return;
	for (size_t i = 0; i < count; i++)
		warm_add(f, &list[i]);
}

struct entry *files_warm_next(struct files *f)
{
	struct entry *e;

	while ((e = f->warm_next)) {
		f->warm_next = e->next_warm;
		if (!e->number && space_used(f->space) < WARM_WORDS)
			return e;
	}
	return NULL;
}

void files_warm_free(struct files *f)
{
	for (struct entry *e = f->warm, *next; e; e = next) {
		next = e->next_warm;
		if (!e->number)
			files_entry_free(e);
	}
}

void files_together(struct files *f, uint32_t program, uint32_t file)
{
	struct entry *p = files_entry(f, program), *e = files_entry(f, file);
	uint32_t *grown;

	if (!f->cache || !p || !e || p == e || p->file.shown.fd < 0 || e->file.shown.fd < 0 ||
	    e->file.vdso || p->companion_count == CACHE_COMPANIONS_MAX)
		return;
	for (uint32_t i = 0; i < p->companion_count; i++)
		if (p->companions[i] == file)
			return;
	if (!(p->companion_count & (p->companion_count - 1))) { /* a power of two: full */
		grown = reallocarray(p->companions, p->companion_count * 2 ?: 1, sizeof(*grown));
		if (!grown)
			return; /* a guess less */
		p->companions = grown;
	}
	p->companions[p->companion_count++] = file;
}

static bool is_among(const struct pin_identity *id, const struct pin_identity *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!memcmp(&list[i], id, sizeof(*id)))
			return true;
	return false;
}

/* A run that mapped less than the one before leaves what is known: clang --version needs few. */
static bool companions_store(struct files *f, const struct entry *program)
{
	struct pin_identity known[CACHE_COMPANIONS_MAX], now[CACHE_COMPANIONS_MAX];
	bool changed = false;
	size_t count = 0;

	if (cache_companions_load(f->cache, &program->identity, known, &count))
		count = 0;
	for (uint32_t i = 0; i < program->companion_count; i++) {
		now[i] = files_entry(f, program->companions[i])->identity;
		changed |= !is_among(&now[i], known, count);
	}
	if (changed)
		cache_companions_store(f->cache, &program->identity, now, program->companion_count);
	return changed;
}

void files_companions_keep(struct files *f)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < f->count && kept < KEEP_MAX; i++)
		if (f->entries[i]->companion_count)
			kept += companions_store(f, f->entries[i]);
}
