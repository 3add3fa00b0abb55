/* files_rows.c - rows of files: from the cache or the worker into the table space, and out of it
 * when nobody needs them; see files.h */
#include "unwind/files_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"

#define SLICE_NS (4 * NS_PER_MS)
#define LONG_ROWS 100000 /* reading, placing and showing take 5 ms and more each: one a call */
#define IDLE_NS (10 * NS_PER_S) /* a table out of use is kept so long at least */
#define RETRY_NS (SPACE_GRACE_NS + 100 * NS_PER_MS)
#define EVICT_EVERY_NS NS_PER_S

static void entry_change(struct entry *e, enum file_state state)
{
	e->file.state = state;
	e->changed = e->files->changed = true;
}

/* Takes @problem over; without memory the reason is lost, not the fact. */
void files_entry_fail(struct entry *e, enum file_state state, char *problem)
{
	free(e->problem);
	e->problem = problem;
	e->file.shown.problem = problem ?: "no memory";
	entry_change(e, state);
}

static void evict(struct entry *e, uint64_t now_ns)
{
	space_release(e->files->space, &e->file.table, now_ns);
	e->file.table.count = 0;
	e->file.state = FILE_IDLE; /* no mapping shows it: nothing to be told */
}

static bool is_idle(const struct entry *e, uint64_t now_ns, uint64_t idle_ns)
{
	return !e->refs && e->file.state == FILE_READY && now_ns - e->idle_ns >= idle_ns;
}

static bool evict_idle(struct files *f, uint64_t now_ns, uint64_t idle_ns)
{
	bool any = false;

	for (uint32_t i = 0; i < f->count; i++) {
		if (!is_idle(f->entries[i], now_ns, idle_ns))
			continue;
		evict(f->entries[i], now_ns);
		any = true;
	}
	for (struct entry *e = f->warm; e; e = e->next_warm) {
		if (e->number || !is_idle(e, now_ns, idle_ns))
			continue;
		evict(e, now_ns);
		any = true;
	}
	return any;
}

static void entry_place(struct entry *e, const struct inspect_rows *rows)
{
	struct files *f = e->files;
	uint64_t now = clock_monotonic_ns();
	int err = space_place(f->space, rows->rows, rows->row_count, rows->buckets,
			      rows->bucket_count, &e->file.table);
	char *problem = NULL;

	if (!err) {
		f->rows += rows->row_count;
		e->file.state = FILE_PLACED;
		e->next_placed = f->placed;
		f->placed = e;
		return;
	}
	if (err == -ENOSPC && evict_idle(f, now, 0)) { /* room later: what is evicted rests */
		e->file.state = FILE_IDLE;
		e->retry_ns = now + RETRY_NS;
		f->retry_ns = f->retry_ns ?: e->retry_ns;
		return;
	}
	if (asprintf(&problem, "rows have no place: %s",
		     err == -ENOSPC ? "the table space is full" : strerror(-err)) < 0)
		problem = NULL;
	files_entry_fail(e, FILE_WITHOUT, problem);
}

/* Text of a file: all its executable segments. */
static void entry_describe(struct entry *e, const struct inspect_rows *rows)
{
	struct unwind_file *shown = &e->file.shown;

	memcpy(shown->build_id, rows->build_id, sizeof(shown->build_id));
	shown->build_id_bytes =
	    rows->build_id_bytes <= INSPECT_BUILD_ID_MAX ? rows->build_id_bytes : 0;
	e->file.segment_count = rows->segment_count <= INSPECT_SEGMENTS_MAX ? rows->segment_count
									    : INSPECT_SEGMENTS_MAX;
	memcpy(e->file.segments, rows->segments, sizeof(e->file.segments));
	e->file.first = rows->first;
	e->file.bucket_count = rows->bucket_count;
	shown->text_first = UINT64_MAX;
	for (uint32_t i = 0; i < e->file.segment_count; i++) {
		const struct inspect_segment *s = &e->file.segments[i];

		if (s->address < shown->text_first)
			shown->text_first = s->address;
		if (s->address + s->memory_bytes > shown->text_end)
			shown->text_end = s->address + s->memory_bytes;
	}
	if (!e->file.segment_count)
		shown->text_first = 0;
}

static void rows_take(struct entry *e, const struct inspect_rows *rows)
{
	entry_describe(e, rows);
	files_python_want(e);
	if (rows->first & ((1 << BUCKET_SHIFT) - 1))
		files_entry_fail(e, FILE_WITHOUT, strdup("its rows are malformed"));
	else if (!rows->row_count || !rows->bucket_count)
		files_entry_fail(e, FILE_WITHOUT, strdup("it has no call frame information"));
	else
		entry_place(e, rows);
}

