/* http_metrics.c - /metrics, in both text dialects: OpenMetrics 1.0 for who asks for it, else
 * Prometheus' own 0.0.4.
 *
 * https://github.com/prometheus/OpenMetrics/blob/main/specification/OpenMetrics.md: a counter's
 * family is called without _total there, and the text ends with # EOF.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/escape.h"
#include "serve/http_private.h"

#define TYPE_OPENMETRICS "application/openmetrics-text; version=1.0.0; charset=utf-8"
#define TYPE_PROMETHEUS "text/plain; version=0.0.4; charset=utf-8"
#define ENDED_S 300	/* so long a task that has ended is still told of: several scrapes */
#define TASKS_MAX 10000 /* series of tasks, at most; how many were left out is one as well */

struct family {
	const char *name, *type, *help;
};

/* Families of the daemon: those of index_numbers() are written by the collector. */
static const struct family families[] = {
	{ "taskdiag_http_bytes_sent_total", "counter", "Bytes of answers." },
	{ "taskdiag_http_errors_total", "counter", "Answers of 5xx." },
	{ "taskdiag_http_refused_total", "counter", "Answers of 4xx." },
	{ "taskdiag_http_requests_total", "counter", "Requests." },
	{ "taskdiag_lost_records_total", "counter",
	  "Records of the kernel that were lost, by cause." },
	{ "taskdiag_records_offered_total", "counter",
	  "Records that the kernel side wanted to send." },
	{ "taskdiag_records_recorded_total", "counter", "Records that were taken in." },
	{ "taskdiag_savers", "gauge", "Run directories that are being written." },
	{ "taskdiag_start_time_seconds", "gauge", "When the daemon began to serve, since 1970." },
	{ "taskdiag_tasks_begun_total", "counter", "Tasks that were observed from their begin." },
	{ "taskdiag_tasks_ended_total", "counter", "Tasks that have ended." },
	{ "taskdiag_tasks_running", "gauge", "Tasks that are observed now." },
	{ "taskdiag_tasks_skipped_total", "counter", "Tasks that were not observed, by cause." },
	{ "taskdiag_tasks_unsaved_total", "counter",
	  "Tasks whose run directory could not be written." },
	{ "taskdiag_push_sent_total", "counter", "Tasks that were pushed." },
	{ "taskdiag_push_dropped_total", "counter", "Tasks that were not pushed, by cause." },
	{ "taskdiag_push_queue_bytes", "gauge", "Of what waits to be pushed." },
	{ "taskdiag_push_failures_total", "counter", "Attempts to push that failed." },
};

/* Families of each task. */
static const struct family task_families[] = {
	{ "taskdiag_task_rss_bytes", "gauge", "RSS of the task now." },
	{ "taskdiag_task_peak_rss_bytes", "gauge", "Highest RSS of the task so far." },
	{ "taskdiag_task_processes", "gauge", "Processes of the task." },
	{ "taskdiag_task_threads", "gauge", "Threads of the task." },
	{ "taskdiag_task_lost_records", "gauge", "Records of the task that were lost." },
	{ "taskdiag_task_running", "gauge",
	  "1: it runs; 0: it has ended in the last five minutes." },
};

struct number {
	char name[160];
	double value;
};

struct metrics {
	FILE *out;
	bool open;
	struct number *numbers;
	size_t count;
	struct indexed_task *tasks;
	size_t task_count, left_out;
	int64_t now_ms;
};

static void head(const struct metrics *m, const struct family *f)
{
	size_t n = strlen(f->name);

	if (m->open && !strcmp(f->type, "counter"))
		n -= strlen("_total");
	fprintf(m->out, "# HELP %.*s %s\n# TYPE %.*s %s\n", (int)n, f->name, f->help, (int)n,
		f->name, f->type);
}

/* In a label: \ " and line ends have to be escaped; control characters are shown. */
static void label(FILE *out, const char *name, const char *value)
{
	char *safe = escape_terminal(value, false, 0);

	fprintf(out, "%s=\"", name);
	for (const char *c = safe ? safe : ""; *c; c++) {
		if (*c == '"' || *c == '\\')
			fputc('\\', out);
		fputc(*c, out);
	}
	fputc('"', out);
	free(safe);
}

static double task_value(const struct indexed_task *t, size_t family)
{
	switch (family) {
	case 0:
		return (double)t->rss_bytes;
	case 1:
		return (double)t->peak_bytes;
	case 2:
		return t->processes;
	case 3:
		return t->threads;
	case 4:
		return (double)t->lost_records;
	default:
		return t->state == INDEXED_RUNNING;
	}
}

