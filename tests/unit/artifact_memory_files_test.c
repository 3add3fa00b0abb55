/* artifact_memory_files_test.c - the three files, byte for byte; oracle:
 * docs/artifact-format.md, worked out by hand. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <jansson.h>

#include "artifact/memory_files.h"

#define START_NS 5000000000ULL
#define START_UTC_NS 1700000000000000000ULL
#define MS 1000000ULL
#define MIB 1048576ULL

static void tick(struct series *s, uint64_t ms, uint64_t bytes, struct series_point p)
{
	p.time_ns = START_NS + ms * MS;
	p.rss_bytes = bytes;
	assert_int_equal(series_add(s, &p, NULL), 0);
}

/* start, rise with PSS, a spike between two ticks, a gap */
static struct series *small(void)
{
	struct series *s = series_new(16, 0);

	assert_non_null(s);
	tick(s, 0, MIB,
	     (struct series_point){
		 .pss_bytes = NOT_MEASURED, .processes = 1, .threads = 1, .anon_bytes = MIB });
	tick(s, 2000, 10 * MIB,
	     (struct series_point){ .pss_bytes = 9 * MIB,
				    .processes = 2,
				    .threads = 5,
				    .anon_bytes = 7 * MIB,
				    .file_bytes = 2 * MIB,
				    .shmem_bytes = MIB,
				    .swap_bytes = 4096,
				    .minor_faults = 2560,
				    .major_faults = 3,
				    .peak_bytes = 10 * MIB,
				    .peak_ns = START_NS + 1500 * MS });
	tick(s, 4000, 5 * MIB,
	     (struct series_point){ .pss_bytes = NOT_MEASURED,
				    .processes = 1,
				    .threads = 4,
				    .anon_bytes = 5 * MIB,
				    .minor_faults = 9000,
				    .major_faults = 3,
				    .peak_bytes = 300 * MIB + 5243,
				    .peak_ns = START_NS + 3123456789 });
	tick(s, 64001, 6 * MIB,
	     (struct series_point){ .pss_bytes = 0,
				    .processes = 1,
				    .threads = 4,
				    .anon_bytes = 6 * MIB,
				    .minor_faults = 9001,
				    .major_faults = 4,
				    .gap_ns = 60001 * MS,
				    .peak_bytes = 6 * MIB,
				    .peak_ns = START_NS + 64001 * MS });
	return s;
}

/* 17 ticks, one a second, 100 MiB and one MiB more each; the first eight are merged in pairs. The
 * fourth has a spike, the fifth is lower than its neighbours, the seventh is higher. */
static struct series *merged(void)
{
	struct series *s = series_new(16, 0);

	assert_non_null(s);
	for (uint64_t i = 0; i < 17; i++)
		tick(s, i * 1000,
		     i == 4   ? 50 * MIB
		     : i == 6 ? 200 * MIB
			      : (100 + i) * MIB,
		     (struct series_point){
			 .pss_bytes = i == 0 ? 77 : NOT_MEASURED,
			 .processes = i + 1,
			 .threads = 2 * (i + 1),
			 .anon_bytes = i,
			 .minor_faults = 10 * i,
			 .peak_bytes = i == 3 ? 500 * MIB : 0,
			 .peak_ns = START_NS + 2750 * MS,
		     });
	return s;
}

static char *written(const struct series *s, int format, const char *command)
{
	char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);

	assert_non_null(f);
	if (format == 'd')
		memory_datum_write(f, s, START_NS);
	else if (format == 'c')
		memory_csv_write(f, s, START_NS, NULL, 0);
	else
		mprof_dat_write(f, s, START_NS, START_UTC_NS, command);
	assert_int_equal(ferror(f), 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(strlen(text), size); /* no NUL in it */
	return text;
}

static void assert_written(struct series *s, int format, const char *expected)
{
	char *text = written(s, format, "make -j8 all");

	assert_string_equal(text, expected);
	free(text);
	series_free(s);
}

static void datum_is_seconds_and_mib(void **state)
{
	(void)state;
	assert_written(small(), 'd',
		       "# Seconds\tMemory in MB\n"
		       "0.000\t1.00\n"
		       "2.000\t10.00\n"
		       "3.123\t300.01\n"
		       "4.000\t5.00\n"
		       "# gap: no ticks for 60.001 s before 64.001 s\n"
		       "\n"
		       "64.001\t6.00\n");
}

