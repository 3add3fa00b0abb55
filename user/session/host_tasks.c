/* host_tasks.c - tasks of a host: begun by a record of the kernel, ended by another. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "collect/stacks.h"
#include "inspect/inspect.h"
#include "lib/clock.h"
#include "session/host_private.h"

/* After its exit is told, what it leaves is: its address space comes to nothing. */
#define LAST_NS (40 * NS_PER_MS)

static int describe(struct session *s, const struct task_event *e)
{
	memcpy(s->name, e->name, sizeof(s->name));
	s->name[sizeof(s->name) - 1] = 0;
	s->roots[0] = e->h.pid;
	s->root_count = 1;
	s->command_line = strdup(s->name); /* what it was called with may hold secrets */
	s->o.command = s->command_line;
	return s->command_line ? 0 : -ENOMEM;
}

static int session_join(struct host *h, const struct task_event *e, const struct host_wish *wish,
			struct session **ret)
{
	struct session *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return -ENOMEM;
	memcpy(s->options.diagnostics, wish->diagnostics, sizeof(s->options.diagnostics));
	s->options.interval_ns = h->config.interval_ns;
	s->options.frequency_hz = h->config.frequency_hz;
	s->options.resident_only = true;
	s->options.process_start_ns = e->h.time_ns;
	s->epoll = s->timer = s->signals = s->profile_timer = s->status = -1;
	s->snapshot_timer = s->calls_timer = s->usage_timer = -1;
	for (size_t i = 0; i < MAX_ROOTS; i++)
		s->pidfds[i] = -1;
	s->shares = true;
	s->probes = h->probes;
	s->task = e->h.task;
	s->mark = wish->mark;
	s->stream.o = &s->o;
	s->o.interval_ns = h->config.interval_ns;
	s->o.processes = processes_new();
	s->o.unwinder = h->unwinder;
	s->o.inspect = h->inspect;
	s->o.wakes = probes_wakes(h->probes);
	s->o.event_driven = probes_event_driven(h->probes);
	s->o.resolution_bytes = probes_resolution(h->probes);
	s->o.start_ns = e->h.time_ns;
	s->attached_ns = clock_boot_ns();
	s->o.start_utc_ns = clock_utc_ns() - (s->attached_ns - s->o.start_ns);
	memcpy(s->drops_before, h->drops, sizeof(s->drops_before));
	err = s->o.processes ? describe(s, e) : -ENOMEM;
	if (!err)
		err = session_collectors(s);
	if (err) {
		session_free(s);
		return err;
	}
	*ret = s;
	return 0;
}

/* Names come innermost first, each ends with a zero. */
static void directory_of(const struct task_event *e, char *ret, size_t size)
{
	size_t at = size - 1, from = 0, bytes = e->bytes < sizeof(e->path) ? e->bytes : 0;

	ret[at] = 0;
	while (from < bytes) {
		size_t n = strnlen(e->path + from, bytes - from);

		if (n + 1 > at)
			break;
		at -= n;
		memcpy(ret + at, e->path + from, n);
		ret[--at] = '/';
		from += n + 1;
	}
	memmove(ret, ret + at, size - at);
}

static void refuse(struct host *h, uint32_t number)
{
	h->counts.refused++;
	h->refused[h->refused_count++] = number; /* one for each slot at most */
	probes_lines_end(h->probes, number);
}

static void on_task(struct host *h, const struct task_event *e)
{
	size_t slot = task_slot(e->h.task);
	struct host_wish wish = {};
	char directory[sizeof(e->path) + 16];

	if (slot >= h->config.tasks || h->tasks[slot]) {
		h->counts.malformed++;
		return;
	}
	directory_of(e, directory, sizeof(directory));
	if (!h->config.accept(h->config.context, e, directory, &wish) ||
	    session_join(h, e, &wish, &h->tasks[slot])) {
		refuse(h, e->h.task);
		return;
	}
	if (e->bytes) /* after a chdir: it runs its parent's program, as the next one will */
		host_parent_meet(h, e->parent_tgid, e->parent_pid, e->parent_start_ns);
	h->counts.begun++;
	h->counts.recorded++;
	h->fresh = true;
	h->threads |= e->threads > 1;
}

static void on_line(struct host *h, struct session *s, const struct line_event *e)
{
	size_t bytes = e->bytes < sizeof(e->text) ? e->bytes : sizeof(e->text);

	s->stream.recorded++;
	if (!h->config.line(h->config.context, s->mark, e->text, bytes))
		probes_lines_end(h->probes, s->task);
}

static void see_end(struct session *s, const struct event_header *h)
{
	if (h->type != EV_EXIT || h->pid != (uint32_t)s->roots[0] || s->ended_ns)
		return;
	s->ended_ns = clock_boot_ns();
	s->stop = STOP_ENDED;
}

