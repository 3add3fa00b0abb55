/* watch.c - see watch.h */
#include "watch/watch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <utlist.h>

#include "lib/clock.h"
#include "watch/look.h"
#include "watch/private.h"

#define LINES_LOOKED_AT 64 /* writes to stderr of a task that is called by what it writes */
#define NUMBERS_NS (2 * NS_PER_S)
#define RING_BYTES (4u << 20)
#define TASKS_DEFAULT 512

void watch_change(struct watch *w)
{
	if (!w->changing && !index_begin(w->config.index))
		w->changing = true;
}

static bool is_literal(const struct pattern *p)
{
	size_t n = p->text ? strlen(p->text) : 0;

	return n && n < NAME_BYTES && !(n > 1 && p->text[0] == '/' && p->text[n - 1] == '/');
}

static uint32_t moment_of(const struct rule *r)
{
	switch (rule_moment(r)) {
	case RULE_AT_FORK:
		return WATCH_FORK;
	case RULE_AT_CHDIR:
		return WATCH_CHDIR;
	default:
		return WATCH_EXEC;
	}
}

/* The coarse question of each rule. */
static void coarse(const struct rules *rules, struct watch_rule *ret)
{
	for (size_t i = 0; i < rules->count; i++) {
		const struct rule *r = &rules->rule[i];

		ret[i].moments = moment_of(r);
		ret[i].lines = r->id_stderr.text ? LINES_LOOKED_AT : 0;
		if (is_literal(&r->comm))
			strcpy(ret[i].name, r->comm.text);
		if (is_literal(&r->parent))
			strcpy(ret[i].parent_name, r->parent.text);
	}
}

static size_t number_of(const struct rules *rules, const struct rule *r)
{
	return r - rules->rule;
}

/* Whether this task is one of those that are observed. */
static bool has_room(struct watch *w, size_t number, const struct rule *r)
{
	if ((r->max_tasks && w->running[number] >= r->max_tasks) ||
	    (w->serve->max_tasks && w->running_all >= w->serve->max_tasks)) {
		w->skipped_limit++;
		return false;
	}
	if (!rule_sampled(r, ++w->begun[number])) {
		w->skipped_sample++;
		return false;
	}
	return true;
}

static char *const *diagnostics_of(const struct watch *w, const struct rule *r)
{
	return r->diagnostics ? r->diagnostics : w->serve->diagnostics;
}

static void name_it(struct watch *w, struct watched *t, const struct look *look,
		    const struct task_event *e)
{
	char wanted[TASK_ID_MAX + 1];

	if (!t->rule->id_cgroup.text || !look->cgroup[0] ||
	    !rule_id(&t->rule->id_cgroup, look->cgroup, strlen(look->cgroup), wanted))
		snprintf(wanted, sizeof(wanted), "%.32s-%u-%llx", t->rule->name, e->h.pid,
			 (unsigned long long)(t->row.start_utc_ms / 1000));
	naming_free_id(w, wanted, t->row.id);
}

static void describe(struct watch *w, struct watched *t, const struct task_event *e)
{
	char *const *diagnostics = diagnostics_of(w, t->rule);
	size_t n = 0;

	snprintf(t->row.rule, sizeof(t->row.rule), "%s", t->rule->name);
	memcpy(t->row.name, e->name, sizeof(t->row.name));
	t->row.name[sizeof(t->row.name) - 1] = 0;
	for (size_t i = 0; diagnostics[i] && n < sizeof(t->row.diagnostics); i++)
		n += snprintf(t->row.diagnostics + n, sizeof(t->row.diagnostics) - n, "%s%s",
			      i ? "," : "", diagnostics[i]);
	t->row.state = INDEXED_RUNNING;
	t->row.pid = e->h.pid;
	t->row.start_boot_ns = e->h.start_ns;
	t->start_boot_ns = e->h.time_ns;
	t->row.start_utc_ms = (clock_utc_ns() - (clock_boot_ns() - e->h.time_ns)) / NS_PER_MS;
	t->row.processes = 1;
}

static bool on_process(void *context, const struct task_event *e, const char *directory,
		       struct host_wish *ret)
{
	struct watch *w = context;
	const struct rules *rules = &w->serve->rules;
	const struct rule *r;
	struct watched *t;
	struct look look;
	size_t number;

