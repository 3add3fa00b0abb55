/* report_test.c - a run directory, however damaged or hostile, becomes a report or one line that
 * says why not; oracles: docs/artifact-format.md, what the test itself has written. Every test
 * works in an empty directory of its own; the XML and the page are checked by e2e/report_page.bats.
 */
#include <errno.h>
#include <fcntl.h>
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
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "lib/cleanup.h"
#include "lib/escape.h"
#include "report/curve.h"
#include "report/facts.h"
#include "report/report.h"

#define HEADER                                                                       \
	"time_s,event,ticks,rss_bytes,rss_min_bytes,rss_peak_bytes,rss_peak_time_s," \
	"anon_bytes,file_bytes,shmem_bytes,swap_bytes,pss_bytes,minor_faults,"       \
	"major_faults,processes,threads\n"

/* 100 MB, then 512 MB between two ticks, then a gap. */
static const char rows[] =
    HEADER "0.000,tick,1,104857600,104857600,104857600,0.000,4096,8192,0,0,,10,1,1,1\n"
	   "1.500,peak,1,536870912,536870912,536870912,1.500,,,,,,,,,\n"
	   "2.000,tick,1,209715200,209715200,209715200,2.000,4096,8192,0,0,52428800,20,1,2,2\n"
	   "8.000,gap,1,209715200,209715200,209715200,8.000,4096,8192,0,0,,30,1,2,2\n"
	   "10.000,tick,1,104857600,104857600,209715200,8.100,4096,8192,0,0,,40,2,1,1\n";

#define HOSTILE_NAME "</script><script>\\u202e\\n\\u001b[31m\\u009b\\u2028&'"

static const char manifest[] =
    "{\"format\":1,\"tool_version\":\"0\",\"kernel\":\"6\",\"task\":{\"id\":\"sh-7\","
    "\"command\":[\"sh\",\"-c\",\"it's " HOSTILE_NAME "\"],\"pids\":[7],\"duration_s\":10.0,"
    "\"end\":\"killed-by-signal\",\"exit_status\":null,\"signal\":9,\"processes_seen\":2},"
    "\"diagnostics\":{\"memory\":{\"status\":\"limited\",\"limits\":[\"limit\\u001b[2J one\"],"
    "\"source\":\"rss_stat\",\"interval_s\":2,\"peak_rss_bytes\":536870912,\"peak_time_s\":1.5,"
    "\"final_rss_bytes\":104857600,\"pss_bytes\":52428800,\"pss_time_s\":2.0,"
    "\"swap_peak_bytes\":0,\"minor_faults\":1234567,\"major_faults\":2,\"ticks\":4,"
    "\"gaps\":[{\"time_s\":2,\"seconds\":6,\"cause\":\"suspend\"}],\"processes\":["
    "{\"pid\":7,\"name\":\"sh\",\"start_s\":0,\"end_s\":10,\"rss_at_peak_bytes\":402653184,"
    "\"peak_rss_bytes\":402653184,\"peak_time_s\":1.5,\"end\":\"killed-by-signal\",\"signal\":9},"
    "{\"pid\":8,\"name\":\"" HOSTILE_NAME "\",\"start_s\":1,\"end_s\":null,"
    "\"rss_at_peak_bytes\":134217728,\"end\":\"running\"}],"
    "\"processes_omitted\":0,\"omitted_at_peak_bytes\":0}},"
    "\"artifacts\":[{\"name\":\"memory.csv\",\"bytes\":1,\"sha256\":\"00\"}],"
    "\"ledger\":{\"offered\":1005,\"recorded\":1000,\"lost\":{\"ring_full\":5,\"late\":0},"
    "\"notes\":{\"shared\":0,\"rare\":3}},"
    "\"observer\":{\"cpu_s\":0.05,\"rss_peak_bytes\":8388608,\"attach_s\":0.125}}";

static char place[64];

static int enter(void **state)
{
	(void)state;
	snprintf(place, sizeof(place), "/tmp/report-test-XXXXXX");
	return setlocale(LC_CTYPE, "C.UTF-8") && mkdtemp(place) && !chdir(place) ? 0 : -1;
}

