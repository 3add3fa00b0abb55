/* follow.c - see follow.h */
#include "unwind/follow_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "unwind/layout.h"

/* A child's record of the ring may overtake its fork in the side-band; then it is read. */
#define WAIT_FORK_NS (5 * NS_PER_MS)

static void file_came(void *context, uint32_t file)
{
	files_ref(((struct follow *)context)->files, file);
}

static void file_left(void *context, uint32_t file)
{
	files_unref(((struct follow *)context)->files, file);
}

int follow_new(const struct unwinder_config *config, struct files *files, struct mappings *mappings,
	       struct follow **ret)
{
	struct follow *f = calloc(1, sizeof(*f));

	if (!f)
		return -ENOMEM;
	f->files = files;
	f->mappings = mappings;
	f->watch = (struct areas_watch){ file_came, file_left, f };
	f->follow_children = config->follow_children;
	f->execs = config->execs;
	f->context = config->context;
	*ret = f;
	return 0;
}

struct process *follow_find_pid(const struct follow *f, uint32_t pid)
{
	struct process *p;

	HASH_FIND(hh, f->by_pid, &pid, sizeof(pid), p);
	return p;
}

struct process *follow_find_tgid(const struct follow *f, uint32_t tgid)
{
	struct process *p;

	HASH_FIND(hh_tgid, f->by_tgid, &tgid, sizeof(tgid), p);
	return p;
}

void follow_due_at(struct follow *f, uint64_t at_ns)
{
	if (!f->due_ns || at_ns < f->due_ns)
		f->due_ns = at_ns;
}

void follow_touch(struct follow *f, struct process *p)
{
	p->changed = f->changed = true;
}

void follow_drop(struct follow *f, struct process *p)
{
	if (p->tgid) {
		HASH_DELETE(hh_tgid, f->by_tgid, p);
		mappings_hide(f->mappings, p->tgid, p->start_ns);
	}
	HASH_DELETE(hh, f->by_pid, p);
	follow_scan_stop(f, p);
	image_put(p->image, f->mappings, clock_monotonic_ns());
	free(p);
}

void follow_free(struct follow *f)
{
	struct process *p, *next;

	if (!f)
		return;
	HASH_ITER (hh, f->by_pid, p, next)
		follow_drop(f, p);
	free(f);
}

struct process *follow_new_process(struct follow *f, uint32_t pid)
{
	struct process *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->pid = pid;
	p->image = image_new(&f->watch);
	if (!p->image) {
		free(p);
		return NULL;
	}
	HASH_ADD(hh, f->by_pid, pid, sizeof(p->pid), p);
	return p;
}

static void process_name(struct follow *f, struct process *p, uint32_t tgid, uint64_t start_ns)
{
	struct process *old = follow_find_tgid(f, tgid);

	if (old && old != p) /* seen under another pid: cannot be the same */
		follow_drop(f, old);
	p->tgid = tgid;
	p->start_ns = start_ns;
	HASH_ADD(hh_tgid, f->by_tgid, tgid, sizeof(p->tgid), p);
	follow_touch(f, p);
}

int follow_process(struct follow *f, uint32_t tgid, uint32_t pid, uint64_t start_ns, bool adopted)
{
	struct process *p = follow_find_pid(f, pid);
	uint64_t now = clock_monotonic_ns();

	if (p && (p->gone_ns || (p->tgid && (p->tgid != tgid || p->start_ns != start_ns)))) {
		follow_drop(f, p); /* the pid is used again */
		p = NULL;
	}
	if (!p) {
		p = follow_new_process(f, pid);
		if (!p)
			return -ENOMEM;
		follow_scan_want(f, p, adopted ? now : now + WAIT_FORK_NS);
	} else if (!p->complete && !p->scan) {
		follow_scan_want(f, p, now);
	}
	if (!p->tgid) {
		process_name(f, p, tgid, start_ns);
		follow_verify_want(f, p, now);
	}
	return 0;
}

/* Records of its last moments may still be in the side-band, such as a fork. */
void follow_exit(struct follow *f, uint32_t tgid, uint64_t start_ns)
{
	struct process *p = follow_find_tgid(f, tgid);

	if (!p || p->start_ns != start_ns || p->gone_ns)
		return;
	p->gone_ns = clock_monotonic_ns();
	p->scan_ns = p->verify_ns = 0;
	follow_scan_stop(f, p);
	mappings_hide(f->mappings, tgid, start_ns);
	follow_due_at(f, p->gone_ns + 2 * NS_PER_MS);
}

void follow_rescan(struct follow *f, uint32_t tgid)
{
	struct process *p = follow_find_tgid(f, tgid);

	if (p && !p->gone_ns)
		follow_scan_want(f, p, clock_monotonic_ns());
}

static bool process_over(const struct process *p, uint64_t now_ns, uint64_t horizon_ns)
{
	if (p->gone_ns)
		return p->gone_ns <= horizon_ns;
	return !p->tgid && p->exit_ns && p->exit_ns + FORGET_NS <= now_ns;
}

