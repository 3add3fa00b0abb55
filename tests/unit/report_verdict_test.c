/* report_verdict_test.c - runs and a budget become verdicts, and verdicts every format, whatever
 * names are in them; oracles: docs/ci.md, docs/artifact-format.md, numbers that the test has
 * written itself. JUnit and JSON are parsed in e2e/ci.bats.
 */
#include <jansson.h>
#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "report/verdict_words.h"

#define MIB 1048576.0
#define HOSTILE "a|b`<img src=x>\n::error::x\x1b[31m%0A&\"'\xff]]>"

static int utf8(void **state)
{
	(void)state;
	return setlocale(LC_CTYPE, "C.UTF-8") ? 0 : -1;
}

static struct budget *parsed(const char *text)
{
	struct budget *b = NULL;
	char *error = NULL;

	if (budget_parse(text, "b.ini", &b, &error))
		fail_msg("%s", error);
	return b;
}

static struct run *run_of(const char *manifest)
{
	struct run *r = calloc(1, sizeof(*r));

	r->dirfd = -1;
	r->manifest = json_loads(manifest, 0, NULL);
	assert_non_null(r->manifest);
	return r;
}

static void run_done(struct run *r)
{
	json_decref(r->manifest);
	profile_free(r->profile);
	allocations_free(r->allocations);
	free(r);
}

/* The reading of the only limit. */
static struct reading read_one(const struct run *r, const char *text)
{
	struct budget *b = parsed(text);
	struct reading reading;

	assert_int_equal(b->n, 1);
	assert_int_equal(reading_take(r, b->limits, &reading), 0);
	budget_free(b);
	return reading;
}

#define MEMORY(more)                                                              \
	"{\"task\":{\"duration_s\":3.5,\"end\":\"exited\",\"processes_seen\":2}," \
	"\"ledger\":{\"lost\":{\"ring_full\":0}},"                                \
	"\"diagnostics\":{\"memory\":{\"status\":\"ok\",\"source\":\"rss_stat\"," \
	"\"peak_rss_bytes\":5242880,\"minor_faults\":70,\"major_faults\":3,"      \
	"\"processes_omitted\":0,\"processes\":[{\"end_s\":2.5},{\"end_s\":1}]" more "}}}"

static void exact_numbers_are_read_as_they_are(void **state)
{
	static const struct {
		const char *text;
		double value;
	} rows[] = {
		{ "[task]\npeak-rss=1M", 5242880 }, { "[task]\nminor-faults=1", 70 },
		{ "[task]\nmajor-faults=1", 3 },    { "[task]\nfaults=1", 73 },
		{ "[task]\nprocesses=1", 2 },	    { "[task]\nwall=1s", 2.5 },
	};
	struct run *r = run_of(MEMORY(""));

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct reading one = read_one(r, rows[i].text);

		assert_null(one.why);
		assert_true(one.value == rows[i].value);
		assert_true(one.low == one.value && one.high == one.value);
		reading_done(&one);
	}
	run_done(r);
}

static void what_may_be_more_has_no_upper_bound(void **state)
{
	static const char *const manifests[] = {
		"{\"task\":{},\"diagnostics\":{\"memory\":{\"status\":\"ok\","
		"\"source\":\"ticks\",\"peak_rss_bytes\":5}}}",
		"{\"task\":{},\"ledger\":{\"lost\":{\"ring_full\":9}},\"diagnostics\":{\"memory\":{"
		"\"status\":\"ok\",\"source\":\"rss_stat\",\"peak_rss_bytes\":5}}}",
	};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct run *r = run_of(manifests[i]);
		struct reading one = read_one(r, "[task]\npeak-rss=1M");

		assert_true(one.low == 5 && isinf(one.high));
		assert_non_null(one.note);
		reading_done(&one);
		run_done(r);
	}
}