static int leave(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", place);
	return chdir("/") || system(command);
}

static void put_bytes(const char *name, const void *bytes, size_t size)
{
	FILE *f = fopen(name, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, size, f), size);
	assert_int_equal(fclose(f), 0);
}

static void put(const char *name, const char *text)
{
	put_bytes(name, text, strlen(text));
}

static struct run *open_good(void)
{
	struct run *r = NULL;
	char *error = NULL;

	put("manifest.json", manifest);
	put("memory.csv", rows);
	if (run_open(".", &r, &error))
		fail_msg("%s", error);
	assert_null(error);
	return r;
}

/* Opening fails with @err, and the one line for a person has @part. */
static void assert_refused(const char *path, int err, const char *part)
{
	struct run *r = NULL;
	char *error = NULL;

	assert_int_equal(run_open(path, &r, &error), err);
	assert_null(r);
	assert_non_null(error);
	if (!strstr(error, part))
		fail_msg("'%s' does not have: %s", error, part);
	for (const char *c = error; *c; c++)
		assert_in_range((unsigned char)*c, 0x20, 0x7e);
	free(error);
}

static char *report(const struct run *r, report_write_fn *write, bool utf8, bool colour)
{
	struct report_style style = { .columns = 80, .utf8 = utf8, .colour = colour };
	size_t size = 0;
	char *text = NULL;
	FILE *f = open_memstream(&text, &size);

	assert_non_null(f);
	assert_int_equal(write(r, &style, f), 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(strlen(text), size);
	return text;
}

static void assert_has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("no '%s' in:\n%s", part, text);
}

static void assert_lacks(const char *text, const char *part)
{
	if (strstr(text, part))
		fail_msg("'%s' is in:\n%s", part, text);
}

static void every_column_is_read_and_an_empty_cell_is_nan(void **state)
{
	struct run *r = open_good();

	(void)state;
	assert_int_equal(r->n_rows, 5);
	assert_int_equal(r->rows[1].event, RUN_PEAK);
	assert_int_equal(r->rows[3].event, RUN_GAP);
	assert_true(r->rows[1].v[RUN_RSS_PEAK] == 536870912 && r->rows[1].v[RUN_TIME] == 1.5);
	assert_true(isnan(r->rows[1].v[RUN_ANON]) && isnan(r->rows[0].v[RUN_PSS]));
	assert_true(r->rows[4].v[RUN_MAJOR_FAULTS] == 2 && r->rows[4].v[RUN_THREADS] == 1);
	assert_string_equal(run_string(r, "task.id"), "sh-7");
	assert_true(isnan(run_number(r, "task.exit_status")) && isnan(run_number(r, "no.such")));
	run_free(r);
}

static void columns_are_found_by_name(void **state)
{
	struct run *r = NULL;
	char *error = NULL;

	(void)state;
	put("manifest.json", "{\"format\":1}");
	put("memory.csv", "rss_bytes,new_column,time_s\r\n5,x,1.25\r\n\n6,,2\n");
	assert_int_equal(run_open(".", &r, &error), 0);
	assert_int_equal(r->n_rows, 2);
	assert_true(r->rows[0].v[RUN_RSS] == 5 && r->rows[0].v[RUN_TIME] == 1.25);
	run_free(r);
}

static void what_is_no_run_is_refused_with_the_next_step(void **state)
{
	(void)state;
	assert_refused("absent", -ENOENT, "absent: no such directory; name");
	put("file\x1b[2J", "");
	assert_refused("file\x1b[2J", -ENOTDIR, "file\\x1b[2J: not a directory; name");
	assert_refused(".", -ENOENT, ".: no manifest.json: not a run directory");
	put("manifest.json", "{\"format\":2}");
	assert_refused(".", -EPROTONOSUPPORT, "format 2 is not known (this version reads 1); use");
	put("manifest.json", "{\"format\":1,\"artifacts\":[{\"name\":\"memory.csv\"}]}");
	assert_refused(".", -ENOENT, "memory.csv is missing though the manifest names it");
}

