/* follow_scans.c - /proc/PID/maps of processes that the side-band does not tell all of, and whether
 * our count of execs is the kernel's; see follow.h */
#include "unwind/follow_private.h"

#include <errno.h>

#define SLICE_NS (3 * NS_PER_MS)   /* of reading maps, a call */
#define VERIFY_NS (50 * NS_PER_MS) /* first look whether our count of execs is the kernel's */
#define VERIFY_STEPS 5		   /* each waits twice as long: 1.5 s in all */
#define RESCAN_SHARE 20		   /* reading maps takes at most 1/20 of the time, per process */

void follow_scan_stop(struct follow *f, struct process *p)
{
	scan_free(p->scan);
	p->scan = NULL;
	if (f->scanning == p)
		f->scanning = NULL;
}

void follow_scan_want(struct follow *f, struct process *p, uint64_t at_ns)
{
	if (at_ns < p->rest_ns)
		at_ns = p->rest_ns;
	if (!p->scan_ns || at_ns < p->scan_ns)
		p->scan_ns = at_ns;
	follow_due_at(f, p->scan_ns);
}

void follow_verify_want(struct follow *f, struct process *p, uint64_t now_ns)
{
	if (!f->execs)
		return;
	p->verify_step = 0;
	p->verify_ns = now_ns + VERIFY_NS;
	follow_due_at(f, p->verify_ns);
}

/* Ours is right until the side-band tells of an exec that the kernel has not counted yet. */
static int execs_of(const struct follow *f, const struct process *p, uint32_t *ret)
{
	*ret = p->execs;
	return f->execs && p->tgid ? f->execs(f->context, p->tgid, p->start_ns, ret) : 0;
}

static void scan_begin(struct follow *f, struct process *p)
{
	int err = execs_of(f, p, &p->scan_execs);

	p->scan_ns = 0;
	if (!err)
		err = scan_new(p->pid, f->files, &f->watch, &p->scan);
	if (!err)
		f->scanning = p;
	else if (err != -ESRCH)
		follow_scan_want(f, p, clock_monotonic_ns() + NS_PER_S);
}

/* What was read is the image now. @found is used up. */
static int image_replace(struct follow *f, struct process *p, struct areas *found)
{
	struct image *fresh = image_new(&f->watch);

	if (!fresh) {
		areas_clear(found);
		return -ENOMEM;
	}
	fresh->areas = *found;
	/* takes its turn after the range that it replaces */
	fresh->next_ns = p->image->next_ns;
	image_put(p->image, f->mappings, clock_monotonic_ns());
	p->image = fresh;
	return 0;
}

static int scan_take(struct follow *f, struct process *p, struct areas *found)
{
	p->synced_ns = scan_began_ns(p->scan);
	f->refused += scan_refused(p->scan);
	/* the kernel counts an exec only at its end: the side-band may be ahead */
	if (!p->execs_known || (int32_t)(p->scan_execs - p->execs) > 0)
		p->execs = p->scan_execs;
	p->execs_known = true;
	follow_touch(f, p);
	if (p->complete && areas_equal(found, &p->image->areas)) {
		areas_clear(found);
		return 0;
	}
	p->complete = true;
	return image_replace(f, p, found);
}

static int scan_accept(struct follow *f, struct process *p)
{
	struct areas found = { .watch = &f->watch };
	uint32_t execs;
	int err = execs_of(f, p, &execs);

	if (!err && execs != p->scan_execs)
		err = -EAGAIN; /* of two programs */
	if (!err)
		err = scan_finish(p->scan, &found);
	return err ? err : scan_take(f, p, &found);
}

static void scan_end(struct follow *f, struct process *p, int err)
{
	uint64_t now = clock_monotonic_ns(), cost = now - scan_began_ns(p->scan);

	f->rescans++;
	if (!err)
		err = scan_accept(f, p);
	follow_scan_stop(f, p);
	p->rest_ns = err == -EAGAIN ? 0 : now + cost * RESCAN_SHARE;
	if (!err)
		follow_verify_want(f, p, now);
	else if (err != -ESRCH)
		follow_scan_want(f, p, now + (err == -EAGAIN ? 2 * NS_PER_MS : NS_PER_S));
}

/* Our count of execs must become the kernel's; an exec in progress takes a while. */
void follow_verify(struct follow *f, struct process *p, uint64_t now_ns)
{
	uint32_t execs;

	p->verify_ns = 0;
	if (!p->tgid || p->gone_ns || execs_of(f, p, &execs))
		return;
	/* not at the first look: the event may be on its way */
	if (execs != p->execs && (p->verify_step == VERIFY_STEPS ||
				  (p->verify_step && (int32_t)(execs - p->execs) > 0))) {
		p->execs_known = false; /* an event was missed: what the scan finds is true */
		follow_scan_want(f, p, now_ns);
	}
	if (p->verify_step == VERIFY_STEPS)
		return;
	p->verify_step++;
	p->verify_ns = now_ns + (VERIFY_NS << p->verify_step);
	follow_due_at(f, p->verify_ns);
}

static struct process *scan_next(const struct follow *f, uint64_t now_ns)
{
	struct process *p, *next, *first = NULL;

	HASH_ITER (hh, f->by_pid, p, next)
		if (p->scan_ns && p->scan_ns <= now_ns && (!first || p->scan_ns < first->scan_ns))
			first = p;
	return first;
}

void follow_scans(struct follow *f, uint64_t now_ns, bool some_due)
{
	uint64_t until = now_ns + SLICE_NS;
	struct process *p;
	int more;

	while (now_ns < until && (f->scanning || some_due)) {
		if (!f->scanning) {
			p = scan_next(f, now_ns);
			if (!p)
				return;
			scan_begin(f, p);
		}
		p = f->scanning;
		if (p) {
			more = scan_go_on(p->scan, until);
			if (more != 1)
				scan_end(f, p, more);
		}
		now_ns = clock_monotonic_ns();
	}
	if (f->scanning || some_due)
		follow_due_at(f, now_ns);
}