static void what_is_missing_is_not_measurable_and_says_why(void **state)
{
	static const struct {
		const char *manifest, *text, *why;
	} rows[] = {
		{ "{\"diagnostics\":{}}", "[task]\npeak-rss=1M", "no memory diagnostic" },
		{ "{\"diagnostics\":{}}", "[task]\nfaults=1", "no memory diagnostic" },
		{ "{\"diagnostics\":{}}", "[task]\ncpu=1s", "no profile diagnostic" },
		{ "{\"diagnostics\":{}}", "[function f]\nwall=1s", "no profile diagnostic" },
		{ "{\"diagnostics\":{}}", "[task]\nheap-peak=1M", "no allocations diagnostic" },
		{ "{\"diagnostics\":{}}", "[function f]\nleaked=1M", "no allocations diagnostic" },
		{ "{}", "[task]\nwall=1s", "how long" },
		{ "{\"diagnostics\":{\"memory\":{\"status\":\"failed\",\"limits\":[\"no ring\"]}}}",
		  "[task]\npeak-rss=1M", "has failed: no ring" },
		{ "{\"diagnostics\":{\"allocations\":{\"status\":\"limited\",\"source\":"
		  "\"resident\",\"limits\":[\"no shim\"]}}}",
		  "[task]\nheap-peak=1M", "only resident pages: no shim" },
		{ "{\"diagnostics\":{\"allocations\":{\"status\":\"limited\",\"source\":\"heap\","
		  "\"heap\":{\"status\":\"incomplete\"},\"limits\":[\"lost 3\"]}}}",
		  "[task]\nleaked=1M", "not complete: lost 3" },
		{ "{\"diagnostics\":{\"profile\":{\"status\":\"ok\",\"mode\":\"cpu-only\"}}}",
		  "[function f]\nwall=1s", "no profile.pb.gz" },
		{ "{\"diagnostics\":{\"memory\":{\"status\":\"ok\",\"peak_rss_bytes\":\"x\"}}}",
		  "[task]\npeak-rss=1M", "no peak" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct run *r = run_of(rows[i].manifest);
		struct reading one = read_one(r, rows[i].text);

		if (!one.why || !strstr(one.why, rows[i].why))
			fail_msg("%s: '%s' does not have: %s", rows[i].text,
				 one.why ? one.why : "measured", rows[i].why);
		reading_done(&one);
		run_done(r);
	}
}

static uint32_t stack_of(struct profile *p, const char *const *names)
{
	uint32_t stack = PROFILE_NO_STACK;

	for (; *names; names++) {
		struct profile_frame f = { .name = *names,
					   .file = "/src/x.py",
					   .line = 7,
					   .mapping = PROFILE_NONE,
					   .python = true };

		stack = profile_stack(p, stack, profile_frame(p, &f));
	}
	return stack;
}

static uint32_t only_thread(struct profile *p)
{
	uint32_t process = profile_process(p, &(struct profile_process){ "a-1", 1 });

	return profile_thread(
	    p, &(struct profile_thread){ .name = "a", .process = process, .tid = 1 });
}

#define NAMES(...) ((const char *const[]){ __VA_ARGS__, NULL })

/* 1 ms a mark: parse(int) runs 400 and waits 100, a stack that is not whole has 50, others 1000. */
static struct run *profiled(void)
{
	struct run *r = run_of("{\"diagnostics\":{\"profile\":{\"status\":\"ok\",\"marks_lost\":20,"
			       "\"mode\":\"phase\"}}}");
	struct profile *p = profile_new(1000000, 1000000000);
	uint32_t thread = only_thread(p), cpu = profile_cause(p, "cpu", true),
		 lock = profile_cause(p, "[lock]", false);

	r->profile = p;
	profile_add(p, stack_of(p, NAMES("main", "parse(int)")), thread, cpu, 0, 300);
	profile_add(p, stack_of(p, NAMES("main", "parse(int)", "parse(int)")), thread, cpu, 0, 100);
	profile_add(p, stack_of(p, NAMES("main", "parse(int)", "read")), thread, lock, 0, 100);
	profile_add(p, stack_of(p, NAMES("[incomplete: x]", "memcpy")), thread, cpu, 0, 50);
	profile_add(p, stack_of(p, NAMES("main", "parser")), thread, cpu, 0, 1000);
	return r;
}

static void time_of_a_function_is_its_marks_and_what_may_be_its(void **state)
{
	struct run *r = profiled();
	struct reading cpu = read_one(r, "[function parse]\ncpu=1s"),
		       wall = read_one(r, "[function parse]\nwall=1s"),
		       none = read_one(r, "[function gone]\nwall=1s"),
		       task = read_one(r, "[task]\ncpu=1s");

	(void)state;
	assert_true(fabs(cpu.value - 0.4) < 1e-9); /* recursion counts once */
	assert_true(fabs(wall.value - 0.5) < 1e-9);
	assert_true(fabs(cpu.low - (0.4 - 1.96 * 0.020)) < 1e-9);
	assert_true(fabs(cpu.high - (0.4 + 1.96 * 0.020 + 0.05 + 0.02)) < 1e-9);
	assert_true(none.value == 0 && none.high > 0);
	assert_non_null(strstr(none.note, "is the name right"));
	assert_true(fabs(task.value - 1.45) < 1e-9);
	reading_done(&cpu);
	reading_done(&wall);
	reading_done(&none);
	reading_done(&task);
	run_done(r);
}

static struct run *allocated(bool exact)
{
	struct run *r = run_of(exact ? "{\"diagnostics\":{\"allocations\":{\"status\":\"ok\","
				       "\"source\":\"heap\",\"exact\":true,\"peak_bytes\":1000,"
				       "\"leaked_bytes\":10,\"heap\":{\"status\":\"exact\"}}}}"
				     : "{\"diagnostics\":{\"allocations\":{\"status\":\"ok\","
				       "\"source\":\"heap\",\"exact\":false,\"peak_bytes\":1000,"
				       "\"leaked_bytes\":0,\"gap_bytes\":100,\"interval_95\":[900,"
				       "1100],\"heap\":{\"status\":\"sampled\"}}}}");
	struct allocations_facts facts = { .exact = exact, .peak_bytes = 1000 };
	struct allocation_entry e = { .peak = { 600, 3 }, .leaked = { 10, 1 } };
	struct profile *p;

	r->allocations = allocations_new(&facts);
	p = allocations_tree(r->allocations);
	e.thread = only_thread(p);
	e.stack = stack_of(p, NAMES("main", "load", "read"));
	e.error_95_bytes = exact ? 0 : 50;
	assert_int_equal(allocations_add(r->allocations, &e), 0);
	e.stack = stack_of(p, NAMES("main", "index"));
	e.peak.bytes = 300;
	e.leaked.bytes = 0;
	assert_int_equal(allocations_add(r->allocations, &e), 0);
	return r;
}

static void bytes_of_a_function_are_those_below_it(void **state)
{
	struct run *exact = allocated(true), *sampled = allocated(false);
	struct reading load = read_one(exact, "[function load]\nheap-peak=1K"),
		       leak = read_one(exact, "[function main]\nleaked=1K"),
		       task = read_one(exact, "[task]\nheap-peak=1K"),
		       error = read_one(sampled, "[function load]\nheap-peak=1K"),
		       interval = read_one(sampled, "[task]\nheap-peak=1K"),
		       three = read_one(sampled, "[task]\nleaked=1K");

	(void)state;
	/* 100 of the peak have no stack: they may be anybody's */
	assert_true(load.value == 600 && load.low == 600 && load.high == 700);
	assert_true(leak.value == 10 && leak.high == 10);
	assert_true(task.low == 1000 && task.high == 1000);
	assert_true(error.low == 550 && error.high == 650);
	assert_true(interval.low == 900 && interval.high == 1100);
	assert_true(three.low == 0 && three.high == 300); /* the rule of three */
	reading_done(&load);
	run_done(exact);
	run_done(sampled);
}

/* Seen on a busy machine: walks before the interpreter was known as one. */
static void python_that_is_not_shown_may_be_the_function(void **state)
{
	struct run *r = allocated(true);
	struct profile *p = allocations_tree(r->allocations);
	struct profile_frame f = { .name = "_PyEval_EvalFrameDefault", .mapping = PROFILE_NONE };
	struct allocation_entry e = { .peak = { 40, 1 } };
	struct reading gone;

	(void)state;
	e.stack = profile_stack(p, PROFILE_NO_STACK, profile_frame(p, &f));
	assert_int_equal(allocations_add(r->allocations, &e), 0);
	/* below a frame of Python it is only how the interpreter got there */
	e.stack = profile_stack(p, stack_of(p, NAMES("main")), profile_frame(p, &f));
	e.peak.bytes = 7;
	assert_int_equal(allocations_add(r->allocations, &e), 0);
	gone = read_one(r, "[function gone]\nheap-peak=1");
	assert_true(gone.value == 0 && gone.low == 0 && gone.high == 40 + (1000 - 947));
	reading_done(&gone);
	run_done(r);
}

static void without_bpf_a_single_process_is_known_and_several_are_not(void **state)
{
	struct usage u = { .wall_s = 2,
			   .cpu_s = 1,
			   .minor_faults = 5,
			   .largest_rss_bytes = 50 * MIB,
			   .own_rss_bytes = 5 * MIB,
			   .alone = true };
	struct budget *b = parsed("[task]\npeak-rss=60M\nwall=1s\nheap-peak=1M\nfaults=9\n");
	struct reading all[4];

	(void)state;
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(reading_of_usage(&u, &b->limits[i], "CAP_BPF missing", &all[i]),
				 0);
	assert_true(all[0].low == 50 * MIB && all[0].high == 50 * MIB);
	assert_non_null(strstr(all[0].note, "peak RSS of its largest process"));
	assert_true(all[1].value == 2);
	assert_non_null(strstr(all[2].why, "CAP_BPF missing"));
	assert_true(all[3].value == 5);
	for (size_t i = 0; i < 4; i++)
		reading_done(&all[i]);
	u.alone = false;
	assert_int_equal(reading_of_usage(&u, &b->limits[0], "x", &all[0]), 0);
	assert_true(all[0].low == 50 * MIB && isinf(all[0].high));
	reading_done(&all[0]);
	u.own_rss_bytes = 80 * MIB; /* it may all have been ours, before its exec */
	assert_int_equal(reading_of_usage(&u, &b->limits[0], "x", &all[0]), 0);
	assert_true(all[0].low == 0);
	reading_done(&all[0]);
	budget_free(b);
}

static struct reading between(double value, double low, double high)
{
	return (struct reading){ .value = value, .low = low, .high = high };
}

static void a_verdict_is_only_as_sure_as_its_number(void **state)
{
	static const struct {
		double low, high;
		enum verdict_state state;
	} rows[] = {
		{ 5, 10, VERDICT_WITHIN },	{ 5, 11, VERDICT_NEAR },
		{ 10, 11, VERDICT_NEAR },	{ 10.5, 11, VERDICT_OVER },
		{ 0, 0, VERDICT_WITHIN },	{ 5, INFINITY, VERDICT_UNMEASURABLE },
		{ 11, INFINITY, VERDICT_OVER },
	};
	struct budget *b = parsed("[task]\nfaults = 10\n");

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct reading one = between(rows[i].low, rows[i].low, rows[i].high);
		struct verdicts v;

		assert_int_equal(verdicts_judge(&v, b, &one, 1), 0);
		assert_int_equal(v.all[0].state, rows[i].state);
		verdicts_done(&v);
	}
	budget_free(b);
}