static void a_malformed_manifest_is_one_line(void **state)
{
	static const char *const bad[] = { "",
					   "{",
					   "[]",
					   "7",
					   "{\"format\":\"1\"}",
					   "{\"format\":1",
					   "{\"a\":1,\"a\":2}",
					   "{\"format\":1}\x1b[2J",
					   "\xff\xfe" };
	const char nul[] = "{\"format\":1}\0\0";

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		put("manifest.json", bad[i]);
		assert_refused(".", -EINVAL, "manifest.json");
	}
	put_bytes("manifest.json", nul, sizeof(nul));
	assert_refused(".", -EINVAL, "NUL");
}

static void a_malformed_csv_names_its_line(void **state)
{
	static const struct {
		const char *text, *part;
	} bad[] = {
		{ "", "line 1: the header has no time_s column" },
		{ "time_s\n1\n", "line 1: the header has no rss_bytes column" },
		{ "time_s,rss_bytes,time_s\n", "line 1: column time_s stands twice" },
		{ "time_s,rss_bytes\n1,2\n1,2,3\n", "line 3: more cells" },
		{ "time_s,rss_bytes\n1,nan\n", "line 2: rss_bytes: 'nan' is not a number" },
		{ "time_s,rss_bytes\n1,0x10\n", "is not a number" },
		{ "time_s,rss_bytes\n1,1e\n", "is not a number" },
		{ "time_s,rss_bytes\n1,1e400\n", "is out of range" },
		{ "time_s,rss_bytes\n1,-5\n", "is out of range" },
		{ "time_s,rss_bytes\n,5\n", "line 2: time_s is empty" },
		{ "time_s,rss_bytes\n2,5\n1,5\n", "line 3: time_s goes back" },
		{ "time_s,rss_bytes,event\n1,5,\x1b[2J\n", "event '\\x1b[2J' is not known" },
	};

	(void)state;
	put("manifest.json", "{\"format\":1}");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		put("memory.csv", bad[i].text);
		assert_refused(".", -EINVAL, bad[i].part);
	}
}

static void sizes_are_bounded_and_only_regular_files_are_read(void **state)
{
	(void)state;
	put("manifest.json", "{\"format\":1}");
	put("memory.csv", "");
	assert_int_equal(truncate("memory.csv", RUN_CSV_MAX + 1), 0);
	assert_refused(".", -EFBIG, "at most 67108864 are read");
	assert_int_equal(unlink("memory.csv") || mkfifo("memory.csv", 0600), 0);
	assert_refused(".", -EINVAL, "memory.csv is not a regular file");
	assert_int_equal(unlink("memory.csv") || symlink("/etc/passwd", "memory.csv"), 0);
	assert_refused(".", -ELOOP, "memory.csv is a symbolic link");
	assert_int_equal(truncate("manifest.json", RUN_MANIFEST_MAX + 1), 0);
	assert_refused(".", -EFBIG, "at most 16777216 are read");
}

/* Values of the wrong type and out of any range: every report still is one. */
static void an_odd_manifest_still_makes_every_report(void **state)
{
	static const char *const odd[] = {
		"{\"format\":1}",
		"{\"format\":1,\"task\":[],\"diagnostics\":7,\"ledger\":\"x\",\"observer\":null}",
		"{\"format\":1,\"task\":{\"id\":7,\"command\":[1,null],\"duration_s\":1e300,"
		"\"end\":\"\\u001bnew\"},\"diagnostics\":{\"memory\":{\"peak_rss_bytes\":1e300,"
		"\"peak_time_s\":-5,\"gaps\":[1,{}],\"limits\":[{},\"x\"],\"processes\":[null,7,{}]"
		"}},"
		"\"ledger\":{\"offered\":1e308,\"recorded\":-1,\"lost\":{\"x\":\"y\"},"
		"\"notes\":{\"\\u202e\":[]}}}",
		"{\"format\":1,\"task\":{\"duration_s\":9e18,\"end\":\"exited\",\"exit_status\":"
		"9e18},"
		"\"diagnostics\":{\"memory\":{\"peak_rss_bytes\":9e18,\"peak_time_s\":9e18,"
		"\"minor_faults\":9e18,\"processes\":[{\"pid\":9e18,\"rss_at_peak_bytes\":9e18}]}}"
		"}",
	};
	static const char *const csvs[] = { HEADER, "time_s,rss_bytes\n0,0\n",
					    "time_s,rss_bytes\n9e18,9e18\n", rows };
	report_write_fn *const writes[] = { report_summary, report_plot, report_html };

	(void)state;
	for (size_t i = 0; i < 12 * sizeof(odd) / sizeof(odd[0]); i++) {
		struct run *r = NULL;
		char *error = NULL;

		put("manifest.json", odd[i / 12]);
		put("memory.csv", csvs[i / 3 % 4]);
		assert_int_equal(run_open(".", &r, &error), 0);
		free(report(r, writes[i % 3], true, false));
		run_free(r);
	}
}

