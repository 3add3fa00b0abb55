/* cfi.c - see cfi.h
 *
 *   CIEs, FDEs (cfi_entries.c) ──► program of each (cfi_program.c) ──► rows, counted per bucket
 */
#include "inspect/cfi.h"

#include <errno.h>
#include <stdlib.h>

#include "bpf/unwind.h"
#include "inspect/cfi_entries.h"
#include "inspect/cfi_program.h"

#define GAP_BYTES 15 /* between functions: alignment, not code without CFI */
#define BUCKET_BYTES (1u << BUCKET_SHIFT)

struct builder {
	const struct cfi_input *in;
	uint32_t text_bytes; /* from t.first on */
	struct cfi_table t;
	size_t row_capacity;
	struct cfi_entries entries, second;
	size_t second_used;   /* functions of the second section, by address, up to here */
	struct cfi_rows rows; /* of one function */
	uint32_t covered;     /* by the functions so far, up to here */
};

static bool rule_is_followed(uint64_t rule)
{
	return ROW_CFA(rule) != CFA_UNSUPPORTED && ROW_CFA(rule) != CFA_REGISTER;
}

static int append_row(struct builder *b, uint32_t at, uint64_t rule)
{
	struct cfi_table *t = &b->t;
	uint64_t *bucket = &t->buckets[at >> BUCKET_SHIFT];
	uint64_t *last = &t->rows[t->row_count - 1], *rows;

	if ((*last & ROW_RULE_MASK) == rule)
		return 0;
	if (*bucket >> 32 == BUCKET_ROWS_MAX) { /* no compiler does that */
		t->unsupported += rule_is_followed(*last);
		*last = ROW_RULE(CFA_UNSUPPORTED, 0, 0, 0, 0, 0) | ROW_PC(*last);
		return 0;
	}
	if (t->row_count == CFI_ROWS_MAX)
		return -EFBIG;
	rows = cfi_with_room(t->rows, t->row_count, &b->row_capacity, sizeof(*rows));
	if (!rows)
		return -ENOMEM;
	t->rows = rows;
	rows[t->row_count++] = rule | (at & (BUCKET_BYTES - 1));
	t->unsupported += !rule_is_followed(rule);
	*bucket += 1ULL << 32;
	return 0;
}

/* Code without CFI. At the ELF entry point that is the outermost frame: ld.so, musl's crt1. */
static int append_gap(struct builder *b, uint32_t from, uint32_t to)
{
	uint64_t entry = b->in->entry - b->t.first;
	bool last = to == b->text_bytes;
	int err = 0;

	if (from == to)
		return 0;
	if ((to - from > GAP_BYTES || last) && entry != from)
		err = append_row(b, from, ROW_RULE(CFA_END, 0, 0, 0, 0, 0));
	if (!err && b->in->entry && entry >= from && entry < to)
		err = append_row(b, entry, ROW_RULE(CFA_STOP, 0, 0, 0, 0, 0));
	return err;
}

/* Of a function's rows those in [covered, @to). */
static int append_function(struct builder *b, const struct cfi_entries *entries,
			   const struct cfi_entry *f, uint32_t to)
{
	const struct cfi_function function = { .section = entries->section,
					       .common = &entries->commons[f->common],
					       .first = b->t.first,
					       .at = f->at,
					       .end = f->end };
	const uint8_t *program = entries->section->bytes + f->program;
	struct dwarf_reader r = { .at = program, .end = program + f->program_size };
	uint32_t from = f->at > b->covered ? f->at : b->covered;
	int err = cfi_program_run(r, &function, &b->rows);

	b->covered = to;
	b->t.functions++;
	if (err == -EBADMSG) {
		b->t.ignored++;
		return append_row(b, from, ROW_RULE(CFA_UNSUPPORTED, 0, 0, 0, 0, 0));
	}
	for (size_t i = 0, count = b->rows.count; i < count && !err; i++) {
		const struct cfi_row *row = &b->rows.rows[i];

		/* of the rows in code that another function has covered the last one goes on */
		if (i + 1 < count && row[1].at <= from)
			continue;
		if (row->at >= to)
			break;
		err = append_row(b, row->at > from ? row->at : from, row->rule);
	}
	return err;
}

/* Code up to @to that the first section does not cover. A function of the second is run once, for
 * the first such code that it has: one over many functions of the first would cost a run for each.
 */
static int append_uncovered(struct builder *b, uint32_t to)
{
	int err = 0;

	for (; b->second_used < b->second.function_count && !err; b->second_used++) {
		const struct cfi_entry *f = cfi_entries_get(&b->second, b->second_used);
		uint32_t end = f->end < to ? f->end : to;

		if (f->at >= to)
			break;
		if (f->end <= b->covered) /* the first section has it, too */
			continue;
		b->t.ignored += f->at < b->covered || f->end > to;
		b->t.from_second++;
		if (f->at > b->covered)
			err = append_gap(b, b->covered, f->at);
		if (!err)
			err = append_function(b, &b->second, f, end);
	}
	return err ? err : append_gap(b, b->covered, to);
}

