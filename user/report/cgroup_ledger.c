/* cgroup_ledger.c - see cgroup_ledger.h */
#include "report/cgroup_ledger.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "report/facts.h"

#define CGROUP "diagnostics.memory.cgroup"
#define ROWS_MAX 4096u
#define NO_LIMIT_BYTES 4e18 /* what v1 tells where there is none is just below 2^63 */

static int by_bytes(const void *a, const void *b)
{
	const struct ledger_row *x = a, *y = b;

	return x->bytes > y->bytes ? -1 : x->bytes < y->bytes;
}

/* Who held the pages of the process with that number. */
static const json_t *stacks_of(const struct run *r, const json_t *row)
{
	const char *moment = run_string(r, CGROUP ".ledger_moment");
	bool by_rss = moment && !strcmp(moment, "rss_peak");
	json_t *processes = run_get(r, by_rss ? "diagnostics.allocations.held.rss_peak"
					      : "diagnostics.allocations.held.look"),
	       *process;
	double pid = run_member_number(row, "pid");
	size_t i;

	json_array_foreach(processes, i, process) if (run_member_number(process, "pid") ==
						      pid) return json_object_get(process,
										  "stacks");
	return NULL;
}

int ledger_rows(const struct run *r, struct ledger_row **ret, size_t *ret_count)
{
	json_t *ledger = run_get(r, CGROUP ".ledger"), *row;
	size_t i, n = 0, size = json_array_size(ledger);
	struct ledger_row *rows;

	*ret = NULL;
	*ret_count = 0;
	if (!size || size > ROWS_MAX)
		return 0;
	rows = calloc(size, sizeof(*rows));
	if (!rows)
		return -ENOMEM;
	json_array_foreach(ledger, i, row)
	{
		struct ledger_row *to = &rows[n];

		to->kind = run_member_string(row, "kind");
		to->name = run_member_string(row, "name");
		to->bytes = run_member_number(row, "bytes");
		to->share = run_member_number(row, "share");
		if (!to->kind || !to->name || !(to->bytes >= 0) || !(to->share >= 0))
			continue;
		if (!strcmp(to->kind, "process"))
			to->stacks = stacks_of(r, row);
		if (!strcmp(to->kind, "file"))
			to->files = run_get(r, CGROUP ".files.largest");
		n++;
	}
	qsort(rows, n, sizeof(*rows), by_bytes);
	*ret = rows;
	*ret_count = n;
	return 0;
}

char *fact_cgroup(const struct run *r, bool *ret_none)
{
	double peak = run_number(r, CGROUP ".peak_bytes"),
	       limit = run_number(r, CGROUP ".limit_bytes");
	double time_s = run_number(r, CGROUP ".peak_time_s");
	const char *path = run_string(r, CGROUP ".path");
	char *text = NULL;
	int n;

	*ret_none = !path || isnan(peak);
	if (*ret_none)
		return NULL;
	if (limit > 0 && limit < NO_LIMIT_BYTES)
		n = asprintf(&text, "%s: peak %s at %s, %s of its limit of %s", path,
			     fact_mb(peak).s, fact_seconds(time_s).s, fact_percent(peak / limit).s,
			     fact_mb(limit).s);
	else
		n = asprintf(&text, "%s: peak %s at %s, no limit", path, fact_mb(peak).s,
			     fact_seconds(time_s).s);
	return n < 0 ? NULL : text;
}

char *fact_oom(const struct run *r, size_t index, bool *ret_none)
{
	const json_t *kill = json_array_get(run_get(r, "task.oom_kills"), index);
	const char *name = run_member_string(kill, "name"),
		   *asker = run_member_string(kill, "asked_by_name");
	double usage = run_member_number(kill, "cgroup_bytes"),
	       limit = run_member_number(kill, "cgroup_limit_bytes");
	_cleanup_free_ char *cgroup = NULL;
	char *text = NULL;

	*ret_none = !kill;
	if (!kill)
		return NULL;
	if (limit > 0 && limit < NO_LIMIT_BYTES &&
	    asprintf(&cgroup, "; the cgroup had %s of %s", fact_mb(usage).s, fact_mb(limit).s) < 0)
		return NULL;
	if (asprintf(&text, "%s: %s-%.0f (%s) was killed; %s-%.0f asked for memory%s",
		     fact_seconds(run_member_number(kill, "time_s")).s, name ? name : "?",
		     run_member_number(kill, "pid"),
		     fact_mb(run_member_number(kill, "rss_bytes")).s, asker ? asker : "?",
		     run_member_number(kill, "asked_by_pid"), cgroup ? cgroup : "") < 0)
		return NULL;
	return text;
}

/* The innermost frame whose source is known is what a person looks for; else the innermost two. The
 * whole stack is in the manifest. */
static char *largest_stack(const json_t *stacks)
{
	const json_t *largest = json_array_get(stacks, 0),
		     *frames = json_object_get(largest, "stack");
	size_t n = json_array_size(frames);
	const char *frame = n ? json_string_value(json_array_get(frames, n - 1)) : NULL;
	const char *caller = n > 1 ? json_string_value(json_array_get(frames, n - 2)) : NULL;
	char *text = NULL;

	if (!frame)
		return NULL;
	for (size_t i = n; i-- > 0;) {
		const char *known = json_string_value(json_array_get(frames, i));

		if (known && known[0] && known[strlen(known) - 1] == ')' && strstr(known, " (")) {
			frame = known;
			caller = NULL;
			break;
		}
	}
	if (asprintf(&text, "%s of it: %s%s%s", fact_mb(run_member_number(largest, "bytes")).s,
		     frame, caller ? " < " : "", caller ? caller : "") < 0)
		return NULL;
	return text;
}

static char *largest_file(const json_t *files)
{
	const json_t *largest = json_array_get(files, 0);
	const char *path = run_member_string(largest, "path");
	char *text = NULL;

	if (!path || asprintf(&text, "%s of it: %s", fact_mb(run_member_number(largest, "bytes")).s,
			      path) < 0)
		return NULL;
	return text;
}

char *ledger_row_text(const struct ledger_row *row)
{
	_cleanup_free_ char *detail = row->stacks  ? largest_stack(row->stacks)
				      : row->files ? largest_file(row->files)
						   : NULL;
	char *text = NULL;

	if (asprintf(&text, "%s%s%s", row->name, detail ? "; " : "", detail ? detail : "") < 0)
		return NULL;
	return text;
}