static void the_median_of_the_runs_is_judged(void **state)
{
	struct budget *b = parsed("[task]\nfaults = 10\nmajor-faults = 10\n");
	struct reading runs[] = { between(1, 1, 1),    between(5, 5, 5),    between(99, 99, 99),
				  between(11, 11, 11), between(12, 12, 12), between(2, 2, 2) };
	struct verdicts v;

	(void)state;
	assert_int_equal(verdicts_judge(&v, b, runs, 3), 0);
	assert_true(v.all[0].now.value == 12 && v.all[0].now.min == 1 && v.all[0].now.max == 99);
	assert_int_equal(v.all[0].state, VERDICT_OVER);
	assert_int_equal(v.all[0].now.median, 2);
	assert_true(v.all[1].now.value == 5);
	assert_int_equal(v.all[1].state, VERDICT_WITHIN);
	assert_int_equal(verdicts_worst(&v), VERDICT_OVER);
	verdicts_done(&v);
	budget_free(b);
}

static void one_run_without_a_number_makes_all_of_them_not_measurable(void **state)
{
	struct budget *b = parsed("[task]\nfaults = 10\n");
	struct reading runs[] = { between(1, 1, 1), { .why = (char *)"no ring" } };
	struct verdicts v;

	(void)state;
	assert_int_equal(verdicts_judge(&v, b, runs, 2), 0);
	assert_int_equal(v.all[0].state, VERDICT_UNMEASURABLE);
	assert_string_equal(v.all[0].why, "in 1 of 2 runs: no ring");
	assert_int_equal(verdicts_worst(&v), VERDICT_UNMEASURABLE);
	verdicts_done(&v);
	budget_free(b);
}