static void write_tasks(const struct metrics *m, size_t family)
{
	head(m, &task_families[family]);
	for (size_t i = 0; i < m->task_count; i++) {
		const struct indexed_task *t = &m->tasks[i];

		fprintf(m->out, "%s{", task_families[family].name);
		label(m->out, "task", t->id);
		fputc(',', m->out);
		label(m->out, "rule", t->rule);
		fputc(',', m->out);
		label(m->out, "name", t->name);
		fprintf(m->out, "} %.17g\n", task_value(t, family));
	}
}

static int take_task(void *context, const struct indexed_task *t)
{
	struct metrics *m = context;

	if (t->state != INDEXED_RUNNING && t->state != INDEXED_SAVING &&
	    m->now_ms - t->end_utc_ms > ENDED_S * 1000)
		return 0;
	if (m->task_count == TASKS_MAX) {
		m->left_out++;
		return 0;
	}
	m->tasks[m->task_count++] = *t;
	return 0;
}

static int take_number(void *context, const char *name, double value)
{
	struct metrics *m = context;
	struct number *more = reallocarray(m->numbers, m->count + 1, sizeof(*more));

	if (!more)
		return -1;
	m->numbers = more;
	snprintf(more[m->count].name, sizeof(more->name), "%s", name);
	more[m->count++].value = value;
	return 0;
}

static void add_own(struct metrics *m, const struct http *h)
{
	struct http_counts c;

	http_counts(h, &c);
	take_number(m, "taskdiag_http_bytes_sent_total", (double)c.bytes_sent);
	take_number(m, "taskdiag_http_errors_total", (double)c.errors);
	take_number(m, "taskdiag_http_refused_total", (double)c.refused);
	take_number(m, "taskdiag_http_requests_total", (double)c.requests);
	take_number(m, "taskdiag_start_time_seconds",
		    (double)clock_utc_ns() / 1e9 - (double)(clock_boot_ns() - h->start_ns) / 1e9);
}

static bool is_of(const struct number *n, const struct family *f)
{
	size_t size = strlen(f->name);

	return !strncmp(n->name, f->name, size) && (!n->name[size] || n->name[size] == '{');
}

static void write_numbers(const struct metrics *m)
{
	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
		bool begun = false;

		for (size_t k = 0; k < m->count; k++) {
			if (!is_of(&m->numbers[k], &families[i]))
				continue;
			if (!begun)
				head(m, &families[i]);
			begun = true;
			fprintf(m->out, "%s %.17g\n", m->numbers[k].name, m->numbers[k].value);
		}
	}
}

static void write_all(const struct metrics *m)
{
	static const struct family build = { "taskdiag_build_info", "gauge", "The version." };
	static const struct family rest = { "taskdiag_tasks_left_out", "gauge",
					    "Tasks that this answer had no room for." };

	head(m, &build);
	fprintf(m->out, "taskdiag_build_info{version=\"%s\"} 1\n", TASKDIAG_VERSION);
	write_numbers(m);
	for (size_t i = 0; i < sizeof(task_families) / sizeof(task_families[0]); i++)
		write_tasks(m, i);
	head(m, &rest);
	fprintf(m->out, "taskdiag_tasks_left_out %zu\n", m->left_out);
	if (m->open)
		fputs("# EOF\n", m->out);
}

http_result metrics_get(struct request *r)
{
	const char *accept = request_header(r, "Accept");
	struct metrics m = { .now_ms = clock_utc_ns() / NS_PER_MS };
	static const struct index_filter running = { .state = "running" };
	static const struct index_filter ended = { .state = "ended", .limit = TASKS_MAX };
	http_result ret;
	char *text = NULL;
	size_t size = 0;

	m.open = accept && strstr(accept, "application/openmetrics-text");
	m.tasks = calloc(TASKS_MAX, sizeof(*m.tasks));
	m.out = open_memstream(&text, &size);
	if (!m.tasks || !m.out) {
		free(m.tasks);
		if (m.out)
			fclose(m.out);
		free(text);
		return reply_detail(r, MHD_HTTP_SERVICE_UNAVAILABLE, "No memory.");
	}
	index_numbers(r->h->index, take_number, &m);
	add_own(&m, r->h);
	index_list(r->h->index, &running, take_task, &m, NULL);
	index_list(r->h->index, &ended, take_task, &m, NULL);
	write_all(&m);
	fclose(m.out);
	ret = reply_text(r, MHD_HTTP_OK, m.open ? TYPE_OPENMETRICS : TYPE_PROMETHEUS, text, size);
	free(text);
	free(m.numbers);
	free(m.tasks);
	return ret;
}
