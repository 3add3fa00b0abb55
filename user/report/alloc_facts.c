/* alloc_facts.c - see alloc_facts.h */
#include "report/alloc_facts.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"

#define REMAINDERS_MAX 16u /* named; the others are one */

struct fact_text fact_bytes(double bytes)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	struct fact_text t = { "not measured" };
	size_t i = 0;

	if (isnan(bytes))
		return t;
	for (; fabs(bytes) >= (i ? 1023.95 : 1023.5) && i + 1 < sizeof(units) / sizeof(units[0]);
	     i++)
		bytes /= 1024;
	snprintf(t.s, sizeof(t.s), "%.*f %s", i ? 1 : 0, bytes, units[i]);
	return t;
}

struct fact_text fact_change(double bytes)
{
	struct fact_text without = fact_bytes(bytes), t;

	snprintf(t.s, sizeof(t.s), "%s%.40s", bytes > 0 ? "+" : "", without.s);
	return t;
}

const char *alloc_piece(const struct allocations *a, double n)
{
	if (allocations_facts(a)->resident)
		return n == 1 ? "page" : "pages";
	return n == 1 ? "allocation" : "allocations";
}

const char *alloc_plus_minus(bool utf8)
{
	return utf8 ? "±" : "+-";
}

/* What the manifest says of @a, which it says of the main source only; NULL: nothing. */
static json_t *told_of(const struct run *r, const struct allocations *a)
{
	return a == r->allocations ? run_get(r, "diagnostics.allocations") : NULL;
}

bool fact_alloc_interval(const struct run *r, const struct allocations *a, double *ret_low,
			 double *ret_high)
{
	double sum = (double)allocations_sum(a).peak.bytes,
	       error = (double)allocations_sum(a).error_95_bytes;
	json_t *told = json_object_get(told_of(r, a), "interval_95"),
	       *low = json_array_get(told, 0), *high = json_array_get(told, 1);

	if (allocations_facts(a)->exact)
		return false;
	*ret_low = json_is_number(low) ? json_number_value(low) : fmax(0, sum - error);
	*ret_high = json_is_number(high) ? json_number_value(high) : sum + error;
	return *ret_low < *ret_high;
}

static void put_source(FILE *f, const struct allocations *a)
{
	const struct allocations_facts *facts = allocations_facts(a);

	fprintf(f, "%s, %s", facts->resident ? "resident pages" : "heap",
		facts->exact ? "exact" : "estimated");
	if (!facts->exact && facts->gap_bytes)
		fprintf(f, " from one sample in %s", fact_bytes((double)facts->gap_bytes).s);
}

char *fact_alloc_total(const struct run *r, const struct allocations *a, enum alloc_kind kind)
{
	struct allocation_entry all = allocations_sum(a);
	struct allocation_sum sum = alloc_sum_of(&all, kind);
	_cleanup_free_ char *text = NULL;
	double low, high;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return NULL;
	put_source(f, a);
	fprintf(f, ": %s ", fact_bytes((double)sum.bytes).s);
	if (kind == ALLOC_PEAK)
		fprintf(f, "live at the peak (%s)",
			fact_seconds((double)allocations_facts(a)->peak_ns / 1e9).s);
	else if (kind == ALLOC_LEAKED)
		fputs("live at the end", f);
	else
		fputs("freed by the next call of the thread", f);
	fprintf(f, ", in %s %s", fact_count((double)sum.count).s,
		alloc_piece(a, (double)sum.count));
	if (kind == ALLOC_PEAK && fact_alloc_interval(r, a, &low, &high))
		fprintf(f, ", 95 %%: %s to %s", fact_bytes(low).s, fact_bytes(high).s);
	return fclose(f) ? NULL : take_ptr(text);
}

char *fact_alloc_peak(const struct run *r, const struct allocations *a)
{
	const struct allocations_facts *facts = allocations_facts(a);
	struct allocation_sum peak = allocations_sum(a).peak;
	const char *source = facts->resident ? "resident" : "heap";
	double time_s = (double)facts->peak_ns / 1e9, low, high;
	char *text = NULL;
	int n;

	if (fact_alloc_interval(r, a, &low, &high))
		n = asprintf(&text, "%s, estimated: peak %s (%s to %s) at %s", source,
			     fact_mb((double)peak.bytes).s, fact_mb(low).s, fact_mb(high).s,
			     fact_seconds(time_s).s);
	else
		n = asprintf(&text, "%s, %s: peak %s at %s, %s %s", source,
			     facts->exact ? "exact" : "estimated", fact_mb((double)peak.bytes).s,
			     fact_seconds(time_s).s, fact_count((double)peak.count).s,
			     alloc_piece(a, (double)peak.count));
	return n < 0 ? NULL : text;
}

/* In CPython's arenas, and the run was not asked to show them. */
static bool small_objects_hide(const struct run *r, const struct allocations *a)
{
	json_t *heap = json_object_get(told_of(r, a), "heap"),
	       *each = json_object_get(heap, "python_allocators");

	return allocations_facts(a)->python && !allocations_facts(a)->resident && each &&
	       !json_integer_value(each);
}

char *fact_alloc_remainder(const struct run *r, const struct allocations *a)
{
	json_t *named = json_object_get(told_of(r, a), "remainder"), *part;
	uint64_t peak = allocations_facts(a)->peak_bytes, sum = allocations_sum(a).peak.bytes;
	double rest = peak > sum ? (double)(peak - sum) : 0;
	const char *separator = "not in it: ";
	_cleanup_free_ char *text = NULL;
	size_t i, size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return NULL;
	json_array_foreach(named, i, part)
	{
		double bytes = run_member_number(part, "bytes");
		const char *name = run_member_string(part, "name");

		if (!(bytes > 0) || !name || i >= REMAINDERS_MAX)
			continue;
		fprintf(f, "%s%s %s", separator, fact_bytes(bytes).s, name);
		separator = ", ";
		rest -= bytes;
	}
	if (rest >= 1)
		fprintf(f, "%s%s of unknown origin", separator, fact_bytes(rest).s);
	if (small_objects_hide(r, a))
		fprintf(f,
			"%sPython objects up to 512 bytes are in arenas, told where a new one was "
			"needed; --python-allocators shows each",
			ftell(f) ? "; " : "");
	return fclose(f) ? NULL : take_ptr(text);
}

char *fact_alloc_absent(const struct run *r, bool resident)
{
	const char *status = run_string(r, "diagnostics.allocations.status");
	char *text = NULL;
	int n;

	if (resident && r->allocations)
		n = asprintf(&text,
			     "%.300s: has allocations of the heap, but no resident pages; leave "
			     "out --resident",
			     r->path ? r->path : "run");
	else
		n = asprintf(&text,
			     "%.300s: has no allocations%s%s; make them with: taskdiag-bpf -d "
			     "allocations",
			     r->path ? r->path : "run", status ? ": their status is " : "",
			     status ? status : "");
	return n < 0 ? NULL : text;
}
