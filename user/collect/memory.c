/* memory.c - see memory.h */
#include "collect/memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "aggregate/series.h"
#include "artifact/memory_files.h"
#include "collect/memory_manifest.h"
#include "collect/pss.h"

static void watch_cgroup(struct memory *m)
{
	struct problem problem = {};

	if (!m->o->cgroup)
		return;
	if (cgroup_has_memory(m->o->cgroup, &problem))
		m->memcg = memcg_new(m->o->cgroup);
	m->files = m->memcg ? file_cache_new(m->o) : NULL;
	if (!m->memcg)
		snprintf(m->no_memcg, sizeof(m->no_memcg), "%s",
			 problem.text[0] ? problem.text : strerror(errno));
}

void *memory_new(const struct observation *o)
{
	struct memory *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->o = o;
	m->pss_bytes = NOT_MEASURED;
	watch_cgroup(m);
	m->series = series_new(SERIES_LIMIT, m->memcg ? memcg_numbers() : 0);
	if (!m->series) {
		memory_free(m);
		return NULL;
	}
	return m;
}

void memory_free(void *self)
{
	struct memory *m = self;

	if (!m)
		return;
	series_free(m->series);
	memcg_free(m->memcg);
	file_cache_free(m->files);
	free(m->images);
	free(m);
}

static void peak_of_process(struct process *p, uint64_t bytes, uint64_t time_ns)
{
	if (bytes > p->peak_bytes) {
		p->peak_bytes = bytes;
		p->peak_ns = time_ns;
	}
}

void memory_record(void *self, const struct event_header *h)
{
	const struct image_event *e = (const struct image_event *)h;
	struct memory *m = self;
	struct process *p;

	if (h->type == EV_FILE && m->files)
		file_cache_record(m->files, (const struct file_event *)h);
	if (h->type != EV_IMAGE_END)
		return;
	p = processes_find(m->o->processes, h->tgid, h->start_ns);
	if (p)
		peak_of_process(p, e->peak_bytes, e->peak_ns);
	processes_share(m->o->processes, p, e->epoch, e->share_bytes);
}

static void sample_task(struct memory *m, const struct task_sample *s)
{
	m->tick = (struct series_point){ .time_ns = s->time_ns, .pss_bytes = NOT_MEASURED };
	m->image_count = 0;
	m->tracked_bytes = s->rss_bytes;
	if (m->memcg)
		memcg_sample(m->memcg, s);
	if (m->o->event_driven) {
		m->tick.peak_bytes = s->interval_peak_bytes;
		m->tick.peak_ns = s->interval_peak_ns;
	}
}

/* An address space counts once, whoever shares it. Returns true when it is new in this tick;
 * without memory it counts. */
static bool image_first(struct memory *m, uint64_t image)
{
	for (size_t i = m->image_count;
	     i-- > 0;) /* those that share were forked one after the other */
		if (m->images[i] == image)
			return false;
	if (m->image_count == m->image_room) {
		size_t room = m->image_room ? m->image_room * 2 : 64;
		uint64_t *grown = reallocarray(m->images, room, sizeof(*grown));

		if (!grown)
			return true;
		m->images = grown;
		m->image_room = room;
	}
	m->images[m->image_count++] = image;
	return true;
}

static void sample_process(struct memory *m, const struct process_sample *s)
{
	struct process *p = processes_get(m->o->processes, s->tgid, s->start_ns);
	bool again = p && p->sampled_tick == m->o->tick;

	if (!p || again ||
	    p->end != END_RUNNING) /* several threads speak for a first thread that has ended */
		return;
	p->last_tick = p->sampled_tick = m->o->tick;
	p->pid = s->pid;
	memcpy(p->name, s->name, sizeof(p->name));
	p->name[sizeof(p->name) - 1] = 0;
	p->minor_faults = s->minor_faults;
	p->major_faults = s->major_faults;
	p->rss_bytes = 0;
	p->parts = (struct process_parts){};
	m->tick.processes++;
	m->tick.threads += s->threads;
	if (!s->image || !image_first(m, s->image))
		return;
	p->rss_bytes = s->anon_bytes + s->file_bytes + s->shmem_bytes;
	p->parts =
	    (struct process_parts){ s->anon_bytes, s->file_bytes, s->shmem_bytes, s->swap_bytes };
	peak_of_process(p, p->rss_bytes, m->o->tick_ns);
	m->tick.anon_bytes += s->anon_bytes;
	m->tick.file_bytes += s->file_bytes;
	m->tick.shmem_bytes += s->shmem_bytes;
	m->tick.swap_bytes += s->swap_bytes;
	m->tick.rss_bytes += p->rss_bytes;
}