static void growth_counts_beyond_the_rule_and_beyond_the_noise(void **state)
{
	static const struct {
		double base[3], now[3];
		enum verdict_state state;
	} rows[] = {
		{ { 100, 100, 100 }, { 110, 110, 110 }, VERDICT_WITHIN },
		{ { 100, 100, 100 }, { 111, 111, 111 }, VERDICT_OVER },
		{ { 100, 95, 105 }, { 111, 111, 120 }, VERDICT_NEAR },	/* ranges 10 + 9 */
		{ { 100, 95, 105 }, { 121, 121, 125 }, VERDICT_OVER },	/* 10 + 4 */
		{ { 100, 100, 100 }, { 50, 50, 500 }, VERDICT_WITHIN }, /* one outlier */
	};
	struct budget *b = NULL;
	char *error = NULL;

	(void)state;
	assert_int_equal(budget_add_rule(&b, "faults+10%", &error), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct reading base[3], now[3];
		struct verdicts v;

		for (size_t k = 0; k < 3; k++) {
			base[k] = between(rows[i].base[k], rows[i].base[k], rows[i].base[k]);
			now[k] = between(rows[i].now[k], rows[i].now[k], rows[i].now[k]);
		}
		assert_int_equal(verdicts_compare(&v, b, base, 3, now, 3), 0);
		if (v.all[0].state != rows[i].state)
			fail_msg("row %zu: %s", i, verdict_state_words[v.all[0].state]);
		verdicts_done(&v);
	}
	budget_free(b);
}