static bool is_whole(const struct event_header *h, size_t bytes)
{
	if (bytes < sizeof(*h) || h->size > bytes)
		return false;
	if (h->type == EV_TASK)
		return h->size == sizeof(struct task_event);
	return h->type != EV_LINE || h->size == sizeof(struct line_event);
}

void host_record(void *host, const void *record, size_t bytes)
{
	const struct event_header *header = record;
	struct host *h = host;
	struct session *s;

	if (!is_whole(header, bytes)) {
		h->counts.malformed++;
		return;
	}
	if (header->type == EV_TASK) {
		on_task(h, record);
		return;
	}
	s = h->tasks[task_slot(header->task)];
	if (!s || s->task != header->task) {
		h->counts.strays++;
		return;
	}
	if (header->type == EV_LINE) {
		on_line(h, s, record);
		return;
	}
	stream_record(&s->stream, record, bytes);
	see_end(s, header);
}

/* Losses of the time that it ran: whose they were, nobody knows. */
static void drops_of(struct session *s)
{
	uint64_t now[DROP_MAX], lost = 0;

	probes_drops(s->probes, now);
	for (size_t i = 0; i < DROP_MAX; i++)
		s->drops[i] = now[i] - s->drops_before[i];
	for (size_t i = DROP_RING_FULL; i <= DROP_THREADS_FULL; i++)
		lost += s->drops[i];
	s->drops[DROP_OFFERED] = s->stream.recorded + s->stream.late + s->stream.malformed + lost;
}

/* What no record will tell any more. */
static void take_rest(struct session *s)
{
	bool alive = processes_alive(s->o.processes) > 0;

	if (alive)
		probes_release(s->probes, &s->task, 1);
	probes_drain(s->probes);
	if (alive)
		probes_images(s->probes, s->task, session_last_state, s);
	if (s->o.period_ns && alive)
		probes_threads_left(s->probes, s->task, s->o.period_ns, session_last_state, s);
}

static void last_tick(struct session *s)
{
	struct task_sample sample;

	if (!probes_task_sample(s->probes, s->task, &sample))
		return;
	s->o.tick++;
	s->o.tick_ns = sample.time_ns;
	s->o.gap_ns = 0;
	stream_sample(&s->stream, &sample, sizeof(sample));
	for (size_t i = 0; s->stream.collectors[i]; i++)
		if (s->stream.collectors[i]->tick)
			s->stream.collectors[i]->tick(s->stream.selves[i]);
}

void host_end(struct host *h, struct session *s)
{
	uint32_t number = s->task;

	if (s->stop == STOP_NONE)
		s->stop = STOP_USER;
	last_tick(s);
	take_rest(s);
	drops_of(s);
	s->o.end_ns = clock_boot_ns();
	s->o.lost_marks = s->drops[NOTE_LOST_MARKS];
	session_totals(s);
	h->config.ended(h->config.context, s);
	h->counts.ended++;
	h->counts.recorded += s->stream.recorded;
	h->counts.late += s->stream.late;
	h->counts.malformed += s->stream.malformed;
	h->tasks[task_slot(number)] = NULL;
	session_free(s);
	probes_task_free(h->probes, number);
}

void host_reap(struct host *h)
{
	uint64_t now = clock_boot_ns();
	struct session *s;

	if (h->refused_count) {
		probes_release(h->probes, h->refused, h->refused_count);
		probes_drain(h->probes);
		while (h->refused_count)
			probes_task_free(h->probes, h->refused[--h->refused_count]);
	}
	host_each(h, s) if (s->ended_ns && now - s->ended_ns >= LAST_NS) host_end(h, s);
}

int host_save(struct session *s, const char *path, const char *task_id, bool partial,
	      session_extra_fn extra, json_t **ret_manifest, struct problem *problem)
{
	int err = 0;

	s->options.task_id = task_id;
	if (partial) {
		s->o.end_ns = clock_boot_ns();
		drops_of(s);
		session_totals(s);
	}
	s->o.snapshot = true; /* what is shared is not touched */
	if (s->o.inspect)
		err = inspect_new(inspect_self, &s->o.inspect); /* the other is the parent's */
	if (err)
		return problem_set(problem, err, "inspection worker: %s", strerror(-err));
	s->options.owner = (struct identity){ .uid = geteuid(), .gid = getegid() };
	err = rundir_new(path, &s->options.owner, &s->rundir, problem);
	if (err)
		return err;
	s->manifest = session_manifest(s);
	err = s->manifest ? session_write(s, s->rundir, extra, problem) : -ENOMEM;
	*ret_manifest = s->manifest;
	return err;
}
