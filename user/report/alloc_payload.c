/* alloc_payload.c - see alloc_payload.h */
#include "report/alloc_payload.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/escape.h"
#include "report/alloc_facts.h"
#include "report/payload_tree.h"

#define POINTS_MAX 4096u	 /* taken from massif.out, which has 100 */
#define MASSIF_MAX (256ll << 20) /* bytes read of it */

enum column {
	NODE,
	THREAD,
	ALLOCATOR,
	PEAK_BYTES,
	PEAK_PIECES,
	LEAKED_BYTES,
	LEAKED_PIECES,
	ALLOCATED_BYTES,
	ALLOCATED_PIECES,
	TEMPORARY_BYTES,
	TEMPORARY_PIECES,
	ERROR,
	COLUMNS
};

static const char *const column_names[COLUMNS] = {
	[NODE] = "node",
	[THREAD] = "thread",
	[ALLOCATOR] = "allocator",
	[PEAK_BYTES] = "peak_bytes",
	[PEAK_PIECES] = "peak_pieces",
	[LEAKED_BYTES] = "leaked_bytes",
	[LEAKED_PIECES] = "leaked_pieces",
	[ALLOCATED_BYTES] = "allocated_bytes",
	[ALLOCATED_PIECES] = "allocated_pieces",
	[TEMPORARY_BYTES] = "temporary_bytes",
	[TEMPORARY_PIECES] = "temporary_pieces",
	[ERROR] = "error",
};

struct row {
	uint64_t v[COLUMNS];
};

static int by_node(const void *x, const void *y)
{
	const struct row *a = x, *b = y;

	for (int i = NODE; i <= ALLOCATOR; i++)
		if (a->v[i] != b->v[i])
			return a->v[i] < b->v[i] ? -1 : 1;
	return 0;
}

static struct row row_of(const struct payload_tree *t, const struct allocation_entry *e)
{
	return (struct row){ {
	    [NODE] = payload_tree_node(t, e->stack),
	    [THREAD] = e->thread,
	    [ALLOCATOR] = e->allocator,
	    [PEAK_BYTES] = e->peak.bytes,
	    [PEAK_PIECES] = e->peak.count,
	    [LEAKED_BYTES] = e->leaked.bytes,
	    [LEAKED_PIECES] = e->leaked.count,
	    [ALLOCATED_BYTES] = e->allocated.bytes,
	    [ALLOCATED_PIECES] = e->allocated.count,
	    [TEMPORARY_BYTES] = e->temporary.bytes,
	    [TEMPORARY_PIECES] = e->temporary.count,
	    [ERROR] = e->error_95_bytes,
	} };
}

/* Entries of one node stand together: the differences are small, and compress well. */
static int put_samples(const struct payload_tree *t, const struct allocations *a)
{
	size_t n = allocations_count(a);
	_cleanup_free_ struct row *rows = calloc(n + 1, sizeof(*rows));

	if (!rows)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		rows[i] = row_of(t, allocations_at(a, i));
	if (n)
		qsort(rows, n, sizeof(*rows), by_node);
	fputs("\"samples\":{", t->out);
	for (int c = 0; c < COLUMNS; c++) {
		uint64_t before = 0;

		fprintf(t->out, "%s\"%s\":[", c ? "," : "", column_names[c]);
		for (size_t i = 0; i < n; i++) {
			fprintf(t->out, i ? ",%" PRIu64 : "%" PRIu64, rows[i].v[c] - before);
			before = c == NODE ? rows[i].v[c] : 0;
		}
		fputc(']', t->out);
	}
	fputs("}", t->out);
	return 0;
}

static bool is_same(const char *a, const char *b)
{
	return !strcmp(a ? a : "", b ? b : "");
}

/* Lines of one function are neighbours: see functions_init(). */
static void put_same(const struct payload_tree *t)
{
	const struct function_info *f = t->functions.all;

	fputs("\"same\":[", t->out);
	for (size_t i = 0; i < t->functions.n; i++) {
		bool same = i && is_same(f[i].name, f[i - 1].name) &&
			    is_same(f[i].module, f[i - 1].module) &&
			    is_same(f[i].file, f[i - 1].file) &&
			    f[i].first_line == f[i - 1].first_line;

		fprintf(t->out, i ? ",%d" : "%d", same);
	}
	fputs("],\"definitions\":[", t->out);
	for (size_t i = 0; i < t->functions.n; i++)
		fprintf(t->out, i ? ",%" PRIu32 : "%" PRIu32, f[i].first_line);
	fputs("],\n", t->out);
}