static void the_sampling_error_is_noise_of_a_single_run(void **state)
{
	struct reading base = between(100, 90, 110), now = between(112, 102, 122);
	struct budget *b = NULL;
	struct verdicts v;
	char *error = NULL;

	(void)state;
	assert_int_equal(budget_add_rule(&b, "peak+10%", &error), 0);
	assert_int_equal(verdicts_compare(&v, b, &base, 1, &now, 1), 0);
	assert_int_equal(v.all[0].state, VERDICT_NEAR);
	assert_true(fabs(v.all[0].noise - hypot(10, 10)) < 1e-9);
	verdicts_done(&v);
	budget_free(b);
}

static void what_grew_is_named_with_its_line_and_share(void **state)
{
	struct run *base = allocated(true), *now = allocated(true);
	struct allocation_entry e = { .peak = { 300, 1 } };
	struct reading before = between(900, 900, 900), after = between(1200, 1200, 1200);
	struct budget *b = NULL;
	struct verdicts v;
	char *error = NULL;

	(void)state;
	e.stack = stack_of(allocations_tree(now->allocations), NAMES("main", "load", "cache"));
	assert_int_equal(allocations_add(now->allocations, &e), 0);
	assert_int_equal(budget_add_rule(&b, "peak+1%", &error), 0);
	assert_int_equal(verdicts_compare(&v, b, &before, 1, &after, 1), 0);
	assert_int_equal(verdict_find_growth(&v.all[0], base, now, now), 0);
	assert_int_equal(v.all[0].n_places, 1);
	assert_string_equal(v.all[0].places[0].function, "cache");
	assert_string_equal(v.all[0].places[0].file, "/src/x.py");
	assert_int_equal(v.all[0].places[0].line, 7);
	assert_true(v.all[0].places[0].value == 300 && v.all[0].places[0].share == 1);
	assert_string_equal(v.all[0].places[0].text,
			    "cache (x.py:7) ← load (x.py:7) ← main (x.py:7)");
	verdicts_done(&v);
	budget_free(b);
	run_done(base);
	run_done(now);
}