static void a_manifest_that_is_lent_replaces_the_file(void **state)
{
	json_t *lent = json_pack("{s:i, s:{s:o}}", "format", 1, "task", "id",
				 json_string_nocheck("bytes-\xff\xfe"));
	struct run *r = NULL;
	char *error = NULL, *page;
	int fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	(void)state;
	put("memory.csv", rows);
	assert_int_equal(run_open_at(fd, lent, &r, &error), 0);
	close(fd);
	page = report(r, report_html, true, false);
	assert_has(page, "bytes-\\ufffd\\ufffd");
	assert_has(page, "<title>bytes-\\xff\\xfe: memory</title>");
	free(page);
	run_free(r);
	assert_int_equal(lent->refcount, 1);
	json_decref(lent);
}

static void the_summary_says_it_all_on_one_screen(void **state)
{
	struct run *r = open_good();
	char *text = report(r, report_summary, true, false), *line, *rest = text;
	int lines = 0;

	(void)state;
	assert_has(text, "task     sh-7: killed by SIGKILL after 10.00 s, 2 processes\n");
	assert_has(text, "command  sh -c 'it'\\''s </script><script>\\u202e\\n\\x1b[31m");
	assert_has(text, "peak RSS 512.0 MB at 1.50 s; 100.0 MB at the end\n");
	assert_has(text,
		   "          75.0 %     384.0 MB        7 sh                killed by SIGKILL\n");
	assert_has(text,
		   "          25.0 %     128.0 MB        8 </script><scrip…  still running\n");
	assert_has(text,
		   "faults   1,234,567 minor, 2 major; swap peak 0.0 MB; PSS 50.0 MB at 2.00 s\n");
	assert_has(text, "records  incomplete: 5 of 1,005 records lost: ring_full 5\n");
	assert_has(text, "limits   limit\\x1b[2J one\n");
	assert_has(text, "         gaps: 1, together 6.00 s without ticks (suspend)\n");
	assert_has(text, "         note: rare 3\n");
	assert_has(text,
		   "observer CPU 0.050 s (0.5 % of the run), RSS 8.0 MB, attached in 0.125 s\n");
	assert_has(text, "▲");
	assert_has(text, "····"); /* the gap */
	assert_lacks(text, "\033");
	assert_lacks(text, "report.html");
	while ((line = strsep(&rest, "\n"))) {
		assert_true(escape_columns(line, true) <= 80);
		lines += *line != '\0';
	}
	assert_true(lines <= 24);
	free(text);
	run_free(r);
}

static void a_complete_run_names_its_page_and_colour_is_on_request(void **state)
{
	struct run *r = open_good();
	char *text;

	(void)state;
	put("report.html", "");
	json_object_set_new(run_get(r, "ledger.lost"), "ring_full", json_integer(0));
	json_object_set_new(run_get(r, "ledger"), "offered", json_integer(1000));
	text = report(r, report_summary, false, true);
	assert_has(text, "records  \033[32mcomplete: 1,000 records, none lost\033[0m\n");
	assert_has(text, "report   ./report.html\n");
	for (const char *c = text; *c; c++)
		assert_in_range((unsigned char)*c, 1, 0x7e);
	free(text);
	json_object_set_new(run_get(r, "ledger"), "offered", json_integer(1001));
	text = report(r, report_summary, false, false);
	assert_has(text, "does not add up: 1,001 offered, 1,000 recorded, 0 lost");
	free(text);
	run_free(r);
}