/* Records are in order of the kernel's list of tasks: a first thread comes before the others of its
 * process. */
static void sample_thread(struct memory *m, const struct thread_sample *s)
{
	m->thread_minor += s->minor_faults;
	m->thread_major += s->major_faults;
}

void memory_sample(void *self, const struct sample_header *h)
{
	struct memory *m = self;

	if (h->type == SAMPLE_TASK && h->size == sizeof(struct task_sample)) {
		m->thread_minor = m->thread_major = 0;
		sample_task(m, (const struct task_sample *)h);
	} else if (h->type == SAMPLE_PROCESS && h->size == sizeof(struct process_sample)) {
		sample_process(m, (const struct process_sample *)h);
	} else if (h->type == SAMPLE_THREAD && h->size == sizeof(struct thread_sample)) {
		sample_thread(m, (const struct thread_sample *)h);
	}
}

static void tick_faults(struct memory *m)
{
	uint64_t minor, major;

	processes_ended_faults(m->o->processes, &minor, &major);
	minor += m->thread_minor;
	major += m->thread_major;
	for (struct process *p = processes_first(m->o->processes); p; p = p->hh.next) {
		if (p->end != END_RUNNING)
			continue;
		minor += p->minor_faults;
		major += p->major_faults;
	}
	/* what a thread had is not told for a moment when it ends: it is part of its process's
	 * count at the next tick */
	m->minor_faults = minor > m->minor_faults ? minor : m->minor_faults;
	m->major_faults = major > m->major_faults ? major : m->major_faults;
	m->tick.minor_faults = m->minor_faults;
	m->tick.major_faults = m->major_faults;
}

static void tick_pss(struct memory *m)
{
	uint64_t bytes;
	int err;

	if (!m->tick.processes ||
	    !pss_affordable(&m->pss, m->o->tick_ns, m->tick.rss_bytes, m->tick.processes))
		return;
	err = pss_measure(&m->pss, m->o->processes, &bytes);
	if (err) {
		m->pss_failed |= err != -ESRCH;
		return;
	}
	m->tick.pss_bytes = bytes;
	if (m->pss_bytes != NOT_MEASURED && m->tick.rss_bytes < m->pss_rss_bytes)
		return;
	m->pss_bytes = bytes; /* the one nearest to the peak is the one to tell */
	m->pss_ns = m->o->tick_ns;
	m->pss_rss_bytes = m->tick.rss_bytes;
}

/* Then every process held what that tick saw. */
static void peak_is_highest_tick(struct memory *m)
{
	m->epoch++;
	for (struct process *p = processes_first(m->o->processes); p; p = p->hh.next)
		if (p->highest_tick_bytes)
			processes_share(m->o->processes, p, m->epoch, p->highest_tick_bytes);
}

/* A tick that is itself a new peak: without rss_stat it is all there is, with it it stands until
 * RSS falls. */
static void tick_peak(struct memory *m)
{
	if (m->tick.rss_bytes <= m->peak_bytes)
		return;
	m->peak_bytes = m->tick.rss_bytes;
	m->peak_ns = m->o->tick_ns;
	for (struct process *p = processes_first(m->o->processes); p; p = p->hh.next)
		p->highest_tick_bytes = p->end == END_RUNNING ? p->rss_bytes : 0;
	if (!m->o->event_driven)
		peak_is_highest_tick(m);
}

