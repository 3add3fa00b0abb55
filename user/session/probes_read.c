/* probes_read.c - reads what the programs keep: samples by iterators, maps at the end. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bpf/profile.h"
#include "lib/cleanup.h"
#include "session/probes_private.h"
#include "taskdiag.skel.h"

/* Hands out the records of a chunk; returns how many bytes of an unfinished one are left at its
 * end. */
static ssize_t samples_split(unsigned char *chunk, size_t length, record_fn fn, void *context)
{
	size_t at = 0;

	while (length - at >= sizeof(struct sample_header)) {
		struct sample_header h;

		memcpy(&h, chunk + at, sizeof(h));
		if (h.size < sizeof(h) || h.size > 4096)
			return -EBADMSG;
		if (h.size > length - at)
			break;
		fn(context, chunk + at, h.size);
		at += h.size;
	}
	memmove(chunk, chunk + at, length - at);
	return length - at;
}

static int iterate(struct probes *p, struct bpf_link *link, record_fn fn, void *context)
{
	_cleanup_close_ int fd = bpf_iter_create(bpf_link__fd(link));
	ssize_t n, kept = 0;

	if (fd < 0)
		return -errno;
	while ((n = read(fd, p->buffer + kept, SAMPLE_BUFFER - kept)) != 0) {
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n < 0)
			return -errno;
		kept = fn ? samples_split(p->buffer, kept + n, fn, context) : 0;
		if (kept < 0)
			return kept;
	}
	return 0;
}

int probes_sample(struct probes *p, record_fn fn, void *context)
{
	return iterate(p, p->sample, fn, context);
}

int probes_threads(struct probes *p, record_fn fn, void *context)
{
	return iterate(p, p->threads, fn, context);
}

/* What a thread had not sent, and how many marks it had. */
static void thread_left(const struct thread *t, uint64_t period_ns, record_fn fn, void *context)
{
	const struct event_header h = {
		.start_ns = t->start_ns, .tgid = t->tgid, .pid = t->pid, .task = t->task
	};
	struct marks_event marks = { .h = h,
				     .first_ns = t->cpu_marks ? t->cpu_first_ns : t->wait_first_ns,
				     .marks = t->cpu_marks + t->wait_marks,
				     .cause = CAUSE_UNSAMPLED,
				     .tid = t->tid };
	struct thread_event end = { .h = h,
				    .begin_ns = t->begin_ns,
				    .marks = t->marks,
				    .lost_marks = t->lost_marks,
				    .tid = t->tid,
				    .untold = 1 };

	marks.h.type = EV_MARKS;
	marks.h.size = sizeof(marks);
	end.h.type = EV_THREAD_END;
	end.h.size = sizeof(end);
	marks.h.time_ns = end.h.time_ns = t->next_ns - period_ns;
	if (marks.marks)
		fn(context, &marks, sizeof(marks));
	fn(context, &end, sizeof(end));
}

void probes_threads_left(const struct probes *p, uint32_t task, uint64_t period_ns, record_fn fn,
			 void *context)
{
	int fd = bpf_map__fd(p->skel->maps.threads);
	const void *key = NULL;
	struct thread t;
	uint32_t tid, next;

	for (; !bpf_map_get_next_key(fd, key, &next); tid = next, key = &tid)
		if (!bpf_map_lookup_elem(fd, &next, &t) && t.task == task)
			thread_left(&t, period_ns, fn, context);
}

void probes_unwind_maps(const struct probes *p, int *ret_chunks, int *ret_mappings,
			int *ret_processes, int *ret_pythons)
{
	*ret_chunks = bpf_map__fd(p->skel->maps.chunks);
	*ret_mappings = bpf_map__fd(p->skel->maps.unwind_mappings);
	*ret_processes = bpf_map__fd(p->skel->maps.unwind_processes);
	*ret_pythons = bpf_map__fd(p->skel->maps.python_layouts);
}

int probes_execs(const struct probes *p, uint32_t tgid, uint64_t start_ns, uint32_t *ret)
{
	struct target target;

	if (bpf_map_lookup_elem(bpf_map__fd(p->skel->maps.targets), &tgid, &target) ||
	    target.start_ns != start_ns)
		return -ESRCH;
	*ret = target.execs;
	return 0;
}

int probes_calls_open(struct probes *p, uint32_t tgid, uint64_t start_ns)
{
	struct calls_open open = { .start_ns = start_ns };
	int err = probes_execs(p, tgid, start_ns, &open.execs);

	if (err)
		return err;
	return bpf_map_update_elem(bpf_map__fd(p->skel->maps.calls_open), &tgid, &open, BPF_ANY)
		   ? -errno
		   : 0;
}

void probes_calls_close(struct probes *p, uint32_t tgid)
{
	bpf_map_delete_elem(bpf_map__fd(p->skel->maps.calls_open), &tgid);
}

bool probes_wakes(const struct probes *p)
{
	return p->wakes;
}

static uint64_t control_adopted(const struct probes *p, uint64_t *ret_seen)
{
	struct control control = {};
	__u32 zero = 0;

	bpf_map_lookup_elem(bpf_map__fd(p->skel->maps.control), &zero, &control);
	*ret_seen = control.roots_seen;
	return control.adopted;
}

int probes_adopt(struct probes *p, const struct root *roots, size_t count, uint64_t *ret_seen,
		 struct problem *problem)
{
	uint64_t before, after;
	int err;