static void rows_done(void *context, int err, const char *cause, const struct inspect_rows *rows)
{
	struct entry *e = context;
	struct files *f = e->files;
	uint64_t now = clock_monotonic_ns();

	f->table_ns += now - (e->asked_ns > f->served_ns ? e->asked_ns : f->served_ns);
	f->served_ns = now;
	f->asked--;
	if (err) {
		files_entry_fail(e, err == -ENOEXEC ? FILE_NO_ELF : FILE_WITHOUT,
				 strdup(cause ?: strerror(-err)));
		return;
	}
	if (f->cache && !e->file.vdso)
		cache_store(f->cache, &e->identity, rows);
	rows_take(e, rows);
}

static bool cached_take(struct entry *e)
{
	struct files *f = e->files;
	_cleanup_free_ void *memory = NULL;
	struct inspect_rows rows;
	int err;

	if (!f->cache || e->file.vdso)
		return false;
	err = cache_load(f->cache, &e->identity, &rows, &memory);
	f->hits += !err && e->number; /* an expected one counts when it is seen */
	f->misses += err && e->number;
	f->damaged += err == -EBADMSG;
	if (err)
		return false;
	if (rows.row_count < LONG_ROWS) {
		rows_take(e, &rows);
		return true;
	}
	f->loaded = e;
	f->loaded_rows = rows;
	f->loaded_memory = take_ptr(memory);
	return true;
}

static void loaded_take(struct files *f)
{
	_cleanup_free_ void *memory = take_ptr(f->loaded_memory);

	rows_take(f->loaded, &f->loaded_rows);
	f->loaded = NULL;
}

static void entry_ask(struct entry *e)
{
	if (cached_take(e))
		return;
	e->asked_ns = clock_monotonic_ns();
	if (inspect_rows(e->files->inspect, e->file.shown.fd, rows_done, e))
		files_entry_fail(e, FILE_WITHOUT, strdup("its rows could not be asked for"));
	else
		e->files->asked++;
}

void files_want(struct entry *e)
{
	e->retry_ns = 0;
	if (e->file.state != FILE_IDLE || e->file.shown.fd < 0)
		return;
	e->file.state = FILE_ASKED;
	e->next_wanted = NULL;
	*e->files->wanted_end = e;
	e->files->wanted_end = &e->next_wanted;
}

/* A table of 10 MB takes a while to be read: not all of them in one call. */
static void wanted_ask(struct files *f)
{
	uint64_t until = clock_monotonic_ns() + SLICE_NS;

	while (f->wanted && !f->loaded) {
		struct entry *e = f->wanted;

		f->wanted = e->next_wanted;
		if (!f->wanted)
			f->wanted_end = &f->wanted;
		entry_ask(e);
		if (clock_monotonic_ns() > until)
			return;
	}
}

void files_expect(struct files *f)
{
	uint64_t until = clock_monotonic_ns() + SLICE_NS;
	struct entry *e;

	while (!f->wanted && !f->loaded && (e = files_warm_next(f))) {
		cached_take(e);
		if (clock_monotonic_ns() > until)
			return;
	}
}

static void placed_show(struct files *f, uint64_t now_ns)
{
	int err = f->placed ? space_commit(f->space) : 0;

	for (struct entry *e = f->placed, *next; e; e = next) {
		next = e->next_placed;
		if (!err) {
			entry_change(e, FILE_READY);
			continue;
		}
		space_release(f->space, &e->file.table, now_ns);
		e->file.table.count = 0;
		files_entry_fail(e, FILE_WITHOUT,
				 strdup("its rows could not be handed to the kernel"));
	}
	f->placed = NULL;
}

static void retry(struct files *f, uint64_t now_ns)
{
	uint64_t first = 0;

	for (uint32_t i = 0; i < f->count; i++) {
		struct entry *e = f->entries[i];

		if (e->retry_ns && e->retry_ns <= now_ns) {
			if (e->refs)
				files_want(e);
			else
				e->retry_ns = 0;
		}
		if (e->retry_ns && (!first || e->retry_ns < first))
			first = e->retry_ns;
	}
	f->retry_ns = first;
}

bool files_pump(struct files *f, uint64_t now_ns)
{
	space_expire(f->space, now_ns);
	if (f->retry_ns && f->retry_ns <= now_ns)
		retry(f, now_ns);
	if (f->loaded) {
		loaded_take(f);
	} else {
		placed_show(f, now_ns); /* of a long one the call before */
		wanted_ask(f);
		placed_show(f, now_ns);
	}
	if (f->evict_ns <= now_ns) {
		if (space_used(f->space) > SPACE_WORDS / 2)
			evict_idle(f, now_ns, IDLE_NS);
		f->evict_ns = now_ns + EVICT_EVERY_NS;
	}
	return f->changed;
}