	if (e->rule >= rules->count)
		return false;
	look_at(rules, e, directory, rule_moment(&rules->rule[e->rule]), &look);
	r = rules_match(rules, &look.process);
	if (!r)
		return false;
	number = number_of(rules, r);
	if (!has_room(w, number, r))
		return false;
	t = calloc(1, sizeof(*t));
	if (!t)
		return false;
	t->rule = r;
	t->rules = rules;
	t->helper_fd = -1;
	describe(w, t, e);
	name_it(w, t, &look, e);
	watch_change(w);
	index_put(w->config.index, &t->row);
	for (size_t i = 0; i < 7 && diagnostics_of(w, r)[i]; i++)
		ret->diagnostics[i] = diagnostics_of(w, r)[i];
	ret->mark = t;
	DL_APPEND(w->tasks, t);
	w->running[number]++;
	w->running_all++;
	naming_ask(w, t, e);
	return true;
}

static bool on_line(void *context, void *mark, const char *text, size_t bytes)
{
	struct watched *t = mark;
	char id[TASK_ID_MAX + 1];

	if (!t->rule->id_stderr.text)
		return false;
	for (size_t at = 0; at < bytes;) {
		const char *end = memchr(text + at, '\n', bytes - at);
		size_t n = end ? (size_t)(end - text) - at : bytes - at;

		if (rule_id(&t->rule->id_stderr, text + at, n, id)) {
			naming_rename(context, t, id);
			return false;
		}
		at += n + 1;
	}
	return true;
}

static void on_tick(void *context, void *mark, const struct memory_now *now)
{
	struct watch *w = context;
	struct watched *t = mark;

	t->row.rss_bytes = now->rss_bytes;
	if (now->peak_bytes > t->row.peak_bytes)
		t->row.peak_bytes = now->peak_bytes;
	t->row.processes = now->processes;
	t->row.threads = now->threads;
	watch_change(w);
	index_put(w->config.index, &t->row);
	index_curve_add(w->config.index, t->row.id,
			(double)(clock_boot_ns() - t->start_boot_ns) / NS_PER_S, now->rss_bytes);
}

static void on_end(void *context, struct session *s)
{
	struct watch *w = context;
	struct watched *t = host_mark(s);

	t->over = true;
	t->row.state = INDEXED_SAVING;
	t->row.end_utc_ms = clock_utc_ns() / NS_PER_MS;
	t->row.rss_bytes = 0;
	if (t->rules == &w->serve->rules)
		w->running[number_of(t->rules, t->rule)]--;
	w->running_all--;
	watch_change(w);
	index_put(w->config.index, &t->row);
	while (w->savers >= SAVERS_MAX)
		saving_wait(w);
	if (saving_begin(w, t, s, false)) {
		w->unsaved++;
		t->row.state = INDEXED_LOST;
		index_put(w->config.index, &t->row);
	}
}

/* Tasks that are over and saved, and that no helper is asked about. */
static void forget(struct watch *w)
{
	struct watched *t, *next;

	DL_FOREACH_SAFE(w->tasks, t, next)
	{
		if (!t->over || t->saver || t->snapshot || t->helper_fd >= 0)
			continue;
		DL_DELETE(w->tasks, t);
		free(t);
	}
}

static void write_numbers(struct watch *w)
{
	static const struct {
		enum drop drop;
		const char *name;
	} losses[] = {
		{ DROP_RING_FULL, "taskdiag_lost_records_total{cause=\"ring_full\"}" },
		{ DROP_TARGETS_FULL, "taskdiag_lost_records_total{cause=\"targets_full\"}" },
		{ DROP_IMAGES_FULL, "taskdiag_lost_records_total{cause=\"images_full\"}" },
		{ DROP_THREADS_FULL, "taskdiag_lost_records_total{cause=\"threads_full\"}" },
		{ DROP_TASKS_FULL, "taskdiag_lost_records_total{cause=\"tasks_full\"}" },
	};
	struct index *x = w->config.index;
	struct host_counts c;

	host_counts(w->host, &c);
	watch_change(w);
	index_number_set(x, "taskdiag_tasks_begun_total", c.begun);
	index_number_set(x, "taskdiag_tasks_ended_total", c.ended);
	index_number_set(x, "taskdiag_tasks_skipped_total{cause=\"limit\"}", w->skipped_limit);
	index_number_set(x, "taskdiag_tasks_skipped_total{cause=\"sample\"}", w->skipped_sample);
	index_number_set(x, "taskdiag_tasks_unsaved_total", w->unsaved);
	index_number_set(x, "taskdiag_tasks_running", c.running);
	index_number_set(x, "taskdiag_savers", w->savers);
	index_number_set(x, "taskdiag_records_offered_total", c.drops[DROP_OFFERED]);
	index_number_set(x, "taskdiag_records_recorded_total", c.recorded);
	for (size_t i = 0; i < sizeof(losses) / sizeof(losses[0]); i++)
		index_number_set(x, losses[i].name, c.drops[losses[i].drop]);
	index_number_set(x, "taskdiag_lost_records_total{cause=\"late\"}", c.late);
	index_number_set(x, "taskdiag_lost_records_total{cause=\"malformed\"}", c.malformed);
	index_number_set(x, "taskdiag_lost_records_total{cause=\"task_over\"}", c.strays);
	w->numbers_ns = clock_boot_ns();
}