/* What every process has while most is in use: by these the peak is accounted for. */
static void tick_memcg(struct memory *m)
{
	if (!m->memcg || !memcg_tick(m->memcg, m->o->tick_ns))
		return;
	m->usage_tick = m->o->tick;
	if (m->files)
		file_cache_look(m->files);
	for (struct process *p = processes_first(m->o->processes); p; p = p->hh.next) {
		if (p->end != END_RUNNING)
			continue;
		p->usage_tick = m->o->tick;
		p->at_usage = p->parts;
	}
}

int memory_tick(void *self)
{
	struct memory *m = self;

	if (m->tick.peak_bytes > m->peak_bytes) {
		m->peak_bytes = m->tick.peak_bytes;
		m->peak_ns = m->tick.peak_ns;
	}
	tick_peak(m);
	tick_faults(m);
	tick_pss(m);
	tick_memcg(m);
	m->tick.gap_ns = m->o->gap_ns;
	m->tick.gap_suspend = m->o->gap_suspend;
	if (m->tick.swap_bytes > m->swap_peak_bytes)
		m->swap_peak_bytes = m->tick.swap_bytes;
	m->ticks++;
	return series_add(m->series, &m->tick, m->memcg ? memcg_at(m->memcg) : NULL);
}

bool memory_rises(void *self)
{
	struct memory *m = self;

	return m->memcg && memcg_rises(m->memcg);
}

void memory_now(const void *self, struct memory_now *ret)
{
	const struct memory *m = self;

	ret->rss_bytes = m->tick.rss_bytes;
	ret->peak_bytes = m->peak_bytes;
	ret->processes = m->tick.processes;
	ret->threads = m->tick.threads;
	ret->usage_highest = m->usage_tick && m->usage_tick == m->o->tick;
}

/* Still at its highest when the observation ended: then every process holds what the last tick saw.
 */
static void peak_is_last_tick(struct memory *m)
{
	m->epoch++;
	for (struct process *p = processes_first(m->o->processes); p; p = p->hh.next)
		if (p->end == END_RUNNING)
			processes_share(m->o->processes, p, m->epoch, p->rss_bytes);
}

void memory_totals(void *self, uint64_t peak_bytes, uint64_t peak_ns, uint64_t epoch)
{
	struct memory *m = self;

	if (!m->o->event_driven)
		return;
	m->epoch = epoch;
	/* a tick reads the kernel's own counters: where it saw more, the probe was kept from it */
	if (m->o->probe_missed && m->peak_bytes > peak_bytes && m->peak_bytes > m->tracked_bytes) {
		m->peak_missed = true;
		peak_is_highest_tick(m);
		return;
	}
	if (m->tracked_bytes > peak_bytes) {
		m->peak_bytes = m->tracked_bytes;
		m->peak_ns = m->tick.time_ns;
		peak_is_last_tick(m);
		return;
	}
	m->peak_bytes = peak_bytes;
	m->peak_ns = peak_ns;
}

static int write_one(struct rundir *r, struct problem *problem, const char *name,
		     const struct memory *m)
{
	FILE *file = rundir_begin(r, name, problem);

	if (!file)
		return -EIO;
	if (!strcmp(name, "memory.datum"))
		memory_datum_write(file, m->series, m->o->start_ns);
	else if (!strcmp(name, "memory.csv"))
		memory_csv_write(file, m->series, m->o->start_ns,
				 m->memcg ? memcg_number_name : NULL, memcg_numbers());
	else
		mprof_dat_write(file, m->series, m->o->start_ns, m->o->start_utc_ns, m->o->command);
	return rundir_end(r, file, problem);
}

int memory_write(void *self, struct rundir *r, struct problem *problem)
{
	static const char *const names[] = { "memory.datum", "memory.csv", "mprof.dat" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		int err = write_one(r, problem, names[i], self);

		if (err)
			return err;
	}
	return 0;
}