static void places_are_the_largest_stacks_of_the_function(void **state)
{
	struct run *r = allocated(true), *p = profiled();
	struct budget *b = parsed("[task]\nheap-peak=1\n[function load]\nheap-peak=1\n"
				  "[function parse]\nwall=1ms\n");
	struct reading readings[] = { between(900, 900, 900), between(600, 600, 600),
				      between(1, 1, 1) };
	struct verdicts v;

	(void)state;
	assert_int_equal(verdicts_judge(&v, b, readings, 1), 0);
	assert_int_equal(verdict_find_places(&v.all[0], r), 0);
	assert_int_equal(verdict_find_places(&v.all[1], r), 0);
	assert_int_equal(verdict_find_places(&v.all[2], p), 0);
	assert_int_equal(v.all[0].n_places, 2);
	assert_true(v.all[0].places[0].value == 600 && v.all[0].places[1].value == 300);
	assert_int_equal(v.all[1].n_places, 1);
	assert_string_equal(v.all[1].places[0].function, "read");
	assert_int_equal(v.all[2].n_places, 3);
	assert_true(fabs(v.all[2].places[0].value - 0.3) < 1e-9);
	verdicts_done(&v);
	budget_free(b);
	run_done(r);
	run_done(p);
}

/* All states, and names that want to be markup, commands and escapes. */
static void fill_hostile(struct verdicts *v, struct budget *b)
{
	struct reading readings[] = {
		between(99, 99, 99), { .why = (char *)HOSTILE }, between(1, 1, 99), between(1, 1, 1)
	};
	struct verdict_place *place = calloc(1, sizeof(*place));

	assert_int_equal(b->n, 4);
	free(b->limits[0].function);
	b->limits[0].function = strdup(HOSTILE);
	assert_int_equal(verdicts_judge(v, b, readings, 1), 0);
	*place = (struct verdict_place){
		strdup(HOSTILE), strdup(HOSTILE), strdup("/" HOSTILE), 3, 5, 0.5
	};
	v->all[0].places = place;
	v->all[0].n_places = 1;
	v->title = strdup(HOSTILE);
	assert_int_equal(verdicts_say(v, HOSTILE), 0);
}

static char *written(const struct verdicts *v, verdict_write_fn *write)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	assert_int_equal(write(v, f), 0);
	fclose(f);
	assert_int_equal(strlen(text), size);
	return text;
}