	for (__u32 i = 0; i < count; i++)
		if (bpf_map_update_elem(bpf_map__fd(p->skel->maps.roots), &i, &roots[i], BPF_ANY))
			return problem_set(problem, -errno, "name the task's processes: %s",
					   strerror(errno));
	after = control_adopted(p, ret_seen);
	do { /* a whole pass after the last one that was adopted: see lifecycle_adopt */
		before = after;
		err = iterate(p, p->adopt, NULL, NULL);
		if (err)
			return problem_set(problem, err, "scan of processes: %s", strerror(-err));
		after = control_adopted(p, ret_seen);
		probes_drain(p);
	} while (after != before);
	return 0;
}

void probes_task_peak(const struct probes *p, uint32_t task, uint64_t *ret_bytes, uint64_t *ret_ns,
		      uint64_t *ret_epoch)
{
	_cleanup_free_ struct task_state *state = calloc(1, sizeof(*state));
	__u32 slot = task_slot(task);

	*ret_bytes = *ret_ns = *ret_epoch = 0;
	if (!state || !p->event_driven ||
	    bpf_map_lookup_elem(bpf_map__fd(p->skel->maps.tasks), &slot, state) ||
	    state->number != task)
		return;
	*ret_bytes = state->peak_pages > 0 ? state->peak_pages * sysconf(_SC_PAGESIZE) : 0;
	*ret_ns = state->peak_ns;
	*ret_epoch = state->epoch;
}

static int64_t image_pages(const struct image *image, uint32_t nr_cpus)
{
	int64_t pages = image->count[0] + image->count[1] + image->count[3];

	for (uint32_t i = 0; i < nr_cpus; i++)
		pages += image->cpu[i].local[0] + image->cpu[i].local[1] + image->cpu[i].local[3];
	return pages > 0 ? pages : 0;
}

void probes_images(const struct probes *p, uint32_t task, record_fn fn, void *context)
{
	_cleanup_free_ struct image *image = calloc(1, sizeof(*image));
	uint64_t page = sysconf(_SC_PAGESIZE), peak_bytes, peak_ns, epoch, mm, next;
	int fd = bpf_map__fd(p->skel->maps.images);
	const void *key = NULL;

	probes_task_peak(p, task, &peak_bytes, &peak_ns, &epoch);
	for (; image && !bpf_map_get_next_key(fd, key, &next); mm = next, key = &mm) {
		struct image_event e = { .h = { .type = EV_IMAGE_END, .size = sizeof(e) } };
		uint64_t pages;

		if (bpf_map_lookup_elem(fd, &next, image) || image->task != task)
			continue;
		pages = image_pages(image, p->nr_cpus);
		e.h.start_ns = image->start_ns;
		e.h.tgid = image->tgid;
		e.h.pid = image->pid;
		e.h.task = image->task;
		e.peak_bytes = image->peak_pages > 0 ? image->peak_pages * page : 0;
		e.peak_ns = image->peak_ns;
		e.epoch = epoch;
		e.image = next;
		e.share_bytes = image->epoch == epoch ? image->share_pages * page : pages * page;
		fn(context, &e, sizeof(e));
	}
}

void probes_drops(const struct probes *p, uint64_t ret[DROP_MAX])
{
	_cleanup_free_ uint64_t *per_cpu = calloc(p->nr_cpus, sizeof(*per_cpu));

	for (__u32 cause = 0; cause < DROP_MAX; cause++) {
		ret[cause] = 0;
		if (!per_cpu ||
		    bpf_map_lookup_elem(bpf_map__fd(p->skel->maps.drops), &cause, per_cpu))
			continue;
		for (uint32_t i = 0; i < p->nr_cpus; i++)
			ret[cause] += per_cpu[i];
	}
}

uint64_t probes_missed(const struct probes *p)
{
	struct bpf_program *program;
	uint64_t missed = 0;

	bpf_object__for_each_program (program, p->skel->obj) {
		struct bpf_prog_info info = {};
		__u32 length = sizeof(info);

		if (bpf_program__fd(program) >= 0 &&
		    !bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &length))
			missed += info.recursion_misses;
	}
	return missed;
}

uint64_t probes_resolution(const struct probes *p)
{
	struct control control = {};
	__u32 zero = 0;

	bpf_map_lookup_elem(bpf_map__fd(p->skel->maps.control), &zero, &control);
	return control.rss_percpu || !p->event_driven ? 0 : 64 * sysconf(_SC_PAGESIZE);
}

bool probes_event_driven(const struct probes *p)
{
	return p->event_driven;
}

const char *probes_limit(const struct probes *p, enum probes_of of, size_t index)
{
	for (size_t i = 0; i < p->limit_count; i++)
		if (p->limits_of[i] == of && !index--)
			return p->limits[i];
	return NULL;
}

bool probes_counts_files(const struct probes *p)
{
	return p->cache;
}

#define FILES_BATCH 1024

void probes_cached_files(void *probes,
			 void (*fn)(void *to, const struct cached_file *key, int64_t pages),
			 void *to)
{
	struct probes *p = probes;
	int fd = bpf_map__fd(p->skel->maps.cached_files), err;
	_cleanup_free_ struct cached_file *keys = calloc(FILES_BATCH, sizeof(*keys));
	_cleanup_free_ int64_t *pages = calloc(FILES_BATCH, sizeof(*pages));
	uint32_t batch = 0, count;
	void *from = NULL;

	if (!keys || !pages)
		return;
	do {
		count = FILES_BATCH;
		err = bpf_map_lookup_batch(fd, from, &batch, keys, pages, &count, NULL);
		if (err && errno != ENOENT)
			return;
		for (uint32_t i = 0; i < count; i++)
			fn(to, &keys[i], pages[i]);
		from = &batch;
	} while (!err);
	fn(to, NULL, p->skel->bss->cached_others);
}
