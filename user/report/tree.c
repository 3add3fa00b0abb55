/* tree.c - profile → a tree of calls on the console.
 *
 *	wall s   share   cpu
 *	12.345  61.2 %  97 %  ├─ compute  compute.c:12
 *
 * Below 1 % is left out, chains of library code are folded; --full shows all.
 */
#include <errno.h>
#include <math.h>

#include "report/call_tree.h"
#include "report/facts.h"
#include "report/profile_facts.h"
#include "report/report.h"

#define SHARE_MIN 0.01
#define NUMBER_COLUMNS 27u

static void print_numbers(const struct call_tree *t, uint32_t i)
{
	const struct calls_node *n = &t->calls.nodes[i];
	double share = (double)n->marks / (double)t->calls.nodes[CALLS_ROOT].marks;
	char cpu[16] = "";

	if (n->marks && n->kind != CALLS_CAUSE)
		snprintf(cpu, sizeof(cpu), "%.0f %%",
			 100.0 * (double)n->cpu_marks / (double)n->marks);
	call_tree_sgr(t, call_tree_colour(share));
	fprintf(t->out, "%10.3f %6.1f %% %5s  ", fact_wall(t->profile, n->marks), 100 * share, cpu);
	call_tree_sgr(t, "0");
}

static char *headline(const struct run *r)
{
	const char *id = run_string(r, "task.id");
	size_t threads = profile_thread_count(r->profile);
	char *text = NULL;

	if (asprintf(&text, "%s: %s observed, %zu thread%s sampled", id ? id : "unnamed task",
		     fact_seconds(fact_duration(r)).s, threads, threads == 1 ? "" : "s") < 0)
		return NULL;
	return text;
}

static int print_head(const struct call_tree *t, const struct run *r)
{
	int err = call_tree_line(t, "1", headline(r));

	if (!err)
		err = call_tree_line(t, "0", fact_profile_time(r));
	if (!err)
		err = call_tree_line(t, "2", fact_profile_sampling(r));
	if (err)
		return err;
	call_tree_sgr(t, "2");
	fprintf(t->out, "\n%10s %8s %5s\n", "wall s", "share", "CPU");
	call_tree_sgr(t, "0");
	return 0;
}

static void print_foot(const struct call_tree *t)
{
	if (!t->left_out && !t->folded)
		return;
	call_tree_sgr(t, "2");
	fprintf(t->out,
		"\n%s branches below 1 %% and %s frames of libraries are hidden; --full shows "
		"all\n",
		fact_count((double)t->left_out).s, fact_count((double)t->folded).s);
	call_tree_sgr(t, "0");
}

/* What else the verb can show. */
static int print_hint(const struct call_tree *t, const struct run *r)
{
	char *text = NULL;

	if (!run_get(r, "diagnostics.allocations"))
		return 0;
	if (asprintf(&text, "allocations: taskdiag-bpf tree --allocations %.300s",
		     r->path ? r->path : "RUN_DIR") < 0)
		return -ENOMEM;
	return call_tree_line(t, "2", text);
}

static int print_tree(struct call_tree *t, const struct run *r)
{
	int err = print_head(t, r);

	if (!err)
		err = call_tree_print(t);
	if (!err) {
		print_foot(t);
		err = print_hint(t, r);
	}
	return !err && (fflush(t->out) || ferror(t->out)) ? -EIO : err;
}

int report_tree(const struct run *r, const struct report_style *style, FILE *out)
{
	struct call_tree t = { .out = out,
			       .style = style,
			       .profile = r->profile,
			       .number_columns = NUMBER_COLUMNS,
			       .numbers = print_numbers };
	int err;

	if (!r->profile)
		return -ENODATA;
	err = functions_init(&t.functions, r->profile, style->lines);
	if (!err)
		err =
		    calls_init(&t.calls, r->profile, &t.functions, CALLS_BY_THREAD | CALLS_CAUSES);
	if (!err) {
		if (!style->full)
			t.min = (uint64_t)ceil(SHARE_MIN * (double)t.calls.nodes[CALLS_ROOT].marks);
		err = print_tree(&t, r);
	}
	calls_done(&t.calls);
	functions_done(&t.functions);
	return err;
}