static void the_plot_lifts_its_pen_at_a_gap_and_marks_the_peak(void **state)
{
	struct run *r = open_good();
	char *svg = report(r, report_plot, true, false), *path = strstr(svg, "class=\"curve\"");
	int moves = 0;

	(void)state;
	assert_has(svg, ">Task Process Megabytes (MB)</text>");
	assert_has(svg, ">Seconds since task start</text>");
	assert_has(svg, ">peak 512.0 MB at 1.50 s</text>");
	assert_has(svg, "<rect class=\"gap\"");
	assert_lacks(svg, "<script");
	assert_non_null(path);
	for (path = strstr(path, "d=\"") + 3; *path != '"'; path++)
		moves += *path == 'M';
	assert_int_equal(moves, 2);
	free(svg);
	run_free(r);
}

static void the_peak_of_merged_rows_is_a_point_of_the_curve(void **state)
{
	struct run *r = open_good();
	struct curve c;

	(void)state;
	r->rows[1].event = RUN_MERGED;
	r->rows[1].v[RUN_RSS] = 3e8;
	r->rows[1].v[RUN_TIME] = 1.75;
	assert_int_equal(curve_init(&c, r), 0);
	assert_int_equal(c.n, 6);
	assert_true(c.points[1].time_s == 1.5 && c.points[1].bytes == 536870912);
	assert_true(c.points[2].bytes == 3e8 && c.points[2].high == 536870912);
	assert_true(c.points[4].lift && !c.points[3].lift && !c.points[5].lift);
	curve_done(&c);
	run_free(r);
}

static void nothing_of_the_task_acts_in_the_page(void **state)
{
	struct run *r = open_good();
	char *page = report(r, report_html, true, false), *at = page;
	int scripts = 0, ends = 0;

	(void)state;
	for (at = page; (at = strstr(at, "<script")); at++)
		scripts++;
	for (at = page; (at = strstr(at, "</script")); at++)
		ends++;
	assert_int_equal(scripts, 3); /* the data, dygraphs, our modules */
	assert_int_equal(ends, 3);
	assert_has(page, "content=\"default-src 'none'; script-src 'sha256-");
	assert_lacks(page, "unsafe-inline");
	assert_lacks(page, "sourceMappingURL");
	assert_has(page,
		   "\\u003c/script\\u003e\\u003cscript\\u003e\\u202e\\u000a\\u001b[31m\\u009b");
	free(page);
	run_free(r);
}

static void png_needs_a_datum(void **state)
{
	_cleanup_free_ char *path = strdup(getenv("PATH"));
	struct run *r = open_good();
	FILE *f = tmpfile();

	(void)state;
	assert_int_equal(report_png(r, &(struct report_style){}, f), -ENODATA);
	put("memory.datum", "0\t1\n1\t2\n");
	assert_int_equal(setenv("PATH", "/nonexistent", 1), 0);
	assert_int_equal(report_png(r, &(struct report_style){}, f), -ENOENT);
	assert_int_equal(setenv("PATH", path, 1), 0);
	assert_int_equal(fclose(f), 0);
	run_free(r);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, enter, leave)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_column_is_read_and_an_empty_cell_is_nan),
		TEST(columns_are_found_by_name),
		TEST(what_is_no_run_is_refused_with_the_next_step),
		TEST(a_malformed_manifest_is_one_line),
		TEST(a_malformed_csv_names_its_line),
		TEST(sizes_are_bounded_and_only_regular_files_are_read),
		TEST(an_odd_manifest_still_makes_every_report),
		TEST(a_manifest_that_is_lent_replaces_the_file),
		TEST(the_summary_says_it_all_on_one_screen),
		TEST(a_complete_run_names_its_page_and_colour_is_on_request),
		TEST(the_plot_lifts_its_pen_at_a_gap_and_marks_the_peak),
		TEST(the_peak_of_merged_rows_is_a_point_of_the_curve),
		TEST(nothing_of_the_task_acts_in_the_page),
		TEST(png_needs_a_datum),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