static void hostile_names_stay_text_in_every_format(void **state)
{
	struct budget *b = parsed("[function f]\nwall=1s\n[task]\nwall=1s\ncpu=10s\nfaults=10\n");
	struct verdicts v;

	(void)state;
	fill_hostile(&v, b);
	for (const struct verdict_format *f = verdict_formats; f->name; f++) {
		char *text = written(&v, f->write);

		for (const char *s = text; *s; s++)
			if ((unsigned char)*s < 0x20 && *s != '\n')
				fail_msg("%s: a control character", f->name);
		if (strstr(text, "\n::error::x"))
			fail_msg("%s: a name became a command", f->name);
		if (strcmp(f->name, "text") && strcmp(f->name, "github") &&
		    strcmp(f->name, "gitlab") && strcmp(f->name, "json") && strstr(text, "<img"))
			fail_msg("%s: a name became markup", f->name);
		if (!strcmp(f->name, "markdown"))
			assert_null(strstr(text, "a|b"));
		if (!strcmp(f->name, "json") || !strcmp(f->name, "gitlab")) {
			json_t *parsed = json_loads(text, 0, NULL);

			assert_non_null(parsed);
			json_decref(parsed);
		}
		free(text);
	}
	verdicts_done(&v);
	budget_free(b);
}

static void an_annotation_is_one_line_with_its_newlines_escaped(void **state)
{
	struct budget *b = parsed("[function f]\nwall=1s\n[task]\nwall=1s\ncpu=10s\nfaults=10\n");
	struct verdicts v;
	char *text, *line, *save;
	size_t errors = 0, warnings = 0;

	(void)state;
	fill_hostile(&v, b);
	text = written(&v, verdict_github);
	assert_null(strstr(text, "%0A&")); /* the name's own is %250A */
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		errors += !strncmp(line, "::error file=", 13);
		warnings += !strncmp(line, "::warning file=b.ini,line=5,title=near", 38);
		assert_true(!strncmp(line, "::", 2) || !strncmp(line, "taskdiag-bpf: ", 14));
	}
	assert_int_equal(errors, 2); /* over, not measurable */
	assert_int_equal(warnings, 1);
	free(text);
	verdicts_done(&v);
	budget_free(b);
}

static void a_command_that_failed_is_told_and_nothing_is_judged(void **state)
{
	struct budget *b = parsed("[task]\nwall=1s\n");
	struct verdicts v = { .budget = b };

	(void)state;
	v.failed = strdup("the command ended with status 3");
	for (const struct verdict_format *f = verdict_formats; f->name; f++) {
		char *text = written(&v, f->write);

		if (strcmp(f->name, "gitlab"))
			assert_non_null(strstr(text, "the command ended with status 3"));
		free(text);
	}
	verdicts_done(&v);
	budget_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exact_numbers_are_read_as_they_are),
		cmocka_unit_test(what_may_be_more_has_no_upper_bound),
		cmocka_unit_test(what_is_missing_is_not_measurable_and_says_why),
		cmocka_unit_test(time_of_a_function_is_its_marks_and_what_may_be_its),
		cmocka_unit_test(bytes_of_a_function_are_those_below_it),
		cmocka_unit_test(python_that_is_not_shown_may_be_the_function),
		cmocka_unit_test(without_bpf_a_single_process_is_known_and_several_are_not),
		cmocka_unit_test(a_verdict_is_only_as_sure_as_its_number),
		cmocka_unit_test(the_median_of_the_runs_is_judged),
		cmocka_unit_test(one_run_without_a_number_makes_all_of_them_not_measurable),
		cmocka_unit_test(growth_counts_beyond_the_rule_and_beyond_the_noise),
		cmocka_unit_test(the_sampling_error_is_noise_of_a_single_run),
		cmocka_unit_test(what_grew_is_named_with_its_line_and_share),
		cmocka_unit_test(places_are_the_largest_stacks_of_the_function),
		cmocka_unit_test(hostile_names_stay_text_in_every_format),
		cmocka_unit_test(an_annotation_is_one_line_with_its_newlines_escaped),
		cmocka_unit_test(a_command_that_failed_is_told_and_nothing_is_judged),
	};

	return cmocka_run_group_tests(tests, utf8, NULL);
}