void watch_pump(struct watch *w)
{
	host_pump(w->host);
	saving_reap(w);
	naming_reap(w);
	forget(w);
	if (clock_boot_ns() - w->numbers_ns >= NUMBERS_NS)
		write_numbers(w);
	if (w->changing)
		index_commit(w->config.index);
	w->changing = false;
}

static bool holds(const char *const *list, const char *name)
{
	for (; *list; list++)
		if (!strcmp(*list, name))
			return true;
	return false;
}

/* All that some rule wants. */
static void diagnostics_all(const struct watch *w, const char *ret[8])
{
	size_t n = 0;

	ret[0] = NULL;
	for (size_t i = 0; i < w->serve->rules.count; i++)
		for (char *const *d = diagnostics_of(w, &w->serve->rules.rule[i]); *d && n < 7; d++)
			if (!holds(ret, *d)) {
				ret[n++] = *d;
				ret[n] = NULL;
			}
}

int watch_new(const struct watch_config *config, struct watch **ret, struct problem *problem)
{
	struct watch_rule rules[RULES_MAX] = {};
	struct host_config host = {
		.rules = rules,
		.rule_count = config->serve->rules.count,
		.tasks = TASKS_DEFAULT,
		.interval_ns = config->serve->interval_ns,
		.frequency_hz = config->serve->frequency_hz,
		.ring_bytes = RING_BYTES,
		.verbose = config->verbose,
		.accept = on_process,
		.line = on_line,
		.tick = on_tick,
		.ended = on_end,
	};
	struct watch *w;
	int err;

	if (!config->serve->diagnostics[0] || !config->serve->rules.count)
		return -ENOENT;
	w = calloc(1, sizeof(*w));
	if (!w)
		return -ENOMEM;
	w->config = *config;
	w->serve = config->serve;
	host.context = w;
	diagnostics_all(w, host.diagnostics);
	coarse(&config->serve->rules, rules);
	err = host_new(&host, &w->host, problem);
	if (err) {
		free(w);
		return err;
	}
	*ret = w;
	return 0;
}

void watch_free(struct watch *w, uint64_t patience_ns)
{
	uint64_t until = clock_boot_ns() + patience_ns;
	struct watched *t, *next;

	if (!w)
		return;
	write_numbers(w);
	host_free(w->host);
	while (w->savers && clock_boot_ns() < until) {
		saving_reap(w);
		usleep(1000);
	}
	if (w->changing)
		index_commit(w->config.index);
	DL_FOREACH_SAFE(w->tasks, t, next)
	{
		if (t->helper_fd >= 0)
			close(t->helper_fd);
		free(t);
	}
	free(w);
}

int watch_reload(struct watch *w, const struct serve_config *serve, struct problem *problem)
{
	const struct serve_config *before = w->serve;
	const char *loaded[8], *wanted[8];
	struct watch_rule rules[RULES_MAX] = {};

	diagnostics_all(w, loaded);
	w->serve = serve;
	diagnostics_all(w, wanted);
	for (size_t i = 0; wanted[i]; i++)
		if (!holds(loaded, wanted[i])) {
			w->serve = before;
			return problem_set(problem, -EXDEV,
					   "%s was not asked for at the start: restart the service",
					   wanted[i]);
		}
	coarse(&serve->rules, rules);
	host_rules(w->host, rules, serve->rules.count);
	memset(w->begun, 0, sizeof(w->begun));
	memset(w->running, 0, sizeof(w->running));
	return 0;
}

int watch_fd(const struct watch *w)
{
	return host_fd(w->host);
}

static struct watched *find(const struct watch *w, const char *id)
{
	struct watched *t;

	DL_FOREACH(w->tasks, t)
	if (!strcmp(t->row.id, id))
		return t;
	return NULL;
}

int watch_snapshot(struct watch *w, const char *id)
{
	struct watched *t = find(w, id);
	struct session *s = t && !t->over ? host_find(w->host, t) : NULL;

	if (!s)
		return -ENOENT;
	if (t->snapshot || w->savers >= SAVERS_MAX)
		return -EAGAIN;
	return saving_begin(w, t, s, true);
}

bool watch_is_snapshotting(const struct watch *w, const char *id)
{
	const struct watched *t = find(w, id);

	return t && t->snapshot;
}
