/* memory_files.c - see memory_files.h */
#include "artifact/memory_files.h"

#include <inttypes.h>
#include <stdbool.h>

#include "artifact/rundir.h"

#define MIB 1048576.0
#define CSV_COLUMNS 16 /* without extra ones */

/* A row of the curve: what all three formats have in common. */
typedef void (*curve_fn)(void *context, uint64_t time_ns, uint64_t bytes);

static double seconds(uint64_t time_ns, uint64_t start_ns)
{
	return ((double)time_ns - (double)start_ns) / 1e9;
}

/* The curve through point @index: the peak before the tick, then the tick; of a merged point its
 * lowest and its highest. */
static void curve_at(const struct series *s, size_t index, curve_fn fn, void *context)
{
	const struct series_point *p = series_at(s, index);

	if (p->ticks > 1) {
		bool rising = p->min_ns <= p->peak_ns;

		fn(context, rising ? p->min_ns : p->peak_ns, rising ? p->min_bytes : p->peak_bytes);
		fn(context, rising ? p->peak_ns : p->min_ns, rising ? p->peak_bytes : p->min_bytes);
		return;
	}
	if (series_has_peak_row(s, index))
		fn(context, p->peak_ns, p->peak_bytes);
	fn(context, p->time_ns, p->last_bytes);
}

struct curve {
	FILE *out;
	uint64_t start_ns, start_utc_ns;
};

static void datum_row(void *context, uint64_t time_ns, uint64_t bytes)
{
	const struct curve *c = context;

	fprintf(c->out, "%.3f\t%.2f\n", seconds(time_ns, c->start_ns), bytes / MIB);
}

void memory_datum_write(FILE *out, const struct series *s, uint64_t start_ns)
{
	struct curve c = { .out = out, .start_ns = start_ns };

	fputs("# Seconds\tMemory in MB\n", out);
	for (size_t i = 0; i < series_length(s); i++) {
		const struct series_point *p = series_at(s, i);

		if (p->gap_ns) /* an empty line lifts gnuplot's pen */
			fprintf(out, "# gap: no ticks for %.3f s before %.3f s\n\n",
				p->gap_ns / 1e9, seconds(p->time_ns, start_ns));
		curve_at(s, i, datum_row, &c);
	}
}

static void mprof_row(void *context, uint64_t time_ns, uint64_t bytes)
{
	const struct curve *c = context;

	fprintf(c->out, "MEM %.6f %.4f\n", bytes / MIB,
		c->start_utc_ns / 1e9 + seconds(time_ns, c->start_ns));
}

void mprof_dat_write(FILE *out, const struct series *s, uint64_t start_ns, uint64_t start_utc_ns,
		     const char *command)
{
	struct curve c = { .out = out, .start_ns = start_ns, .start_utc_ns = start_utc_ns };

	json_t *text = json_text(command); /* mprof reads UTF-8 and stops at anything else */
	const char *line = text ? json_string_value(text) : "";

	fputs("CMDLINE ", out);
	for (; *line; line++)
		fputc((unsigned char)*line < 0x20 || *line == 0x7f ? 0x20 : *line, out);
	fputc('\n', out);
	json_decref(text);
	for (size_t i = 0; i < series_length(s); i++)
		curve_at(s, i, mprof_row, &c);
}

static const char csv_header[] =
    "time_s,event,ticks,rss_bytes,rss_min_bytes,rss_peak_bytes,rss_peak_time_s,anon_bytes,file_"
    "bytes,"
    "shmem_bytes,swap_bytes,pss_bytes,minor_faults,major_faults,processes,threads";

static void csv_number(FILE *out, uint64_t number)
{
	fputc(',', out);
	if (number != NOT_MEASURED)
		fprintf(out, "%" PRIu64, number);
}

static void csv_empty(FILE *out, size_t cells)
{
	while (cells--)
		fputc(',', out);
	fputc('\n', out);
}

static void csv_tick(FILE *out, const struct series_point *p, uint64_t start_ns)
{
	fprintf(out,
		"%.6f,%s,%u,%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%.6f,%" PRIu64 ",%" PRIu64
		",%" PRIu64 ",%" PRIu64,
		seconds(p->time_ns, start_ns), p->ticks > 1 ? "merged" : "tick", p->ticks,
		p->rss_bytes, p->min_bytes, p->peak_bytes, seconds(p->peak_ns, start_ns),
		p->anon_bytes, p->file_bytes, p->shmem_bytes, p->swap_bytes);
	csv_number(out, p->pss_bytes);
	fprintf(out, ",%" PRIu64 ",%" PRIu64 ",%u,%u", p->minor_faults, p->major_faults,
		p->processes, p->threads);
}

static void csv_row(FILE *out, const struct series *s, size_t i, uint64_t start_ns, size_t extras)
{
	const struct series_point *p = series_at(s, i);
	const uint64_t *numbers = series_extras_at(s, i);

	if (p->gap_ns && i) {
		fprintf(out, "%.6f,gap", seconds(series_at(s, i - 1)->time_ns, start_ns));
		csv_empty(out, CSV_COLUMNS - 2 + extras);
	}
	if (series_has_peak_row(s, i)) {
		fprintf(out, "%.6f,peak,1,%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%.6f",
			seconds(p->peak_ns, start_ns), p->peak_bytes, p->peak_bytes, p->peak_bytes,
			seconds(p->peak_ns, start_ns));
		csv_empty(out, CSV_COLUMNS - 7 + extras);
	}
	csv_tick(out, p, start_ns);
	for (size_t n = 0; n < extras; n++)
		csv_number(out, numbers[n]);
	fputc('\n', out);
}

void memory_csv_write(FILE *out, const struct series *s, uint64_t start_ns, memory_extra_fn extra,
		      size_t extras)
{
	if (!extra)
		extras = 0;
	fputs(csv_header, out);
	for (size_t n = 0; n < extras; n++)
		fprintf(out, ",cgroup_%s", extra(n));
	fputc('\n', out);
	for (size_t i = 0; i < series_length(s); i++)
		csv_row(out, s, i, start_ns, extras);
}
