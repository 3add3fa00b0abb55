/* processes.c - see processes.h */
#include "aggregate/processes.h"

#include <errno.h>
#include <stdlib.h>

#define ENDED_LIMIT 1024

struct processes {
	struct process *table;
	size_t alive, ended;
	uint64_t seen;
	uint64_t epoch; /* the highest that a share was of */
	uint64_t ended_minor, ended_major;
	struct processes_omitted omitted;
};

struct processes *processes_new(void)
{
	return calloc(1, sizeof(struct processes));
}

void processes_free(struct processes *t)
{
	struct process *p, *next;

	if (!t)
		return;
	HASH_ITER (hh, t->table, p, next) {
		HASH_DEL(t->table, p);
		free(p);
	}
	free(t);
}

struct process *processes_find(const struct processes *t, uint32_t tgid, uint64_t start_ns)
{
	struct process_key key = { .tgid = tgid, .start_ns = start_ns };
	struct process *p;

	HASH_FIND(hh, t->table, &key, sizeof(key), p);
	return p;
}

struct process *processes_get(struct processes *t, uint32_t tgid, uint64_t start_ns)
{
	struct process *p = processes_find(t, tgid, start_ns);

	if (p)
		return p;
	p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	p->key.tgid = tgid;
	p->key.start_ns = start_ns;
	HASH_ADD(hh, t->table, key, sizeof(p->key), p);
	t->alive++;
	t->seen++;
	return p;
}

int processes_end(struct processes *t, struct process *p, enum process_end end, int status,
		  uint64_t end_ns)
{
	if (p->end != END_RUNNING)
		return -EALREADY;
	p->end = end;
	p->status = status;
	p->end_ns = end_ns;
	p->rss_bytes = 0;
	t->ended_minor += p->minor_faults;
	t->ended_major += p->major_faults;
	t->alive--;
	t->ended++;
	return 0;
}

int processes_return(struct processes *t, struct process *p)
{
	if (p->end != END_LEFT)
		return -EALREADY;
	p->end = END_RUNNING;
	p->end_ns = 0;
	t->ended_minor -= p->minor_faults;
	t->ended_major -= p->major_faults;
	t->alive++;
	t->ended--;
	return 0;
}

static void share_add(uint64_t *at_epoch, uint64_t *share, uint64_t epoch, uint64_t bytes)
{
	if (epoch < *at_epoch)
		return;
	if (epoch > *at_epoch)
		*share = 0;
	*at_epoch = epoch;
	*share += bytes;
}

void processes_share(struct processes *t, struct process *p, uint64_t epoch, uint64_t share_bytes)
{
	if (epoch > t->epoch)
		t->epoch = epoch;
	if (p)
		share_add(&p->epoch, &p->share_bytes, epoch, share_bytes);
	else
		share_add(&t->omitted.epoch, &t->omitted.share_bytes, epoch, share_bytes);
}

static uint64_t share_at(const struct process *p, uint64_t epoch)
{
	return p->epoch == epoch ? p->share_bytes : 0;
}

static int by_weight(const void *a, const void *b, void *epoch)
{
	const struct process *p = *(struct process *const *)a, *q = *(struct process *const *)b;
	uint64_t p_share = share_at(p, *(uint64_t *)epoch),
		 q_share = share_at(q, *(uint64_t *)epoch);

	if (p_share != q_share)
		return p_share < q_share ? 1 : -1;
	if (p->peak_bytes != q->peak_bytes)
		return p->peak_bytes < q->peak_bytes ? 1 : -1;
	return p->key.start_ns < q->key.start_ns ? -1 : p->key.start_ns > q->key.start_ns;
}

static int collect_sorted(const struct processes *t, uint64_t epoch, bool ended_only,
			  struct process ***ret, size_t *ret_count)
{
	struct process **list = calloc(t->alive + t->ended + 1, sizeof(*list)), *p, *next;
	size_t n = 0;

	if (!list)
		return -ENOMEM;
	HASH_ITER (hh, t->table, p, next)
		if (!ended_only || p->end != END_RUNNING)
			list[n++] = p;
	qsort_r(list, n, sizeof(*list), by_weight, &epoch);
	*ret = list;
	*ret_count = n;
	return 0;
}

int processes_sorted(const struct processes *t, uint64_t epoch, struct process ***ret,
		     size_t *ret_count)
{
	return collect_sorted(t, epoch, false, ret, ret_count);
}

void processes_trim(struct processes *t)
{
	struct process **list;
	size_t n;

	if (t->ended <= ENDED_LIMIT || collect_sorted(t, t->epoch, true, &list, &n))
		return;
	/* half of the limit at once: the sort is paid once per 512 processes */
	for (size_t i = ENDED_LIMIT / 2; i < n; i++) {
		if (list[i]->root)
			continue;
		t->omitted.count++;
		share_add(&t->omitted.epoch, &t->omitted.share_bytes, list[i]->epoch,
			  list[i]->share_bytes);
		HASH_DEL(t->table, list[i]);
		free(list[i]);
		t->ended--;
	}
	free(list);
}

size_t processes_alive(const struct processes *t)
{
	return t->alive;
}

uint64_t processes_seen(const struct processes *t)
{
	return t->seen;
}

void processes_ended_faults(const struct processes *t, uint64_t *ret_minor, uint64_t *ret_major)
{
	*ret_minor = t->ended_minor;
	*ret_major = t->ended_major;
}

const struct processes_omitted *processes_omitted(const struct processes *t)
{
	return &t->omitted;
}

struct process *processes_first(const struct processes *t)
{
	return t->table;
}