static void timers(struct follow *f, uint64_t now_ns, uint64_t horizon_ns)
{
	struct process *p, *next;

	if (!f->due_ns || f->due_ns > now_ns)
		return;
	f->due_ns = 0;
	HASH_ITER (hh, f->by_pid, p, next) {
		if (process_over(p, now_ns, horizon_ns)) {
			follow_drop(f, p);
			continue;
		}
		if (p->verify_ns && p->verify_ns <= now_ns)
			follow_verify(f, p, now_ns);
		if (p->gone_ns)
			follow_due_at(f, now_ns + 2 * NS_PER_MS);
		if (p->verify_ns)
			follow_due_at(f, p->verify_ns);
		if (p->scan_ns)
			follow_due_at(f, p->scan_ns);
		if (!p->tgid && p->exit_ns)
			follow_due_at(f, p->exit_ns + FORGET_NS);
	}
}

/* The program is mapped lowest, but for what nobody has to believe. */
static void companions_tell(struct follow *f, const struct areas *areas)
{
	for (size_t i = 1; i < areas->count; i++)
		if (areas->list[i].file && areas->list[i].file != areas->list[i - 1].file)
			files_together(f->files, areas->list[0].file, areas->list[i].file);
}

static int process_show(struct follow *f, struct process *p, uint64_t now_ns)
{
	struct unwind_process entry = { .start_ns = p->start_ns, .execs = p->execs };
	bool dirty = p->image->dirty;
	int err = image_write(p->image, f->files, f->mappings, now_ns);

	if (err) { /* the old range stands until then */
		follow_due_at(f, p->image->next_ns);
		return err;
	}
	if (dirty) {
		f->refused += p->image->refused;
		companions_tell(f, &p->image->areas);
	}
	p->changed = false;
	entry.first = p->image->first;
	entry.count = p->image->count;
	entry.python = p->image->python;
	if (p->shown && !memcmp(&entry, &p->entry, sizeof(entry)))
		return 0;
	p->entry = entry;
	p->shown = true;
	p->shown_ns = clock_boot_ns();
	err = mappings_show(f->mappings, p->tgid, &entry);
	f->refused += err ? entry.count : 0;
	return err;
}

static void images_stale(struct follow *f)
{
	struct process *p, *next;

	HASH_ITER (hh, f->by_pid, p, next)
		if (!p->image->dirty && image_is_stale(p->image, f->files))
			p->image->dirty = true;
	files_changed_clear(f->files);
	f->changed = true;
}

/* All who share an image move to its new range at once, long before the old one has rested. */
static int show(struct follow *f, uint64_t now_ns)
{
	struct process *p, *next;
	int first_err = 0, err;

	f->changed = false;
	HASH_ITER (hh, f->by_pid, p, next) {
		if (!p->complete || !p->tgid || p->gone_ns)
			continue;
		if (!p->changed && !p->image->dirty && p->entry.first == p->image->first &&
		    p->entry.count == p->image->count)
			continue;
		err = process_show(f, p, now_ns);
		f->changed |= p->changed || p->image->dirty;
		if (err && err != -EAGAIN && !first_err)
			first_err = err;
	}
	return first_err;
}

int follow_pump(struct follow *f, uint64_t horizon_ns)
{
	uint64_t now = clock_monotonic_ns();
	bool some_due = f->due_ns && f->due_ns <= now;
	int first_err = 0, err;

	mappings_expire(f->mappings, now);
	timers(f, now, horizon_ns);
	follow_scans(f, now, some_due);
	if (f->changed) /* what is mapped is told before its rows are read: that may take long */
		first_err = show(f, clock_monotonic_ns());
	if (files_pump(f->files, clock_monotonic_ns()))
		images_stale(f);
	err = f->changed ? show(f, clock_monotonic_ns()) : 0;
	files_expect(f->files);
	return first_err ? first_err : err;
}

uint64_t follow_due(const struct follow *f)
{
	uint64_t files = files_due(f->files);

	return !f->due_ns || (files && files < f->due_ns) ? files : f->due_ns;
}

bool follow_busy(const struct follow *f)
{
	struct process *p, *next;

	HASH_ITER (hh, f->by_pid, p, next)
		if (p->tgid && !p->gone_ns &&
		    (p->scan || p->scan_ns || (p->complete && (p->changed || p->image->dirty))))
			return true;
	return false;
}

bool follow_find(const struct follow *f, uint32_t tgid, uint64_t address, struct mapping *ret)
{
	struct process *p = follow_find_tgid(f, tgid);
	const struct area *area = p ? areas_find(&p->image->areas, address) : NULL;
	struct mapping some[AREA_MAPPINGS_MAX];
	size_t count;

	if (!area)
		return false;
	count = layout_area(area, files_get(f->files, area->file), some);
	while (count-- && address < some[count].start)
		;
	*ret = some[count];
	return true;
}

const struct unwind_process *follow_shown(const struct follow *f, uint32_t tgid)
{
	struct process *p = follow_find_tgid(f, tgid);

	return p && p->shown && !p->gone_ns ? &p->entry : NULL;
}

uint64_t follow_shown_ns(const struct follow *f, uint32_t tgid)
{
	struct process *p = follow_find_tgid(f, tgid);

	return p && p->shown ? p->shown_ns : 0;
}

void follow_stats(const struct follow *f, struct unwinder_stats *ret)
{
	ret->mappings = mappings_used(f->mappings);
	ret->mappings_refused += f->refused;
	ret->rescans = f->rescans;
	ret->lost_events = f->lost;
}