#define CSV_HEADER                                                                          \
	"time_s,event,ticks,rss_bytes,rss_min_bytes,rss_peak_bytes,rss_peak_time_s,"        \
	"anon_bytes,file_bytes,shmem_bytes,swap_bytes,pss_bytes,minor_faults,major_faults," \
	"processes,threads\n"

static void csv_has_every_column(void **state)
{
	(void)state;
	assert_written(
	    small(), 'c',
	    CSV_HEADER
	    "0.000000,tick,1,1048576,1048576,1048576,0.000000,1048576,0,0,0,,0,0,1,1\n"
	    "2.000000,tick,1,10485760,10485760,10485760,1.500000,7340032,2097152,1048576,4096,"
	    "9437184,2560,3,2,5\n"
	    "3.123457,peak,1,314578043,314578043,314578043,3.123457,,,,,,,,,\n"
	    "4.000000,tick,1,5242880,5242880,314578043,3.123457,5242880,0,0,0,,9000,3,1,4\n"
	    "4.000000,gap,,,,,,,,,,,,,,\n"
	    "64.001000,tick,1,6291456,6291456,6291456,64.001000,6291456,0,0,0,0,9001,4,1,4\n");
}

static void mprof_is_mib_and_wall_clock(void **state)
{
	(void)state;
	assert_written(small(), 'm',
		       "CMDLINE make -j8 all\n"
		       "MEM 1.000000 1700000000.0000\n"
		       "MEM 10.000000 1700000002.0000\n"
		       "MEM 300.005000 1700000003.1235\n"
		       "MEM 5.000000 1700000004.0000\n"
		       "MEM 6.000000 1700000064.0010\n");
}

/* Of merged ticks the curve has the lowest and the highest, in the order they were. */
static void a_merged_point_is_its_lowest_and_its_highest(void **state)
{
	(void)state;
	assert_written(merged(), 'd',
		       "# Seconds\tMemory in MB\n"
		       "0.000\t100.00\n"
		       "1.000\t101.00\n"
		       "2.000\t102.00\n"
		       "2.750\t500.00\n"
		       "4.000\t50.00\n"
		       "5.000\t105.00\n"
		       "6.000\t200.00\n"
		       "7.000\t107.00\n"
		       "8.000\t108.00\n"
		       "9.000\t109.00\n"
		       "10.000\t110.00\n"
		       "11.000\t111.00\n"
		       "12.000\t112.00\n"
		       "13.000\t113.00\n"
		       "14.000\t114.00\n"
		       "15.000\t115.00\n"
		       "16.000\t116.00\n");
}

static void a_merged_row_is_a_mean_and_its_last_tick(void **state)
{
	static const char head[] = CSV_HEADER
	    "1.000000,merged,2,105381888,104857600,105906176,1.000000,1,0,0,0,77,10,0,2,4\n"
	    "3.000000,merged,2,107479040,106954752,524288000,2.750000,3,0,0,0,,30,0,4,8\n"
	    "5.000000,merged,2,81264640,52428800,110100480,5.000000,5,0,0,0,,50,0,6,12\n"
	    "7.000000,merged,2,160956416,112197632,209715200,6.000000,7,0,0,0,,70,0,8,16\n"
	    "8.000000,tick,1,113246208,113246208,113246208,8.000000,8,0,0,0,,80,0,9,18\n";
	struct series *s = merged();
	char *text = written(s, 'c', NULL);

	(void)state;
	text[sizeof(head) - 1] = 0;
	assert_string_equal(text, head);
	free(text);
	series_free(s);
}

static void every_csv_row_has_sixteen_cells(void **state)
{
	struct series *all[] = { small(), merged() };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		char *text = written(all[i], 'c', NULL), *save, *line;

		for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
			size_t commas = 0;

			for (const char *c = line; *c; c++)
				commas += *c == ',';
			assert_int_equal(commas, 15);
		}
		free(text);
		series_free(all[i]);
	}
}

/* A task is older than the observation; a run is longer than a day. */
static void times_may_be_negative_and_long(void **state)
{
	struct series *s = series_new(16, 0);
	struct series_point p = { .time_ns = START_NS - 1500 * MS, .pss_bytes = NOT_MEASURED };
	char *text;

	(void)state;
	p.peak_ns = p.time_ns;
	assert_int_equal(series_add(s, &p, NULL), 0);
	tick(s, 100000000000, 1024 * 1024 * MIB, (struct series_point){});
	text = written(s, 'd', NULL);
	assert_string_equal(text, "# Seconds\tMemory in MB\n"
				  "-1.500\t0.00\n"
				  "100000000.000\t1048576.00\n");
	free(text);
	series_free(s);
}