static int put_sentence(FILE *out, const char *key, char *text)
{
	_cleanup_free_ char *owned = text;

	if (!owned)
		return -ENOMEM;
	payload_put_string(out, key, owned);
	return 0;
}

static int put_facts(FILE *out, const struct run *r, const struct allocations *a)
{
	const struct allocations_facts *facts = allocations_facts(a);
	double low = NAN, high = NAN;
	int err = 0;

	for (int kind = 0; !err && kind < ALLOC_KINDS; kind++)
		err = put_sentence(out, alloc_kind_names[kind], fact_alloc_total(r, a, kind));
	if (!err)
		err = put_sentence(out, "remainder", fact_alloc_remainder(r, a));
	if (err)
		return err;
	if (fact_alloc_interval(r, a, &low, &high))
		fprintf(out, "\"interval\":[%.0f,%.0f],", low, high);
	fprintf(out,
		"\"resident\":%s,\"exact\":%s,\"gap_bytes\":%" PRIu64 ",\"peak_bytes\":%" PRIu64
		",\"peak_s\":%.9f,\n",
		facts->resident ? "true" : "false", facts->exact ? "true" : "false",
		facts->gap_bytes, facts->peak_bytes, (double)facts->peak_ns / 1e9);
	return 0;
}

static void put_allocators(FILE *out)
{
	fputs("\"allocators\":[", out);
	for (unsigned i = 0; i < ALLOCATORS; i++)
		fprintf(out, "%s\"%s\"", i ? "," : "", allocator_name(i));
	fputs("],\n", out);
}

/* The main source's timeline, which only massif.out has. NULL: none. */
static FILE *open_massif(const struct run *r)
{
	int fd = openat(r->dirfd, "massif.out", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;
	FILE *f;

	if (fd < 0)
		return NULL;
	f = !fstat(fd, &st) && S_ISREG(st.st_mode) ? fdopen(fd, "r") : NULL;
	if (!f)
		close(fd);
	return f;
}

/* "time=12" then "mem_heap_B=34", in milliseconds and bytes. A line that is longer than the buffer
 * is of the tree, and comes in parts: none of them begins as these do, for its text follows spaces.
 */
static void put_points(FILE *out, const struct run *r, const struct allocations *a)
{
	FILE *f = a == r->allocations ? open_massif(r) : NULL;
	unsigned long long time_ms = 0, bytes;
	unsigned points = 0;
	long long left = MASSIF_MAX;
	bool starts = true;
	char line[4096];

	fputs("\"points\":[", out);
	while (f && points < POINTS_MAX && left > 0 && fgets(line, sizeof(line), f)) {
		size_t size = strlen(line);

		if (starts && sscanf(line, "mem_heap_B=%19llu", &bytes) == 1)
			fprintf(out, "%s[%.3f,%llu]", points++ ? "," : "", (double)time_ms / 1e3,
				bytes);
		else if (starts)
			sscanf(line, "time=%19llu", &time_ms);
		starts = size && line[size - 1] == '\n';
		left -= (long long)(size ? size : 1);
	}
	if (f)
		fclose(f);
	fputs("],\n", out);
}

int alloc_payload_json(const struct run *r, const struct allocations *a, FILE *out)
{
	struct payload_tree t;
	int err = payload_tree_init(&t, out, allocations_names(a), true);

	if (!err) {
		fputc('{', out);
		err = put_facts(out, r, a);
	}
	if (!err) {
		put_allocators(out);
		put_points(out, r, a);
		payload_tree_put(&t);
		put_same(&t);
		err = put_samples(&t, a);
		fputs("}\n", out);
	}
	payload_tree_done(&t);
	return err;
}

struct source {
	const struct run *run;
	const struct allocations *allocations;
};

static int json_of(const void *context, FILE *out)
{
	const struct source *s = context;

	return alloc_payload_json(s->run, s->allocations, out);
}

int alloc_payload_write(const struct run *r, const struct allocations *a, FILE *out)
{
	return payload_compress(json_of, &(struct source){ r, a }, out);
}