static int append_functions(struct builder *b)
{
	int err = 0;

	b->covered = b->in->text_first - b->t.first;
	for (size_t i = 0; i < b->entries.function_count && !err; i++) {
		const struct cfi_entry *f = cfi_entries_get(&b->entries, i);

		b->t.ignored += f->at < b->covered;
		if (f->end <= b->covered)
			continue;
		if (f->at > b->covered)
			err = append_uncovered(b, f->at);
		if (!err)
			err = append_function(b, &b->entries, f, f->end);
	}
	return err ? err : append_uncovered(b, b->text_bytes);
}

static void number_buckets(struct cfi_table *t)
{
	uint32_t before = 0;

	for (size_t i = 0; i < t->bucket_count; i++) {
		uint32_t rows = t->buckets[i] >> 32;

		t->buckets[i] = BUCKET(before, rows);
		before += rows;
	}
}

/* Both sections; -ENODATA: neither has a function. */
static int read_entries(struct builder *b)
{
	int err = cfi_entries_read(b->in, &b->in->frame, b->t.first, &b->entries), second;

	if (err && err != -ENODATA)
		return err;
	second = cfi_entries_read(b->in, &b->in->second, b->t.first, &b->second);
	return second == -ENODATA ? err : second;
}

static int build(struct builder *b)
{
	const struct cfi_input *in = b->in;
	struct cfi_table *t = &b->t;
	int err;

	t->first = in->text_first & ~(uint64_t)(BUCKET_BYTES - 1);
	if (in->text_end <= in->text_first)
		return -ENODATA;
	if (in->text_end - t->first > UINT32_MAX || in->frame.size > UINT32_MAX ||
	    in->second.size > UINT32_MAX)
		return -EFBIG;
	b->text_bytes = in->text_end - t->first;
	err = read_entries(b);
	t->ignored = b->entries.ignored + b->second.ignored;
	if (err)
		return err;
	t->bucket_count = (b->text_bytes + (uint64_t)BUCKET_BYTES - 1) >> BUCKET_SHIFT;
	t->buckets = calloc(t->bucket_count, sizeof(*t->buckets));
	t->rows = cfi_with_room(NULL, 0, &b->row_capacity, sizeof(*t->rows));
	if (!t->buckets || !t->rows)
		return -ENOMEM;
	t->rows[t->row_count++] = ROW_RULE(CFA_END, 0, 0, 0, 0, 0);
	err = append_functions(b);
	if (!err)
		number_buckets(t);
	return err;
}

int cfi_build(const struct cfi_input *in, struct cfi_table *ret)
{
	struct builder b = { .in = in };
	int err = build(&b);

	cfi_entries_free(&b.entries);
	cfi_entries_free(&b.second);
	free(b.rows.rows);
	if (err)
		cfi_free(&b.t);
	else
		*ret = b.t;
	return err;
}

void cfi_free(struct cfi_table *t)
{
	free(t->rows);
	free(t->buckets);
	*t = (struct cfi_table){};
}

static bool bucket_valid(const uint64_t *rows, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		if (ROW_CFA(rows[i]) > CFA_UNSUPPORTED || ROW_RBP(rows[i]) > RBP_UNSUPPORTED)
			return false;
		if (i && ROW_PC(rows[i]) <= ROW_PC(rows[i - 1]))
			return false;
	}
	return true;
}

bool cfi_valid(const uint64_t *rows, size_t row_count, const uint64_t *buckets, size_t bucket_count)
{
	uint64_t before = 0;

	if (!row_count || row_count > CFI_ROWS_MAX || rows[0] != 0)
		return false;
	for (size_t i = 0; i < bucket_count; i++) {
		uint32_t count = buckets[i] >> 32;

		if ((uint32_t)buckets[i] != before || count > BUCKET_ROWS_MAX ||
		    before + count >= row_count || !bucket_valid(rows + before + 1, count))
			return false;
		before += count;
	}
	return before + 1 == row_count;
}

uint64_t cfi_lookup(const struct cfi_table *t, uint64_t address)
{
	uint64_t bucket, at;
	uint32_t offset = address & (BUCKET_BYTES - 1);

	if (address < t->first || (address - t->first) >> BUCKET_SHIFT >= t->bucket_count)
		return 0;
	bucket = t->buckets[(address - t->first) >> BUCKET_SHIFT];
	at = (uint32_t)bucket;
	for (uint32_t rows = bucket >> 32; rows && ROW_PC(t->rows[at + 1]) <= offset; rows--)
		at++;
	return t->rows[at];
}