/* A task that has ended holds nothing, and held nothing at a time that exists. */
static void a_row_without_memory_has_a_time_of_its_peak(void **state)
{
	struct series *s = series_new(16, 0);
	char *text;

	(void)state;
	tick(s, 2000, 0, (struct series_point){ .pss_bytes = NOT_MEASURED });
	text = written(s, 'c', NULL);
	assert_string_equal(text, CSV_HEADER "2.000000,tick,1,0,0,0,2.000000,0,0,0,0,,0,0,0,0\n");
	free(text);
	series_free(s);
}

static void without_ticks_there_is_a_header(void **state)
{
	struct series *s = series_new(16, 0);
	char *d = written(s, 'd', NULL), *c = written(s, 'c', NULL), *m = written(s, 'm', "");

	(void)state;
	assert_string_equal(d, "# Seconds\tMemory in MB\n");
	assert_string_equal(c, CSV_HEADER);
	assert_string_equal(m, "CMDLINE \n");
	free(d);
	free(c);
	free(m);
	series_free(s);
}

/* mprof.py splits at newlines and reads the first word: a command must not write rows. */
static void a_hostile_command_stays_on_one_line(void **state)
{
	struct series *s = small();
	char *text = written(s, 'm', "sh -c 'x\nMEM 999999.0 1.0\r\nMEM 1.0 1.0\v\f\t\x1b[2J\x7f'"),
	     *save, *line;
	size_t lines = 0;

	(void)state;
	for (const char *c = text; *c; c++) {
		assert_true(*c == '\n' || (*c & 0x80) || (*c >= ' ' && *c != 0x7f));
		lines += *c == '\n';
	}
	assert_int_equal(lines, 6);
	line = strtok_r(text, "\n", &save);
	assert_memory_equal(line, "CMDLINE sh -c 'x MEM 999999.0", 29);
	while ((line = strtok_r(NULL, "\n", &save))) {
		double mib = 0, when = 0;

		assert_int_equal(sscanf(line, "MEM %lf %lf", &mib, &when), 2);
		assert_true(mib < 1000 && when > 1e9);
	}
	free(text);
	series_free(s);
}

/* mprof.py opens the file as text: one byte that is not UTF-8 and it ends with UnicodeDecodeError.
 * Oracle for UTF-8: jansson. */
static void a_command_that_is_not_utf8_leaves_a_readable_file(void **state)
{
	static const char *const commands[] = { "plain", "caf\xc3\xa9", "\xff", "cut \xc3",
						"\xed\xa0\x80" };

	(void)state;
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		struct series *s = small();
		char *text = written(s, 'm', commands[i]);
		json_t *utf8 = json_string(text);

		if (!utf8)
			fail_msg("command %zu: mprof.dat is not UTF-8", i);
		json_decref(utf8);
		free(text);
		series_free(s);
	}
}

static void an_error_stays_with_the_stream(void **state)
{
	struct series *s = small();
	FILE *full = fopen("/dev/full", "w");

	(void)state;
	assert_non_null(full);
	setvbuf(full, NULL, _IONBF, 0);
	memory_csv_write(full, s, START_NS, NULL, 0);
	assert_true(ferror(full));
	fclose(full);
	series_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(datum_is_seconds_and_mib),
		cmocka_unit_test(csv_has_every_column),
		cmocka_unit_test(mprof_is_mib_and_wall_clock),
		cmocka_unit_test(a_merged_point_is_its_lowest_and_its_highest),
		cmocka_unit_test(a_merged_row_is_a_mean_and_its_last_tick),
		cmocka_unit_test(every_csv_row_has_sixteen_cells),
		cmocka_unit_test(times_may_be_negative_and_long),
		cmocka_unit_test(a_row_without_memory_has_a_time_of_its_peak),
		cmocka_unit_test(without_ticks_there_is_a_header),
		cmocka_unit_test(a_hostile_command_stays_on_one_line),
		cmocka_unit_test(a_command_that_is_not_utf8_leaves_a_readable_file),
		cmocka_unit_test(an_error_stays_with_the_stream),
	};

	return cmocka_run_group_tests_name("artifact/memory_files", tests, NULL, NULL);
}
